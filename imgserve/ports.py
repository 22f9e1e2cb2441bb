"""The seams: what the service asks of the outside world, as protocols over plain values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What an origin says beside the bytes; header texts as it sent them, None where it sent none."""

    status: int = 200
    content_type: str | None = None
    content_length: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    cache_control: str | None = None
    expires: str | None = None
    #: All response headers, lower-case names; what `raw` passes on is chosen from these.
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes of a source, with what its origin said of them."""

    data: bytes
    origin: Origin


class SourceStream(Protocol):
    """An open answer of an origin; its bytes are read once, within the limits it was opened with."""

    @property
    def origin(self) -> Origin: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body; raises SourceTooLarge, SourceTimeout or SourceUnreachable while reading."""
        ...


class Source(Protocol):
    """One kind of origin, found by URL scheme."""

    @property
    def schemes(self) -> tuple[str, ...]: ...

    def open(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[SourceStream]:
        """Open `url` and answer when the origin's status is known.

        `max_bytes` bounds the body (0 = no bound). `headers` are request headers for the origin: conditions
        (If-None-Match, If-Modified-Since) and, for `raw`, Range and Accept-Encoding; a source for which one has no
        meaning ignores it. A 304 and, when Range was sent, 206 and 416 are answers, not errors.

        Raises SourceForbidden, SourceNotFound, SourceTooLarge, SourceUnreachable, SourceTimeout, BadRequest.
        """
        ...

    async def fetch(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> Blob:
        """Read the whole answer of `open`; a 304 gives an empty body and status 304."""
        ...

    async def close(self) -> None:
        """Give back connections and threads."""
        ...
