"""Answers of web origins: which of them are the source, and reading their bodies within time and size."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Mapping

import httpx

from imgserve.adapters.sources.header_values import DIGITS, whole_number
from imgserve.adapters.sources.inflate import Inflate
from imgserve.errors import (
    BadRequest,
    SourceDenied,
    SourceNotFound,
    SourceTimeout,
    SourceTooLarge,
    SourceUnreachable,
)
from imgserve.ports import Announce, Origin, unannounced

#: A body of unknown length tells how much of it is there each time it has grown by this.
_TELL_EVERY_BYTES = 1 << 20

#: A body that nobody wants is read up to this size, and this long, to keep its connection.
DRAIN_BYTES = 16 * 1024
DRAIN_S = 0.1

CONDITIONS = frozenset({"if-none-match", "if-modified-since"})
#: 4xx answers that another try may mend: timeout, too early, too many requests.
TRANSIENT = frozenset({408, 425, 429})

_WHOLE_RANGE = re.compile(rf"bytes 0-({DIGITS})/({DIGITS})")


class Patience:
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

    def __init__(self, response: httpx.Response, patience: Patience, *, max_bytes: int, decode: bool) -> None:
        self._response = response
        self._patience = patience
        self._max_bytes = max_bytes
        self._decoded_bytes = 0
        encoding = _encoding(response, patience.host) if decode and response.status_code == 200 else ""
        self._inflate = Inflate(encoding, f"The source host '{patience.host}'") if encoding else None
        self.origin = _origin(response, decoded=bool(encoding))
        if response.status_code in (200, 206) and max_bytes and (_length(response) or 0) > max_bytes:
            raise SourceTooLarge.beyond(self._max_bytes)

    async def chunks(self) -> AsyncIterator[bytes]:
        pieces = aiter(self._pieces())
        while True:
            async with self._patience.waiting():
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield piece

    async def read(self, announce: Announce = unannounced) -> bytes:
        """Give the whole body; one timer instead of one for each chunk. `announce` is told of it, see ports.Source."""
        length = self.origin.content_length
        announce(length)
        there, told, pieces = 0, length or _TELL_EVERY_BYTES, []
        async with self._patience.waiting():
            async for piece in self._pieces():
                pieces.append(piece)
                there += len(piece)
                if there > told:
                    told = there + _TELL_EVERY_BYTES
                    announce(told)
        return b"".join(pieces)

    async def _pieces(self) -> AsyncIterator[bytes]:
        received_bytes = 0
        async for chunk in self._response.stream:  # type: ignore[union-attr]  # ours, an AsyncByteStream
            # Compressed bytes count as well: those that decode to nothing would have no end.
            received_bytes += len(chunk)
            if self._max_bytes and received_bytes > self._max_bytes:
                raise SourceTooLarge.beyond(self._max_bytes)
            if self._inflate is None:
                yield chunk
            else:
                async for piece in self._inflated(self._inflate, chunk):
                    yield piece
        if self._inflate is not None:
            self._inflate.finish()

    async def _inflated(self, inflate: Inflate, chunk: bytes) -> AsyncIterator[bytes]:
        for piece in inflate.feed(chunk):
            self._decoded_bytes += len(piece)
            if self._max_bytes and self._decoded_bytes > self._max_bytes:
                raise SourceTooLarge.beyond(self._max_bytes)
            yield piece
            # A piece takes up to a millisecond, a chunk has up to thousands: other requests get their turn in between.
            await asyncio.sleep(0)


def check_status(response: httpx.Response, host: str, asked: Mapping[str, str]) -> None:
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
        error = SourceNotFound if status in (404, 410) else SourceDenied
        raise error(f"The source host '{host}' answered {status}.", got=str(status))
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
    return whole_number(response.headers.get("content-length"))


async def discard(response: httpx.Response) -> None:
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
