"""Nothing that a client sends is a 5xx, or more than one answer, or an odd header."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgserve.ops.catalog import CATALOG
from tests.strategies import ops
from tests.web.conftest import Server, Start

Headers = list[tuple[bytes, bytes]]

#: One server serves all examples: that is the point, not an accident.
REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@pytest.fixture
async def server(start: Start) -> Server:
    return await start(KEY="", SALT="", ALLOW_UNSIGNED="1", MAX_RESULT_DIMENSION="64", AUTO_WEBP="1", DEVELOPMENT="1")


async def ask(server: Server, raw_path: bytes, headers: Headers, method: str = "GET") -> int:
    """Send a request exactly as given; give the status after checking the answer's form."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("the client stays and sends nothing")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "scheme": "http", "http_version": "1.1", "root_path": "", "query_string": b"",
        "path": raw_path.decode("latin-1"), "raw_path": raw_path, "headers": headers, "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await server.app(scope, receive, send)
    start, *bodies = sent
    assert start["type"] == "http.response.start"
    assert not bodies[-1].get("more_body")
    for name, value in start["headers"]:
        assert name == name.lower()
        assert value.decode("latin-1").isprintable()
        assert name != b"set-cookie"
    return int(start["status"])


SEGMENT = st.one_of(
    st.tuples(st.sampled_from(sorted(CATALOG.by_name)), st.text(max_size=12)).map(":".join),
    st.text(max_size=10),
    st.sampled_from(["plain", "local:///a.jpg", "local:", "..", "%2e%2e", "a.jpg@", "%00", "%", "bG9jYWw6Ly8vYS5qcGc"]),
)


@REUSED
@given(st.lists(SEGMENT, max_size=8))
async def test_no_path_is_a_5xx(server: Server, segments: list[str]) -> None:
    raw = "/".join(["/_", *segments]).encode("utf-8", "surrogatepass")
    assert await ask(server, raw, []) < 500


@REUSED
@given(st.binary(max_size=60), st.sampled_from([b"", b"/explain", b"/health", b"/.well-known/"]))
async def test_no_bytes_are_a_5xx(server: Server, tail: bytes, head: bytes) -> None:
    assert await ask(server, head + b"/" + tail, []) < 500


@REUSED
@given(st.lists(st.sampled_from(CATALOG.ops).flatmap(ops), max_size=4))
async def test_no_valid_option_is_a_5xx(server: Server, options: list[Any]) -> None:
    segments = "/".join(one.text() for one in options if one.spec.name != "preset")
    raw = f"/_/{segments}/plain/local:///a.jpg".encode()
    assert await ask(server, raw, []) < 500


HEADER_NAMES = (
    b"accept", b"if-none-match", b"if-modified-since", b"x-request-id", b"x-forwarded-for", b"range", b"authorization",
    b"width", b"dpr", b"cookie", b"accept-encoding",
)  # fmt: skip


@REUSED
@given(st.lists(st.tuples(st.sampled_from(HEADER_NAMES), st.binary(max_size=40)), max_size=6), st.booleans())
async def test_no_header_is_a_5xx(server: Server, headers: Headers, raw: bool) -> None:
    option = b"raw:1" if raw else b"w:5"
    assert await ask(server, b"/_/" + option + b"/plain/local:///a.jpg", headers) < 500


@REUSED
@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=8))
async def test_no_method_is_a_5xx(server: Server, method: str) -> None:
    assert await ask(server, b"/_/w:5/plain/local:///a.jpg", [], method) < 500
