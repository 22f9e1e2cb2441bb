"""Purges: through every tier, to every process, and past what is being made at that moment."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from imgserve.ports import EVERYTHING, Bulletin, Selector, StoreError
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
        self._seen: deque[Selector] = deque(maxlen=_REMEMBERED)
        self._count = 0
        self._catching_up = asyncio.Lock()

    def mark(self) -> int:
        """Give a point in time for `since`; to be taken before the source is read."""
        return self._count

    async def since(self, mark: int, labels: Sequence[str]) -> bool:
        """Tell whether something with these labels was purged after `mark`, so that it must not be kept."""
        await self.catch_up()
        new = self._count - mark
        if new > len(self._seen):
            return True
        return any(self._seen[-at].matches(labels) for at in range(1, new + 1))

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
            self._note(selector)
            for tiers in (self._results, self._sources):
                if tiers.memory is not None:
                    tiers.memory.purge_now(selector)
                # EVERYTHING says that news were lost: memory cannot be trusted then, and what lies on a disk is checked
                # with its origin in its time. A restart of Redis would cost the whole disk otherwise.
                if bulletin is self._fleet and selector != EVERYTHING:
                    await tiers.purge(selector)

    async def purge(self, selector: Selector) -> Purged:
        """Forget what the selector names, everywhere."""
        self._note(selector)
        failed: list[str] = []
        # Told before the stores are emptied: what another process makes of the old source must not come after.
        for bulletin in self._bulletins:
            try:
                await bulletin.publish(selector)
            except StoreError as broken:
                logger.warning("a purge cannot be told to other processes: %s", broken)
                failed.append("machine" if bulletin is self._machine else "fleet")
        entries, failed_results = await self._results.purge(selector)
        sources, failed_sources = await self._sources.purge(selector)
        if sources:
            entries["sources"] = sum(sources.values())
        return Purged(entries=entries, failed=tuple(dict.fromkeys([*failed, *failed_results, *failed_sources])))

    def _note(self, selector: Selector) -> None:
        self._negatives.forget()  # any of them may be mended
        self._seen.append(selector)
        self._count += 1

    async def close(self) -> None:
        for bulletin in self._bulletins:
            await bulletin.close()
