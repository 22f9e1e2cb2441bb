"""Bounds of one connection, over real sockets: heads that are too large or too slow, too many connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from imgserve.cli.protocol import MAX_HEAD_BYTES
from tests.app.served import Served, served
from tests.web.origin import Answer, Origin, picture, running_origin
from tests.web.pictures import jpeg

WHOLE = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that closes nothing by itself while a test runs, and takes four connections."""
    with served(tmp_path_factory.mktemp("log"), TIMEOUT="60", KEEP_ALIVE_TIMEOUT="60", MAX_CLIENTS="2") as made:
        yield made


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that waits for requests a short time only; idle connections it keeps."""
    with served(tmp_path_factory.mktemp("log"), TIMEOUT="0.3", KEEP_ALIVE_TIMEOUT="60") as made:
        made.ask(LAST)
        yield made


def one_answer(line: socket.socket) -> bytes:
    got = b""
    while not got.endswith(b"imgserve is running\n"):
        piece = line.recv(65536)
        assert piece, got
        got += piece
    return got


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 40_000,
        b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000,
        b"GET / HTTP/1.1\r\n" + b"X: aaaaaaaaaaaaa\r\n" * 2500,
        b"\r\n" * 20_000,
        b"GET / HTTP/1.1\r\nX: " + b"a" * 60_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 60_000 + b"\r\n\r\n" + LAST,
        b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000,
    ],
    ids=["path", "header", "headers", "empty lines", "whole", "followed", "far too large"],
)
def test_a_head_that_is_too_large_is_a_431_and_the_end(patient: Served, head: bytes) -> None:
    answer = patient.ask(head)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close\r\n" in answer


def test_the_bound_is_that_of_one_head(patient: Served) -> None:
    large = b"GET /health HTTP/1.1\r\nX: " + b"a" * (MAX_HEAD_BYTES - 1000) + b"\r\n\r\n"
    with patient.connect() as line:
        for _ in range(4):
            line.sendall(large)
            assert one_answer(line).startswith(b"HTTP/1.1 200 ")


def test_many_requests_in_one_read_are_no_large_head(patient: Served) -> None:
    answers = patient.ask(WHOLE * 3000 + LAST)
    assert answers.count(b"HTTP/1.1 200 ") == 3001


def test_connections_beyond_the_bound_are_closed_and_health_answers_below_it(patient: Served) -> None:
    lines = [patient.connect() for _ in range(4)]
    for line in lines:
        line.sendall(WHOLE)
        one_answer(line)
    assert answer_of(patient, LAST) == b""
    lines[0].sendall(LAST)
    assert one_answer(lines[0]).startswith(b"HTTP/1.1 200 ")
    assert lines[0].recv(1) == b""
    assert ask_when_there_is_room(patient).startswith(b"HTTP/1.1 200 ")
    for line in lines:
        line.close()


def ask_when_there_is_room(served: Served) -> bytes:
    """Ask until a connection is taken: the server counts one out a moment after the client sees it closed."""
    for _ in range(1000):
        if answer := answer_of(served, LAST):
            return answer
    raise AssertionError("there never is room")


def answer_of(served: Served, request: bytes) -> bytes:
    """Ask; a connection that is closed or reset without an answer gives nothing."""
    try:
        return served.ask(request)
    except ConnectionError:
        return b""


def trickle(line: socket.socket, piece: bytes) -> bytes:
    """Send a piece again and again until the other side closes; give what it sent."""
    line.settimeout(0.02)
    got = b""
    for _ in range(1000):
        try:
            line.sendall(piece)
            read = line.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            return got
        if not read:
            return got
        got += read
    raise AssertionError("the connection stays open")


@pytest.mark.parametrize("begun", [b"", WHOLE], ids=["first", "second"])
@pytest.mark.parametrize("piece", [b"a", b"\r\n"])
def test_a_head_that_trickles_in_is_cut_off(impatient: Served, begun: bytes, piece: bytes) -> None:
    with impatient.connect() as line:
        if begun:
            line.sendall(begun)
            one_answer(line)
        line.sendall(b"GET /" if piece == b"a" else piece)
        assert trickle(line, piece) == b""


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_that_sends_no_whole_head_is_closed(impatient: Served, begun: bytes) -> None:
    assert impatient.ask(begun) == b""


def test_a_body_that_never_ends_is_cut_off(impatient: Served) -> None:
    answer = impatient.ask(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 200 ")
    with impatient.connect() as line:
        line.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        one_answer(line)
        assert trickle(line, b"a") == b""


def test_an_idle_connection_is_kept(impatient: Served) -> None:
    with impatient.connect() as idle:
        idle.sendall(WHOLE)
        one_answer(idle)
        # A later connection is closed for its half head only after the time that would have closed this one.
        assert answer_of(impatient, b"GET /") == b""
        idle.sendall(WHOLE)
        assert one_answer(idle).startswith(b"HTTP/1.1 200 ")


def test_what_is_refused_leaves_no_trace_in_the_server(patient: Served, tmp_path: Path) -> None:
    answer_of(patient, b"GET / HTTP/1.1\r\nX: " + b"a" * 60_000 + b"\r\n\r\n" + LAST)
    assert ask_when_there_is_room(patient).startswith(b"HTTP/1.1 200 ")
    assert "Traceback" not in patient.log.read_text()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with known answers, that keeps idle connections for a second."""
    folder = tmp_path_factory.mktemp("log")
    with served(folder, CACHE="memory", KEEP_ALIVE_TIMEOUT="1", SOURCE_CACHE_SIZE="0") as made:
        yield made


@pytest.fixture
async def slow_origin() -> AsyncIterator[Origin]:
    """An origin of /a.jpg, and of /slow.jpg behind a gate."""
    async with running_origin() as origin:
        origin.at["/a.jpg"] = picture(etag='"1"')
        origin.at["/slow.jpg"] = Answer(body=jpeg(), headers={"content-type": "image/jpeg"}, gate=asyncio.Event())
        yield origin


async def whole_answer(reader: asyncio.StreamReader) -> dict[str, str]:
    """Read one answer, and give its headers."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode("latin-1")
    assert head.startswith("HTTP/1.1 200 ")
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
    await reader.readexactly(int(fields["content-length"]))
    return fields


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def open_gate(origin: Origin, *, after_s: float) -> None:
    gate = origin.at["/slow.jpg"].gate
    assert gate is not None
    await asyncio.sleep(after_s)
    gate.set()


@pytest.mark.parametrize(("hot", "reads"), [(1, 1), (2, 1), (2, 2), (3, 2)])
async def test_a_slow_answer_after_known_ones_is_not_cut_off(
    busy: Served, slow_origin: Origin, hot: int, reads: int
) -> None:
    known = get(busy.signed(f"/w:{hot}/cb:{reads}/f:png/plain/{slow_origin.base}/a.jpg"))
    slow = get(busy.signed(f"/w:{hot}/cb:{reads}/f:png/plain/{slow_origin.base}/slow.jpg"))
    reader, writer = await asyncio.open_connection("127.0.0.1", busy.port)
    for cache in ("miss", "memory", "memory"):
        writer.write(known)
        assert (await whole_answer(reader))["x-imgserve-cache"] == cache
    writer.write(known * hot if reads > 1 else known * hot + slow)
    for _ in range(hot):
        await whole_answer(reader)
    if reads > 1:
        writer.write(slow)
    # Longer than idle connections are kept.
    opening = asyncio.create_task(open_gate(slow_origin, after_s=1.5))
    assert (await whole_answer(reader))["x-imgserve-cache"] == "miss"
    await opening
    writer.close()


async def test_a_connection_that_is_idle_after_known_answers_is_closed(busy: Served, slow_origin: Origin) -> None:
    known = get(busy.signed(f"/w:9/f:png/plain/{slow_origin.base}/a.jpg"))
    reader, writer = await asyncio.open_connection("127.0.0.1", busy.port)
    for _ in range(2):
        writer.write(known)
        await whole_answer(reader)
    writer.write(known * 3)
    for _ in range(3):
        await whole_answer(reader)
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()
