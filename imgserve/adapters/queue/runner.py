"""A runner of jobs: worker threads, each with a child process, and a keeper that sweeps and looks after the threads."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, Final

from imgserve.adapters.queue.calls import Handler, make_call, schedule
from imgserve.adapters.queue.complaints import Complaints
from imgserve.adapters.queue.consumer import SCHEDULE_S, LineConsumer
from imgserve.adapters.queue.driving import Driver, Manner, Workshop
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.making import Maker
from imgserve.adapters.queue.stopping import Stopping
from imgserve.adapters.queue.sweep import Sweeper
from imgserve.adapters.queue.watching import Watch, told
from imgserve.ports.jobs import Job, QueueError

#: A lost job is found within two of these; a sweep of an empty ledger costs about a millisecond.
SWEEP_S: Final = 5.0
#: A sweep that took long (10,000 jobs wait) is followed by a pause of so many times that: one CPU in fifty at most.
SWEEP_SHARE: Final = 50
#: How often the threads are looked at.
LOOK_AFTER_S: Final = 1.0
#: Threads see that they are to stop within the time for which they ask Redis.
END_S: Final = 5.0
#: Calls at a time: a receiver of webhooks that hangs must not keep all others waiting.
CALLERS: Final = 4

_log = logging.getLogger(__name__)


class Runner:
    """Works on jobs until it is stopped; several, in one process or many, share a ledger.

    `build` is a function of a module, called in each child process, and gives what makes artefacts. `ended` is told
    of every end, at least once, by whichever runner wrote or found it: twice where one is killed just then, or two
    find it at once, so what it schedules should have an id that follows from the end. It and the `handlers` of
    scheduled calls are called in threads, and should take seconds at most.
    """

    def __init__(
        self,
        ledger: Ledger,
        build: Callable[[], Maker],
        *,
        workers: int,
        job_timeout_s: float,
        max_bytes: int,
        ended: Callable[[Job], None] | None = None,
        handlers: Mapping[str, Handler] | None = None,
        watch: Watch | None = None,
        idle_s: float = 60.0,
        jobs_per_child: int = 1000,
        backoff_s: float = 2.0,
        sweep_s: float = SWEEP_S,
        schedule_s: float = SCHEDULE_S,
    ) -> None:
        self._ledger = ledger
        self._hook = ended
        self._watch = watch or Watch()
        self._sweep_s = sweep_s
        self._stopping = Stopping()
        self._complaints = Complaints()
        self._sweeper = Sweeper(ledger, ended=self._ended)
        shop = Workshop(
            ledger=ledger,
            build=build,
            manner=Manner(
                job_timeout_s=job_timeout_s,
                max_bytes=max_bytes,
                idle_s=idle_s,
                jobs_per_child=jobs_per_child,
                backoff_s=backoff_s,
            ),
            sweeper=self._sweeper,
            stopping=self._stopping,
            complaints=self._complaints,
            watch=self._watch,
            name=f"{socket.gethostname()}:{os.getpid()}",
        )
        storage = ledger.storage
        self._consumers = [
            LineConsumer(
                storage.job_line,
                workers=workers,
                hands=lambda: Driver(shop),
                schedule_s=schedule_s,
                complaints=self._complaints,
            )
        ]
        if handlers:  # a line of their own, so that a webhook does not wait for jobs of minutes
            self._consumers.append(
                LineConsumer(
                    storage.call_line,
                    workers=CALLERS,
                    hands=lambda: _Caller(ledger, handlers),
                    schedule_s=schedule_s,
                    complaints=self._complaints,
                )
            )
        self._keeper = threading.Thread(target=self._keep, name="imgserve-jobs-keeper", daemon=True)

    def start(self) -> None:
        """Begin to work, in threads."""
        for consumer in self._consumers:
            consumer.start()
        self._keeper.start()

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Take no more jobs, let those that run go on for a while, then put them back; waits for all that."""
        self._stopping.begin(grace_s)
        for consumer in self._consumers:
            consumer.stop_flag.set()
        for thread in [self._keeper, *(thread for each in self._consumers for thread in each.threads())]:
            if thread.is_alive():
                thread.join(self._stopping.left_s + END_S)

    def run(self, *, grace_s: float = 10.0) -> None:
        """Work until SIGTERM or SIGINT; a second one ends the grace. For the main thread of a worker's process."""

        heard: SimpleQueue[int] = SimpleQueue()  # unlike an event, it may be used by a signal's handler

        def hear(number: int, _frame: object) -> None:
            if self._stopping.begun:
                self._stopping.hurry()
            heard.put(number)

        before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.start()
            heard.get()
            self.stop(grace_s=grace_s)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def schedule(self, kind: str, payload: bytes, *, delay_s: float = 0.0, id: str = "") -> None:
        """Have the handler of that kind called with `payload`, by this runner or another; see calls.schedule."""
        schedule(self._ledger.storage, kind, payload, delay_s=delay_s, id=id)

    def _keep(self) -> None:
        next_sweep = 0.0
        while not self._stopping.begun:
            for consumer in self._consumers:
                consumer.check_worker_health()
            if time.monotonic() >= next_sweep:
                next_sweep = self._sweep()
            self._stopping.event.wait(min(LOOK_AFTER_S, max(0.0, next_sweep - time.monotonic())))

    def _sweep(self) -> float:
        """Sweep, whatever happens, and give the time for the next."""
        began = time.monotonic()
        try:
            self._watch.swept(self._sweeper.sweep())
        except QueueError as exc:
            self._complaints.say(exc)
        except Exception:  # noqa: BLE001 - a bug over one record must not end all sweeps
            _log.exception("A sweep broke.")
        ended = time.monotonic()
        return ended + max(self._sweep_s, SWEEP_SHARE * (ended - began))

    def _ended(self, job: Job) -> None:
        try:
            if self._hook is not None:
                self._hook(job)
        except QueueError:
            raise  # it could not put off what it has to do: a sweep tells of this end again
        except Exception:  # noqa: BLE001 - the job has ended well or badly, whatever its hook does
            _log.exception("What is told of ends broke over job %s.", job.order.id)
        told(self._watch, job)


class _Caller:
    """Hands for scheduled calls."""

    def __init__(self, ledger: Ledger, handlers: Mapping[str, Handler]) -> None:
        self._ledger = ledger
        self._handlers = handlers

    def work(self, *args: Any) -> None:
        make_call(self._ledger.storage, str(args[0]), self._handlers)

    def rest(self) -> None: ...

    def close(self) -> None: ...
