"""The warmer over stores and sources of the tests: what it fetches, makes, keeps and leaves alone."""

from __future__ import annotations

import asyncio
import dataclasses
import multiprocessing
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest

from imgserve.engine.intent import EngineConfig
from imgserve.errors import QueueFull, SourceNotFound
from imgserve.ports import Blob, Origin, Selector
from imgserve.service.entry import from_stored
from imgserve.service.warm import MAX_ORDERS, Outcome, Wanted, Warmed, Warmer
from tests.engine.pictures import photo, png
from tests.service.making import NOTHING, Made, MemorySource, SlowStore, make, plan, soon

ETAG = '"1"'


def blob(*, etag: str = ETAG, width: int = 60, cache_control: str | None = None) -> Blob:
    return Blob(data=png(photo(width, 40)), origin=Origin(etag=etag, cache_control=cache_control))


def wanted(*texts: str) -> list[Wanted]:
    return [Wanted(path=text, plan=plan(text)) for text in texts]


@asynccontextmanager
async def warmer_of(made: Made, *, processes: int = 1) -> AsyncIterator[Warmer]:
    warmer = Warmer(made.renderer, config=EngineConfig(), processes=processes)
    try:
        yield warmer
    finally:
        await warmer.close()


async def warm(warmer: Warmer, *texts: str) -> list[Warmed]:
    async with warmer.order(), aclosing(warmer.warm(wanted(*texts))) as variants:
        return [one async for one in variants]


def outcomes(done: Sequence[Warmed]) -> dict[str, str]:
    return {one.wanted.path: one.outcome.value for one in done}


def codes(done: Sequence[Warmed]) -> set[str]:
    assert {one.outcome for one in done} == {Outcome.FAILED}
    return {one.error.code for one in done if one.error is not None}


async def test_all_variants_take_one_fetch_and_requests_find_them() -> None:
    disk = SlowStore()
    made = make(MemorySource(blob()), below=[disk])
    async with warmer_of(made) as warmer:
        done = await warm(warmer, "w:10/f:png", "w:20/f:png", "w:20/f:webp")
    assert outcomes(done) == dict.fromkeys(("w:10/f:png", "w:20/f:png", "w:20/f:webp"), "made")
    assert len(made.source.asked) == 1
    answer = await made.renderer.answer(plan("w:20/f:webp"), NOTHING, ends_at=soon())
    assert getattr(answer, "cache", "") == "disk"


async def test_it_keeps_what_a_request_keeps() -> None:
    ours, theirs = SlowStore(), SlowStore()
    warm_one, asked = (make(MemorySource(blob(cache_control="max-age=50")), below=[store]) for store in (ours, theirs))
    async with warmer_of(warm_one) as warmer:
        await warm(warmer, "w:10/f:png/ct:sale")
    await asked.renderer.answer(plan("w:10/f:png/ct:sale"), NOTHING, ends_at=soon())
    await asked.settle()
    assert ours.entries == theirs.entries


async def test_a_result_that_came_meanwhile_is_not_overwritten() -> None:
    disk = SlowStore()
    made = make(MemorySource(blob()), below=[disk])
    made.source.gate = asyncio.Event()
    async with warmer_of(made) as warmer:
        waiting = asyncio.create_task(warm(warmer, "w:10/f:png"))
        while not made.source.asked:  # noqa: ASYNC110 - the source has no event for it
            await asyncio.sleep(0)
        # Another process, which sees a newer version of the source.
        newer = make(MemorySource(blob(etag='"2"', width=80)), below=[disk])
        await newer.renderer.answer(plan("w:10/f:png"), NOTHING, ends_at=soon())
        await newer.settle()
        kept = dict(disk.entries)
        made.source.gate.set()
        assert outcomes(await waiting) == {"w:10/f:png": "kept"}
    assert disk.entries == kept


async def test_what_is_in_memory_is_replaced_with_what_is_kept() -> None:
    disk = SlowStore()
    made = make(MemorySource(blob()), below=[disk])
    await made.renderer.answer(plan("w:10/f:png"), NOTHING, ends_at=soon())
    await made.settle()
    (key,) = disk.entries
    draft = disk.entries[key].meta.replace(b'"draft":false', b'"draft":true')
    assert made.memory is not None
    disk.entries[key] = dataclasses.replace(disk.entries[key], meta=draft)
    made.memory.put_now(key, disk.entries[key])
    async with warmer_of(made) as warmer:
        assert outcomes(await warm(warmer, "w:10/f:png")) == {"w:10/f:png": "made"}
    for found in (disk.entries[key], made.memory.get_now(key)):
        assert found is not None
        assert not getattr(from_stored(found), "draft", True)


async def test_a_store_that_takes_nothing_makes_it_fail() -> None:
    disk = SlowStore()
    made = make(MemorySource(blob()), below=[disk])
    disk.broken = True
    async with warmer_of(made) as warmer:
        assert codes(await warm(warmer, "w:10")) == {"not_kept"}


async def test_a_purge_in_the_middle_of_the_variants_is_not_undone() -> None:
    disk = SlowStore()
    made = make(MemorySource(blob()), below=[disk])
    three = wanted("w:10/f:png", "w:20/f:png", "w:30/f:png")
    async with warmer_of(made) as warmer, aclosing(warmer.warm(three)) as variants:
        first = await anext(variants)
        await made.purges.purge(Selector("source:mem://a.jpg"))
        rest = [one async for one in variants]
    assert first.outcome is Outcome.MADE
    assert codes(rest) == {"not_kept"}
    assert not disk.entries


async def test_a_source_that_cannot_be_had_fails_all_its_variants_once() -> None:
    made = make(MemorySource(blob()), below=[SlowStore()])
    made.source.error = SourceNotFound("gone")
    async with warmer_of(made) as warmer:
        assert codes(await warm(warmer, "w:10", "w:20")) == {"source_not_found"}
    assert len(made.source.asked) == 1


async def test_a_process_that_dies_costs_its_source_and_no_other() -> None:
    made = make(MemorySource(blob()), below=[SlowStore()])
    async with warmer_of(made) as warmer, warmer.order():
        async with aclosing(warmer.warm(wanted("w:10/f:png", "w:2000/h:2000/el:1/rt:force/f:avif"))) as variants:
            assert (await anext(variants)).outcome is Outcome.MADE
            for process in _beside():
                process.kill()
            assert codes([one async for one in variants]) == {"render_timeout"}
        async with aclosing(warmer.warm(wanted("w:30/f:png"))) as variants:
            assert [one.outcome async for one in variants] == [Outcome.MADE]


async def test_who_leaves_ends_the_work_and_its_process() -> None:
    made = make(MemorySource(blob()), below=[SlowStore()])
    async with warmer_of(made) as warmer, warmer.order():
        async with aclosing(warmer.warm(wanted("w:10/f:png", "w:2000/h:2000/el:1/rt:force/f:avif"))) as variants:
            await anext(variants)
            assert len(_beside()) == 1
        assert _beside() == []
        async with aclosing(warmer.warm(wanted("w:10/f:png"))) as variants:
            assert [one.outcome async for one in variants] == [Outcome.KEPT]


async def test_a_request_that_is_cancelled_gives_its_turn_to_the_next() -> None:
    made = make(MemorySource(blob()), below=[SlowStore()])
    made.source.gate = asyncio.Event()
    async with warmer_of(made) as warmer:
        first = asyncio.create_task(warm(warmer, "w:10"))
        while not made.source.asked:  # noqa: ASYNC110 - the source has no event for it
            await asyncio.sleep(0)
        second = asyncio.create_task(warm(warmer, "w:20"))
        first.cancel()
        made.source.gate.set()
        assert outcomes(await second) == {"w:20": "made"}
        assert first.cancelled()


async def test_no_process_is_left_when_all_orders_are_done() -> None:
    made = make(MemorySource(blob()), below=[SlowStore()])
    async with warmer_of(made) as warmer:
        await warm(warmer, "w:10")
        assert _beside() == []


async def test_a_full_server_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgserve.service.warm._ROOM_EVERY_S", 0.0)
    made = make(MemorySource(blob()), below=[SlowStore()], max_bytes_in_flight=1000)
    async with warmer_of(made) as warmer:
        with made.renderer.bytes_in_flight.share() as share:
            share.settle(1000)
            assert codes(await warm(warmer, "w:10")) == {"unavailable"}
            tries = len(made.source.asked)
        assert tries > 1
        assert outcomes(await warm(warmer, "w:10")) == {"w:10": "made"}
    assert made.renderer.bytes_in_flight.inside == 0


async def test_sources_are_worked_on_one_at_a_time_for_each_process() -> None:
    made = make(MemorySource(blob()), below=[SlowStore()])
    made.source.gate = asyncio.Event()
    async with warmer_of(made, processes=2) as warmer:
        tasks = [asyncio.create_task(warm(warmer, f"w:{width}/cb:{width}")) for width in (10, 20, 30)]
        while len(made.source.asked) < 2:  # noqa: ASYNC110 - the source has no event for it
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(made.source.asked) == 2
        made.source.gate.set()
        await asyncio.gather(*tasks)
    assert len(made.source.asked) == 3


async def test_orders_are_bounded() -> None:
    made = make(MemorySource(blob()), below=[SlowStore()])
    async with warmer_of(made) as warmer:
        orders = [warmer.order() for _ in range(MAX_ORDERS + 1)]
        for order in orders[:-1]:
            await order.__aenter__()
        with pytest.raises(QueueFull):
            await orders[-1].__aenter__()
        for order in orders[:-1]:
            await order.__aexit__(None, None, None)


def _beside() -> list[multiprocessing.process.BaseProcess]:
    return [one for one in multiprocessing.active_children() if one.name == "imgserve-beside"]
