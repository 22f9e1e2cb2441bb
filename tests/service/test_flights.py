"""Coalescing inside a process: one piece of work, whoever leaves."""

from __future__ import annotations

import asyncio

import pytest

from imgserve.errors import ImageRefused
from imgserve.service.flights import Background, Flights


class Work:
    """Work that ends when it is told to, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> str:
        self.begun += 1
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return "done"


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_requests_for_one_key_share_the_work() -> None:
    flights, work = Flights[str](), Work()
    waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(100)]
    await settle()
    work.end.set()
    assert sorted(await asyncio.gather(*waiting)) == [("done", False)] + [("done", True)] * 99
    assert work.begun == 1
    assert len(flights) == 0


async def test_keys_do_not_share() -> None:
    flights, work = Flights[str](), Work()
    work.end.set()
    await asyncio.gather(flights.join("a", work), flights.join("b", work))
    assert work.begun == 2


async def test_the_first_that_leaves_does_not_take_the_others_along() -> None:
    flights, work = Flights[str](), Work()
    first = asyncio.create_task(flights.join("a", work))
    await settle()
    second = asyncio.create_task(flights.join("a", work))
    await settle()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.end.set()
    assert await second == ("done", True)
    assert work.begun == 1


async def test_work_that_nobody_waits_for_is_cancelled_and_begun_anew_for_the_next() -> None:
    flights, work = Flights[str](), Work()
    waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(2)]
    await settle()
    for one in waiting:
        one.cancel()
    await settle()
    assert work.cancelled == 1
    work.end.set()
    assert await flights.join("a", work) == ("done", False)
    assert work.begun == 2


async def test_an_error_reaches_everybody_as_an_exception_of_their_own() -> None:
    flights, work = Flights[str](), Work()
    waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(3)]
    await settle()
    work.error = ImageRefused("It is broken.", got="x")
    work.end.set()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert [(str(one), getattr(one, "got", None)) for one in errors] == [("It is broken.", "x")] * 3
    assert len({id(one) for one in errors}) == 3
    assert len(flights) == 0


async def test_background_work_is_bounded_and_cancelled_at_the_end() -> None:
    background, work = Background(limit=2), Work()

    async def run() -> None:
        await work()

    assert [background.start(run) for _ in range(3)] == [True, True, False]
    await settle()
    await background.close(timeout_s=0.01)
    assert work.cancelled == 2
    assert background.start(run)
    work.end.set()
    await background.close(timeout_s=5)
    assert work.begun == 3
