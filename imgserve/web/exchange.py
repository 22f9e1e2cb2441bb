"""One HTTP request and its answer over ASGI: what was asked, how it went, and whether the client is still there."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import Receive, Scope, Send

from imgserve.web.http import client_address, request_id
from imgserve.web.responses import Headers, Response

#: Key of the exchange in an ASGI scope.
SCOPE_KEY: Final = "imgserve.exchange"

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

RawHeaders = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client closed its connection before the answer was made; logged as 499."""


class Exchange:
    """State of one request; made by the edge, used by one endpoint, read by the access log."""

    __slots__ = (
        "_always", "_headers", "_receive", "_send", "client", "detail", "ends_at", "error", "method", "raw_path",
        "request_id", "sent_bytes", "source", "started", "status",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, always: RawHeaders, timeout_s: float) -> None:
        self._receive = receive
        self._send = send
        self._headers = _joined(scope["headers"])
        self.started = time.monotonic()
        #: When the answer has to be there, on the clock of `time.monotonic`.
        self.ends_at = self.started + timeout_s
        self.method: str = scope["method"]
        #: As sent, without query: the only form whose signature can be verified.
        self.raw_path: bytes = scope["raw_path"]
        self.request_id = request_id(self.header("x-request-id"))
        peer = scope.get("client")
        self.client = client_address(self.header, peer[0] if peer else "")
        self._always = [*always, (b"x-request-id", self.request_id.encode())]
        self.status = 0
        self.sent_bytes = 0
        #: Code of the error that the answer tells of, "" for none.
        self.error = ""
        #: Its sentence.
        self.detail = ""
        #: The source of the plan, once it is known.
        self.source = ""

    def header(self, name: str) -> str | None:
        """Find a request header by lower-case name; repeated ones are joined by commas."""
        return self._headers.get(name)

    @property
    def answered(self) -> bool:
        """Whether the status line has gone out."""
        return self.status != 0

    async def send(self, response: Response) -> None:
        """Send a whole answer, to HEAD all but its body."""
        self.error = response.error or self.error
        headers: Headers = response.headers
        if response.body or response.status not in _WITHOUT_BODY:
            headers = (*headers, ("content-length", str(len(response.body))))
        await self.start(response.status, headers)
        await self._body(b"" if self.method == "HEAD" else response.body, more=False)

    async def stream(self, status: int, headers: Headers, chunks: AsyncIterator[bytes]) -> None:
        """Send an answer whose body comes in pieces, to HEAD all but its body."""
        await self.start(status, headers)
        if self.method != "HEAD" and status not in _WITHOUT_BODY:
            async for chunk in chunks:
                await self._body(chunk, more=True)
        await self._body(b"", more=False)

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status line and the headers; raises ValueError on a header that would not stay one (a bug)."""
        encoded = list(self._always)
        for name, value in headers:
            if _CONTROL.search(value):
                raise ValueError(f"control character in the response header {name}")
            encoded.append((name.encode("latin-1"), value.encode("latin-1")))
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _body(self, data: bytes, *, more: bool) -> None:
        self.sent_bytes += len(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Work only as long as the client waits: its leaving cancels the block, which then raises ClientGone.

        A request body is read and thrown away: nothing here has a use for one.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        gone = False

        async def watch() -> None:
            nonlocal gone
            while (await self._receive())["type"] != "http.disconnect":
                pass
            gone = True
            task.cancel()

        watcher = asyncio.create_task(watch())
        try:
            yield
        except asyncio.CancelledError:
            if gone and task.uncancel() == 0:
                raise ClientGone from None
            raise
        finally:
            watcher.cancel()


#: Statuses that never have a body, nor a length of one.
_WITHOUT_BODY: Final = (204, 304)


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    out: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        out[key] = f"{out[key]}, {text}" if key in out else text
    return out
