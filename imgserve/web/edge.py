"""The outermost layer of the server: every request gets deadlines, headers, one answer and one line in the log."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from imgserve import metrics
from imgserve.errors import Forbidden, ImgserveError, MethodNotAllowed, RenderTimeout, SourceTimeout
from imgserve.web.exchange import SCOPE_KEY, ClientGone, ClientTooSlow, Exchange, RawHeaders
from imgserve.web.http import wants_json
from imgserve.web.responses import READ_METHODS, error_response, preflight_response

logger = logging.getLogger(__name__)

#: Nothing of an answer may run or load anything when it is opened as a page (SVG above all); imgproxy's policy.
CONTENT_SECURITY_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"

#: nginx' status for a client that left; it is logged, never sent.
CLIENT_GONE: Final = 499

Handler = Callable[[Exchange], Awaitable[None]]


class Bug(ImgserveError):
    """What the client is told of an error that is not one of ours."""

    ours = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePolicy:
    """The operator's choices for every answer."""

    #: For a request until its answer starts, then for each piece of the answer.
    timeout_s: float = 10.0
    source_error_ttl_s: int = 10
    allow_origin: str = ""

    def headers(self) -> RawHeaders:
        """Give the headers that every answer has."""
        out = [
            (b"server", b"imgserve"),
            (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
            (b"x-content-type-options", b"nosniff"),
        ]
        if self.allow_origin:
            out += [
                (b"access-control-allow-origin", self.allow_origin.encode("latin-1")),
                (b"access-control-allow-methods", ", ".join(READ_METHODS).encode()),
            ]
        return out


class Edge:
    """ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp, *, policy: EdgePolicy, log: Callable[[Exchange], None]) -> None:
        self._app = app
        self._policy = policy
        self._log = log
        self._always = policy.headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, always=self._always, timeout_s=self._policy.timeout_s)
        scope[SCOPE_KEY] = exchange
        try:
            await self._guarded(exchange, scope, receive, send)
        finally:
            if exchange.counted:
                # Without a status it was cancelled with its connection.
                seconds = time.monotonic() - exchange.started
                metrics.request_ended(exchange.status or CLIENT_GONE, seconds, error=exchange.error)
            self._log(exchange)

    async def _guarded(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._limited(exchange, scope, receive, send)
        except ImgserveError as error:
            await self._refuse(exchange, error)
        except ClientGone as gone:
            exchange.error = gone.code
            exchange.status = CLIENT_GONE
        except Exception:
            # The end of the line, and the one blanket in the house: a bug in one request must neither be silent nor
            # leave the client without an answer.
            logger.exception("request %s ended in a bug", exchange.request_id)
            await self._refuse(exchange, Bug(f"Something is wrong with this server (request {exchange.request_id})."))

    async def _limited(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._policy.timeout_s) as limit:
                exchange.limit = limit
                await self._app(scope, receive, send)
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._too_late(exchange) from None
        finally:
            exchange.limit = None

    def _too_late(self, exchange: Exchange) -> Exception:
        """Say who was waited for: the exchange moves its limit with every piece that it sends."""
        seconds = f"{self._policy.timeout_s:g} seconds"
        if exchange.sending:
            exchange.abort()
            return ClientTooSlow()
        if exchange.answered:
            return SourceTimeout(f"The source paused for {seconds}.")
        if exchange.reading:
            return RenderTimeout(f"The body did not arrive within {seconds}; send less of it, or faster.", where="body")
        return RenderTimeout(f"The image was not ready within {seconds}.")

    async def _refuse(self, exchange: Exchange, error: ImgserveError) -> None:
        exchange.error = error.code
        exchange.detail = error.message
        if exchange.answered:
            # Too late for another answer: the server closes the connection, so the client sees that it is cut short.
            return
        response = error_response(
            error,
            request_id=exchange.request_id,
            as_json=exchange.json or wants_json(exchange.header("accept")),
            source_error_ttl_s=self._policy.source_error_ttl_s,
        )
        try:
            async with asyncio.timeout(self._policy.timeout_s):
                await exchange.send(response)
        except TimeoutError:
            # It waits behind an earlier answer on the same connection that the client does not take.
            exchange.abort()
            exchange.error, exchange.status = ClientTooSlow.code, CLIENT_GONE


class Endpoint:
    """A route's ASGI app: checks method and secret, then hands the exchange to a handler.

    `counted` requests are the metrics' image requests; imgproxy counts no others either, or health checks and scrapes
    would drown them.
    """

    def __init__(self, handler: Handler, *, secret: str = "", counted: bool = False) -> None:
        self._handler = handler
        self._counted = counted
        self._secret = secret.encode()

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        if exchange.method == "OPTIONS":
            await exchange.send(preflight_response())
            return
        if self._counted:
            exchange.counted = True
            metrics.request_started()
        if exchange.method not in READ_METHODS:
            raise MethodNotAllowed(
                f"{exchange.method[:20]} is not possible here; use GET or HEAD.",
                where="method",
                got=exchange.method[:20],
                expected=", ".join(READ_METHODS),
            )
        if self._secret:
            self._check_secret(exchange.header("authorization") or "")
        await self._handler(exchange)

    def _check_secret(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        fits = hmac.compare_digest(token.strip().encode("latin-1"), self._secret)
        if scheme.lower() != "bearer" or not fits:
            raise Forbidden("This server wants the header Authorization: Bearer <secret>.", where="Authorization")
