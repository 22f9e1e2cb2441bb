"""Streams of events that are cut: what is taken up again, how soon, and when it is given up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imgserve.client import ApiError, JobTimeout, Unreachable
from imgserve.client.streams import Following
from tests.adapters.hook_receiver import receiving
from tests.client.conftest import Connect
from tests.client.test_refusals import answer, refusal

ID = "a" * 64


def event(name: str, **facts: Any) -> str:
    return f"event: {name}\nid: 1\ndata: {json.dumps({'id': ID, 'state': 'running', **facts})}\n\n"


def stream(*events: str) -> bytes:
    return answer(200, "retry: 1\n\n" + "".join(events), "content-type: text/event-stream")


CUT = b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\nretry: 1\n\n" + event("job", progress=0.5).encode()


async def test_a_stream_that_is_cut_is_taken_up_and_nothing_is_told_twice(connect: Connect) -> None:
    end = event("job", state="done"), event("end", state="done")
    drained = stream(event("job"), ": working\n\n")
    async with receiving(drained, CUT, refusal(503, 0), answer(502, "<h1>"), stream(*end)) as receiver:
        jobs = await connect(f"http://127.0.0.1:{receiver.port}").events(ID)
    assert [(job.state, job.progress) for job in jobs] == [("running", 0), ("running", 0.5), ("done", 0)]
    assert len(receiver.received) == 5


async def test_a_refusal_that_waiting_does_not_mend_is_told_at_once(connect: Connect) -> None:
    async with receiving(stream(event("job")), refusal(403, None)) as receiver:
        with pytest.raises(ApiError, match="403"):
            await connect(f"http://127.0.0.1:{receiver.port}")("wait", ID)
    assert len(receiver.received) == 2


async def test_streams_that_say_nothing_are_given_up(connect: Connect) -> None:
    async with receiving(stream()) as receiver:
        with pytest.raises(Unreachable, match="ended before the job"):
            await connect(f"http://127.0.0.1:{receiver.port}")("wait", ID)
    assert len(receiver.received) == 7


async def test_a_silent_stream_ends_with_the_time_that_was_given(connect: Connect) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\nretry: 1\n\n" + event("job").encode()
    async with receiving(head + b"...", b"") as receiver:
        ask = connect(f"http://127.0.0.1:{receiver.port}")
        with pytest.raises(JobTimeout):
            await ask("wait", ID, timeout_s=0.3)
        await ask.close()


def following(now: list[float], *, timeout_s: float | None = None) -> Following:
    return Following(ID, timeout_s=timeout_s, clock=lambda: now[0])


def feed(one: Following, text: str) -> list[Any]:
    return [job for line in text.split("\n") if (job := one.line(line)) is not None]


def test_pauses_grow_and_begin_anew_after_an_event() -> None:
    one, gone = following([0.0]), Unreachable("gone")
    assert [one.cut(gone) for _ in range(5)] == [2, 4, 8, 16, 30]
    feed(one, event("job"))
    assert one.cut(None) == 2
    feed(one, "retry: 500\n\n" + event("job"))
    assert one.cut(gone) == 0.5
    assert one.cut(ApiError("", status=429, retry_after_s=5)) == 5
    assert one.cut(ApiError("", status=503)) == 2


def test_a_pause_is_no_longer_than_the_time_that_is_left() -> None:
    now = [0.0]
    one = following(now, timeout_s=3)
    assert (one.silence_s, one.cut(None)) == (3, 2)
    now[0] = 2.5
    assert (one.silence_s, one.cut(None)) == (0.5, 0.5)
    now[0] = 3
    with pytest.raises(JobTimeout, match="not seen yet after 3 seconds"):
        one.cut(None)


def test_signs_of_life_do_not_lengthen_the_time() -> None:
    now = [0.0]
    one = following(now, timeout_s=3)
    feed(one, event("job") + ": working\n\n")
    now[0] = 3
    with pytest.raises(JobTimeout) as caught:
        feed(one, ": working\n\n")
    assert caught.value.job is not None
    assert isinstance(caught.value, TimeoutError)


def test_an_end_counts_though_it_comes_late() -> None:
    now = [0.0]
    one = following(now, timeout_s=3)
    now[0] = 4
    [job] = feed(one, event("end", state="done"))
    assert (job.done, one.ended) == (True, True)


def test_half_an_event_of_a_stream_that_was_cut_is_forgotten() -> None:
    one = following([0.0])
    feed(one, "event: end\ndata: {half")
    one.cut(Unreachable("gone"))
    [job] = feed(one, "retry: 2000\n\n" + event("job"))
    assert (job.state, one.ended) == ("running", False)


def test_fields_of_a_newer_server_are_read_over() -> None:
    [job] = feed(following([0.0]), event("job", mood="good", created_at="2026-01-31T12:00:00.000Z"))
    assert job.created_at.isoformat() == "2026-01-31T12:00:00+00:00"
