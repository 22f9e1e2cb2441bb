"""A process that works beside the serving ones: started again when it ends, and ended with them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from typing import Final

from imgserve.lifeline import end_with

logger = logging.getLogger("imgserve")

#: Before one that ended is started again, at first and at most: what cannot start must not fill the log.
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
#: One that has lived so long is well: its next end is a new story.
_WELL_S: Final = 60.0


class Beside:
    """One such process; `work` is a function of a module, which returns on SIGTERM."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name = name
        self._work = work
        self._process: SpawnProcess | None = None
        self._started_at = 0.0
        self._wait_s = _FIRST_WAIT_S

    def keep(self) -> None:
        """Start it, or start it again; asked every now and then."""
        process, now = self._process, time.monotonic()
        if process is not None and process.is_alive():
            return
        if process is not None:
            if now - self._started_at > _WELL_S:
                self._wait_s = _FIRST_WAIT_S
            if now < self._started_at + self._wait_s:
                return
            self._wait_s = min(_LONGEST_WAIT_S, 2 * self._wait_s)
            logger.error("the %s ended (exit code %s); another takes its place", self._name, process.exitcode)
        self._started_at = now
        self._process = multiprocessing.get_context("spawn").Process(
            target=_run, args=(self._work, os.getpid()), name=self._name
        )
        self._process.start()

    def stop(self) -> None:
        """Tell it to end; it finishes what it may."""
        if self._process is not None and self._process.is_alive():
            self._process.terminate()

    def join(self, timeout_s: float) -> None:
        """Wait until it is gone, and kill it after that time."""
        if self._process is None:
            return
        self._process.join(timeout_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _run(work: Callable[[], None], supervisor: int) -> None:
    end_with(supervisor)
    work()
