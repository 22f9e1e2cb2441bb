"""A loopback HTTP origin: answers as told, counts requests, misbehaves on demand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.web.pictures import jpeg


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that arrived."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass(kw_only=True)
class Answer:
    """What the origin says at one path."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: Send this many bytes of the body and break off.
    cut_at: int | None = None
    #: Wait for it before the answer.
    gate: asyncio.Event | None = None


def picture(**headers: str) -> Answer:
    """Answer with a JPEG of 60 x 40 pixels; names of headers have _ for -."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(headers={"content-type": "image/jpeg", **given}, body=jpeg())


class Origin:
    """The server; `at` maps paths to answers, others are 404."""

    def __init__(self) -> None:
        self.at: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()
        self.port = 0
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                pass
        del self._open[writer]
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def hang_up(self) -> None:
        """Close all connections and wait until their tasks are done."""
        tasks = list(self._open.values())
        for writer in list(self._open):
            writer.close()
        await asyncio.gather(*tasks)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        pairs = (line.partition(":") for line in head[1:] if line)
        asked = Asked(method, target, {name.lower(): value.strip() for name, _, value in pairs})
        self.asked.append(asked)
        self.arrived.set()
        answer = self.at.get(target.partition("?")[0], Answer(status=404))
        if answer.gate is not None and not await self._waited(answer.gate, reader):
            return False
        return await self._answer(answer, asked, writer)

    async def _waited(self, gate: asyncio.Event, reader: asyncio.StreamReader) -> bool:
        """Wait for the gate, or for the client to leave."""
        opened, gone = asyncio.create_task(gate.wait()), asyncio.create_task(reader.read(1))
        await asyncio.wait((opened, gone), return_when=asyncio.FIRST_COMPLETED)
        left = gone.done()
        for task in (opened, gone):
            task.cancel()
        await asyncio.gather(opened, gone, return_exceptions=True)
        if left and not gate.is_set():
            self.left.set()
            return False
        return True

    async def _answer(self, answer: Answer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        status, body, headers = answer.status, answer.body, dict(answer.headers)
        same_tag = headers.get("etag", "-") in asked.headers.get("if-none-match", "")
        same_date = headers.get("last-modified", "-") == asked.headers.get("if-modified-since")
        if same_tag or same_date:
            status, body = 304, b""
        if status != 304:
            headers.setdefault("content-length", str(len(body)))
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        writer.write(body[: answer.cut_at])
        await writer.drain()
        return answer.cut_at is None


@contextlib.asynccontextmanager
async def running_origin() -> AsyncIterator[Origin]:
    """Run an origin on a free port."""
    origin = Origin()
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()
        await origin.hang_up()
