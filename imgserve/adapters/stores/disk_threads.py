"""Threads that wait for the disk, so that the event loop does not.

Not a ThreadPoolExecutor: its futures, chained to those of asyncio, cost the event loop three times as much. And these
threads are daemons: a disk that hangs does not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from imgserve.ports import StoreError

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class DiskThreads:
    """Does what it is given in the order it was given, `count` at a time."""

    def __init__(self, count: int, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._count = count
        self._waiting = 0
        self._moved_at = 0.0
        for number in range(count):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    async def run(self, job: Callable[[], T], patience_s: float) -> T:
        """Wait for a job; who is cancelled, or raises StoreError for want of patience, leaves it to be done."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        if not self._waiting:
            self._moved_at = time.monotonic()
        self._waiting += 1
        self._jobs.put(partial(self._carry_out, job, loop, done))
        timer = loop.call_later(patience_s, _give_up, done, patience_s)
        try:
            return await done
        finally:
            timer.cancel()

    def later(self, job: Callable[[], None]) -> None:
        """Have something done that nobody waits for."""
        self._jobs.put(job)

    def stuck_s(self) -> float:
        """Tell for how long there have been jobs that are waited for, and none of them was done."""
        return time.monotonic() - self._moved_at if self._waiting else 0.0

    def close(self) -> None:
        """End the threads when they have done what they were given."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:  # the thread goes on, whatever it was
                _logger.exception("background work of the disk store failed")
            del job  # it may hold a body, and the next may come late

    def _carry_out(self, job: Callable[[], T], loop: asyncio.AbstractEventLoop, done: asyncio.Future[T]) -> None:
        try:
            tell = partial(self._tell, done, done.set_result, job())
        except BaseException as exc:  # noqa: BLE001 - raised where the job is waited for
            tell = partial(self._tell, done, done.set_exception, exc)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(tell)

    def _tell(self, done: asyncio.Future[T], settle: Callable[[Any], None], outcome: T | BaseException) -> None:
        self._waiting -= 1
        self._moved_at = time.monotonic()
        if not done.done():
            settle(outcome)


def _give_up(done: asyncio.Future[T], patience_s: float) -> None:
    if not done.done():
        done.set_exception(StoreError(f"The disk store did not answer within {patience_s:g} s."))
