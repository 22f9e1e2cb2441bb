"""Answers on their way, over real sockets: clients that do not read are dropped, slow sources are passed on whole."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.app.served import Served, served

#: More than the kernel keeps for a connection on both sides.
LARGE_BYTES = 30_000_000


def request(path: str, *, more: str = "Connection: close\r\n") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


def small_window(server: Served) -> socket.socket:
    """Connect as a client that takes little ahead."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(20)
    line.connect(("127.0.0.1", server.port))
    return line


def access_lines(server: Served) -> list[dict[str, Any]]:
    """Wait for lines of requests: those of good answers are written a moment later, together."""
    ends_at = time.monotonic() + 10
    while time.monotonic() < ends_at:
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        if found := [line for line in lines if "status" in line]:
            return found
        time.sleep(0.02)
    return []


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    (folder / "large.bin").write_bytes(b"x" * LARGE_BYTES)
    noise = pyvips.Image.black(3000, 3000, bands=3) + 90
    noise.cast("uchar").copy(interpretation="srgb").jpegsave(str(folder / "large.jpg"))
    return folder


@pytest.mark.parametrize("path", ["/raw:1/plain/local:///large.bin", "/f:bmp/plain/local:///large.jpg"])
def test_a_client_that_does_not_read_is_dropped_and_its_place_is_free(root: Path, tmp_path: Path, path: str) -> None:
    settings = {"LOCAL_FILESYSTEM_ROOT": str(root), "LOG_FORMAT": "json", "TIMEOUT": "3", "MAX_CLIENTS": "1"}
    with served(tmp_path, **settings) as server, small_window(server) as lazy:
        lazy.sendall(request(server.signed(path)))
        assert lazy.recv(12) == b"HTTP/1.1 200"
        other = request(server.signed("/raw:1/plain/local:///none"))
        # The place is held until the body is out, and then free again.
        assert server.ask(other).split(b" ")[1] == b"429"
        until_admitted(server, other)
        slow = [line for line in access_lines(server) if line["status"] == 499]
        assert [line["error"] for line in slow] == ["client_too_slow"]
        assert 0 < slow[0]["bytes"] < 20_000_000
        # Dropped, not flushed.
        with pytest.raises(ConnectionResetError):
            read_to_the_end(lazy)
        assert "Traceback" not in server.log.read_text()
        assert "without completing" not in server.log.read_text()


def read_to_the_end(line: socket.socket) -> None:
    while line.recv(1_000_000):
        pass


def until_admitted(server: Served, asking: bytes) -> None:
    until = time.monotonic() + 20
    while server.ask(asking).split(b" ")[1] == b"429":
        assert time.monotonic() < until, "the place is never free"


def test_a_client_that_reads_slowly_but_reads_gets_all(root: Path, tmp_path: Path) -> None:
    with served(tmp_path, LOCAL_FILESYSTEM_ROOT=str(root), TIMEOUT="1", LOG_FORMAT="json") as server:
        with small_window(server) as line:
            line.sendall(request(server.signed("/raw:1/plain/local:///large.bin")))
            got = 0
            while piece := line.recv(65536):
                got += len(piece)
        assert got > LARGE_BYTES
        assert [(each["status"], each["bytes"]) for each in access_lines(server)] == [(200, LARGE_BYTES)]


def test_a_client_that_leaves_in_the_middle_is_logged_as_499(root: Path, tmp_path: Path) -> None:
    with served(tmp_path, LOCAL_FILESYSTEM_ROOT=str(root), LOG_FORMAT="json", MAX_CLIENTS="1") as server:
        with small_window(server) as line:
            line.sendall(request(server.signed("/f:bmp/plain/local:///large.jpg")))
            assert line.recv(12) == b"HTTP/1.1 200"
        until_admitted(server, request(server.signed("/raw:1/plain/local:///none")))
        gone = [line for line in access_lines(server) if line["status"] == 499]
        assert [line["error"] for line in gone] == ["client_gone"]


@asynccontextmanager
async def paced_origin(*, pieces: int, pause_s: float, whole: asyncio.Event | None = None) -> AsyncIterator[str]:
    """Serve 1000 bytes at a time with pauses; the last piece waits for `whole`."""

    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * 1000))
        for number in range(pieces):
            if number == pieces - 1 and whole is not None:
                await whole.wait()
            writer.write(b"x" * 1000)
            await asyncio.sleep(pause_s)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        closed.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a"
    finally:
        server.close()
        await asyncio.wait_for(closed.wait(), 20)


async def test_a_raw_stream_that_flows_longer_than_the_timeout_is_passed_on_whole(tmp_path: Path) -> None:
    with served(tmp_path, TIMEOUT="0.5", DOWNLOAD_TIMEOUT="20", LOG_FORMAT="json") as server:
        async with paced_origin(pieces=12, pause_s=0.1) as source:
            answer = await asyncio.to_thread(server.ask, request(server.signed(f"/raw:1/plain/{source}")))
        assert len(answer.partition(b"\r\n\r\n")[2]) == 12_000
        (line,) = access_lines(server)
        assert (line["status"], line.get("error")) == (200, None)
        assert line["ms"] > 1000


async def test_a_raw_stream_that_pauses_for_the_timeout_is_cut_short(tmp_path: Path) -> None:
    whole = asyncio.Event()
    with served(tmp_path, TIMEOUT="0.3", DOWNLOAD_TIMEOUT="20", LOG_FORMAT="json") as server:
        async with paced_origin(pieces=2, pause_s=0, whole=whole) as source:
            answer = await asyncio.to_thread(server.ask, request(server.signed(f"/raw:1/plain/{source}")))
            whole.set()
        assert len(answer.partition(b"\r\n\r\n")[2]) == 1000
        assert [line.get("error") for line in access_lines(server)] == ["source_timeout"]
