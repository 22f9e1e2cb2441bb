"""The process beside: it gives what render_variants gives, one by one, steps back for others, and can be lost."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from imgserve.engine.beside import BesideProcess
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.sharing import Variant
from imgserve.engine.variants import Outcome, render_variants
from imgserve.errors import RenderTimeout, UnsupportedImage
from tests.engine.pictures import photo, png

VARIANTS = [Variant(intent=Intent(width=width, format=name)) for width in (20, 40) for name in ("png", "webp")]


@pytest.fixture
async def beside() -> AsyncIterator[BesideProcess]:
    process = BesideProcess(timeout_s=60)
    yield process
    await process.end()


async def made(process: BesideProcess, source: bytes, variants: Sequence[Variant] = VARIANTS) -> list[Outcome]:
    async with aclosing(process.render(source, variants, config=EngineConfig())) as outcomes:
        return [one async for one in outcomes]


async def test_results_are_those_of_this_process(beside: BesideProcess) -> None:
    source = png(photo())
    here = render_variants(source, VARIANTS, config=EngineConfig(), deadline=Deadline(60))
    assert await made(beside, source) == list(here)


async def test_errors_come_whole(beside: BesideProcess) -> None:
    outcomes = dict(await made(beside, b"no picture"))
    assert {type(one) for one in outcomes.values()} == {UnsupportedImage}
    assert sorted(outcomes) == [0, 1, 2, 3]


async def test_it_steps_back_for_requests_without_standing_still(beside: BesideProcess) -> None:
    await made(beside, png(photo()))
    pid = beside._process.pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    assert os.sched_getscheduler(pid) == os.SCHED_OTHER


async def test_one_process_makes_many_sources_and_then_another_does(
    beside: BesideProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgserve.engine.beside._SOURCES_A_PROCESS", 2)
    pids = []
    for _ in range(3):
        async with aclosing(beside.render(png(photo()), VARIANTS[:1], config=EngineConfig())) as outcomes:
            await anext(outcomes)
            pids.append(beside._process.pid)
            assert [one async for one in outcomes] == []
    assert pids[0] == pids[1] != pids[2]


async def test_variants_beyond_the_time_of_their_source_end_as_such() -> None:
    beside = BesideProcess(timeout_s=0)
    try:
        assert {type(one) for _, one in await made(beside, png(photo()))} == {RenderTimeout}
    finally:
        await beside.end()


async def test_a_process_that_hangs_is_ended_and_replaced(
    beside: BesideProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(beside, png(photo()))
    hung = beside._process
    # Its deadline is minutes away, the patience with it is over.
    monkeypatch.setattr("imgserve.engine.beside._GRACE_S", -60.0)
    with pytest.raises(RenderTimeout):
        await made(beside, png(photo()))
    assert not hung.is_alive()
    monkeypatch.undo()
    assert len(await made(beside, png(photo()))) == len(VARIANTS)
