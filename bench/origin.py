"""The origin: a process that answers every GET with the bytes of one file, at the least cost Python has.

Run as `python -m bench.origin FILE PORT TYPE`. Its answers look like a static file server's, validators included.
One whose target has `delay=<seconds>` in its query is sent that much later.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Final, cast

import uvloop

from bench.load import HOST

_DELAY: Final = re.compile(rb"[?&]delay=([0-9.]+)")


class StaticAnswer(asyncio.Protocol):
    """Answers each request head with the same bytes; requests have no body."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._unread = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's does not derive from it

    def data_received(self, data: bytes) -> None:
        *heads, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for head in heads:
            delay = _DELAY.search(head) if b"delay=" in head else None
            if delay is None:
                self._transport.write(self._answer)
            else:
                asyncio.get_running_loop().call_later(float(delay[1]), self._transport.write, self._answer)


def answer_bytes(body: bytes, content_type: str) -> bytes:
    head = (
        "HTTP/1.1 200 OK\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        'ETag: "bench"\r\n'
        "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        "Cache-Control: max-age=3600\r\n\r\n"
    )
    return head.encode() + body


async def serve(answer: bytes, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: StaticAnswer(answer), HOST, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(answer_bytes(Path(sys.argv[1]).read_bytes(), sys.argv[3]), int(sys.argv[2])))
