"""Log lines: in three formats, with the facts of a request and without its secrets."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from imgserve.app.log_format import Json, Pretty, Structured
from imgserve.app.logs import log_exchange, visible_path, visible_target
from imgserve.web.exchange import Exchange


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"/health", "/health"),
        (b"/.well-known/x", "/.well-known/x"),
        (b"/sEcReT/w:1/plain/http://a.test/b.jpg@webp", "/***/w:1/plain/http://a.test/b.jpg@webp"),
        (b"/s/w:1/plain/http://user:pass%40a.test/b.jpg", "/***/w:1/plain/http://***@a.test/b.jpg"),
        (b"/s/plain/https%3A%2F%2Fuser:pass%40a.test/b", "/***/plain/https%3A%2F%2F***@a.test/b"),
        (b"/s/plain/https://a.test/b%3FX-Amz-Signature=1@png", "/***/plain/https://a.test/b%3F***@png"),
        (b"/explain/s/w:1/plain/http://a.test/b", "/explain/***/w:1/plain/http://a.test/b"),
        (b"/img/s/w:1/plain/http://a.test/b", "/img/***/w:1/plain/http://a.test/b"),
        (b"/a\x1b[31m/\xff\r\nfake", "/***/\\xff\\x0d\\x0afake"),
        (b"", ""),
    ],
)
def test_a_path_is_shown_without_its_secrets(raw: bytes, shown: str) -> None:
    assert visible_path(raw, prefix="/img") == shown


def test_a_base64_source_is_shown_as_what_it_stands_for() -> None:
    raw = b"/s/w:1/aHR0cHM6Ly91c2VyOnBhc3NAYS50ZXN0L2I_/dG9rZW49MQ.png"
    assert visible_path(raw, source="https://user:pass@a.test/b?token=1") == "/***/w:1/https://***@a.test/b?***"


def exchange(path: bytes = b"/s/w:1/plain/local:///a.jpg", *, status: int = 200, error: str = "") -> Exchange:
    async def receive() -> dict[str, Any]:
        raise NotImplementedError

    async def send(message: Any) -> None:
        raise NotImplementedError

    scope = {"method": "GET", "raw_path": path, "headers": [(b"x-request-id", b"r-1")], "client": ("10.0.0.1", 5)}
    made = Exchange(scope, receive, send, always=[], timeout_s=1)
    made.status, made.error, made.detail = status, error, "It is not there." if error else ""
    return made


def test_of_a_query_what_it_picked_is_shown_and_nothing_else() -> None:
    asked = exchange()
    asked.query, asked.picked = b"token=secret&w=750", "w=750"
    assert visible_target(asked) == "/***/w:1/plain/local:///a.jpg?w=750"
    ordered = exchange(b"/v1/jobs")
    ordered.picked = "w=750"
    assert visible_target(ordered) == "/v1/jobs"


def record(caplog: pytest.LogCaptureFixture, given: Exchange) -> logging.LogRecord:
    with caplog.at_level(logging.DEBUG, "imgserve.access"):
        log_exchange(given)
    return caplog.records[-1]


def test_json_lines_have_every_fact(caplog: pytest.LogCaptureFixture) -> None:
    line = json.loads(Json().format(record(caplog, exchange(status=404, error="source_not_found"))))
    assert line["time"].endswith("Z")
    line.pop("time")
    line.pop("ms")
    assert line == {
        "level": "warning",
        "message": "GET /***/w:1/plain/local:///a.jpg 404",
        "request_id": "r-1",
        "method": "GET",
        "path": "/***/w:1/plain/local:///a.jpg",
        "status": 404,
        "client_ip": "10.0.0.1",
        "bytes": 0,
        "error": "source_not_found",
        "detail": "It is not there.",
    }


def test_structured_and_pretty_lines_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    made = record(caplog, exchange(status=404, error="source_not_found"))
    structured, pretty = Structured().format(made), Pretty().format(made)
    assert "status=404" in structured
    assert 'detail="It is not there."' in structured
    assert "404 GET /***/w:1/plain/local:///a.jpg" in pretty
    assert "source_not_found: It is not there." in pretty
    assert "\n" not in structured + pretty


def test_a_line_says_what_the_answer_says_of_the_cache(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "imgserve.access"):
        given = exchange()
        given.cache = "coalesced"
        log_exchange(given)
    made = caplog.records[-1]
    assert json.loads(Json().format(made))["cache"] == "coalesced"
    assert " 0B coalesced 10.0.0.1 " in Pretty().format(made)


def test_lines_of_other_loggers_keep_their_traceback() -> None:
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError as error:
        made = logging.LogRecord("x", logging.ERROR, __file__, 1, "went %s", ("wrong",), (type(error), error, None))
    for formatter in (Json(), Structured(), Pretty()):
        text = formatter.format(made)
        assert "went wrong" in text
        assert "ZeroDivisionError" in text


@pytest.mark.parametrize(
    ("path", "status", "level"),
    [
        (b"/s/x", 200, logging.INFO),
        (b"/s/x", 404, logging.WARNING),
        (b"/s/x", 499, logging.WARNING),
        (b"/s/x", 502, logging.ERROR),
        (b"/health", 200, logging.DEBUG),
        (b"/health", 503, logging.ERROR),
    ],
)
def test_levels_follow_whose_fault_it_is(
    caplog: pytest.LogCaptureFixture, path: bytes, status: int, level: int
) -> None:
    assert record(caplog, exchange(path, status=status)).levelno == level
