"""Error answers: one sentence or JSON facts, never a trace, never a private path."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from imgserve.web.exchange import Exchange
from tests.web.conftest import Start


async def test_an_error_is_one_sentence_of_text(start: Start) -> None:
    answer = await (await start()).get("/w:abc/plain/local:///a.jpg")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "Accept"
    assert answer.text == "Option w: expected an integer of 0 or more, got 'abc'.\n"


async def test_an_error_is_json_for_those_who_ask(start: Start) -> None:
    server = await start()
    answer = await server.get("/w:abc/plain/local:///a.jpg", {"accept": "application/json", "x-request-id": "r-1"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "error": {
            "code": "bad_option",
            "message": "Option w: expected an integer of 0 or more, got 'abc'.",
            "where": "w",
            "got": "abc",
            "expected": "an integer of 0 or more",
            "request_id": "r-1",
        }
    }
    assert answer.headers["x-request-id"] == "r-1"


async def test_negative_caching_can_be_switched_off(start: Start) -> None:
    server = await start(SOURCE_ERROR_TTL="0")
    assert (await server.get("/w:1/plain/local:///missing.jpg")).headers["cache-control"] == "no-store"


async def test_no_private_path_leaves_the_server(start: Start, root: Path) -> None:
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0broken")
    (root / "folder").mkdir()
    server = await start()
    for name in ("missing.jpg", "broken.jpg", "folder", "../root/a.jpg", "%2e%2e/x", "a.jpg/b"):
        answer = await server.get(f"/w:1/plain/local:///{name}")
        assert 400 <= answer.status_code < 500
        assert str(root) not in answer.text
        assert "Traceback" not in answer.text


async def test_a_bug_is_a_loud_500_that_says_nothing(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = await start()
    # Longer than what a random request id could have by chance.
    secret = "the password of the database is forty-two"

    async def broken(exchange: Exchange) -> None:
        raise ZeroDivisionError(secret)

    server.app.router.default._handler = broken  # type: ignore[attr-defined]
    with caplog.at_level(logging.ERROR):
        answer = await server.client.get("/any/thing")
    assert answer.status_code == 500
    assert secret not in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert f"ZeroDivisionError: {secret}" in caplog.text


async def test_a_header_that_would_split_is_a_bug_and_not_sent(start: Start) -> None:
    server = await start()

    async def splitting(exchange: Exchange) -> None:
        await exchange.start(200, (("x-a", "b\r\nset-cookie: c"),))

    server.app.router.default._handler = splitting  # type: ignore[attr-defined]
    answer = await server.client.get("/any/thing")
    assert answer.status_code == 500
    assert "set-cookie" not in answer.headers
