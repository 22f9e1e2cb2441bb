"""Sending webhooks: one POST to a checked address, no redirects, nothing believed but the status.

The addresses are judged and pinned as those of sources are: an order names the URL, so it is as foreign as a source.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from imgserve.adapters.sources.dial import Resolve
from imgserve.adapters.sources.guard import AddressRules
from imgserve.adapters.sources.transport import GuardedTransport
from imgserve.adapters.sources.web_url import parse_url
from imgserve.errors import BadRequest, SourceForbidden, SourceUnreachable

#: What is read of an answer, so that its sender can finish; nobody looks at it.
MAX_ANSWER_BYTES: Final = 64 * 1024
_ANSWER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _OneConnection:
    """A pool for one message."""

    max_connections: int = 1
    max_idle_connections: int = 0
    keep_alive_s: float = 0.0


class HookSender:
    """Sends messages, each over a connection and in an event loop of its own; safe in any thread that has no loop."""

    def __init__(
        self,
        rules: AddressRules,
        *,
        timeout_s: float,
        user_agent: str,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        """`timeout_s` bounds a message from the look-up of the name to the status; `tls` replaces the default trust."""
        self._rules = rules
        self._timeout_s = timeout_s
        self._timeouts = {"connect": timeout_s}
        self._user_agent = user_agent
        self._tls = tls
        self._resolve = resolve

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Give the status of the answer and "", or 0 and why there was none."""
        try:
            return asyncio.run(self._post(url, headers, body)), ""
        except SourceForbidden as refused:
            hint = f"; {refused.expected}=true would allow it" if refused.expected else ""
            return 0, f"its host is at a refused address{hint}"
        except SourceUnreachable:
            return 0, "its host has no address"
        except BadRequest:
            return 0, "its URL cannot be requested"
        except TimeoutError:
            return 0, f"it did not answer within {self._timeout_s:g} seconds"
        except httpx.TransportError as broken:
            return 0, f"it could not be reached ({type(broken).__name__})"

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        target = parse_url(url)
        # Made once: it reads the certificates of this machine, which takes 20 ms.
        self._tls = self._tls or httpx.create_ssl_context()
        transport = GuardedTransport(_OneConnection(), self._rules, tls=self._tls, resolve=self._resolve)
        sent = {"Host": target.netloc.decode(), "User-Agent": self._user_agent, **headers}
        request = httpx.Request("POST", target, headers=sent, content=body, extensions={"timeout": self._timeouts})
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await transport.handle_async_request(request)
            try:
                await _drain(response)
            finally:
                await response.aclose()
        finally:
            await transport.aclose()
        return response.status_code


async def _drain(response: httpx.Response) -> None:
    """Take what a receiver has to say beyond the status, which stands whatever becomes of it."""
    received = 0
    with contextlib.suppress(httpx.TransportError, TimeoutError):
        async with asyncio.timeout(_ANSWER_S):
            async for chunk in response.stream:  # type: ignore[union-attr]  # the transport's, an AsyncByteStream
                received += len(chunk)
                if received >= MAX_ANSWER_BYTES:
                    return
