"""Purges: through every tier, to every process, and past what is being made at that moment."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from imgserve import metrics
from imgserve.ports import EVERYTHING, Bulletin, Selector, StoreError
from imgserve.service.entry import SOURCE
from imgserve.service.negatives import Negatives
from imgserve.service.tiers import Tiers

logger = logging.getLogger(__name__)

#: Purges that are remembered for work under way; with more of them while one render runs, it is not kept.
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What a purge did: entries by tier, and what could not be reached."""

    entries: dict[str, int]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in time between two purges."""

    _purges: Purges
    _count: int

    def passed(self, labels: Sequence[str]) -> bool:
        """Tell whether something with these labels was purged since, as far as this process has heard."""
        return self._purges.passed(self._count, labels)

    def doubted(self, labels: Sequence[str]) -> bool:
        """Tell, in any thread, whether that happened or may have; asked after a purge is told, it is never missed."""
        return self._purges.changed() or self.passed(labels)

    async def purged(self, labels: Sequence[str]) -> bool:
        """Hear what there is to hear, then tell whether something with these labels was purged since."""
        await self._purges.catch_up()
        return self.passed(labels)


class Purges:
    """Knows every purge of this process's lifetime, whoever asked for it.

    `machine` tells the other processes of this machine, which share all but their memory with this one; `fleet` tells
    other machines, which have disks of their own.
    """

    def __init__(
        self,
        *,
        results: Tiers,
        sources: Tiers,
        negatives: Negatives,
        machine: Bulletin | None = None,
        fleet: Bulletin | None = None,
    ) -> None:
        self._results = results
        self._sources = sources
        self._negatives = negatives
        self._machine = machine
        self._fleet = fleet
        self._bulletins = tuple(one for one in (machine, fleet) if one is not None)
        #: Numbered from 1.
        self._seen: deque[tuple[int, Selector]] = deque(maxlen=_REMEMBERED)
        self._count = 0
        self._catching_up = asyncio.Lock()

    def mark(self) -> Mark:
        """Give this point in time; to be taken before a source or a store is read."""
        return Mark(self, self._count)

    def passed(self, count: int, labels: Sequence[str]) -> bool:
        """See `Mark.passed`."""
        if count == self._count:
            return False
        seen = tuple(self._seen)  # writer threads ask too, while it grows
        if not seen or seen[0][0] > count + 1:
            return True
        return any(number > count and selector.matches(labels) for number, selector in seen)

    def changed(self) -> bool:
        """Tell whether other processes may have purged something; cheap enough for every request."""
        for bulletin in self._bulletins:
            if bulletin.changed():
                return True
        return bool(self._bulletins) and self._catching_up.locked()

    async def catch_up(self) -> None:
        """Forget here what other processes purged."""
        if not self.changed():
            return
        async with self._catching_up:
            for bulletin in self._bulletins:
                if bulletin.changed():
                    await self._read(bulletin)

    async def _read(self, bulletin: Bulletin) -> None:
        try:
            news = await bulletin.news()
        except StoreError as broken:
            # What was purged cannot be known, so that nothing in memory can be trusted.
            logger.warning("purges of other processes cannot be read: %s", broken)
            news = [EVERYTHING]
        for selector in news:
            self._forget(selector)
            # EVERYTHING says that news were lost: memory cannot be trusted then, and what lies on a disk is checked
            # with its origin in its time. A restart of Redis would cost the whole disk otherwise.
            if bulletin is self._fleet and selector != EVERYTHING:
                gone = 0
                for tiers in (self._results, self._sources):
                    counts, _ = await tiers.purge(selector, here=True)
                    gone += sum(counts.values())
                if gone and self._machine is not None:
                    # Into memories it may have come from the disk in the meantime, here and in the other processes.
                    self._forget(selector)
                    await self._published(self._machine, selector)

    async def purge(self, selector: Selector) -> Purged:
        """Forget what the selector names, everywhere."""
        failed: dict[str, None] = {}
        entries: Counter[str] = Counter()
        # Told before the stores are emptied: what another process makes of the old source must not come after. All of
        # it twice: the first time takes what is kept, the second what was being made of that until it was gone.
        for _ in range(2):
            entries.update(await self._tell(selector, failed))
            for tiers in (self._results, self._sources):
                counts, unreached = await tiers.purge(selector)
                entries.update(counts)
                failed |= dict.fromkeys(unreached)
        # And told once more: memories were filled from the stores for as long as something was there.
        await self._tell(selector, failed)
        return Purged(entries=dict(entries), failed=tuple(failed))

    async def _tell(self, selector: Selector, failed: dict[str, None]) -> dict[str, int]:
        counts = self._forget(selector)
        for bulletin, name in ((self._machine, "machine"), (self._fleet, "fleet")):
            if bulletin is not None and name not in failed:
                # Of a fleet, everything by a name: as news, EVERYTHING is what is told when the count was lost.
                told = Selector(SOURCE, prefix=True) if selector == EVERYTHING and name == "fleet" else selector
                if not await self._published(bulletin, told):
                    failed[name] = None
        return counts

    async def _published(self, bulletin: Bulletin, selector: Selector) -> bool:
        try:
            await bulletin.publish(selector)
        except StoreError as broken:
            logger.warning("a purge cannot be told to other processes: %s", broken)
            return False
        return True

    def _forget(self, selector: Selector) -> dict[str, int]:
        """Note a purge, and forget in this process's memory what it names; gives the entries, by tier."""
        self._negatives.forget()  # any of them may be mended
        self._count += 1
        self._seen.append((self._count, selector))
        memory = self._results.memory
        if memory is None:
            return {}
        count = memory.purge_now(selector)
        metrics.purged(memory.name, count)
        return {memory.name: count}

    async def close(self) -> None:
        for bulletin in self._bulletins:
            await bulletin.close()
