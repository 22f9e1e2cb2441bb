"""The threads that render: bounded, with a bounded queue, and with deadlines that hold even when libvips does not.

libvips lets go of the GIL, so threads are enough; what a thread cannot do is be stopped from outside. A render past its
deadline is asked to stop, its caller is answered at once, and a thread that still does not come back is counted in
`stuck`, so that the worker process can be replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from imgserve import metrics
from imgserve.engine.deadline import Deadline
from imgserve.errors import QueueFull, Unavailable

T = TypeVar("T")

#: A killed render comes back within the time of one strip of pixels; only an encoder at its last step needs longer.
GRACE_S: Final = 5.0
#: What a client is told to wait when the queue is full: renders take parts of a second.
#: A worker without render threads is replaced within this time.
_RECYCLING_S: Final = 10
RETRY_AFTER_S: Final = 1


@dataclass(slots=True, eq=False)
class _Task:
    """One piece of work; all but `work` and `started` belongs to the event loop's thread."""

    work: Callable[[], Any] | None
    deadline: Deadline
    loop: asyncio.AbstractEventLoop
    waiter: asyncio.Future[Any]
    asked: float = field(default_factory=time.perf_counter)
    #: A thread has taken it; changes under the queue's lock.
    started: bool = False
    finished: bool = False
    #: It takes a place in the pool.
    counted: bool = True
    stuck: bool = False


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
        # No SimpleQueue: work that is given up has to leave from the middle, with the source bytes that it holds.
        # Clients that come and go while all threads are busy would fill the memory otherwise.
        self._waiting: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._ended = False
        for number in range(threads):
            threading.Thread(target=self._serve, name=f"render-{number}", daemon=True).start()

    @property
    def pending(self) -> int:
        """Pieces of work that run or wait."""
        return self._pending

    def check_room(self, *, ahead: int = 0) -> None:
        """Refuse what there is no room for, before its source is fetched; raises QueueFull or Unavailable.

        `ahead` pieces of work are counted beside those that it has.
        """
        if self.stuck >= self.threads:
            metrics.refused("stuck")
            raise Unavailable("This server cannot render at the moment.", retry_after_s=_RECYCLING_S)
        self._check_queue(ahead=ahead)

    def _check_queue(self, *, ahead: int = 0) -> None:
        if self._pending + ahead >= self.threads + self.queue_size:
            metrics.refused("queue")
            raise QueueFull("Too many images are being made; try again in a moment.", retry_after_s=RETRY_AFTER_S)

    async def run(self, work: Callable[[], T], *, deadline: Deadline) -> T:
        """Run `work` in a thread and give its result.

        Raises QueueFull at once when there is no room, Unavailable after `close`, RenderTimeout at the deadline. When
        the awaiting task is cancelled the work is killed.
        """
        if self._closed:
            metrics.refused("closing")
            raise Unavailable("The server is shutting down; try again in a moment.", retry_after_s=RETRY_AFTER_S)
        self._check_queue()
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        task = _Task(work, deadline, loop, waiter)
        del work
        left_s = deadline.remaining_s
        timer = loop.call_later(left_s, self._expire, task) if math.isfinite(left_s) else None
        self._pending += 1
        self._idle.clear()
        with self._changed:
            self._waiting.append(task)
            self._changed.notify()
        try:
            return await waiter
        except asyncio.CancelledError:
            self._give_up(task)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            # An error knows this frame by its traceback and the future knows the error: a ring that only the garbage
            # collector could open, long after the request.
            del task, waiter

    def _expire(self, task: _Task) -> None:
        if not task.waiter.done():
            self._give_up(task)
            task.waiter.set_exception(task.deadline.error())

    def _give_up(self, task: _Task) -> None:
        if task.finished:
            return
        task.deadline.kill()
        if self._withdraw(task):
            task.finished = True  # its deadline and its client may both give it up
            self._free_place(task)
        else:
            task.loop.call_later(self.grace_s, self._count_stuck, task)

    def _withdraw(self, task: _Task) -> bool:
        """Take a task that waits out of the queue, and let go of its work; False when a thread has it already."""
        with self._changed:
            if task.started:
                return False
            self._waiting.remove(task)
        task.work = None
        return True

    def _count_stuck(self, task: _Task) -> None:
        if not task.finished:
            task.stuck = True
            self.stuck += 1
            metrics.worker_stuck()

    def _free_place(self, task: _Task) -> None:
        if task.counted:
            task.counted = False
            self._pending -= 1
            if not self._pending:
                self._idle.set()

    def _finish(self, task: _Task, result: Any, error: BaseException | None) -> None:
        task.finished = True
        self._free_place(task)
        if task.stuck:
            self.stuck -= 1
            metrics.worker_came_back()
        if task.waiter.done():
            return
        if error is None:
            task.waiter.set_result(result)
        else:
            task.waiter.set_exception(error)

    def _serve(self) -> None:
        while (task := self._take()) is not None:
            began = time.perf_counter()
            metrics.work_started(began - task.asked)
            result, error = _attempt(task)
            metrics.work_ended(time.perf_counter() - began)
            with contextlib.suppress(RuntimeError):  # the loop may be gone when a stuck thread comes back
                task.loop.call_soon_threadsafe(self._finish, task, result, error)
            # A result may be megabytes and the next piece of work hours away.
            del task, result, error

    def _take(self) -> _Task | None:
        """Wait for the next task; None once the pool has ended and nothing waits."""
        with self._changed:
            while not self._waiting:
                if self._ended:
                    return None
                self._changed.wait()
            task = self._waiting.popleft()
            task.started = True
            return task

    async def close(self, *, timeout_s: float | None = None) -> bool:
        """Take no more work, wait for what runs and waits, and let the threads end; tell whether all came back."""
        self._closed = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
        return True


def _attempt(task: _Task) -> tuple[Any, BaseException | None]:
    """Do the work, and let go of it: what it holds may be large."""
    work, task.work = task.work, None
    deadline = task.deadline
    # The traceback of an error keeps this frame, and the task would lead from it to the error again.
    del task
    try:
        deadline.check()
        return work() if work is not None else None, None
    except BaseException as error:  # noqa: BLE001 - it is not swallowed: the awaiting task raises it
        _let_go(error)
        del work
        return None, error


def _let_go(error: BaseException) -> None:
    """Empty the frames of an error and of those that led to it; where it happened can still be read.

    They hold the pixels of the failed render, 1.5 GB of them seen, for as long as anybody holds the error.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            waiting += [one.__cause__, one.__context__]
