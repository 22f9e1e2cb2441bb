"""The seams: what the service asks of the outside world, as protocols over plain values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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
    #: Unix time until which nobody needs to ask the origin; None = to be judged by what the origin says.
    fresh_until: float | None = None


#: Told how long a body will be (None = not known), once its origin's status is; raises QueueFull to refuse it.
Announce = Callable[[int | None], None]


def unannounced(_length: int | None) -> None:
    """Take any length."""


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

    async def fetch(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str], announce: Announce = unannounced
    ) -> Blob:
        """Read the whole answer of `open`; a 304 gives an empty body and status 304.

        A source that downloads many bodies at a time tells each one's length to `announce` before it reads them, and
        again how much there is when one grows beyond that; `announce` may raise, which ends the download.
        """
        ...

    async def close(self) -> None:
        """Give back connections and threads."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a store keeps under a key."""

    #: Facts about the body, in the caller's own form; a few hundred bytes.
    meta: bytes
    body: bytes
    #: What a purge finds it by, such as `source:https://example.com/a.jpg` or `tag:sale`.
    labels: tuple[str, ...] = ()
    #: Unix time from which the store need not keep it, 0 = never. What is fresh, the caller decides by `meta`.
    expires_at: float = 0.0

    @property
    def size(self) -> int:
        """Bytes that count against a budget."""
        return len(self.body) + len(self.meta)


@dataclass(frozen=True, slots=True)
class Selector:
    """What a purge removes: everything with this label or, with `prefix`, with a label that begins so."""

    label: str
    prefix: bool = False

    def matches(self, labels: Sequence[str]) -> bool:
        if self.prefix:
            return any(one.startswith(self.label) for one in labels)
        return self.label in labels


#: Everything there is, the unlabelled too.
EVERYTHING = Selector("", prefix=True)


def never() -> bool:
    """Say no."""
    return False


class StoreError(Exception):
    """A store is broken, full or too slow. Its caller goes on without it; no client ever sees this."""


class Store(Protocol):
    """One tier of a cache. Keys are 64 hex digits; what `get` gives is whole and is what was put under that key."""

    @property
    def name(self) -> str:
        """The word for it in settings, headers and metrics: memory, disk, redis or s3."""
        ...

    async def get(self, key: str) -> Stored | None:
        """Find an entry; None when there is none, or only a broken one. Raises StoreError."""
        ...

    async def put(self, key: str, stored: Stored, *, unless: Callable[[], bool] = never) -> bool:
        """Keep an entry in place of an older one; False when it is too large for this store. Raises StoreError.

        `unless` is asked, in any thread, as late as the store can; where it says yes the entry is not kept, and the
        answer is False. A store whose purges and puts exclude each other asks it inside of that exclusion.
        """
        ...

    async def delete(self, key: str) -> None:
        """Forget an entry, if it is there. Raises StoreError."""
        ...

    async def purge(self, selector: Selector) -> int:
        """Forget what the selector names; gives the number of entries. Raises StoreError."""
        ...

    async def close(self) -> None:
        """Finish what is being written, and give back connections and threads."""
        ...


class FastStore(Store, Protocol):
    """A store in this process's memory, which never waits."""

    @property
    def bytes(self) -> int:
        """What it holds."""
        ...

    def get_now(self, key: str) -> Stored | None: ...

    def peek(self, key: str) -> Stored | None:
        """As `get_now`, without counting as a use."""
        ...

    def put_now(self, key: str, stored: Stored) -> bool: ...

    def purge_now(self, selector: Selector) -> int: ...


class Locks(Protocol):
    """Exclusion between processes, so that one of them makes a result while the others wait for it."""

    def hold(self, key: str, *, wait_s: float) -> AbstractAsyncContextManager[bool]:
        """Wait up to `wait_s` for the lock, and hold it for the time of the block.

        True = held; False = it could not be had in time, or the lock service is broken: then the caller goes on
        without. A holder that is killed loses it, at once or when its lease ends.
        """
        ...

    async def close(self) -> None: ...


class Bulletin(Protocol):
    """Where purges are told to the other processes of a machine or a fleet."""

    async def publish(self, selector: Selector) -> None:
        """Tell everybody, this process included. Raises StoreError."""
        ...

    def changed(self) -> bool:
        """Tell without waiting whether there may be news; asked before every answer from memory, so it must be fast."""
        ...

    async def news(self) -> Sequence[Selector]:
        """Give what was published since the last call; EVERYTHING where the count was lost. Raises StoreError."""
        ...

    async def close(self) -> None: ...


class FleetBulletin(Bulletin, Protocol):
    """A bulletin that comes over the network."""

    async def start(self) -> None:
        """Begin to listen; nothing may be kept in memory before."""
        ...
