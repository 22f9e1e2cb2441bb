"""Sources on the web: http:// and https:// through httpx over a guarded, pinned connection pool.

No httpx.AsyncClient: its one cookie jar would be shared by all requests of the server, it reads proxies and netrc from
the environment, and costs 0.1 ms a request. What is left of it, redirects, is done here: each hop has to be judged.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import httpx

from imgserve.adapters.sources.dial import Resolve
from imgserve.adapters.sources.guard import AddressRules
from imgserve.adapters.sources.transport import GuardedTransport
from imgserve.adapters.sources.web_answer import CONDITIONS, HttpStream, Patience, check_status, discard
from imgserve.adapters.sources.web_url import SCHEMES, parse_url, redirected
from imgserve.errors import SourceError, SourceForbidden, SourceUnreachable
from imgserve.ports import Announce, Blob, unannounced

#: Request headers that follow a redirect to another host; others may be secrets (Cookie, Authorization, keys).
CARRIED = CONDITIONS | {"range", "accept-encoding", "accept"}
#: Request headers that the connection owns.
OWNED = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "expect", "trailer"})
#: As much of a cookie as browsers keep (RFC 6265 section 6.1).
MAX_COOKIE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Bounds of one fetch and of the connection pool; times in seconds."""

    connect_timeout_s: float = 3.0
    read_timeout_s: float = 5.0
    #: Time spent waiting for origins, redirects included; the time a slow reader of the body takes does not count.
    total_timeout_s: float = 5.0
    max_redirects: int = 10
    max_connections: int = 256
    max_idle_connections: int = 64
    keep_alive_s: float = 30.0


class HttpSource:
    """Fetch over HTTP; see ports.Source.

    `allowed` is asked about every hop with the URL as it will be requested: lower-case ASCII host, no user information,
    no default port, dot segments resolved, spaces and non-ASCII percent-encoded. `tls` replaces the default trust.
    """

    schemes = SCHEMES

    def __init__(
        self,
        limits: HttpLimits,
        rules: AddressRules,
        *,
        allowed: Callable[[str], bool],
        user_agent: str,
        ignore_ssl_verification: bool = False,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._limits = limits
        self._allowed = allowed
        self._user_agent = user_agent
        tls = tls or httpx.create_ssl_context(verify=not ignore_ssl_verification)
        self._transport = GuardedTransport(limits, rules, tls=tls, resolve=resolve)
        self._timeouts = {
            "connect": limits.connect_timeout_s,
            "read": limits.read_timeout_s,
            "write": limits.read_timeout_s,
            "pool": limits.connect_timeout_s,
        }

    @contextlib.asynccontextmanager
    async def open(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> AsyncIterator[HttpStream]:
        asked = {name.lower(): value for name, value in headers.items() if name.lower() not in OWNED}
        target = parse_url(url)
        patience = Patience(target.host, self._limits.total_timeout_s)
        async with patience.waiting():
            response = await self._follow(target, asked)
        try:
            check_status(response, patience.host, asked)
            stream = HttpStream(response, patience, max_bytes=max_bytes, decode="accept-encoding" not in asked)
        except SourceError:
            await discard(response)
            raise
        try:
            yield stream
        finally:
            await response.aclose()

    async def fetch(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str], announce: Announce = unannounced
    ) -> Blob:
        async with self.open(url, max_bytes=max_bytes, headers=headers) as stream:
            return Blob(data=await stream.read(announce), origin=stream.origin)

    async def close(self) -> None:
        await self._transport.aclose()

    async def _follow(self, target: httpx.URL, asked: dict[str, str]) -> httpx.Response:
        """Give the first answer that is not a redirect, every hop judged like the first."""
        host, cookies = target.host, httpx.Cookies()
        for hop in range(self._limits.max_redirects + 1):
            response = await self._hop(target, asked, cookies, via=host if hop else None)
            if not response.has_redirect_location:
                return response
            await discard(response)
            _keep_cookies(cookies, response)
            onward = redirected(target, response, host)
            if (onward.host, onward.port) != (target.host, target.port):
                asked = {name: value for name, value in asked.items() if name in CARRIED}
            target = onward
        raise SourceUnreachable(f"The source host '{host}' redirects more than {self._limits.max_redirects} times.")

    async def _hop(
        self, target: httpx.URL, asked: Mapping[str, str], cookies: httpx.Cookies, *, via: str | None
    ) -> httpx.Response:
        if not self._allowed(f"{target.scheme}://{target.netloc.decode()}{target.raw_path.decode()}"):
            subject = f"The source host '{via}' redirects to a URL that" if via else "The source URL"
            raise SourceForbidden(f"{subject} is not among the allowed sources.", where=via or target.host)
        request = self._request(target, asked)
        if cookies:
            cookies.set_cookie_header(request)
        try:
            try:
                return await self._transport.handle_async_request(request)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # The usual cause is a kept connection that the origin closed while our request was on its way.
                return await self._transport.handle_async_request(request)
        except SourceForbidden as exc:
            if via is None:
                raise
            # Where an origin redirects to may be the inside of somebody's network: not for the answer's reader.
            hint = f"; {exc.expected}=true would allow it" if exc.expected else ""
            sentence = f"The source host '{via}' redirects to a host at a refused address{hint}."
            raise SourceForbidden(sentence, where=via, expected=exc.expected) from exc
        except SourceUnreachable as exc:
            if via is None:
                raise
            raise SourceUnreachable(f"The source host '{via}' redirects to a host that has no address.") from exc

    def _request(self, target: httpx.URL, asked: Mapping[str, str]) -> httpx.Request:
        headers = [(b"Host", target.netloc), (b"User-Agent", self._user_agent.encode("latin-1"))]
        headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in asked.items()]
        if target.userinfo and "authorization" not in asked:
            pair = f"{target.username}:{target.password}".encode()
            headers.append((b"Authorization", b"Basic " + base64.b64encode(pair)))
        return httpx.Request("GET", target, headers=headers, extensions={"timeout": self._timeouts})


def _keep_cookies(cookies: httpx.Cookies, response: httpx.Response) -> None:
    """Take the cookies of an answer, but for those that no request can carry: a Cookie header is ASCII and short."""
    carried = [
        (name, value)
        for name, value in response.headers.raw
        if name.lower() == b"set-cookie" and value.isascii() and len(value) <= MAX_COOKIE_BYTES
    ]
    cookies.extract_cookies(httpx.Response(response.status_code, headers=carried, request=response.request))
