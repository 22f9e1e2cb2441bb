"""Downloaded sources: kept as long as their origin allows, asked about by their validators, fetched once at a time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imgserve import metrics
from imgserve.errors import ImgserveError, SourceNotFound, SourceTooLarge, SourceUnreachable
from imgserve.ports import Announce, Blob, Locks, Source, Stored, unannounced
from imgserve.service.entry import SOURCE, origin_facts, origin_of
from imgserve.service.flights import Flights
from imgserve.service.freshness import KeepingRules, State, fresh_s, freshened_origin
from imgserve.service.holding import Holding
from imgserve.service.negatives import Negatives
from imgserve.service.purges import Mark, Purges
from imgserve.service.tiers import Tiers
from imgserve.service.validators import NOT_MODIFIED, origin_condition, source_validator


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A source as it is kept."""

    blob: Blob
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
        if (known := self._negatives.get(SOURCE + url)) is not None:
            raise known
        await self._purges.catch_up()
        mark = self._purges.mark()
        is_kept = self._tiers.any and source.schemes[0] not in self._unkept
        if not is_kept and not headers:
            return await self._ask(source, url, mark, max_bytes=max_bytes, headers=headers, announce=announce)
        if is_kept:
            kept = await self._kept(url, mark)
            if kept is not None and self._is_fresh(kept):
                announce(len(kept.blob.data))
                return _within(kept.blob, max_bytes)
            # What the client has is compared with what comes: its condition would make the answer one for it alone.
            flight, make = url, lambda: self._renewed(source, url, mark, max_bytes, announce)
        else:
            flight = json.dumps([url, *sorted(headers.items())])
            make = lambda: self._ask(source, url, mark, max_bytes=max_bytes, headers=headers, announce=announce)  # noqa: E731
        blob, _ = await self._flights.join(f"{max_bytes} {flight}", make, since=mark, labels=(SOURCE + url,))
        return _within(blob, max_bytes)

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
        scheme = source.schemes[0]
        try:
            blob = await source.fetch(url, max_bytes=max_bytes, headers=headers, announce=announce)
        except ImgserveError as error:
            metrics.source_failed(scheme, error.code)
            # Not where the request had a condition: what an origin says to that may be about the condition.
            if isinstance(error, SourceNotFound) and not headers and not mark.passed((SOURCE + url,)):
                self._negatives.put(SOURCE + url, error)
            raise
        metrics.source_fetched(scheme, time.monotonic() - started, len(blob.data))
        if blob.origin.status == NOT_MODIFIED and not headers:
            raise SourceUnreachable("The source's server answered 304 to a request without conditions.", where="source")
        return blob

    async def close(self, *, timeout_s: float) -> None:
        await self._tiers.background.close(timeout_s=timeout_s)

    async def _kept(self, url: str, mark: Mark) -> Kept | None:
        found = await self._tiers.get(source_key(url), since=mark)
        return None if found is None else _read(found[0])

    def _is_fresh(self, kept: Kept) -> bool:
        now = self._clock()
        return self._rules.state(stored_at=kept.stored_at, fresh_until=kept.fresh_until, now=now) is State.FRESH

    async def _put(self, url: str, blob: Blob, mark: Mark, *, was_kept: bool) -> None:
        now = self._clock()
        fresh = fresh_s(blob.origin, self._rules, now=now)
        labels = (SOURCE + url,)
        if fresh is None:
            if was_kept:  # its origin has changed its mind
                await self._tiers.delete(source_key(url))
            return
        facts = {"stored_at": now, "fresh_until": now + fresh, "origin": origin_facts(blob.origin)}
        stored = Stored(
            meta=json.dumps(facts, separators=(",", ":")).encode(),
            body=blob.data,
            labels=labels,
            # A stale one still saves the download, if its origin can be asked about it.
            expires_at=now + fresh + self._rules.stale_s,
        )
        await self._tiers.put(source_key(url), stored, since=mark)


def source_key(url: str) -> str:
    return hashlib.sha256(b"source " + url.encode("utf-8", "surrogateescape")).hexdigest()


def _read(stored: Stored) -> Kept | None:
    try:
        facts: dict[str, Any] = json.loads(stored.meta)
        return Kept(
            blob=Blob(data=stored.body, origin=origin_of(facts["origin"]), fresh_until=facts["fresh_until"]),
            stored_at=facts["stored_at"],
            fresh_until=facts["fresh_until"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def _within(blob: Blob, max_bytes: int) -> Blob:
    if 0 < max_bytes < len(blob.data):
        raise SourceTooLarge.beyond(max_bytes)
    return blob
