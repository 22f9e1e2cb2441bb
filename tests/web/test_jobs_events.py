"""Jobs followed as server-sent events: over a real socket where a client leaves, else as ASGI messages."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from imgserve.ports.jobs import JobState
from tests.web.jobs_server import AUTHORIZED, JobsServer, Setup

CUT = {"source": "https://shop.test/a.jpg", "options": "rmbg:1"}
HEADERS = [(name.encode(), value.encode()) for name, value in AUTHORIZED.items()]


@dataclasses.dataclass
class Following:
    """What a client of a stream has seen so far; `told` runs on each piece."""

    told: Callable[[bytes], None] = lambda piece: None
    start: MutableMapping[str, Any] = dataclasses.field(default_factory=dict)
    pieces: list[bytes] = dataclasses.field(default_factory=list)

    async def run(self, server: JobsServer, path: str) -> None:
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": HEADERS,
            "query_string": b"", "root_path": "",
        }  # fmt: skip

        async def receive() -> MutableMapping[str, Any]:
            message: MutableMapping[str, Any] = await asyncio.get_running_loop().create_future()
            return message

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.start = message
            elif message["body"]:
                self.pieces.append(message["body"])
                self.told(message["body"])

        async with asyncio.timeout(20):
            await server.app(scope, receive, send)

    def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Give name, id and data of each event."""
        out = []
        for piece in self.pieces:
            fields = dict(line.split(": ", 1) for line in piece.decode().splitlines() if ": " in line[1:])
            if "event" in fields:
                out.append((fields["event"], fields["id"], json.loads(fields["data"])))
        return out


async def ordered(server: JobsServer) -> tuple[str, str]:
    [entry] = await server.order(CUT)
    return entry["id"], entry["events_url"]


async def test_each_change_is_an_event_and_the_last_one_says_that_it_has_ended() -> None:
    server = JobsServer(Setup())
    id, path = await ordered(server)
    steps = iter(
        [
            lambda: server.queue.set(id, state=JobState.RUNNING, progress=0.25),
            lambda: server.queue.set(id, progress=0.75),
            lambda: server.queue.end(id, JobState.DONE, progress=1.0),
        ]
    )

    def work(piece: bytes) -> None:
        if piece.startswith(b"event: job"):
            next(steps, lambda: None)()

    following = Following(work)
    await following.run(server, path)
    headers = {name.decode(): value.decode() for name, value in following.start["headers"]}
    assert following.start["status"] == 200
    assert headers["content-type"] == "text/event-stream"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert following.pieces[0] == b"retry: 2000\n\n"
    events = following.events()
    assert [(name, number, job["state"], job["progress"]) for name, number, job in events] == [
        ("job", "1", "queued", 0),
        ("job", "2", "running", 0.25),
        ("job", "3", "running", 0.75),
        ("job", "4", "done", 1),
        ("end", "5", "done", 1),
    ]
    assert events[-1][2] == (await server.ask(f"/v1/jobs/{id}", template="/v1/jobs/{id}")).json()


async def test_a_job_that_has_ended_is_told_at_once() -> None:
    server = JobsServer(Setup())
    id, path = await ordered(server)
    server.queue.end(id, JobState.CANCELLED)
    following = Following()
    await following.run(server, path)
    assert [name for name, *_ in following.events()] == ["job", "end"]


async def test_a_stream_outlasts_the_time_of_a_request_with_signs_of_life() -> None:
    server = JobsServer(Setup(timeout_s=0.3, beat_s=0.1))
    id, path = await ordered(server)
    following = Following()

    def work(piece: bytes) -> None:
        if piece == b": working\n\n" and following.pieces.count(piece) == 6:
            server.queue.end(id, JobState.DONE)

    following.told = work
    await following.run(server, path)
    assert following.events()[-1][0] == "end"
    assert following.pieces.count(b": working\n\n") >= 6


async def test_a_server_that_drains_ends_its_streams() -> None:
    server = JobsServer(Setup(beat_s=0.05))
    _, path = await ordered(server)
    following = Following(lambda piece: server.readiness.drain() if b": working" in piece else None)
    await following.run(server, path)
    assert [name for name, *_ in following.events()] == ["job"]
    assert server.exchanges[-1].complete


async def test_a_process_has_so_many_streams_at_a_time() -> None:
    server = JobsServer(Setup(max_streams=2))
    id, path = await ordered(server)
    going = asyncio.Semaphore(0)
    streams = [Following(lambda piece: going.release()) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        for one in streams:
            group.create_task(one.run(server, path))
        for _ in range(4):
            await going.acquire()
        answer = await server.ask(path, template="/v1/jobs/{id}/events")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
        assert answer.headers["retry-after"] == "5"
        server.queue.end(id, JobState.DONE)
    again = Following()
    await again.run(server, path)
    assert again.events()[-1][0] == "end"


async def test_events_are_not_counted_as_requests_but_want_a_key() -> None:
    server = JobsServer(Setup(rate=1))
    id, path = await ordered(server)
    server.queue.end(id, JobState.DONE)
    for _ in range(3):
        answer = await server.ask(path, template="/v1/jobs/{id}/events")
        assert (answer.status_code, answer.headers.get("x-ratelimit-limit")) == (200, None)
    assert (await server.client.get(path, headers={"authorization": ""})).status_code == 403
    head = await server.client.head(path)
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "text/event-stream", b"")


@contextlib.asynccontextmanager
async def listening(server: JobsServer) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        runner = uvicorn.Server(uvicorn.Config(server.app, lifespan="off", log_level="critical", ws="none"))
        task: Awaitable[None] = asyncio.create_task(runner.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            runner.should_exit = runner.force_exit = True
            await task


async def test_a_client_that_leaves_ends_its_stream() -> None:
    server = JobsServer(Setup(max_streams=1))
    _, path = await ordered(server)
    async with listening(server) as port, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "".join(f"{name}: {value}\r\n" for name, value in {"host": "a", **AUTHORIZED}.items())
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        await reader.readuntil(b"event: job")
        before = len(server.exchanges)
        writer.close()
        await writer.wait_closed()
        while len(server.exchanges) == before:  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0.01)
    assert (server.exchanges[-1].status, server.exchanges[-1].error) == (499, "client_gone")
