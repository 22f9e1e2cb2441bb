"""A place for a queue, on each kind of storage, and runners that work on it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imgserve.adapters.queue.client import open_ledger
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.runner import Runner
from imgserve.ports.jobs import Job, JobState
from tests.adapters.queue.makers import scripted
from tests.adapters.redis_server import RedisServer

LEASE_S = 0.6
PATIENCE_S = 20.0


def soon(question: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    """Wait until it holds."""
    late = time.monotonic() + within_s
    while not question():
        assert time.monotonic() < late, "it did not come true in time"
        time.sleep(0.01)


@dataclass(frozen=True)
class Place:
    """Where a queue is, and what its jobs leave."""

    redis_url: str
    file: Path
    folder: Path

    @contextlib.contextmanager
    def ledger(self, **limits: Any) -> Iterator[Ledger]:
        defaults: dict[str, Any] = {"max_attempts": 3, "lease_s": LEASE_S, "ttl_s": 3600, "max_jobs": 100}
        ledger = open_ledger(redis_url=self.redis_url, file=self.file, **defaults | limits)
        try:
            yield ledger
        finally:
            ledger.storage.close()

    @contextlib.contextmanager
    def running(self, ledger: Ledger, **manner: Any) -> Iterator[Runner]:
        """Run jobs in threads here and processes below."""
        defaults: dict[str, Any] = {
            "build": scripted(self.folder),
            "workers": 1,
            "job_timeout_s": 30.0,
            "max_bytes": 1 << 30,
            "backoff_s": 0.01,
            "sweep_s": 0.1,
            "schedule_s": 0.05,
        }
        runner = Runner(ledger, **defaults | manner)
        runner.start()
        try:
            yield runner
        finally:
            runner.stop(grace_s=0.0)


def ended(ledger: Ledger, id: str) -> Job:
    """Wait for the end of a job."""

    def over() -> bool:
        job = ledger.get([id])[0]
        return job is not None and job.state.ended

    soon(over)
    job = ledger.get([id])[0]
    assert job is not None
    return job


def state(ledger: Ledger, id: str) -> JobState:
    job = ledger.get([id])[0]
    assert job is not None
    return job.state


@pytest.fixture
def on_file(tmp_path: Path) -> Place:
    return Place(redis_url="", file=tmp_path / "queue" / "jobs.sqlite", folder=tmp_path)


@pytest.fixture
def on_redis(redis_server: RedisServer, tmp_path: Path) -> Place:
    return Place(redis_url=redis_server.url, file=tmp_path / "unused", folder=tmp_path)


@pytest.fixture(params=["on_file", "on_redis"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found
