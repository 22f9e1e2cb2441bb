"""HTTP over one connection: uvicorn's protocol, with bounds on how much and how slowly a client may send or take."""

from __future__ import annotations

import asyncio
import functools
import socket
import struct
from asyncio.events import TimerHandle
from dataclasses import dataclass
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from imgserve.web.extensions import ABORT, KnownAnswers

#: The longest path that is served is a presigned URL with its options; nginx, too, takes heads of 4 x 8 KB.
MAX_HEAD_BYTES: Final = 32 * 1024
#: Time to read the answer to a head that is too large, while the rest of that head is thrown away.
_REFUSED_S: Final = 2.0
_HEAD_TOO_LARGE: Final = 431
#: struct linger of socket(7): on, no time.
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """The operator's choices for every connection of a process."""

    #: Time to send a whole request, and to take what is left of an answer once the connection is being closed.
    timeout_s: float
    #: Connections at a time, 0 = no bound.
    max_connections: int = 0


class HeadTooLarge(Exception):
    """Raised into the parser, which stops there."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    uvicorn has a timer for idle connections only, and `transport.close()` waits for ever for a client that does not
    read: so a timer runs from the first byte of a request (the start of the connection for its first) to its last, and
    another from each close to its end.
    """

    def __init__(self, *arguments: Any, bounds: ConnectionBounds, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds = bounds
        self._in_head = True
        #: Bytes that arrived since the head began, at most one read of others included.
        self._head_bytes = 0
        self._refused = False
        self._request_timer: TimerHandle | None = None
        self._close_timer: TimerHandle | None = None
        #: Known answers; the app has them where it runs in this server.
        self._hot: KnownAnswers | None = getattr(getattr(self.app, "state", None), "hot", None)
        #: The request that is being parsed has its answer.
        self._answered = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        if 0 < self._bounds.max_connections < len(self.connections):
            transport.abort()
            return
        self._start_request_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_request_timer()
        if self._close_timer is not None:
            self._close_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._request_timer is None:
            self._start_request_timer()
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self._refused:
            self._refuse_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # uvicorn stops it once a read; a known answer earlier in the same read has started it again.
        self._unset_keepalive_if_required()
        self.scope["extensions"] = {ABORT: {"abort": self.abort}}
        if self._request_timer is None:
            self._start_request_timer()

    def on_headers_complete(self) -> None:
        # Only a read that brought more than the bound can have completed a head that is larger.
        if self._head_bytes > MAX_HEAD_BYTES and self._parsed_bytes() > MAX_HEAD_BYTES:
            raise HeadTooLarge
        self._in_head = False
        if self._hot is not None and self._answer_now(self._hot):
            return
        super().on_headers_complete()

    def _answer_now(self, hot: KnownAnswers) -> bool:
        """Answer a request whose answer is known, without the way through ASGI; tell whether it was."""
        parser = self.parser
        if (
            parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or self._answering()
            or self.flow.write_paused  # the client does not read what it got before: that needs a deadline
        ):
            return False
        found = hot.answer(self.url, self.headers, self.client[0] if self.client else "")
        if found is None:
            return False
        head, body = found
        for field in self.server_state.default_headers:
            head.append(b"%s: %s\r\n" % field)
        head.append(b"\r\n")
        self.transport.write(b"".join(head))
        if body:
            self.transport.write(body)
        self._answered = True
        self.server_state.total_requests += 1
        return True

    def on_body(self, body: bytes) -> None:
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._answered:
            self._answered = False
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0
        self._stop_request_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._bound_closing()

    def shutdown(self) -> None:
        super().shutdown()
        self._bound_closing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._bound_closing()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed; into the middle of another answer nothing may be written."""
        if self._answering():
            self.transport.close()
        elif self._head_bytes > MAX_HEAD_BYTES and self._in_head:
            self._refuse_head()
        else:
            super().send_400_response(msg)
        self._bound_closing()

    def abort(self) -> None:
        """Drop the connection and all that waits to be sent on it."""
        if self.cycle is not None:
            self.cycle.disconnected = True  # else uvicorn logs that the answer is not complete
        self._drop()

    def _drop(self) -> None:
        if (line := self.transport.get_extra_info("socket")) is not None:
            # The kernel, too, lets go of what it has: megabytes a connection, and minutes of trying to deliver them.
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def _answering(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _parsed_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _start_request_timer(self) -> None:
        self._request_timer = self.loop.call_later(self._bounds.timeout_s, self._request_late)

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _request_late(self) -> None:
        if self._answering():
            # The rest may wait behind that answer: uvicorn stops reading while one is under way.
            self._start_request_timer()
            return
        self._request_timer = None
        self.transport.close()
        self._bound_closing()

    def _refuse_head(self) -> None:
        self._refused = True
        self._stop_request_timer()
        if self._answering():
            self.transport.close()
            self._bound_closing()
            return
        text = f"The head of a request may have {MAX_HEAD_BYTES} bytes.\n".encode()
        fields = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text))]
        head = [*self.server_state.default_headers, (b"server", b"imgserve"), *fields, (b"connection", b"close")]
        lines = b"".join(b"%s: %s\r\n" % field for field in head)
        self.transport.write(STATUS_LINE[_HEAD_TOO_LARGE] + lines + b"\r\n" + text)
        # Closed with bytes unread, the kernel would reset the connection, and the answer would be lost.
        self.transport.write_eof()
        self._close_timer = self.loop.call_later(_REFUSED_S, self.transport.abort)

    def _bound_closing(self) -> None:
        if self._close_timer is None and self.transport.is_closing():
            self._close_timer = self.loop.call_later(self._bounds.timeout_s, self._drop)


def bounded_protocol(bounds: ConnectionBounds) -> type[asyncio.Protocol]:
    """Give what uvicorn makes a protocol for each connection with; picklable, for processes that are spawned."""
    return cast(type[asyncio.Protocol], functools.partial(BoundedProtocol, bounds=bounds))
