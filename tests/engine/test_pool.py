"""The pool: bounded, on time, and honest about threads that do not come back."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import pytest
import pyvips

from imgserve.engine.deadline import Deadline
from imgserve.engine.pool import RenderPool
from imgserve.errors import ImageRefused, QueueFull, RenderTimeout, Unavailable
from tests.engine.pictures import photo


@pytest.fixture
async def pool() -> AsyncIterator[RenderPool]:
    made = RenderPool(threads=1, queue_size=1, grace_s=0.05)
    yield made
    assert await made.close(timeout_s=10)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what threads do sets no event of this loop
            await asyncio.sleep(0.005)


@pytest.fixture
def no_gc() -> Iterator[None]:
    """The server freezes what it has, and a full collection comes rarely: nothing large may wait for one."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Large:
    """Stands for the bytes of a source, or the pixels of a render."""


class Gate:
    """Work that runs until it is let go."""

    def __init__(self) -> None:
        self.running = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> str:
        self.running.set()
        assert self.open.wait(10)
        return "done"


async def test_results_and_errors_come_back(pool: RenderPool) -> None:
    assert await pool.run(lambda: threading.current_thread().name, deadline=Deadline(5)) == "render-0"

    def refuse() -> None:
        raise ImageRefused("no")

    with pytest.raises(ImageRefused, match="no"):
        await pool.run(refuse, deadline=Deadline(5))
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0, deadline=Deadline(5))


async def test_a_full_queue_is_refused_at_once(pool: RenderPool) -> None:
    gate = Gate()
    first = asyncio.create_task(pool.run(gate, deadline=Deadline(10)))
    second = asyncio.create_task(pool.run(lambda: "second", deadline=Deadline(10)))
    await until(gate.running.is_set)
    assert pool.pending == 2
    with pytest.raises(QueueFull) as full:
        await pool.run(lambda: None, deadline=Deadline(10))
    assert full.value.retry_after_s
    gate.open.set()
    assert (await first, await second) == ("done", "second")
    await until(lambda: pool.pending == 0)


async def test_a_deadline_that_passes_in_the_queue_runs_nothing(pool: RenderPool) -> None:
    gate = Gate()
    first = asyncio.create_task(pool.run(gate, deadline=Deadline(10)))
    await until(gate.running.is_set)
    ran = threading.Event()
    with pytest.raises(RenderTimeout):
        await pool.run(ran.set, deadline=Deadline(0.02))
    gate.open.set()
    await first
    await until(lambda: pool.pending == 0)
    assert not ran.is_set()
    assert pool.stuck == 0


async def test_a_deadline_is_kept_though_the_thread_does_not_come_back(pool: RenderPool) -> None:
    gate = Gate()
    started = time.monotonic()
    with pytest.raises(RenderTimeout):
        await pool.run(gate, deadline=Deadline(0.02))
    assert time.monotonic() - started < 1
    await until(lambda: pool.stuck == 1)
    gate.open.set()
    await until(lambda: pool.stuck == 0)


async def test_libvips_is_stopped_at_the_deadline(pool: RenderPool) -> None:
    deadline = Deadline(0.05)
    slow = deadline.watch(photo(3000, 3000)).gaussblur(100)
    with pytest.raises(RenderTimeout):
        await pool.run(slow.write_to_memory, deadline=deadline)
    await until(lambda: pool.pending == 0)


async def test_a_cancelled_task_kills_its_work(pool: RenderPool) -> None:
    deadline = Deadline(60)
    slow = deadline.watch(photo(3000, 3000)).gaussblur(100)
    failed = threading.Event()

    def work() -> None:
        try:
            slow.write_to_memory()
        except pyvips.Error:
            failed.set()

    task = asyncio.create_task(pool.run(work, deadline=deadline))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(failed.is_set)


async def test_closing_waits_for_what_runs_and_takes_nothing_more() -> None:
    pool = RenderPool(threads=2, queue_size=2)
    gate = Gate()
    running = asyncio.create_task(pool.run(gate, deadline=Deadline(10)))
    await until(gate.running.is_set)
    closing = asyncio.create_task(pool.close(timeout_s=10))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await pool.run(lambda: None, deadline=Deadline(10))
    assert not closing.done()
    gate.open.set()
    assert await closing
    assert await running == "done"


async def test_closing_does_not_wait_for_ever() -> None:
    pool = RenderPool(threads=1, queue_size=0)
    gate = Gate()
    running = asyncio.create_task(pool.run(gate, deadline=Deadline(10)))
    await until(gate.running.is_set)
    assert not await pool.close(timeout_s=0.02)
    gate.open.set()
    assert await running == "done"


async def test_threads_end_with_the_pool() -> None:
    pool = RenderPool(threads=3, queue_size=0)
    names = {thread.name for thread in threading.enumerate()}
    assert {"render-0", "render-1", "render-2"} <= names
    before = threading.active_count()
    assert await pool.close(timeout_s=5)
    await until(lambda: threading.active_count() <= before - 3)


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("leave", ["cancelled", "late"])
async def test_work_that_is_given_up_while_it_waits_is_let_go_at_once(pool: RenderPool, leave: str) -> None:
    gate = Gate()
    first = asyncio.create_task(pool.run(gate, deadline=Deadline(10)))
    await until(gate.running.is_set)
    held: list[weakref.ref[Large]] = []

    def queued(timeout_s: float) -> asyncio.Task[str]:
        source = Large()
        held.append(weakref.ref(source))
        return asyncio.create_task(pool.run(partial(repr, source), deadline=Deadline(timeout_s)))

    for _ in range(20):
        waiting = queued(0.01 if leave == "late" else 10)
        await asyncio.sleep(0)
        assert pool.pending == 2
        if leave == "cancelled":
            waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled() or isinstance(waiting.exception(), RenderTimeout)
        del waiting
        assert pool.pending == 1
        assert not pool._waiting
    await until(lambda: all(one() is None for one in held))
    assert not gate.open.is_set()
    gate.open.set()
    assert await first == "done"


@pytest.mark.usefixtures("no_gc")
async def test_failed_work_lets_its_pixels_go_though_the_error_is_kept(pool: RenderPool) -> None:
    held: list[weakref.ref[Large]] = []

    def decode() -> None:
        pixels = Large()
        held.append(weakref.ref(pixels))
        raise ZeroDivisionError(str(pixels))

    def render() -> None:
        picture = Large()
        held.append(weakref.ref(picture))
        try:
            decode()
        except ZeroDivisionError as error:
            raise ImageRefused("broken") from error

    errors: list[BaseException] = []
    try:
        await pool.run(render, deadline=Deadline(5))
    except ImageRefused as error:
        errors.append(error)
    assert len(held) == 2
    await until(lambda: all(one() is None for one in held))
    # Where it happened can still be read.
    told = "".join(traceback.format_exception(errors[0]))
    assert "in decode" in told
    assert "in render" in told


@pytest.mark.usefixtures("no_gc")
async def test_errors_are_in_no_ring(pool: RenderPool) -> None:
    held: list[weakref.ref[BaseException]] = []

    def fail() -> None:
        raise ImageRefused("no")

    for work, timeout_s in ((fail, 5.0), (lambda: None, 0.0)):
        try:
            await pool.run(work, deadline=Deadline(timeout_s))
        except (ImageRefused, RenderTimeout) as error:
            held.append(weakref.ref(error))
    assert len(held) == 2
    await until(lambda: all(one() is None for one in held))
