"""An httpx transport over a pool of connections to permitted addresses only, of which no origin gets all."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Protocol

import httpcore
import httpx

from imgserve.adapters.sources.dial import PinnedBackend, Resolve
from imgserve.adapters.sources.guard import AddressRules
from imgserve.adapters.sources.shares import OriginShares


class PoolLimits(Protocol):
    """Bounds of the pool; times in seconds."""

    @property
    def max_connections(self) -> int: ...
    @property
    def max_idle_connections(self) -> int: ...
    @property
    def keep_alive_s(self) -> float: ...


#: An origin may have one part in this many of the pool's connections.
PARTS = 4

# Most specific first, since the first match is taken.
_HTTPX_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
)
_HTTPCORE_ERRORS = tuple(foreign for foreign, _ in _HTTPX_ERRORS)


def _as_httpx(exc: Exception) -> httpx.TransportError:
    return next(ours for foreign, ours in _HTTPX_ERRORS if isinstance(exc, foreign))(str(exc))


class _Body(httpx.AsyncByteStream):
    def __init__(self, received: httpcore.Response, ended: Callable[[], None]) -> None:
        self._received = received
        self._ended = ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._received.aiter_stream():
                yield chunk
        except _HTTPCORE_ERRORS as exc:
            raise _as_httpx(exc) from exc

    async def aclose(self) -> None:
        """Called once, by httpx.Response."""
        try:
            await self._received.aclose()
        finally:
            self._ended()


class GuardedTransport(httpx.AsyncBaseTransport):
    """An httpx transport that connects to permitted addresses only; also for an AsyncClient that calls given URLs."""

    def __init__(
        self, limits: PoolLimits, rules: AddressRules, *, tls: ssl.SSLContext, resolve: Resolve | None = None
    ) -> None:
        self._shares = OriginShares(max(1, limits.max_connections // PARTS))
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_idle_connections,
            keepalive_expiry=limits.keep_alive_s,
            network_backend=PinnedBackend(rules, resolve=resolve),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        origin = (request.url.scheme, request.url.host, request.url.port)
        try:
            await self._shares.take(origin, timeout_s=request.extensions.get("timeout", {}).get("pool"))
        except TimeoutError as exc:
            raise httpx.PoolTimeout("no connection of the origin's share came free in time") from exc
        give_back = partial(self._shares.give_back, origin)
        try:
            received = await self._send(request)
        except BaseException:
            give_back()
            raise
        response = httpx.Response(
            received.status, headers=received.headers, stream=_Body(received, give_back), request=request
        )
        # latin-1 is what headers are; httpx's guess at UTF-8 gives text that no response of ours could carry.
        response.headers.encoding = "latin-1"
        return response

    async def _send(self, request: httpx.Request) -> httpcore.Response:
        url = request.url
        try:
            return await self._pool.handle_async_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except _HTTPCORE_ERRORS as exc:
            raise _as_httpx(exc) from exc

    async def aclose(self) -> None:
        await self._pool.aclose()
