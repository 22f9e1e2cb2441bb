"""Jobs as the server sees them: each artefact is ordered once, and a request is told what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from imgserve.errors import NotFound, Pending, ProviderUnavailable, QueueUnavailable
from imgserve.plan.needs import Need
from imgserve.ports import Selector
from imgserve.ports.jobs import JobError, JobState
from imgserve.ports.models import Ask, Task
from imgserve.service.jobs import JobRequest
from tests.service.making import plan
from tests.service.modelling import CUT, FACES, SOURCE, World, world

PLAN = plan("rmbg:1/w:20")
ORDER = JobRequest(plan=PLAN)
NEED = Need(SOURCE, (CUT,))


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[World]:
    one = world(tmp_path)
    yield one
    await one.close()


async def pending(made: World, *needs: Need, redo: bool = False) -> Pending:
    return await made.jobs.pending(PLAN, needs or (NEED,), redo=redo)


async def test_what_is_missing_is_ordered_once_and_the_request_is_told_its_job(made: World) -> None:
    told = [await pending(made) for _ in range(3)]
    key = made.artefacts.key(NEED)
    assert {(one.job, one.failed, one.vital, one.retry_after_s) for one in told} == {(key, "", False, 2)}
    assert made.queue.begun == [key]
    order = made.queue.jobs[key].order
    assert (order.source, order.asks, order.labels, order.owner) == (SOURCE, (CUT,), ("source:" + SOURCE,), "")


async def test_of_several_jobs_the_one_that_is_not_done_is_told(made: World) -> None:
    read = Need(SOURCE, (FACES,))
    first = await pending(made)
    await made.work()
    assert (await pending(made, NEED, read)).job == made.artefacts.key(read) != first.job
    assert len(made.queue.begun) == 2


async def test_a_job_that_is_done_but_whose_artefact_is_gone_is_begun_anew(made: World) -> None:
    await pending(made)
    await made.work()
    await made.purges.purge(Selector("source:" + SOURCE))
    told = await pending(made)
    assert (made.queue.jobs[told.job].state, len(made.queue.begun)) == (JobState.QUEUED, 2)


async def test_what_a_worker_keeps_where_the_server_does_not_look_is_not_made_at_every_request(made: World) -> None:
    key = (await pending(made)).job
    made.queue.end(key, JobState.DONE)
    for _ in range(3):
        made.clock.now += 15
        told = await pending(made)
        assert (told.failed, told.job, "IMGSERVE_REDIS_MAX_ENTRY_SIZE" in told.message) == ("not_kept", key, True)
    assert len(made.queue.begun) == 1
    made.clock.now += 16
    assert ((await pending(made)).failed, len(made.queue.begun)) == ("", 2)


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
async def test_a_purge_has_a_job_that_has_just_ended_begun_anew_once(made: World, state: JobState) -> None:
    key = (await pending(made)).job
    error = JobError(code="not_found", message="No such picture.") if state is JobState.FAILED else None
    made.queue.end(key, state, error=error)
    made.clock.now += 1
    await made.purges.purge(Selector("source:mem://other.jpg"))
    assert (await pending(made)).failed
    await made.purges.purge(Selector("source:mem://", prefix=True))
    assert ((await pending(made)).failed, len(made.queue.begun)) == ("", 2)
    made.clock.now += 1
    made.queue.end(key, state, error=error)
    assert (await pending(made)).failed
    assert len(made.queue.begun) == 2


async def test_a_source_that_is_another_at_each_fetch_is_made_once_a_minute(made: World) -> None:
    await pending(made)
    for failed, begun in (("", 2), ("not_kept", 2), ("", 3)):
        await made.work()
        made.clock.now += 31
        assert ((await pending(made, redo=True)).failed, len(made.queue.begun)) == (failed, begun)


async def test_who_looked_before_the_new_version_was_there_is_told_to_ask_again(made: World) -> None:
    await pending(made)
    await made.work()
    await pending(made, redo=True)
    await made.work()
    assert ((await pending(made, redo=True)).failed, len(made.queue.begun)) == ("", 2)


async def test_a_job_that_was_done_while_the_request_looked_is_left_alone(made: World) -> None:
    await pending(made)
    await made.work()
    told = await pending(made)
    assert (told.failed, len(made.queue.begun)) == ("", 1)


async def test_a_job_that_has_failed_tells_why_and_is_not_begun_again(made: World) -> None:
    key = (await pending(made)).job
    made.queue.end(key, JobState.FAILED, error=JobError(code="provider_refused", message="No object."))
    for _ in range(2):
        told = await pending(made)
        assert (told.failed, told.message, told.job) == ("provider_refused", "No object.", key)
    assert len(made.queue.begun) == 1


async def test_a_job_that_failed_long_ago_is_begun_anew_by_the_next_request(made: World) -> None:
    key = (await pending(made)).job
    made.queue.end(key, JobState.FAILED, error=JobError(code="provider_unavailable", message="It was down."))
    made.clock.now += 2 * 3600
    told = await pending(made)
    assert (told.failed, made.queue.jobs[key].state, len(made.queue.begun)) == ("", JobState.QUEUED, 2)


async def test_one_failed_job_of_several_is_told(made: World) -> None:
    read = Need(SOURCE, (FACES,))
    await pending(made, NEED, read)
    made.queue.end(made.artefacts.key(read), JobState.FAILED, error=JobError(code="job_timeout", message="Too long."))
    assert (await pending(made, NEED, read)).failed == "job_timeout"


async def test_a_job_that_was_cancelled_stays_so(made: World) -> None:
    key = (await pending(made)).job
    await made.jobs.cancel(key)
    told = await pending(made)
    assert (told.failed, told.message, len(made.queue.begun)) == ("cancelled", "The job was cancelled.", 1)


async def test_what_is_outdated_is_made_again_once(made: World) -> None:
    await pending(made)
    await made.work()
    for _ in range(3):
        told = await pending(made, redo=True)
        assert told.failed == ""
    assert len(made.queue.begun) == 2
    made.queue.set(told.job, state=JobState.RUNNING)
    await pending(made, redo=True)
    assert len(made.queue.begun) == 2


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
async def test_what_is_outdated_and_cannot_be_made_is_not_tried_at_every_request(made: World, state: JobState) -> None:
    await pending(made)
    await made.work()
    key = (await pending(made, redo=True)).job
    made.queue.end(key, state, error=JobError(code="provider_refused", message="No object."))
    for _ in range(3):
        told = await pending(made, redo=True)
        assert told.failed == "provider_refused"
    assert len(made.queue.begun) == 2


async def test_a_broken_queue_is_told_as_a_failure(made: World) -> None:
    made.queue.broken = True
    for redo in (False, True):
        told = await pending(made, redo=redo)
        assert (told.failed, told.job, told.status) == ("queue_unavailable", "", 409)
        assert told.retry_after_s
    for question in (
        made.jobs.get("0"), made.jobs.cancel("0"), made.jobs.retry("0"), made.jobs.counts(),
        made.jobs.listed(state=None, limit=1, after=""), made.jobs.take("me", limit=1, window_s=1),
        made.jobs.submit([ORDER], owner="me"),
    ):  # fmt: skip
        with pytest.raises(QueueUnavailable):
            await question


async def test_a_provider_in_trouble_is_told_before_anything_is_ordered(made: World) -> None:
    made.providers[Task.BACKGROUND].broken = "There is no model file."
    told = await pending(made)
    assert (told.failed, told.message, told.job) == ("provider_unavailable", "There is no model file.", "")
    with pytest.raises(ProviderUnavailable):
        await made.jobs.submit([JobRequest(plan=plan("up:2")), ORDER], owner="me")
    assert made.queue.begun == []


async def test_vital_asks_are_told(made: World) -> None:
    need = Need(SOURCE, (Ask(Task.FACES, vital=True),))
    assert (await pending(made, NEED, need)).vital
    made.queue.broken = True
    assert (await pending(made, need)).vital


async def test_orders_give_the_jobs_of_each_plan(made: World) -> None:
    both, none = plan("rmbg:1/dd:1:face"), plan("w:10")
    other = plan("rmbg:1/w:30")
    plans = [PLAN, both, none, other]
    jobs = await made.jobs.submit([JobRequest(plan=one) for one in plans], owner="me")
    assert [len(one) for one in jobs] == [1, 2, 0, 1]
    assert jobs[0] == [jobs[1][0]] == jobs[3]
    assert len(made.queue.begun) == 2


async def test_orders_of_one_artefact_are_one_job_with_what_each_of_them_says(made: World) -> None:
    first = JobRequest(plan=PLAN, priority=-1)
    second = JobRequest(plan=PLAN, priority=5, path="/2", webhook="https://h.test/2")
    third = JobRequest(plan=plan("rmbg:1/w:30"), priority=3, path="/3", webhook="https://h.test/3")
    jobs = await made.jobs.submit([first, second, third], owner="me")
    assert jobs[0] == jobs[1] == jobs[2]
    order = jobs[0][0].order
    assert (order.owner, order.priority, order.path, order.webhook) == ("me", 5, "/2", "https://h.test/2")
    assert made.queue.asked == 1


async def test_an_order_for_what_is_there_is_a_job_that_is_done(made: World) -> None:
    await made.jobs.submit([ORDER], owner="me")
    await made.work()
    [[job]] = await made.jobs.submit([ORDER], owner="me")
    assert (job.state, len(made.queue.begun)) == (JobState.DONE, 1)
    await made.purges.purge(Selector("source:" + SOURCE))
    [[job]] = await made.jobs.submit([ORDER], owner="me")
    assert (job.state, len(made.queue.begun)) == (JobState.QUEUED, 2)


async def test_a_server_whose_model_was_changed_orders_another_job(made: World, tmp_path: Path) -> None:
    first = await pending(made)
    provider = made.providers[Task.BACKGROUND]
    other = world(tmp_path / "other", providers=[
        dataclasses.replace(provider, capability=dataclasses.replace(provider.capability, identity="2"))
    ])  # fmt: skip
    try:
        assert (await pending(other)).job != first.job
    finally:
        await other.close()


async def test_changes_are_told_until_the_end(made: World) -> None:
    key = (await pending(made)).job
    changes = made.jobs.changes(key)
    seen = [(await anext(changes)).state]
    made.queue.set(key, state=JobState.RUNNING, progress=0.5)
    # What has not changed is not told again.
    seen.append((await anext(changes)).state)
    made.queue.end(key, JobState.DONE)
    seen += [job.state async for job in changes]
    assert seen == [JobState.QUEUED, JobState.RUNNING, JobState.DONE]


async def test_a_job_that_nobody_knows_is_not_found(made: World) -> None:
    for question in (made.jobs.get("0"), made.jobs.cancel("0"), made.jobs.retry("0")):
        with pytest.raises(NotFound):
            await question
    with pytest.raises(NotFound):
        await anext(aiter(made.jobs.changes("0")))
