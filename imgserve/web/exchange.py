"""One HTTP request and its answer over ASGI: what was asked, how it went, and whether the client is still there."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import Receive, Scope, Send

from imgserve.errors import BadRequest
from imgserve.web.extensions import ABORT
from imgserve.web.http import client_address, request_id
from imgserve.web.responses import Headers, Response

#: Key of the exchange in an ASGI scope.
SCOPE_KEY: Final = "imgserve.exchange"

#: A body is sent in pieces of this size, so that one whose client does not read is noticed before all of it is in the
#: server's buffer. The connection waits at 64 KB (asyncio's high-water mark), so larger pieces would bring nothing.
PIECE_BYTES: Final = 64 * 1024

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

RawHeaders = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client closed its connection before the answer was sent; logged as 499."""

    code = "client_gone"


class ClientTooSlow(ClientGone):
    """The client did not take a piece of the answer in time; its connection is dropped."""

    code = "client_too_slow"


class Exchange:
    """State of one request; made by the edge, used by one endpoint, read by the access log."""

    __slots__ = (
        "_abort", "_always", "_headers", "_receive", "_send", "_timeout_s", "cache", "client", "complete", "counted",
        "detail", "ends_at", "error", "json", "limit", "method", "picked", "query", "raw_path", "reading",
        "request_id", "sending", "sent_bytes", "source", "started", "status",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, always: RawHeaders, timeout_s: float) -> None:
        self._receive = receive
        self._send = send
        self._headers = _joined(scope["headers"])
        self._timeout_s = timeout_s
        self._abort: Callable[[], None] | None = scope.get("extensions", {}).get(ABORT, {}).get("abort")
        #: The edge's deadline. It is the request's until the answer starts, then that of each piece of the body.
        self.limit: asyncio.Timeout | None = None
        #: Whether a piece is waiting for the client to take the one before.
        self.sending = False
        #: Whether the client's body is waited for.
        self.reading = False
        #: Whether all of the answer was given to the server.
        self.complete = False
        self.started = time.monotonic()
        #: When the answer has to be there, on the clock of `time.monotonic`.
        self.ends_at = self.started + timeout_s
        self.method: str = scope["method"]
        #: As sent, without query: the only form whose signature can be verified.
        self.raw_path: bytes = scope["raw_path"]
        self.query: bytes = scope.get("query_string", b"")
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
        #: How the picture was come by, as X-Imgserve-Cache says; "" where there is none.
        self.cache = ""
        #: Whether it is in the metrics' image requests, once its endpoint is known.
        self.counted = False
        #: Whether errors are JSON, whatever the client accepts.
        self.json = False
        #: The source of the plan, and what the query picked in it, once they are known.
        self.source = ""
        self.picked = ""

    def also(self, *headers: tuple[str, str]) -> None:
        """Put headers into the answer, whichever it will be."""
        self._always += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]

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
        if self.method == "HEAD" or len(response.body) <= PIECE_BYTES:
            await self._body(b"" if self.method == "HEAD" else response.body, more=False)
            return
        async with self.connected():
            await self._pieces(response.body, more=False)

    async def stream(self, status: int, headers: Headers, chunks: AsyncIterator[bytes]) -> None:
        """Send an answer whose body comes in pieces, to HEAD all but its body."""
        await self.start(status, headers)
        if self.method != "HEAD" and status not in _WITHOUT_BODY:
            async for chunk in chunks:
                await self._pieces(chunk, more=True)
        await self._body(b"", more=False)

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status line and the headers; raises ValueError on a header that would not stay one (a bug)."""
        own = []
        for name, value in headers:
            if _CONTROL.search(value):
                raise ValueError(f"control character in the response header {name}")
            own.append((name.encode("latin-1"), value.encode("latin-1")))
        # What an answer says itself replaces what all say: browsers keep to every policy that they are given.
        said = {name for name, _ in own}
        encoded = [*(one for one in self._always if one[0] not in said), *own]
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def read_body(self, max_bytes: int) -> bytes:
        """Read the request's body; raises BadRequest beyond `max_bytes`, ClientGone where it ends too soon."""
        out = bytearray()
        self.reading = True
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            out += message.get("body", b"")
            if len(out) > max_bytes:
                raise BadRequest(f"The body is too long: at most {max_bytes} bytes are read.", where="body")
            if not message.get("more_body", False):
                self.reading = False
                return bytes(out)

    def begin_again(self) -> None:
        """Give the request its whole time from now on: its body took what it took, and the work begins with it."""
        self.ends_at = time.monotonic() + self._timeout_s
        self._allow_time()

    def abort(self) -> None:
        """Drop the connection where the server can; others close it when the request ends without a whole answer."""
        if self._abort is not None:
            self._abort()

    async def _pieces(self, data: bytes, *, more: bool) -> None:
        for at in range(0, len(data), PIECE_BYTES):
            end = at + PIECE_BYTES
            await self._body(data[at:end], more=more or end < len(data))
            if end < len(data):
                await asyncio.sleep(0)  # a send that need not wait lets nobody else run, nor see that the client left

    async def _body(self, data: bytes, *, more: bool) -> None:
        self._allow_time()
        self.complete = not more
        self.sending = True
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
        self.sending = False
        self.sent_bytes += len(data)

    def _allow_time(self) -> None:
        if self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + self._timeout_s)

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
            if not self.complete:  # else the server tells of the end of the answer
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
