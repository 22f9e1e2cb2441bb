"""The process beside: it gives what render_variants gives, one by one, steps back for others, and can be lost."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from imgserve.engine.beside import BesideProcess
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.sharing import Variant
from imgserve.engine.variants import Outcome, render_variants
from imgserve.errors import RenderTimeout, Unavailable, UnsupportedImage
from tests.engine.pictures import photo, png
from tests.engine.processes import alive, at_work, pid_of, stay, waited_for
from tests.engine.processes import made as made_by

VARIANTS = [Variant(intent=Intent(width=width, format=name)) for width in (20, 40) for name in ("png", "webp")]


@pytest.fixture
async def beside() -> AsyncIterator[BesideProcess]:
    process = BesideProcess(timeout_s=60)
    yield process
    await process.end()


@pytest.fixture
async def brisk() -> AsyncIterator[BesideProcess]:
    """Give one that has its share of the CPU, for tests that wait for its work."""
    process = BesideProcess(timeout_s=300, step_back=stay)
    yield process
    await process.end()


async def made(process: BesideProcess, source: bytes) -> list[Outcome]:
    return await made_by(process, source, VARIANTS)


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
    pid = pid_of(beside)
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
            pids.append(pid_of(beside))
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
    hung = pid_of(beside)
    # Its deadline is minutes away, the patience with it is over.
    monkeypatch.setattr("imgserve.engine.beside._GRACE_S", -60.0)
    with pytest.raises(RenderTimeout):
        await made(beside, png(photo()))
    assert not alive(hung)
    monkeypatch.undo()
    assert len(await made(beside, png(photo()))) == len(VARIANTS)


async def test_a_process_that_died_between_sources_costs_nothing(beside: BesideProcess) -> None:
    before = await made(beside, png(photo()))
    pid = pid_of(beside)
    os.kill(pid, signal.SIGKILL)
    assert await asyncio.to_thread(waited_for, lambda: not alive(pid), seconds=10)
    assert await made(beside, png(photo())) == before


async def test_a_process_that_cannot_be_started_now_may_be_later(beside: BesideProcess) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, most[1]))
    try:
        with pytest.raises(Unavailable):
            await made(beside, png(photo()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert len(await made(beside, png(photo()))) == len(VARIANTS)


async def test_a_process_that_dies_at_work_costs_that_source_only(brisk: BesideProcess) -> None:
    work, pid = await at_work(brisk)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RenderTimeout):
        await asyncio.wait_for(work, 20)
    assert len(await made(brisk, png(photo()))) == len(VARIANTS)


async def test_who_leaves_ends_the_process(brisk: BesideProcess) -> None:
    work, pid = await at_work(brisk)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not alive(pid)


async def test_a_process_ends_in_the_middle_of_its_work_when_it_is_told_to(brisk: BesideProcess) -> None:
    work, pid = await at_work(brisk)
    os.kill(pid, signal.SIGTERM)
    assert await asyncio.to_thread(waited_for, lambda: not alive(pid), seconds=3)
    with pytest.raises(RenderTimeout):
        await work


_PARENT = """
import asyncio
from tests.engine.processes import BesideProcess, at_work, stay

async def main():
    work, pid = await at_work(BesideProcess(timeout_s=300, step_back=stay))
    print(pid, flush=True)
    await work

asyncio.run(main())
"""


def test_a_process_ends_with_a_parent_that_is_killed_even_inside_of_an_encoder() -> None:
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen([sys.executable, "-c", _PARENT], cwd=root, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    ended = waited_for(lambda: not alive(pid), seconds=3)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    assert ended
