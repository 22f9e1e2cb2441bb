from __future__ import annotations

import asyncio
import threading

import pytest

from imgserve import metrics
from imgserve.engine.deadline import Deadline
from imgserve.engine.pool import RenderPool
from imgserve.errors import QueueFull, RenderTimeout, Unavailable
from tests.scraping import Sums, sums


def scrape() -> Sums:
    return sums(metrics.page("imgserve").body)


async def test_work_is_in_progress_until_it_ends_and_a_lost_thread_is_told() -> None:
    before = scrape()
    pool = RenderPool(threads=1, queue_size=0, grace_s=0.0)
    release = threading.Event()
    with pytest.raises(RenderTimeout):
        await pool.run(release.wait, deadline=Deadline(0.02))
    while not pool.stuck:  # noqa: ASYNC110 - the pool tells nobody
        await asyncio.sleep(0)
    lost = scrape() - before
    assert lost.one("workers_stuck") == lost.one("images_in_progress") == lost.one("queue_wait_seconds_count") == 1
    with pytest.raises(QueueFull):
        await pool.run(release.wait, deadline=Deadline(1))
    release.set()
    assert await pool.close(timeout_s=5)
    with pytest.raises(Unavailable):
        await pool.run(release.wait, deadline=Deadline(1))
    after = scrape() - before
    assert after.one("workers_stuck") == after.one("images_in_progress") == 0
    assert after.one("request_span_duration_seconds_count", span="processing") == 1
    assert after.one("refusals_total", reason="queue") == after.one("refusals_total", reason="closing") == 1
