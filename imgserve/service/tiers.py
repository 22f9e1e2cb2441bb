"""The stores of results, fastest first: a hit below fills above, and a store that is broken is a miss."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from imgserve import metrics
from imgserve.ports import FastStore, Selector, Store, Stored, StoreError
from imgserve.service.flights import Background, Since

logger = logging.getLogger(__name__)

#: One warning about a broken store in this time: a dead Redis would fill the log otherwise.
_WARN_EVERY_S: Final = 30.0
#: News of other purges, too, make a store refuse what is put; more of them than this within one put are a flood.
_MAX_TRIES: Final = 3
#: Each holds one result or source in memory.
_MAX_BACKGROUND: Final = 64
#: News of a purge may come so long after it, when what they are about was put into the tiers of a fleet again.
_LATELY_S: Final = 10.0
_MAX_LATELY: Final = 1000


class Tiers:
    """All stores of one kind of thing; `memory` is the one that never waits."""

    def __init__(
        self,
        stores: Sequence[Store] = (),
        *,
        memory: FastStore | None = None,
        fleet: Collection[str] = (),
        slow: Collection[str] = (),
        background: Background | None = None,
    ) -> None:
        """`fleet` names the stores that other machines share, and empty themselves; for `slow` ones nobody waits."""
        self.memory = memory
        self._fleet = frozenset(fleet)
        self._lately: deque[tuple[float, Store, str, tuple[str, ...]]] = deque(maxlen=_MAX_LATELY)
        self._quick = tuple(store for store in stores if store.name not in slow) or tuple(stores)
        self._slow = tuple(store for store in stores if store not in self._quick)
        self.stores = tuple(stores)
        #: Work on these stores that no request waits for.
        self.background = background or Background(limit=_MAX_BACKGROUND)
        self._warned: dict[str, float] = {}

    @property
    def any(self) -> bool:
        return self.memory is not None or bool(self.stores)

    def get_now(self, key: str) -> Stored | None:
        """Look into the memory of this process."""
        if self.memory is None:
            return None
        found = self.memory.get_now(key)
        _count("memory", found)
        return found

    async def get(self, key: str, *, since: Since, quick: bool = False) -> tuple[Stored, str] | None:
        """Look through the tiers below memory, or the quick ones; also give the name of the one that had it.

        `since` is now, before the look: what is purged while it is read must not come into memory after that.
        """
        stores = self._quick if quick else self.stores
        for at, store in enumerate(stores):
            found = await self._get(store, key)
            if found is None or (store.name not in self._fleet and since.hidden(found.labels)):
                continue
            if not await since.purged(found.labels):
                if self.memory is not None:
                    self.memory.put_now(key, found)
                if at:
                    self.background.start(partial(self._fill, stores[:at], key, found, since))
                return found, store.name
        return None

    async def _get(self, store: Store, key: str) -> Stored | None:
        try:
            found = await store.get(key)
        except StoreError as broken:
            self._tell(store, broken)
            return None
        _count(store.name, found)
        return found

    async def put(self, key: str, stored: Stored, *, since: Since) -> None:
        """Keep it everywhere, unless it was purged `since`; what a store cannot take is not kept there.

        Slow stores are filled in the background.
        """
        if await self.put_memory(key, stored, since=since):
            await self.put_stores(key, stored, since=since)

    async def put_memory(self, key: str, stored: Stored, *, since: Since) -> bool:
        """Keep it in this process's memory; False where it was purged `since`."""
        if await since.purged(stored.labels):
            return False
        if self.memory is not None and self.memory.put_now(key, stored):
            metrics.cache_written("memory", stored.size)
        return True

    async def put_stores(self, key: str, stored: Stored, *, since: Since) -> None:
        """Keep it below memory."""
        await self._fill(self._quick, key, stored, since)
        if self._slow:
            self.background.start(partial(self._fill, self._slow, key, stored, since))

    async def _fill(self, stores: Sequence[Store], key: str, stored: Stored, since: Since) -> None:
        for store in stores:
            try:
                await self._put(store, key, stored, since)
            except StoreError as broken:
                self._tell(store, broken)

    async def _put(self, store: Store, key: str, stored: Stored, since: Since) -> None:
        unless = partial(since.doubted, stored.labels)
        for _ in range(_MAX_TRIES):
            if await since.purged(stored.labels):
                return
            try:
                written = await store.put(key, stored, unless=unless)
            except StoreError:
                # It may be there all the same.
                if await since.purged(stored.labels):
                    await store.delete(key)
                raise
            if written:
                metrics.cache_written(store.name, stored.size)
                break
            if not unless():  # it is too large
                return
        if store.name in self._fleet:
            self._lately.append((time.monotonic(), store, key, stored.labels))
        if await since.purged(stored.labels):
            # On its way to a store that cannot ask in the last instant, while the purge went through it.
            await store.delete(key)

    def lately(self, selector: Selector) -> list[tuple[Store, str]]:
        """Name what this process has just put into the tiers of the fleet and a purge is about.

        It may have come after the purge had gone through them, when this process had not heard of it yet.
        """
        since = time.monotonic() - _LATELY_S
        return [(store, key) for at, store, key, labels in self._lately if at > since and selector.matches(labels)]

    async def take_back(self, put: Sequence[tuple[Store, str]]) -> bool:
        """Delete what `lately` named; False where a store failed."""
        done = True
        for store, key in put:
            try:
                await store.delete(key)
            except StoreError as broken:
                self._tell(store, broken)
                done = False
        return done

    async def delete(self, key: str) -> None:
        """Forget one entry everywhere."""
        for store in (*((self.memory,) if self.memory is not None else ()), *self.stores):
            try:
                await store.delete(key)
            except StoreError as broken:
                self._tell(store, broken)

    async def purge(self, selector: Selector, *, here: bool = False) -> tuple[dict[str, int], list[str]]:
        """Forget what the selector names in every tier; gives the entries by tier, and the tiers that failed.

        `here` leaves out those that a fleet shares: who told of the purge has emptied them.
        """
        counts: dict[str, int] = {}
        failed: list[str] = []
        if self.memory is not None:
            counts["memory"] = self.memory.purge_now(selector)
        for store in self.stores:
            if here and store.name in self._fleet:
                continue
            try:
                counts[store.name] = await store.purge(selector)
            except StoreError as broken:
                self._tell(store, broken)
                failed.append(store.name)
        for name, count in counts.items():
            metrics.purged(name, count)
        return counts, failed

    async def close(self, *, timeout_s: float) -> None:
        await self.background.close(timeout_s=timeout_s)
        await asyncio.gather(*(store.close() for store in self.stores), return_exceptions=True)
        if self.memory is not None:
            await self.memory.close()

    def _tell(self, store: Store, broken: StoreError) -> None:
        metrics.cache_looked(store.name, "error")
        now = time.monotonic()
        if now >= self._warned.get(store.name, 0.0):
            self._warned[store.name] = now + _WARN_EVERY_S
            logger.warning("the %s tier of the cache fails: %s", store.name, broken)


def _count(tier: str, found: Stored | None) -> None:
    metrics.cache_looked(tier, "miss" if found is None else "hit")
    if found is not None:
        metrics.cache_read(tier, found.size)
