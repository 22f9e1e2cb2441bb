"""Sources on the web: http:// and https:// through httpx over a guarded, pinned connection pool.

No httpx.AsyncClient: its one cookie jar would be shared by all requests of the server, it reads proxies and netrc from
the environment, and costs 0.1 ms a request. What is left of it, redirects, is done here: each hop has to be judged.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import httpx

from imgserve.adapters.sources.dial import Resolve, system_resolve
from imgserve.adapters.sources.guard import AddressRules
from imgserve.adapters.sources.inflate import Inflate
from imgserve.adapters.sources.transport import GuardedTransport
from imgserve.errors import (
    BadRequest,
    SourceError,
    SourceForbidden,
    SourceNotFound,
    SourceTimeout,
    SourceTooLarge,
    SourceUnreachable,
)
from imgserve.ports import Blob, Origin

#: RFC 9110 section 4.1 asks for 8000 octets at least; a presigned URL takes about 2000.
MAX_URL_CHARS = 8192
#: A body that nobody wants is read up to this size, and this long, to keep its connection.
DRAIN_BYTES = 16 * 1024
DRAIN_S = 0.1

CONDITIONS = frozenset({"if-none-match", "if-modified-since"})
#: Request headers that follow a redirect to another host; others may be secrets (Cookie, Authorization, keys).
CARRIED = CONDITIONS | {"range", "accept-encoding", "accept"}
#: Request headers that the connection owns.
OWNED = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "expect", "trailer"})
#: 4xx answers that another try may mend: timeout, too early, too many requests.
TRANSIENT = frozenset({408, 425, 429})

_HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_WHOLE_RANGE = re.compile(r"bytes 0-(\d+)/(\d+)")


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


class _Patience:
    """The time one fetch may still wait for its origins, and the names its failures get."""

    def __init__(self, host: str, left_s: float) -> None:
        self.host = host
        self._left_s = left_s

    @contextlib.asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(self._left_s):
                yield
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise SourceTimeout(f"The source host '{self.host}' did not answer in time.") from exc
        except httpx.LocalProtocolError as exc:
            raise BadRequest("A request header has a value that cannot be passed on to the source.") from exc
        except httpx.ConnectError as exc:
            raise SourceUnreachable(f"No connection to the source host '{self.host}'.") from exc
        except httpx.TransportError as exc:
            raise SourceUnreachable(f"The source host '{self.host}' broke off its answer.") from exc
        finally:
            self._left_s = max(0.0, self._left_s - (time.monotonic() - started_s))


class HttpStream:
    """An open answer; see ports.SourceStream."""

    def __init__(self, response: httpx.Response, patience: _Patience, *, max_bytes: int, decode: bool) -> None:
        self._response = response
        self._patience = patience
        self._max_bytes = max_bytes
        encoding = _encoding(response, patience.host) if decode and response.status_code == 200 else ""
        self._inflate = Inflate(encoding, f"The source host '{patience.host}'") if encoding else None
        self.origin = _origin(response, decoded=bool(encoding))
        if response.status_code in (200, 206) and max_bytes and (_length(response) or 0) > max_bytes:
            raise self._too_large()

    async def chunks(self) -> AsyncIterator[bytes]:
        pieces = aiter(self._pieces())
        while True:
            async with self._patience.waiting():
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield piece

    async def read(self) -> bytes:
        """Give the whole body; one timer instead of one for each chunk."""
        async with self._patience.waiting():
            return b"".join([piece async for piece in self._pieces()])

    async def _pieces(self) -> AsyncIterator[bytes]:
        read_bytes = 0
        async for chunk in self._response.stream:  # type: ignore[union-attr]  # ours, an AsyncByteStream
            for piece in (chunk,) if self._inflate is None else self._inflate.feed(chunk):
                read_bytes += len(piece)
                if self._max_bytes and read_bytes > self._max_bytes:
                    raise self._too_large()
                yield piece
        if self._inflate is not None:
            self._inflate.finish()

    def _too_large(self) -> SourceTooLarge:
        return SourceTooLarge(f"The source is larger than {self._max_bytes} bytes.")


class HttpSource:
    """Fetch over HTTP; see ports.Source.

    `allowed` is asked about every hop with the URL as it will be requested: lower-case ASCII host, no user information,
    no default port, dot segments resolved, spaces and non-ASCII percent-encoded. `tls` replaces the default trust.
    """

    schemes = ("http", "https")

    def __init__(
        self,
        limits: HttpLimits,
        rules: AddressRules,
        *,
        allowed: Callable[[str], bool],
        user_agent: str,
        ignore_ssl_verification: bool = False,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = system_resolve,
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
        patience = _Patience(target.host, self._limits.total_timeout_s)
        async with patience.waiting():
            response = await self._follow(target, asked)
        try:
            _check_status(response, patience.host, asked)
            stream = HttpStream(response, patience, max_bytes=max_bytes, decode="accept-encoding" not in asked)
        except SourceError:
            await _discard(response)
            raise
        try:
            yield stream
        finally:
            await response.aclose()

    async def fetch(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> Blob:
        async with self.open(url, max_bytes=max_bytes, headers=headers) as stream:
            return Blob(data=await stream.read(), origin=stream.origin)

    async def close(self) -> None:
        await self._transport.aclose()

    async def _follow(self, target: httpx.URL, asked: dict[str, str]) -> httpx.Response:
        """Give the first answer that is not a redirect, every hop judged like the first."""
        host, cookies = target.host, httpx.Cookies()
        for hop in range(self._limits.max_redirects + 1):
            response = await self._hop(target, asked, cookies, via=host if hop else None)
            if not response.has_redirect_location:
                return response
            cookies.extract_cookies(response)
            await _discard(response)
            onward = _redirect(target, response, host)
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


def parse_url(url: str) -> httpx.URL:
    """Read an http or https URL; raises BadRequest with a sentence for one that cannot be requested."""
    if len(url) > MAX_URL_CHARS:
        raise BadRequest(f"The source URL is longer than {MAX_URL_CHARS} characters.")
    scheme, colon, rest = url.partition(":")
    try:
        # httpx drops a default port only behind a lower-case scheme.
        parsed = httpx.URL(scheme.lower() + colon + rest)
    except (httpx.InvalidURL, UnicodeError) as exc:
        raise BadRequest("The source URL has characters or a port that a URL cannot have.") from exc
    if parsed.scheme not in HttpSource.schemes or not rest.startswith("//"):
        raise BadRequest("The source URL must start with http:// or https://.")
    if not _is_host(parsed.raw_host.decode("ascii")):
        raise BadRequest("The source URL has no host, or one that cannot be a host name.")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise BadRequest("The source URL has a port outside 1 to 65535.")
    return parsed


def _is_host(host: str) -> bool:
    if ":" in host:  # an IPv6 address, httpx has checked it but for the zone, which names an interface of this machine
        return "%" not in host
    return len(host) <= 253 and _HOST_NAME.fullmatch(host) is not None


def _redirect(target: httpx.URL, response: httpx.Response, host: str) -> httpx.URL:
    """Give the URL that a redirect names; raises SourceUnreachable for nonsense, SourceForbidden for leaving TLS."""
    location = response.headers["location"].encode("latin-1").decode("utf-8", "replace")
    try:
        onward = parse_url(str(target.join(location)))
    except (BadRequest, httpx.InvalidURL, UnicodeError) as exc:
        raise SourceUnreachable(f"The source host '{host}' redirects to something that is not an http(s) URL.") from exc
    if target.scheme == "https" and onward.scheme == "http":
        raise SourceForbidden(f"The source host '{host}' redirects from https to http.", where=host)
    return onward


def _check_status(response: httpx.Response, host: str, asked: Mapping[str, str]) -> None:
    """Let an answer through that has what was asked for; raises SourceNotFound or SourceUnreachable for the others."""
    status = response.status_code
    if status == 200 or (status in (206, 416) and "range" in asked) or (status == 304 and CONDITIONS & asked.keys()):
        return
    if status == 206:
        whole = _WHOLE_RANGE.fullmatch(response.headers.get("content-range", ""))
        if whole and int(whole[1]) + 1 == int(whole[2]):
            response.status_code = 200
            del response.headers["content-range"]
            return
        raise SourceUnreachable(f"The source host '{host}' sent a part of the source only.")
    if 400 <= status < 500 and status not in TRANSIENT:
        raise SourceNotFound(f"The source host '{host}' answered {status}.", got=str(status))
    wait = response.headers.get("retry-after", "")
    retry_after_s = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else None
    sentence = f"The source host '{host}' answered {status}."
    raise SourceUnreachable(sentence, got=str(status), retry_after_s=retry_after_s)


def _encoding(response: httpx.Response, host: str) -> str:
    encoding: str = response.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise SourceUnreachable(f"The source host '{host}' sent a Content-Encoding nobody asked for.", got=encoding)
    return encoding


def _origin(response: httpx.Response, *, decoded: bool) -> Origin:
    headers = dict(response.headers.items())
    if decoded:  # they describe bytes that nobody gets
        headers.pop("content-encoding", None)
        headers.pop("content-length", None)
    return Origin(
        status=response.status_code,
        content_type=headers.get("content-type"),
        content_length=None if decoded else _length(response),
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
        cache_control=headers.get("cache-control"),
        expires=headers.get("expires"),
        headers=headers,
    )


def _length(response: httpx.Response) -> int | None:
    text = response.headers.get("content-length")
    return int(text) if text is not None and text.isdigit() else None


async def _discard(response: httpx.Response) -> None:
    """Close an answer whose body is of no use, reading a short one so that its connection can serve again."""
    length = _length(response)
    try:
        if length is not None and length <= DRAIN_BYTES:
            with contextlib.suppress(httpx.TransportError, TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    async for _ in response.stream:  # type: ignore[union-attr]  # ours, an AsyncByteStream
                        pass
    finally:
        await response.aclose()
