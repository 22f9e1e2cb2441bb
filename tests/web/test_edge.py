"""The outermost layer: deadlines, clients that leave, answers that fail half-way, other protocols."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from imgserve.errors import ImageRefused
from imgserve.web.edge import Edge, EdgePolicy
from imgserve.web.exchange import PIECE_BYTES, SCOPE_KEY, ClientGone, Exchange
from imgserve.web.extensions import ABORT
from imgserve.web.responses import Response, text_response
from tests.web.blocking import block, until
from tests.web.conftest import Start

HTTP: Scope = {"type": "http", "method": "GET", "raw_path": b"/x", "headers": [], "client": None}


class Wire:
    """The server's side of one connection: collects what is sent, and leaves when told."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.leave = asyncio.Event()

    async def receive(self) -> Message:
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


def edge(app: Any, logged: list[Exchange], *, timeout_s: float = 5.0) -> Edge:
    return Edge(app, policy=EdgePolicy(timeout_s=timeout_s), log=logged.append)


async def test_what_takes_too_long_is_cancelled_and_answered() -> None:
    cancelled = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    wire, logged = Wire(), list[Exchange]()
    await edge(slow, logged, timeout_s=0.01)(dict(HTTP), wire.receive, wire.send)
    assert cancelled.is_set()
    assert (wire.status, logged[0].error) == (504, "render_timeout")


async def test_a_body_that_does_not_arrive_is_told_as_such() -> None:
    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        await scope[SCOPE_KEY].read_body(100)

    wire, logged = Wire(), list[Exchange]()
    await edge(read, logged, timeout_s=0.01)(dict(HTTP), wire.receive, wire.send)
    assert (wire.status, logged[0].detail.partition(";")[0]) == (504, "The body did not arrive within 0.01 seconds")


async def test_work_that_is_slow_after_its_body_is_not_taken_for_a_slow_body() -> None:
    async def body() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await scope[SCOPE_KEY].read_body(100)
        await asyncio.Event().wait()

    wire, logged = Wire(), list[Exchange]()
    await edge(slow, logged, timeout_s=0.01)(dict(HTTP), body, wire.send)
    assert (wire.status, logged[0].detail) == (504, "The image was not ready within 0.01 seconds.")


async def test_a_timeout_that_is_not_the_deadline_is_a_bug() -> None:
    async def wrong(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError

    wire, logged = Wire(), list[Exchange]()
    await edge(wrong, logged)(dict(HTTP), wire.receive, wire.send)
    assert (wire.status, logged[0].error) == (500, "internal_error")


async def test_a_client_that_leaves_cancels_the_work_and_gets_nothing() -> None:
    cancelled = asyncio.Event()

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with scope[SCOPE_KEY].connected():
                wire.leave.set()
                await asyncio.Event().wait()
        except ClientGone:
            cancelled.set()
            raise

    wire, logged = Wire(), list[Exchange]()
    await edge(work, logged)(dict(HTTP), wire.receive, wire.send)
    assert cancelled.is_set()
    assert wire.sent == []
    assert (logged[0].status, logged[0].error) == (499, "client_gone")


async def test_a_cancellation_from_outside_is_not_taken_for_a_client_that_left() -> None:
    started = asyncio.Event()

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        async with scope[SCOPE_KEY].connected():
            started.set()
            await asyncio.Event().wait()

    wire, logged = Wire(), list[Exchange]()
    task = asyncio.create_task(edge(work, logged)(dict(HTTP), wire.receive, wire.send))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert logged[0].error == ""


async def test_an_error_after_the_headers_is_logged_and_ends_the_answer() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await scope[SCOPE_KEY].start(200, ())
        raise ImageRefused("It broke.")

    wire, logged = Wire(), list[Exchange]()
    await edge(broken, logged)(dict(HTTP), wire.receive, wire.send)
    assert [message["type"] for message in wire.sent] == ["http.response.start"]
    assert (logged[0].status, logged[0].error, logged[0].detail) == (200, "image_refused", "It broke.")


async def test_web_sockets_are_closed() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("no route is asked")

    wire = Wire()
    await edge(app, [])({"type": "websocket"}, wire.receive, wire.send)
    assert [message["type"] for message in wire.sent] == ["websocket.close"]


async def test_a_client_that_leaves_gives_its_place_in_the_queue_back(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = await start()
    pool = server.services.renderer.pool
    release = await block(pool)
    wire = Wire()
    path = server.signed("/w:10/plain/local:///a.jpg").encode()
    scope = {**HTTP, "path": path.decode(), "raw_path": path, "query_string": b"", "root_path": ""}
    with caplog.at_level(logging.WARNING, "imgserve.access"):
        task = asyncio.create_task(server.app(scope, wire.receive, wire.send))
        await until(lambda: pool.pending == 2)
        wire.leave.set()
        await task
    await until(lambda: pool.pending == 1)
    release()
    assert wire.sent == []
    assert "499" in caplog.text


async def test_head_is_answered_without_the_body_that_get_has() -> None:
    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await scope[SCOPE_KEY].send(text_response("body"))

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"body"

        await scope[SCOPE_KEY].stream(200, (("content-length", "4"),), chunks())

    for app in (page, stream):
        for method, body in (("GET", b"body"), ("HEAD", b"")):
            wire = Wire()
            await edge(app, [])({**HTTP, "method": method}, wire.receive, wire.send)
            assert (b"content-length", b"4") in wire.sent[0]["headers"]
            assert b"".join(message["body"] for message in wire.sent[1:]) == body


@pytest.mark.parametrize(
    ("size", "pieces"), [(0, [0]), (PIECE_BYTES, [PIECE_BYTES]), (2 * PIECE_BYTES + 1, [PIECE_BYTES, PIECE_BYTES, 1])]
)
async def test_only_large_answers_are_sent_in_pieces(size: int, pieces: list[int]) -> None:
    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await scope[SCOPE_KEY].send(Response(body=b"x" * size))

    wire, logged = Wire(), list[Exchange]()
    await edge(page, logged)(dict(HTTP), wire.receive, wire.send)
    assert [len(message["body"]) for message in wire.sent[1:]] == pieces
    assert [message["more_body"] for message in wire.sent[1:]] == [True] * (len(pieces) - 1) + [False]
    assert logged[0].sent_bytes == size


async def test_a_client_that_takes_no_piece_in_time_is_dropped() -> None:
    dropped = asyncio.Event()

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await scope[SCOPE_KEY].send(Response(body=b"x" * 3 * PIECE_BYTES))

    class Stalled(Wire):
        async def send(self, message: Message) -> None:
            if len(self.sent) > 1:
                await asyncio.Event().wait()
            await super().send(message)

    wire, logged = Stalled(), list[Exchange]()
    scope = {**HTTP, "extensions": {ABORT: {"abort": dropped.set}}}
    await edge(page, logged, timeout_s=0.05)(scope, wire.receive, wire.send)
    assert dropped.is_set()
    assert (logged[0].status, logged[0].error, logged[0].sent_bytes) == (499, "client_too_slow", PIECE_BYTES)


async def test_an_error_whose_answer_nobody_takes_is_dropped_too() -> None:
    dropped = asyncio.Event()

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        raise ImageRefused("It broke.")

    async def stalled(message: Message) -> None:
        await asyncio.Event().wait()

    logged = list[Exchange]()
    scope = {**HTTP, "extensions": {ABORT: {"abort": dropped.set}}}
    await edge(refuse, logged, timeout_s=0.05)(scope, Wire().receive, stalled)
    assert dropped.is_set()
    assert (logged[0].status, logged[0].error) == (499, "client_too_slow")


async def test_the_end_of_an_answer_is_not_taken_for_a_client_that_left() -> None:
    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        async with exchange.connected():
            await asyncio.sleep(0)
            await exchange.send(text_response("body"))
            # uvicorn tells of the end of an answer as of a client that left.
            wire.leave.set()
            for _ in range(5):
                await asyncio.sleep(0)

    wire, logged = Wire(), list[Exchange]()
    await edge(page, logged)(dict(HTTP), wire.receive, wire.send)
    assert (logged[0].status, logged[0].error) == (200, "")
