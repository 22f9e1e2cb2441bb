"""A worker's child process, seen from its parent: started, asked, looked after and ended.

It is spawned, never forked: the parent has threads, and so has libvips in it. huey's own process workers fork, and
would not do for a second reason: their time limit is a signal that Python handles between two instructions, so it does
not reach a model that computes in C, and nobody could show signs of life for them meanwhile, or end them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

from imgserve.adapters.queue.making import Maker, Word, child_target
from imgserve.ports.jobs import JobOrder

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
#: The second number of statm.
RESIDENT: Final = 1


class ChildDiedError(Exception):
    """The process has ended, or cannot be started."""


class Child:
    """One process, which takes one order at a time. Raises ChildDiedError where it cannot be started."""

    def __init__(self, build: Callable[[], Maker]) -> None:
        spawning = multiprocessing.get_context("spawn")
        try:
            self._line, theirs = spawning.Pipe()
            with theirs:  # closed here, so that its end is seen
                self._process: SpawnProcess = spawning.Process(
                    target=child_target, args=(theirs, build), name="imgserve-jobs", daemon=True
                )
                self._process.start()
        except OSError as exc:
            raise ChildDiedError(f"A process for jobs cannot be started: {exc}") from exc
        self._killed = False
        self.jobs = 0

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        return not wait([self._process.sentinel], 0)

    @property
    def terminated(self) -> bool:
        """Whether SIGTERM ended it: somebody stops the service, this process too perhaps."""
        self._kill()
        self._process.join()
        return self._process.exitcode == -signal.SIGTERM

    def ask(self, order: JobOrder) -> None:
        self.jobs += 1
        try:
            self._line.send(order)
        except OSError as exc:
            raise ChildDiedError("It has ended before the job.") from exc

    def hear(self, within_s: float) -> Word | None:
        """Give what it says next, None for nothing in that time."""
        line: Connection = self._line
        ready = wait([line, self._process.sentinel], within_s)
        try:
            # First the line: it may have said its last word and ended.
            if line.poll():
                word: Word = line.recv()
                return word
        except (EOFError, OSError) as exc:
            raise ChildDiedError("It has ended over the job.") from exc
        if self._process.sentinel in ready:
            raise ChildDiedError("It has ended over the job.")
        return None

    def resident_bytes(self) -> int:
        """Give the memory that it occupies now, 0 where that is not known."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[RESIDENT]) * PAGE_BYTES
        return 0

    def end(self) -> None:
        """End it at once, whatever it does, and wait until it is gone."""
        self._kill()
        self._process.join()
        self._line.close()
        self._process.close()

    def _kill(self) -> None:
        """Kill its group, so its programs too; once, and before `join`, after which the number may be another's."""
        if self._killed:
            return
        self._killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it is so young that it has no group yet
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
