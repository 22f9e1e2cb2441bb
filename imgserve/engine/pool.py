"""The threads that render: bounded, with a bounded queue, and with deadlines that hold even when libvips does not.

libvips lets go of the GIL, so threads are enough; what a thread cannot do is be stopped from outside. A render past its
deadline is asked to stop, its caller is answered at once, and a thread that still does not come back is counted in
`stuck`, so that the worker process can be replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import pyvips
from PIL import Image

from imgserve.engine.deadline import Deadline
from imgserve.engine.load import LOADERS
from imgserve.errors import QueueFull, RenderTimeout, Unavailable

T = TypeVar("T")

#: A killed render comes back within the time of one strip of pixels; only an encoder at its last step needs longer.
GRACE_S: Final = 5.0
#: What a client is told to wait when the queue is full: renders take parts of a second.
RETRY_AFTER_S: Final = 1


def configure_libvips() -> None:
    """Set libvips and Pillow up for a server; once per process, before the first picture, never before a fork.

    One thread per operation (renders run side by side), no operation cache (every picture is new), and only the loaders
    that are meant to read untrusted bytes.
    """
    pyvips.concurrency_set(1)  # type: ignore[attr-defined] # missing in the stubs
    pyvips.cache_set_max(0)
    pyvips.cache_set_max_mem(0)
    pyvips.cache_set_max_files(0)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in LOADERS:
        pyvips.operation_block_set(loader, False)
    # libvips puts pieces of broken files into its messages, and pyvips fails on those that are not UTF-8: its error
    # would become another one, and a warning a traceback on stderr.
    pyvips._to_string = pyvips.error._to_string = _message  # type: ignore[assignment]  # noqa: SLF001
    # Sizes are checked here, with the limits of the request; Pillow would print warnings at a bound of its own.
    Image.MAX_IMAGE_PIXELS = None


def _message(text: Any) -> str:
    return "" if text == pyvips.ffi.NULL else pyvips.ffi.string(text).decode("utf-8", "replace")


class RenderPool:
    """Run blocking work in `threads` daemon threads, with room for `queue_size` more pieces of work that wait."""

    def __init__(self, *, threads: int, queue_size: int, grace_s: float = GRACE_S) -> None:
        self.threads = threads
        self.queue_size = queue_size
        self.grace_s = grace_s
        #: Threads that did not come back within the grace time after their work was killed.
        self.stuck = 0
        self._pending = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        for number in range(threads):
            threading.Thread(target=self._serve, name=f"render-{number}", daemon=True).start()

    @property
    def pending(self) -> int:
        """Pieces of work that run or wait."""
        return self._pending

    async def run(self, work: Callable[[], T], *, deadline: Deadline) -> T:
        """Run `work` in a thread and give its result.

        Raises QueueFull at once when there is no room, Unavailable after `close`, RenderTimeout at the deadline. When
        the awaiting task is cancelled the work is killed.
        """
        if self._closed:
            raise Unavailable("The server is shutting down; try again in a moment.", retry_after_s=RETRY_AFTER_S)
        if self._pending >= self.threads + self.queue_size:
            raise QueueFull("Too many images are being made; try again in a moment.", retry_after_s=RETRY_AFTER_S)
        loop = asyncio.get_running_loop()
        future: Future[T] = Future()
        self._pending += 1
        self._idle.clear()
        future.add_done_callback(lambda _: self._tell(loop))
        self._work.put((future, lambda: _on_time(work, deadline)))
        waiter = asyncio.wrap_future(future)
        try:
            async with asyncio.timeout(min(deadline.remaining_s, threading.TIMEOUT_MAX)):
                return await asyncio.shield(waiter)
        except TimeoutError as error:
            if waiter.done() and not waiter.cancelled():
                # The work's own error, or it made it in the last moment.
                return waiter.result()
            raise self._give_up(waiter, future, deadline, loop) from error
        except asyncio.CancelledError:
            self._give_up(waiter, future, deadline, loop)
            raise

    def _give_up(
        self,
        waiter: asyncio.Future[T],
        future: Future[T],
        deadline: Deadline,
        loop: asyncio.AbstractEventLoop,
    ) -> RenderTimeout:
        deadline.kill()
        # Nobody awaits it any more: its error must not be reported as forgotten.
        waiter.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        if not future.cancel() and not future.done():
            loop.call_later(self.grace_s, self._count_stuck, future, loop)
        return deadline.error()

    def _count_stuck(self, future: Future[Any], loop: asyncio.AbstractEventLoop) -> None:
        if future.done():
            return
        self.stuck += 1

        def back(_: Future[Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be gone by then
                loop.call_soon_threadsafe(self._count_back)

        future.add_done_callback(back)

    def _count_back(self) -> None:
        self.stuck -= 1

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be gone when a stuck thread comes back
            loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        self._pending -= 1
        if not self._pending:
            self._idle.set()

    def _serve(self) -> None:
        while (task := self._work.get()) is not None:
            future, work = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is not swallowed: the awaiting task raises it
                future.set_exception(error)
            # A result may be megabytes and the next piece of work hours away.
            del task, future, work

    async def close(self, *, timeout_s: float | None = None) -> bool:
        """Take no more work, wait for what runs and waits, and let the threads end; tell whether all came back."""
        self._closed = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        finally:
            for _ in range(self.threads):
                self._work.put(None)
        return True


def _on_time(work: Callable[[], T], deadline: Deadline) -> T:
    deadline.check()
    return work()
