"""A process without render threads says so and ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass

import pytest

from imgserve.app.recycle import recycle_when_stuck
from imgserve.service.readiness import Readiness
from tests.web.blocking import until


@dataclass
class Pool:
    threads: int = 2
    stuck: int = 0
    pending: int = 0


async def test_it_ends_when_the_last_thread_is_stuck(caplog: pytest.LogCaptureFixture) -> None:
    pool, readiness, ended = Pool(stuck=1, pending=3), Readiness(), asyncio.Event()
    task = asyncio.create_task(recycle_when_stuck(pool, readiness, end=ended.set, drain_s=30, look_every_s=0.001))
    await asyncio.wait({task}, timeout=0.02)
    assert readiness.reason == ""
    pool.stuck = 2
    await until(lambda: readiness.reason == "render threads are stuck")
    # One piece of work is not stuck: it may still finish.
    await asyncio.wait({task}, timeout=0.02)
    assert not ended.is_set()
    pool.pending = 2
    await asyncio.wait_for(task, 5)
    assert ended.is_set()
    assert "stuck" in caplog.text


async def test_it_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    ended = asyncio.Event()
    pool = Pool(threads=1, stuck=1, pending=9)
    await asyncio.wait_for(recycle_when_stuck(pool, Readiness(), end=ended.set, drain_s=0.01, look_every_s=0.001), 5)
    assert ended.is_set()


def test_the_first_reason_stays() -> None:
    readiness = Readiness()
    readiness.fail()
    readiness.drain()
    assert readiness.reason == "render threads are stuck"


_STUCK = """
import uvicorn
from imgserve.app.main import app_of
from imgserve.app.services import build_services
from imgserve.settings import load
services = build_services(load({"IMGSERVE_ALLOW_UNSIGNED": "1"}))
services.renderer.pool.stuck = services.renderer.pool.threads
uvicorn.run(app_of(services), port=0, lifespan="on", log_level="critical")
"""


def test_a_real_process_ends_with_a_code_that_supervisors_restart() -> None:
    assert subprocess.run([sys.executable, "-c", _STUCK], check=False, timeout=30).returncode == 70
