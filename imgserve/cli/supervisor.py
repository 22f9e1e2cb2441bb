"""The process that watches the serving ones: a lost one is replaced, one that cannot start ends the server."""

from __future__ import annotations

import gc
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from imgserve.app.exits import EXIT_CONFIG as SETTINGS_ARE_WRONG
from imgserve.cli.beside import Beside
from imgserve.cli.environment import EXIT_CONFIG
from imgserve.lifeline import end_with

logger = logging.getLogger("imgserve")

#: What a worker needs beyond its bound for draining: closing its sources, and renders that do not come back.
_CLOSING_S: Final = 15.0
#: How often the processes are asked how they are, and how often the first one at the start.
_LOOK_EVERY_S: Final = 0.5
_FIRST_LOOK_S: Final = 0.05


class Worker(Process):
    """One serving process, which tells when it began to serve."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        # A pipe, as what is in it outlives the process: a ping would find nobody.
        self._told, self._tell = Pipe(duplex=False)
        self._supervisor = os.getpid()
        super().__init__(config, sockets)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        end_with(self._supervisor)
        # What is imported stays: looking through it for garbage took a tenth of the start. The app turns it on again.
        gc.disable()
        super().target(sockets)

    def is_alive(self, timeout: float = 5) -> bool:
        """Ask whether it answers; unlike uvicorn's, one that dies over the question is not waited for."""
        if not self.process.is_alive():
            return False
        self.parent_conn.send(b"ping")
        ready = wait([self.parent_conn, self.process.sentinel], timeout)
        if self.parent_conn not in ready:
            return False
        self.parent_conn.recv()
        return True

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = _TellingServer(self)
        return self._server

    def tell(self) -> None:
        """Say, in the worker, that it serves."""
        self._tell.send_bytes(b"serving")

    @property
    def served(self) -> bool:
        """Whether it ever served, asked in the supervisor."""
        return self._told.poll()


class _TellingServer(uvicorn.Server):
    def __init__(self, worker: Worker) -> None:
        super().__init__(worker.config)
        self._worker = worker

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._worker.tell()


class Supervisor(Multiprocess):
    """uvicorn's, which restarts for ever what cannot start unless its exit code is the one of uvicorn itself."""

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: list[socket.socket],
        *,
        gone: Callable[[int], None] = lambda _pid: None,
        began: Callable[[], None] = lambda: None,
        beside: Sequence[Beside] = (),
    ) -> None:
        """`gone` is told the id of each process that has ended and was replaced; `began`, once, that one serves.

        What works `beside` is started after all that serve: first answers come first.
        """
        super().__init__(config, sockets)
        #: The exit code of the server.
        self.exit_code = 0
        self._gone = gone
        self._began = began
        self._beside = tuple(beside)
        #: What has served once cannot be wrong in its settings: from then on, every lost process is replaced.
        self._has_served = False
        self._pids: set[int] = set()

    def init_processes(self) -> None:
        # The others follow when it serves: what is wrong is told once, and nobody competes with the first answer.
        self.processes.append(self._started())

    @property
    def _all_started(self) -> bool:
        return len(self.processes) >= self.processes_num

    def keep_subprocess_alive(self) -> None:
        self._replace_lost()
        if not self._has_served and any(isinstance(one, Worker) and one.served for one in self.processes):
            self._has_served = True
            self._began()
        if not self._all_started and all(isinstance(one, Worker) and one.served for one in self.processes):
            self.processes += [self._started() for _ in range(self.processes_num - len(self.processes))]
        elif self._all_started and not self.should_exit.is_set():
            for one in self._beside:
                one.keep()
        # By comparison: SIGHUP replaces processes too, in uvicorn's own loop.
        now = {worker.pid for worker in self.processes if worker.pid is not None}
        for pid in self._pids - now:
            self._gone(pid)
        self._pids = now

    def _replace_lost(self) -> None:
        for index, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if worker.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            worker.kill()
            worker.join()
            if isinstance(worker, Worker) and not worker.served and not self._has_served:
                self.exit_code = self._reason(worker)
                self.should_exit.set()
                return
            logger.error("process %s ended (exit code %s); another takes its place", worker.pid, worker.exitcode)
            self.processes[index] = self._started()

    def _reason(self, worker: Worker) -> int:
        """Give the exit code of a server whose first process ended; one that found mistakes has told them."""
        if worker.exitcode == SETTINGS_ARE_WRONG:
            return EXIT_CONFIG
        logger.critical("process %s ended before it served (exit code %s)", worker.pid, worker.exitcode)
        # A signal's number is no exit code.
        return max(worker.exitcode or 0, 0) or STARTUP_FAILURE

    def run(self) -> None:
        """Serve until told to stop, like uvicorn's; but look sooner whether the first process has begun."""
        self.init_processes()
        while not self.should_exit.wait(_LOOK_EVERY_S if self._all_started else _FIRST_LOOK_S):
            self.handle_signals()
            self.keep_subprocess_alive()
        for one in self._beside:
            one.stop()
        self.terminate_all()
        self.join_all()

    def join_all(self) -> None:
        """Wait for the workers, and kill those that outstay their time: their stuck threads may hold them for ever."""
        until = time.monotonic() + (self.config.timeout_graceful_shutdown or 0) + _CLOSING_S
        for worker in self.processes:
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                logger.error("process %s did not end in time and is killed", worker.pid)
                worker.kill()
                worker.join()
        for one in self._beside:
            one.join(max(0.0, until - time.monotonic()))

    def _started(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker
