"""Downloaded sources: kept as long as their origin allows, asked about by their validators, fetched once at a time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from imgserve import metrics
from imgserve.errors import ImgserveError, SourceDenied, SourceNotFound, SourceTooLarge, SourceUnreachable
from imgserve.ports import Announce, Blob, Locks, Origin, Source, Stored, unannounced
from imgserve.service.entry import SOURCE, origin_facts, origin_of
from imgserve.service.flights import Flights
from imgserve.service.freshness import KeepingRules, State, fresh_s, freshened_origin
from imgserve.service.heads import HeadBytes, HeadReader
from imgserve.service.holding import Holding
from imgserve.service.negatives import Negatives
from imgserve.service.purges import Mark, Purges
from imgserve.service.tiers import Tiers
from imgserve.service.validators import NOT_MODIFIED, origin_condition, source_validator


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A source, or its head, as it is kept."""

    blob: Blob
    #: Of a head: bytes of the whole source, None = unknown.
    size: int | None
    stored_at: float
    fresh_until: float


class SourceCache:
    """Fetches every source of the service; `unkept` are the schemes whose sources are not worth keeping."""

    def __init__(
        self,
        *,
        tiers: Tiers,
        purges: Purges,
        rules: KeepingRules,
        negatives: Negatives,
        locks: Sequence[Locks] = (),
        lease_s: float = 5.0,
        unkept: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tiers = tiers
        self._purges = purges
        self._rules = rules
        self._negatives = negatives
        self._locks = tuple(locks)
        self._lease_s = lease_s
        self._unkept = frozenset(unkept)
        self._clock = clock
        self._flights: Flights[Blob] = Flights()
        self._heads: Flights[HeadBytes | None] = Flights()

    async def fetch(
        self,
        source: Source,
        url: str,
        *,
        max_bytes: int,
        headers: Mapping[str, str],
        announce: Announce = unannounced,
    ) -> Blob:
        """Give the source, or status 304 where `headers` has a condition and the origin says that nothing changed."""
        mark = await self._begin(url)
        is_kept = self._keeps(source)
        if not is_kept and not headers:
            return await self._ask(source, url, mark, max_bytes=max_bytes, headers=headers, announce=announce)
        if is_kept:
            kept = await self._kept(url, mark)
            if kept is not None and self._is_fresh(kept):
                announce(len(kept.blob.data))
                return _within(kept.blob, max_bytes)
            # What the client has is compared with what comes: its condition would make the answer one for it alone.
            flight, make = _flight(url, max_bytes), lambda: self._renewed(source, url, mark, max_bytes, announce)
        else:
            flight = _flight(url, max_bytes, headers)
            make = lambda: self._ask(source, url, mark, max_bytes=max_bytes, headers=headers, announce=announce)  # noqa: E731
        blob, _ = await self._flights.join(flight, make, since=mark, labels=(SOURCE + url,))
        return _within(blob, max_bytes)

    async def head(
        self,
        source: Source,
        url: str,
        *,
        max_bytes: int,
        headers: Mapping[str, str],
        sized: bool,
        announce: Announce = unannounced,
    ) -> HeadBytes:
        """Give as many bytes of the source as its head takes; all, where they are kept or less does not tell.

        `sized`: its size has to be known. Status 304 as in `fetch`. A part is kept too, by a name of its own.
        """
        mark = await self._begin(url)
        is_kept = self._keeps(source)
        kept = await self._kept(url, mark) if is_kept else None
        if kept is not None and self._is_fresh(kept):
            announce(len(kept.blob.data))
            return HeadBytes.of(_within(kept.blob, max_bytes))
        found: HeadBytes | None = None
        # A stale one costs a 304, and of one that is on its way all will be there.
        if kept is None and _flight(url, max_bytes) not in self._flights:
            reader = HeadReader(
                source=source, url=url, max_bytes=max_bytes, headers=headers, sized=sized, announce=announce
            )
            found = await self._kept_head(reader, mark) if is_kept else None
            if found is None:
                flight = f"{sized} {_flight(url, max_bytes, headers)}"
                make = lambda: self._head(reader, mark, is_kept=is_kept)  # noqa: E731
                found, _ = await self._heads.join(flight, make, since=mark, labels=(SOURCE + url,))
        if found is None:
            found = HeadBytes.of(await self.fetch(source, url, max_bytes=max_bytes, headers=headers, announce=announce))
        return found

    async def _kept_head(self, reader: HeadReader, mark: Mark) -> HeadBytes | None:
        """Give a head that was read before, while it is fresh; raises SourceTooLarge."""
        found = await self._tiers.get(head_key(reader.url), since=mark)
        kept = _read(found[0]) if found is not None else None
        if kept is None or not self._is_fresh(kept) or (kept.size is None and reader.sized):
            return None
        if 0 < reader.max_bytes < (kept.size or 0):
            raise SourceTooLarge.beyond(reader.max_bytes)
        reader.announce(len(kept.blob.data))
        return HeadBytes(data=kept.blob.data, origin=kept.blob.origin, size=kept.size, whole=False)

    async def _head(self, reader: HeadReader, mark: Mark, *, is_kept: bool) -> HeadBytes | None:
        with self._failures(reader.source, reader.url, mark, conditional=bool(reader.headers)):
            try:
                found = await reader.read()
            except SourceDenied:  # perhaps because of the range
                return None
        if found is not None:
            _check_unasked(found.origin, reader.headers)
        if found is not None and is_kept and found.origin.status != NOT_MODIFIED:
            self._tiers.background.start(lambda: self._put_head(reader.url, found, mark))
        return found

    async def _begin(self, url: str) -> Mark:
        """Give the point in time before anything is read; raises what is known to be wrong with the source."""
        if (known := self._negatives.get(SOURCE + url)) is not None:
            raise known
        await self._purges.catch_up()
        return self._purges.mark()

    def _keeps(self, source: Source) -> bool:
        return self._tiers.any and source.schemes[0] not in self._unkept

    async def _renewed(self, source: Source, url: str, mark: Mark, max_bytes: int, announce: Announce) -> Blob:
        """Download the source, or have its origin say that the kept one is still good; once in all processes."""
        async with Holding(self._locks, "source " + url, wait_s=self._lease_s) as holding:
            kept = await self._kept(url, mark)
            if kept is not None and self._is_fresh(kept):
                announce(len(kept.blob.data))
                return kept.blob
            condition = origin_condition(source_validator(kept.blob)) if kept is not None else {}
            blob = await self._ask(source, url, mark, max_bytes=max_bytes, headers=condition, announce=announce)
            if blob.origin.status == NOT_MODIFIED and kept is not None:
                blob = Blob(data=kept.blob.data, origin=freshened_origin(kept.blob.origin, blob.origin))
            # Nobody waits for the disk: those who want the bytes have them, the next ones find the lock taken.
            holding.until(self._tiers.background, lambda: self._put(url, blob, mark, was_kept=kept is not None))
            return blob

    async def _ask(
        self, source: Source, url: str, mark: Mark, *, max_bytes: int, headers: Mapping[str, str], announce: Announce
    ) -> Blob:
        started = time.monotonic()
        with self._failures(source, url, mark, conditional=bool(headers)):
            blob = await source.fetch(url, max_bytes=max_bytes, headers=headers, announce=announce)
        metrics.source_fetched(source.schemes[0], time.monotonic() - started, len(blob.data))
        _check_unasked(blob.origin, headers)
        return blob

    @contextmanager
    def _failures(self, source: Source, url: str, mark: Mark, *, conditional: bool) -> Iterator[None]:
        """Count them, and remember that a source is missing."""
        try:
            yield
        except ImgserveError as error:
            metrics.source_failed(source.schemes[0], error.code)
            # Not where the request had a condition: what an origin says to that may be about the condition.
            if isinstance(error, SourceNotFound) and not conditional and not mark.passed((SOURCE + url,)):
                self._negatives.put(SOURCE + url, error)
            raise

    async def close(self, *, timeout_s: float) -> None:
        await self._tiers.background.close(timeout_s=timeout_s)

    async def _kept(self, url: str, mark: Mark) -> Kept | None:
        found = await self._tiers.get(source_key(url), since=mark)
        return None if found is None else _read(found[0])

    def _is_fresh(self, kept: Kept) -> bool:
        now = self._clock()
        return self._rules.state(stored_at=kept.stored_at, fresh_until=kept.fresh_until, now=now) is State.FRESH

    async def _put(self, url: str, blob: Blob, mark: Mark, *, was_kept: bool) -> None:
        # What is newer counts, also when the source itself is not kept, or no longer.
        await self._tiers.delete(head_key(url))
        fresh = fresh_s(blob.origin, self._rules, now=self._clock())
        if fresh is not None:
            # A stale one still saves the download, if its origin can be asked about it.
            stored = self._stored(url, blob, fresh=fresh, keep_s=self._rules.stale_s)
            await self._tiers.put(source_key(url), stored, since=mark)
        elif was_kept:  # its origin has changed its mind
            await self._tiers.delete(source_key(url))

    async def _put_head(self, url: str, head: HeadBytes, mark: Mark) -> None:
        blob = Blob(data=head.data, origin=head.origin)
        if head.whole:
            await self._put(url, blob, mark, was_kept=False)
        elif fresh := fresh_s(head.origin, self._rules, now=self._clock()):
            await self._tiers.put(head_key(url), self._stored(url, blob, fresh=fresh, size=head.size), since=mark)

    def _stored(self, url: str, blob: Blob, *, fresh: float, keep_s: float = 0.0, size: int | None = None) -> Stored:
        now = self._clock()
        facts = {"stored_at": now, "fresh_until": now + fresh, "origin": origin_facts(blob.origin), "size": size}
        return Stored(
            meta=json.dumps(facts, separators=(",", ":")).encode(),
            body=blob.data,
            labels=(SOURCE + url,),
            expires_at=now + fresh + keep_s,
        )


def _flight(url: str, max_bytes: int, headers: Mapping[str, str] = MappingProxyType({})) -> str:
    return json.dumps([max_bytes, url, *sorted(headers.items())])


def _check_unasked(origin: Origin, headers: Mapping[str, str]) -> None:
    if origin.status == NOT_MODIFIED and not headers:
        raise SourceUnreachable("The source's server answered 304 to a request without conditions.", where="source")


def source_key(url: str) -> str:
    return hashlib.sha256(b"source " + url.encode("utf-8", "surrogateescape")).hexdigest()


def head_key(url: str) -> str:
    return hashlib.sha256(b"head " + url.encode("utf-8", "surrogateescape")).hexdigest()


def _read(stored: Stored) -> Kept | None:
    try:
        facts: dict[str, Any] = json.loads(stored.meta)
        return Kept(
            blob=Blob(data=stored.body, origin=origin_of(facts["origin"]), fresh_until=facts["fresh_until"]),
            size=facts.get("size"),
            stored_at=facts["stored_at"],
            fresh_until=facts["fresh_until"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def _within(blob: Blob, max_bytes: int) -> Blob:
    if 0 < max_bytes < len(blob.data):
        raise SourceTooLarge.beyond(max_bytes)
    return blob
