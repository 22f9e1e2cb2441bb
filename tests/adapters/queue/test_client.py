"""One contract for the queue, on a file and on a real Redis, as the server uses it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from imgserve.adapters.queue import storage
from imgserve.adapters.queue.claims import Claim, claim, finish
from imgserve.adapters.queue.client import HueyQueue, open_ledger
from imgserve.errors import BadOption, QueueFull
from imgserve.ports.jobs import JobError, JobState, QueueError
from tests.adapters.queue.conftest import Place
from tests.adapters.queue.makers import order
from tests.adapters.redis_server import RedisServer


def opened(place: Place, *, max_jobs: int = 100) -> HueyQueue:
    return HueyQueue(
        open_ledger(
            redis_url=place.redis_url, file=place.file, max_attempts=3, lease_s=5, ttl_s=3600, max_jobs=max_jobs
        )
    )


@pytest.fixture
async def queue(place: Place) -> AsyncIterator[HueyQueue]:
    queue = opened(place)
    yield queue
    await queue.close()


def claimed(queue: HueyQueue, name: str, generation: int = 1) -> Claim:
    mine = claim(queue.ledger, id=order(name).id, generation=generation, worker="here:1")
    assert isinstance(mine, Claim)
    return mine


async def test_an_order_comes_back_as_it_was_given(queue: HueyQueue) -> None:
    given = order("a", "https://example.com/ü?x=1", priority=3)
    (job,) = await queue.submit([given])
    assert job.order == given
    assert job.state is JobState.QUEUED
    assert job.max_attempts == 3
    assert await queue.get([given.id, "unknown"]) == [job, None]


async def test_the_same_order_twice_is_one_job(queue: HueyQueue) -> None:
    first, twin, other = await queue.submit([order("a"), order("a"), order("b")])
    assert first == twin != other
    assert await queue.submit([order("a", "another source")]) == [first]
    assert queue.ledger.storage.job_line.waiting() == 2


async def test_of_many_who_submit_at_once_one_enqueues(place: Place) -> None:
    queues = [opened(place) for _ in range(8)]
    answers = await asyncio.gather(*(queue.submit([order(str(n)) for n in range(10)]) for queue in queues))
    assert all(answer == answers[0] for answer in answers)
    assert queues[0].ledger.storage.job_line.waiting() == 10
    assert len((await queues[0].listed()).jobs) == 10
    for queue in queues:
        await queue.close()


async def test_jobs_outlive_their_process(place: Place) -> None:
    first = opened(place)
    await first.submit([order("a")])
    await first.close()
    second = opened(place)
    assert await second.get([order("a").id]) != [None]
    await second.close()


async def test_a_job_runs_while_its_lease_lives(queue: HueyQueue) -> None:
    await queue.submit([order("a")])
    claimed(queue, "a")
    (job,) = await queue.get([order("a").id])
    assert job is not None
    assert (job.state, job.attempts, job.worker) == (JobState.RUNNING, 1, "here:1")
    assert job.started_at >= job.created_at


async def test_a_job_that_is_done_tells_its_facts(queue: HueyQueue) -> None:
    await queue.submit([order("a")])
    finish(queue.ledger, claimed(queue, "a"), {"bytes": 5, "provider": "x", "seconds": 0.5})
    (job,) = await queue.submit([order("a")])
    assert (job.state, job.progress) == (JobState.DONE, 1.0)
    assert job.facts == {"bytes": 5, "provider": "x", "seconds": 0.5}
    assert job.ended_at >= job.started_at > 0


async def test_again_begins_an_ended_job_anew_and_no_other(queue: HueyQueue) -> None:
    await queue.submit([order("a")], again=True)
    finish(queue.ledger, claimed(queue, "a"), {})
    (job,) = await queue.submit([order("a", "new source")], again=True)
    assert (job.state, job.attempts, job.order.source) == (JobState.QUEUED, 0, "new source")
    assert await queue.submit([order("a", "newer")], again=True) == [job]
    assert claim(queue.ledger, id=order("a").id, generation=1, worker="late") is None
    assert claimed(queue, "a", 2).lease.attempts == 1


async def test_of_many_who_begin_anew_one_does(place: Place) -> None:
    queues = [opened(place) for _ in range(6)]
    await queues[0].submit([order("a")])
    finish(queues[0].ledger, claimed(queues[0], "a"), {})
    queues[0].ledger.storage.job_line.receive()
    await asyncio.gather(*(queue.submit([order("a")], again=True) for queue in queues))
    assert queues[0].ledger.storage.job_line.waiting() == 1
    assert len((await queues[0].listed()).jobs) == 1
    for queue in queues:
        await queue.close()


async def test_a_cancelled_job_has_ended_and_can_be_retried(queue: HueyQueue) -> None:
    await queue.submit([order("a")])
    cancelled = await queue.cancel(order("a").id)
    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED
    assert await queue.cancel(order("a").id) == cancelled
    assert claim(queue.ledger, id=order("a").id, generation=1, worker="x") is None
    again = await queue.retry(order("a").id)
    assert again is not None
    assert (again.state, again.attempts, again.error) == (JobState.QUEUED, 0, None)


async def test_cancelling_what_is_done_changes_nothing(queue: HueyQueue) -> None:
    await queue.submit([order("a")])
    finish(queue.ledger, claimed(queue, "a"), {})
    job = await queue.cancel(order("a").id)
    assert job is not None
    assert job.state is JobState.DONE
    retried = await queue.retry(order("a").id)
    assert retried is not None
    assert retried.state is JobState.DONE


async def test_of_cancel_and_done_at_once_the_first_counts(place: Place) -> None:
    for turn in range(10):
        queue, other = opened(place), opened(place)
        name = f"race {turn}"
        await queue.submit([order(name)])
        mine = claimed(queue, name)
        cancelled, _ = await asyncio.gather(
            other.cancel(order(name).id), asyncio.to_thread(finish, queue.ledger, mine, {})
        )
        (job,) = await queue.get([order(name).id])
        assert cancelled is not None
        assert job is not None
        assert job.state in (JobState.DONE, JobState.CANCELLED)
        assert cancelled.state is job.state
        await queue.close()
        await other.close()


async def test_nobody_can_cancel_or_retry_what_is_not_there(queue: HueyQueue) -> None:
    assert await queue.cancel("unknown") is None
    assert await queue.retry("unknown") is None


async def test_pages_give_each_job_once_youngest_first(queue: HueyQueue) -> None:
    names = [f"job {n}" for n in range(7)]
    for name in names:
        await queue.submit([order(name)])
    page = await queue.listed(limit=3)
    seen = list(page.jobs)
    while page.next:
        page = await queue.listed(limit=3, after=page.next)
        seen += page.jobs
    assert [job.order.id for job in seen] == [order(name).id for name in reversed(names)]


async def test_jobs_are_listed_and_counted_by_state(queue: HueyQueue) -> None:
    names = ["queued", "queued too", "running", "done", "failed", "cancelled"]
    await queue.submit([order(name) for name in names])
    claimed(queue, "running")
    finish(queue.ledger, claimed(queue, "done"), {})
    known = queue.ledger.found([order("failed").id])[order("failed").id]
    queue.ledger.end(known, state=JobState.FAILED, error=JobError(code="x", message="y"))
    await queue.cancel(order("cancelled").id)
    assert await queue.counts() == {
        JobState.QUEUED: 2,
        JobState.RUNNING: 1,
        JobState.DONE: 1,
        JobState.FAILED: 1,
        JobState.CANCELLED: 1,
    }
    listed = {state: [job.order.id for job in (await queue.listed(state=state)).jobs] for state in JobState}
    assert listed == {
        JobState.QUEUED: [order("queued too").id, order("queued").id],
        JobState.RUNNING: [order("running").id],
        JobState.DONE: [order("done").id],
        JobState.FAILED: [order("failed").id],
        JobState.CANCELLED: [order("cancelled").id],
    }
    first = await queue.listed(state=JobState.QUEUED, limit=1)
    assert [job.order.id for job in (await queue.listed(state=JobState.QUEUED, after=first.next)).jobs] == [
        order("queued").id
    ]


async def test_a_page_that_was_never_given_is_refused(queue: HueyQueue) -> None:
    with pytest.raises(BadOption):
        await queue.listed(after="²")


async def test_a_page_behind_the_youngest_job_begins_with_it(queue: HueyQueue) -> None:
    (job,) = await queue.submit([order("a")])
    assert (await queue.listed(after="9" * 30)).jobs == (job,)


async def test_more_jobs_than_may_wait_are_refused_together(place: Place) -> None:
    queue = opened(place, max_jobs=3)
    await queue.submit([order("a"), order("b")])
    with pytest.raises(QueueFull) as refused:
        await queue.submit([order("c"), order("d")])
    assert refused.value.retry_after_s
    assert await queue.get([order("c").id]) == [None]
    await queue.submit([order("c"), order("a"), order("b")])
    await queue.close()


async def test_requests_are_counted_across_processes(place: Place) -> None:
    queues = [opened(place) for _ in range(3)]
    asked = [queue.take("key", limit=7, window_s=86_400) for queue in queues for _ in range(3)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.remaining for answer in answers) == [0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert sum(answer.allowed for answer in answers) == 7
    assert all(0 < answer.reset_s <= 86_400 for answer in answers)
    assert (await queues[0].take("other", limit=7, window_s=86_400)).remaining == 6
    for queue in queues:
        await queue.close()


async def test_a_new_window_begins_from_none(queue: HueyQueue) -> None:
    first = await queue.take("key", limit=1, window_s=1)
    assert first.allowed
    async with asyncio.timeout(5):
        while not (await queue.take("key", limit=1, window_s=1)).allowed:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the clock has no event


async def test_opening_touches_nothing(tmp_path: Path) -> None:
    threads = threading.active_count()
    for url in ("", "redis://127.0.0.1:1/0"):
        HueyQueue(
            open_ledger(redis_url=url, file=tmp_path / "no" / "such", max_attempts=1, lease_s=1, ttl_s=60, max_jobs=1)
        )
    assert not (tmp_path / "no").exists()
    assert threading.active_count() == threads


async def test_a_redis_that_is_down_is_named_without_its_password(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.stop()
    url = f"redis://user:secret@127.0.0.1:{redis_server.port}/3"
    queue = HueyQueue(open_ledger(redis_url=url, file=tmp_path, max_attempts=1, lease_s=1, ttl_s=60, max_jobs=1))
    with pytest.raises(QueueError, match=f"127.0.0.1:{redis_server.port}") as failed:
        await queue.submit([order("a")])
    assert "secret" not in str(failed.value)
    redis_server.start()
    with pytest.raises(QueueError, match="password") as refused:
        await queue.counts()
    assert "secret" not in str(refused.value)
    await queue.close()


async def test_a_queue_answers_again_when_its_redis_does(redis_server: RedisServer, on_redis: Place) -> None:
    queue = opened(on_redis)
    await queue.submit([order("a")])
    redis_server.stop()
    with pytest.raises(QueueError):
        await queue.submit([order("b")])
    redis_server.start()
    assert len(await queue.submit([order("b")])) == 1
    await queue.close()


async def test_a_redis_that_hangs_is_left_alone_after_the_first_question(
    redis_server: RedisServer, on_redis: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "REDIS_TIMEOUT_S", 0.3)
    queue = opened(on_redis)
    await queue.submit([order("a")])
    with redis_server.paused():
        with pytest.raises(QueueError, match="cannot be reached"):
            await queue.get([order("a").id])
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(QueueError, match="left alone"):
                await queue.get([order("a").id])
        assert time.monotonic() - began < 0.3
    await queue.close()


async def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "jobs"
    file.write_text("This is not a database, and it is long enough to be seen as something else. " * 20)
    queue = HueyQueue(open_ledger(redis_url="", file=file, max_attempts=1, lease_s=1, ttl_s=60, max_jobs=1))
    with pytest.raises(QueueError, match=str(file)):
        await queue.submit([order("a")])
    await queue.close()
