"""Answers that a server under load, a proxy or a broken line gives: what is sent again, and what is told."""

from __future__ import annotations

import json
import time

import pytest

from imgserve.client import ApiError, Client, Unreachable
from imgserve.client.calls import Target
from tests.adapters.hook_receiver import receiving
from tests.client.conftest import Connect


def answer(status: int, body: object, *headers: str) -> bytes:
    text = body if isinstance(body, str) else json.dumps(body)
    lines = [f"HTTP/1.1 {status} Told", f"content-length: {len(text)}", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + text).encode()


def refusal(status: int, retry_after_s: int | None) -> bytes:
    facts = {"code": "rate_limited", "message": "Too often.", "request_id": "r1"}
    if retry_after_s is not None:
        facts |= {"retry_after_s": retry_after_s}  # type: ignore[dict-item]
    return answer(status, {"error": facts})


DONE = answer(200, {"purged": {"disk": 1}})


@pytest.mark.parametrize("status", [429, 503])
async def test_what_is_refused_for_now_is_sent_again(connect: Connect, status: int) -> None:
    async with receiving(refusal(status, 0), refusal(status, 0), DONE) as receiver:
        gone = await connect(f"http://127.0.0.1:{receiver.port}")("purge", everything=True)
    assert gone.entries == {"disk": 1}
    assert [json.loads(one.body) for one in receiver.received] == [{"everything": True}] * 3


async def test_a_proxy_that_refuses_says_when_in_its_header_alone(connect: Connect) -> None:
    async with receiving(answer(503, "<h1>Busy</h1>", "retry-after: 1"), DONE) as receiver:
        started = time.monotonic()
        await connect(f"http://127.0.0.1:{receiver.port}")("purge", everything=True)
        assert time.monotonic() - started >= 1
    assert len(receiver.received) == 2


async def test_it_is_sent_again_a_few_times_only(connect: Connect) -> None:
    async with receiving(refusal(429, 0)) as receiver:
        with pytest.raises(ApiError) as caught:
            await connect(f"http://127.0.0.1:{receiver.port}")("capabilities")
    assert (caught.value.code, caught.value.retry_after_s, caught.value.request_id) == ("rate_limited", 0, "r1")
    assert len(receiver.received) == 4


@pytest.mark.parametrize(
    ("status", "retry_after_s"),
    [
        (429, None),
        (429, 31),  # longer than the call may take
        (500, 0),
        (409, 0),
    ],
)
async def test_other_refusals_are_final(connect: Connect, status: int, retry_after_s: int | None) -> None:
    async with receiving(refusal(status, retry_after_s), DONE) as receiver:
        with pytest.raises(ApiError) as caught:
            await connect(f"http://127.0.0.1:{receiver.port}", timeout_s=30)("purge", everything=True)
    assert (caught.value.status, caught.value.retry_after_s) == (status, retry_after_s)
    assert len(receiver.received) == 1


async def test_a_picture_is_not_processed_again_by_itself(connect: Connect) -> None:
    async with receiving(refusal(503, 0)) as receiver:
        with pytest.raises(ApiError):
            await connect(f"http://127.0.0.1:{receiver.port}")("process", b"picture")
    assert len(receiver.received) == 1


@pytest.mark.parametrize("body", ["<h1>Welcome</h1>", "[]", '"text"', "{}"])
async def test_what_is_no_answer_of_imgserve_is_told_with_what_it_is(connect: Connect, body: str) -> None:
    async with receiving(answer(200, body)) as receiver:
        with pytest.raises(ApiError, match="is this the base URL") as caught:
            await connect(f"http://127.0.0.1:{receiver.port}")("list")
    assert (caught.value.status, caught.value.code) == (200, "unexpected_answer")
    assert repr(body) in caught.value.message


async def test_a_redirect_is_not_followed_with_the_key(connect: Connect) -> None:
    async with receiving(answer(302, "", "location: http://127.0.0.1:9/")) as receiver:
        with pytest.raises(ApiError) as caught:
            await connect(f"http://127.0.0.1:{receiver.port}", api_key="k")("capabilities")
    assert caught.value.status == 302
    assert receiver.received[0].headers["authorization"] == "Bearer k"


async def test_facts_are_asked_for_without_the_key(connect: Connect) -> None:
    async with receiving(answer(200, {"width": 3})) as receiver:
        facts = await connect(f"http://127.0.0.1:{receiver.port}/p", api_key="k")(
            "info", "https://a.test/ä.jpg", "exif:0", faces=True, classify=3
        )
    assert facts == {"width": 3}
    assert "authorization" not in receiver.received[0].headers
    assert receiver.received[0].target == (
        "GET /p/info/unsafe/exif:0/faces:1/classify:3/plain/https://a.test/%C3%A4.jpg HTTP/1.1"
    )


@pytest.mark.parametrize("silent", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"])
async def test_an_answer_that_does_not_come_whole_is_unreachable(connect: Connect, silent: bytes) -> None:
    async with receiving(silent) as receiver:
        ask = connect(f"http://127.0.0.1:{receiver.port}", timeout_s=0.2)
        with pytest.raises(Unreachable, match=f"127.0.0.1:{receiver.port}/v1/capabilities: ."):
            await ask("capabilities")
        await ask.close()


def warmed(*lines: dict[str, object]) -> bytes:
    return answer(200, "".join(json.dumps(line) + "\n" for line in lines))


RESULT: dict[str, object] = {"source": "s", "path": "/w:1/plain/s", "state": "made", "bytes": 3, "ms": 1}
LAST: dict[str, object] = {"state": "done", "made": 1, "kept": 0, "failed": 0, "bytes": 3, "ms": 2}


async def test_warming_tells_of_each_result_and_of_all(connect: Connect) -> None:
    seen: list[object] = []
    async with receiving(refusal(429, 0), warmed(RESULT, {"state": "working"}, LAST)) as receiver:
        all_ = await connect(f"http://127.0.0.1:{receiver.port}")("warm", "s", widths=(1, 2), on_line=seen.append)
    assert json.loads(receiver.received[-1].body) == {"sources": "s", "widths": [1, 2]}
    assert seen == [RESULT]
    assert (all_.state, all_.made, all_.size_bytes, all_.results) == ("done", 1, 3, (RESULT,))


async def test_warming_that_is_cut_is_told_with_how_far_it_came(connect: Connect) -> None:
    async with receiving(warmed(RESULT, {"state": "working"})) as receiver:
        with pytest.raises(Unreachable, match="after 1 results"):
            await connect(f"http://127.0.0.1:{receiver.port}")("warm", ["s"])


async def test_a_refused_warm_order_is_told_as_any(connect: Connect) -> None:
    async with receiving(refusal(400, None)) as receiver:
        with pytest.raises(ApiError, match="Too often"):
            await connect(f"http://127.0.0.1:{receiver.port}")("warm", ["s"])


def test_a_key_is_in_no_text_that_reports_of_errors_show() -> None:
    target = Target(base_url="http://127.0.0.1:1", api_key="a secret", timeout_s=1)
    assert "a secret" not in repr(target)
    with Client("http://127.0.0.1:1", api_key="a secret", key="943b421c", salt="520f986b") as client:
        shown = repr(vars(client))
    assert "a secret" not in shown
    assert "943b421c" not in shown
