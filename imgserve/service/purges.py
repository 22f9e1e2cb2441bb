"""Purges: through every tier, to every process, and past what is being made at that moment."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from imgserve import metrics
from imgserve.ports import EVERYTHING, Bulletin, Selector, Store, StoreError
from imgserve.service.entry import SOURCE
from imgserve.service.negatives import Negatives
from imgserve.service.tiers import Tiers

logger = logging.getLogger(__name__)

#: Purges that are remembered for work under way; with more of them while one render runs, it is not kept.
_REMEMBERED: Final = 10_000
#: Purges of the fleet that this machine's own tiers are still to be rid of; of more, everything goes.
_MAX_BEHIND: Final = 1000
#: News that come while news are read are read too, but a bulletin that is broken says so for ever.
_MAX_READS: Final = 3
#: Between attempts on a tier that failed.
_AGAIN_S: Final = 1.0
#: How often news are looked for where no request does.
_LOOK_EVERY_S: Final = 1.0


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

    def hidden(self, labels: Sequence[str]) -> bool:
        """Tell whether something with these labels may lie in this machine's own tiers though it was purged before."""
        return self._purges.hidden(labels)

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
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._results = results
        self._sources = sources
        self._negatives = negatives
        self._machine = machine
        self._fleet = fleet
        self._bulletins = tuple(one for one in (machine, fleet) if one is not None)
        #: Numbered from 1, with the Unix time when it was heard of; 0 = nobody purged, news were lost.
        self._seen: deque[tuple[int, Selector, float]] = deque(maxlen=_REMEMBERED)
        self._count = 0
        self._reading: asyncio.Task[None] | None = None
        #: What the fleet purged and this machine's own tiers may still have, and puts of ours to take back.
        self._behind: deque[tuple[Selector, list[tuple[Tiers, list[tuple[Store, str]]]]]] = deque()
        self._emptying: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

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
        return any(number > count and selector.matches(labels) for number, selector, _ in seen)

    def purged_since(self, at: float, labels: Sequence[str]) -> bool:
        """Tell whether something with these labels was purged at a Unix time or later, as far as this process knows."""
        late = itertools.takewhile(lambda one: one[2] >= at or not one[2], reversed(tuple(self._seen)))
        return any(heard_at and selector.matches(labels) for _, selector, heard_at in late)

    def changed(self) -> bool:
        """Tell whether other processes may have purged something; cheap enough for every request."""
        for bulletin in self._bulletins:
            if bulletin.changed():
                return True
        return self._reading is not None

    async def catch_up(self) -> None:
        """Forget here what other processes purged; a caller that is cancelled leaves the others waiting, not unread."""
        for _ in range(_MAX_READS):
            if not self.changed():
                return
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_all(), name="purges")
            await asyncio.shield(self._reading)

    async def _read_all(self) -> None:
        try:
            for bulletin in self._bulletins:
                if bulletin.changed():
                    await self._read(bulletin)
        finally:
            self._reading = None

    async def _read(self, bulletin: Bulletin) -> None:
        broken = False
        try:
            news = await bulletin.news()
        except StoreError as error:
            # What was purged cannot be known, so that nothing in memory can be trusted.
            logger.warning("purges of other processes cannot be read: %s", error)
            news, broken = [EVERYTHING], True
        for selector in news:
            # Of a fleet, EVERYTHING says that its count was lost; see `_tell`.
            lost = broken or (selector == EVERYTHING and bulletin is self._fleet)
            self._forget(selector, heard_at=0.0 if lost else self._clock())
            if bulletin is self._fleet:
                self._empty_later(selector)

    def hidden(self, labels: Sequence[str]) -> bool:
        """See `Mark.hidden`."""
        return any(selector.matches(labels) for selector, _ in self._behind)

    def _empty_later(self, selector: Selector) -> None:
        """Rid this machine's own tiers of what the fleet purged, while nobody waits; until then it is hidden."""
        ours = [(tiers, tiers.lately(selector)) for tiers in (self._results, self._sources)]
        # EVERYTHING says that news were lost: memory cannot be trusted then, and what lies on a disk is checked with
        # its origin in its time. A restart of Redis would cost the whole disk otherwise.
        if selector == EVERYTHING:
            for tiers, put in ours:
                if put:
                    tiers.background.start(partial(self._taken_back, tiers, put))
            return
        if len(self._behind) >= _MAX_BEHIND:
            selector = Selector(SOURCE, prefix=True)
            self._behind.clear()
        self._behind.append((selector, ours))
        if self._emptying is None or self._emptying.done():
            self._emptying = asyncio.create_task(self._empty(), name="purges of the fleet")

    async def _taken_back(self, tiers: Tiers, put: list[tuple[Store, str]]) -> None:
        await tiers.take_back(put)

    async def _empty(self) -> None:
        while self._behind:
            selector, ours = self._behind[0]
            done, gone = True, 0
            for tiers, put in ours:
                counts, failed = await tiers.purge(selector, here=True)
                done = done and not failed and await tiers.take_back(put)
                gone += sum(counts.values())
            if gone and self._machine is not None:
                # Other processes of this machine, which heard of it earlier or later, may have read what was there.
                self._forget(selector, heard_at=self._clock())
                await self._published(self._machine, selector)
            if not done:
                await asyncio.sleep(_AGAIN_S)
            elif self._behind and self._behind[0][0] is selector:
                self._behind.popleft()

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
        counts = self._forget(selector, heard_at=self._clock())
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

    def _forget(self, selector: Selector, *, heard_at: float) -> dict[str, int]:
        """Note a purge, and forget in this process's memory what it names; gives the entries, by tier."""
        self._negatives.forget()  # any of them may be mended
        self._count += 1
        self._seen.append((self._count, selector, heard_at))
        memory = self._results.memory
        if memory is None:
            return {}
        count = memory.purge_now(selector)
        metrics.purged(memory.name, count)
        return {memory.name: count}

    async def _listen(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self.catch_up()
            except Exception:
                logger.exception("news of purges cannot be applied")

    def start(self) -> None:
        """Hear of purges where no request comes to ask for them: a machine's disk outlives it."""
        if self._fleet is not None:
            self._listening = asyncio.create_task(self._listen(), name="listening for purges")

    async def close(self) -> None:
        """Apply what was heard of, as far as that goes at once, and stop."""
        tasks = [task for task in (self._listening, self._emptying) if task is not None]
        if self._emptying is not None:
            await asyncio.wait([self._emptying], timeout=_AGAIN_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for bulletin in self._bulletins:
            await bulletin.close()
