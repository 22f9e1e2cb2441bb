"""A server on loopback that plays services for background removal, and their bad days."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. `declared` = the length that is told, where it is not the body's."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    declared: int | None = None
    #: Waited for before the answer is sent.
    hold: threading.Event | None = None


@dataclass(slots=True)
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Service:
    """Answers in the order of `replies`; the last one again and again."""

    def __init__(self) -> None:
        self.url = ""
        self.replies: list[Reply | Callable[[Asked], Reply]] = []
        self.asked: list[Asked] = []

    def next_reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        return reply(asked) if callable(reply) else reply


@contextlib.contextmanager
def serving() -> Iterator[Service]:
    """Start a service, and give it when it listens."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = service.next_reply(Asked(self.path, headers, body))
            if reply.hold is not None:
                reply.hold.wait(10)
            with contextlib.suppress(OSError):  # who asked may have left
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(reply.declared or len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
