"""The process that renders when the CPU is idle: its results, its place behind others, its death."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from imgserve.engine.deadline import Deadline
from imgserve.engine.idle import IdlePool
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import Rendered, render
from imgserve.errors import LoadError, UnsupportedImage
from tests.engine.pictures import photo, png
from tests.engine.processes import LONG, LONG_CONFIG, alive, long_source, pid_of, waited_for

SMALL = Intent(width=40, format="webp")


@pytest.fixture
async def pool() -> AsyncIterator[IdlePool]:
    made = IdlePool(timeout_s=120)
    yield made
    await made._process.end()


async def made(pool: IdlePool, source: bytes | None = None, *, intent: Intent = SMALL) -> Rendered:
    return await pool.render(source or png(photo()), intent=intent, transforms=(), config=EngineConfig())


@pytest.mark.parametrize("name", ["png", "webp", "avif"])
async def test_results_are_those_of_this_process(pool: IdlePool, name: str) -> None:
    source, intent = png(photo()), Intent(width=40, format=name)
    here = render(source, intent=intent, config=EngineConfig(), deadline=Deadline(60))
    assert await made(pool, source, intent=intent) == here


async def test_errors_are_those_of_this_process(pool: IdlePool) -> None:
    with pytest.raises(UnsupportedImage):
        await made(pool, b"no picture")


async def test_it_has_the_cpu_when_nobody_else_wants_it(pool: IdlePool) -> None:
    await made(pool)
    assert os.sched_getscheduler(pid_of(pool._process)) == os.SCHED_IDLE
    assert os.getpriority(os.PRIO_PROCESS, pid_of(pool._process)) == 19


async def test_one_that_dies_between_renders_costs_nothing(pool: IdlePool) -> None:
    before = await made(pool)
    dead = pid_of(pool._process)
    os.kill(dead, signal.SIGKILL)
    assert await asyncio.to_thread(waited_for, lambda: not alive(dead), seconds=30)
    assert await made(pool) == before
    assert pid_of(pool._process) != dead


async def test_closing_ends_the_process(pool: IdlePool) -> None:
    await made(pool)
    pid = pid_of(pool._process)
    pool.close()
    assert await asyncio.to_thread(waited_for, lambda: not alive(pid), seconds=30)


async def test_a_render_that_is_ended_by_closing_is_an_error_of_ours(pool: IdlePool) -> None:
    await made(pool)
    work = asyncio.create_task(
        pool.render(long_source(), intent=LONG.intent, transforms=(), config=LONG_CONFIG),
    )
    await asyncio.sleep(0)  # it begins
    pool.close()
    with pytest.raises(LoadError):
        await asyncio.wait_for(work, 30)
    assert (await made(pool)).format == "webp"
