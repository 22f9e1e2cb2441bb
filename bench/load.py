"""The load: keep-alive HTTP/1.1 connections that ask one request after another, and time each."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import uvloop

HOST: Final = "127.0.0.1"
#: A server that does not answer for this long fails the run instead of hanging it.
ANSWER_TIMEOUT_S: Final = 30.0
#: Buffer of a connection: an answer of usual size arrives without the reader being paused.
_READ_BUFFER_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    #: Seconds, as the server said them.
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """What one turn of load saw; `answers` are all answers, in no order."""

    seconds: float
    latencies_ms: tuple[float, ...]
    answers: tuple[Answer, ...]


class Connection:
    """One keep-alive connection; answers need a Content-Length, as all servers measured here send it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, port: int) -> None:
        self._reader = reader
        self._writer = writer
        self._rest_of_request = f" HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept: */*\r\n\r\n".encode()

    @classmethod
    async def open(cls, port: int) -> Connection:
        reader, writer = await asyncio.open_connection(HOST, port, limit=_READ_BUFFER_BYTES)
        return cls(reader, writer, port=port)

    async def get(self, target: str) -> Answer:
        self._writer.write(b"GET " + target.encode() + self._rest_of_request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "content-length" not in headers:
            raise ValueError(f"{target}: got an answer without Content-Length, expected one: {status_line}")
        body = await self._reader.readexactly(int(headers["content-length"]))
        status = int(status_line.split(" ", 2)[1])
        return Answer(status, headers.get("content-type", ""), body, headers.get("retry-after", ""))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):  # where it matters, `get` has said so
            await self._writer.wait_closed()


def drive(port: int, targets: Iterator[str], *, concurrency: int, seconds: float, at_least: int) -> Round:
    """Ask `targets` over `concurrency` connections for `seconds`, and until `at_least` answers are in.

    A request on each connection before the clock starts does not count. The clock stops at the last answer.
    """

    async def main() -> Round:
        connections = [await Connection.open(port) for _ in range(concurrency)]
        latencies: list[float] = []
        answers: list[Answer] = []
        try:
            warm = await asyncio.gather(*(ask(connection) for connection in connections))
            start = time.perf_counter()

            async def work(connection: Connection) -> None:
                while time.perf_counter() - start < seconds or len(latencies) < at_least:
                    before = time.perf_counter()
                    answers.append(await ask(connection))
                    latencies.append((time.perf_counter() - before) * 1000)

            await asyncio.gather(*(work(connection) for connection in connections))
            elapsed = time.perf_counter() - start
        finally:
            for connection in connections:
                await connection.close()
        return Round(elapsed, tuple(latencies), (*warm, *answers))

    async def ask(connection: Connection) -> Answer:
        return await asyncio.wait_for(connection.get(next(targets)), ANSWER_TIMEOUT_S)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
