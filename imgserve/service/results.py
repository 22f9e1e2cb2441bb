"""The results that are kept: found, judged, freshened, and kept again, for the renderer."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imgserve.plan.model import Plan
from imgserve.plan.needs import Need
from imgserve.plan.sources import scheme_of
from imgserve.ports import Blob, Locks
from imgserve.service.entry import MEMORY, Made, from_stored, to_stored
from imgserve.service.flights import Background, Flights
from imgserve.service.freshness import KeepingRules, State, fresh_s, freshened_origin, must_revalidate
from imgserve.service.holding import Holding
from imgserve.service.negatives import Negatives
from imgserve.service.purges import Mark, Purges
from imgserve.service.tiers import Tiers

#: Stale results that are checked at a time; more of them are checked at their next request.
_MAX_CHECKS: Final = 32
#: Sources whose state costs a look and no download are looked at again after this time.
_NEAR_TTL_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One result that is wanted."""

    plan: Plan
    key: str
    #: What a purge finds it by.
    labels: tuple[str, ...]
    #: On the clock of `time.monotonic`.
    ends_at: float
    #: Before anything of it was read.
    mark: Mark
    #: The source, where it was downloaded already.
    blob: Blob | None = None
    #: Artefacts that it is made of.
    needs: tuple[Need, ...] = ()


class ResultCache:
    """What the renderer knows of stores, locks and time; with empty tiers it keeps nothing, and still coalesces."""

    def __init__(
        self,
        *,
        tiers: Tiers,
        purges: Purges,
        rules: KeepingRules,
        negatives: Negatives,
        locks: Sequence[Locks] = (),
        lease_s: float = 5.0,
        near: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tiers = tiers
        self.purges = purges
        self.negatives = negatives
        self.flights: Flights[Made] = Flights()
        self._rules = rules
        self._near_rules = dataclasses.replace(rules, ttl_s=min(rules.ttl_s, _NEAR_TTL_S), stale_while_revalidate_s=0.0)
        self._locks = tuple(locks)
        self._lease_s = lease_s
        self._near = frozenset(near)
        self._clock = clock
        self._checks = Background(limit=_MAX_CHECKS)
        self._checking: set[str] = set()

    def below_memory(self) -> ResultCache:
        """Give the same results past this process's memory, for work that must not push out what requests ask for."""
        other = copy.copy(self)
        other.tiers = copy.copy(self.tiers)
        other.tiers.memory = None
        return other

    async def now(self) -> Mark:
        """Hear of purges, and give the point in time."""
        if self.purges.changed():
            await self.purges.catch_up()
        return self.purges.mark()

    async def find(self, job: Job) -> Made | None:
        """Look for a result that has not been purged; its `cache` names the tier that had it."""
        if not self.tiers.any:
            return None
        mark = await self.now()
        stored = self.tiers.get_now(job.key)
        made, tier = from_stored(stored) if stored is not None else None, MEMORY
        if made is None or (self.tiers.stores and self.state(job, made) is not State.FRESH):
            # Where memory's is stale, another process may have made a newer one.
            found = await self.tiers.get(job.key, since=mark)
            below = from_stored(found[0]) if found is not None else None
            if found is not None and below is not None and (made is None or below.stored_at > made.stored_at):
                (stored, tier), made = found, below
        if made is None or stored is None:
            return None
        return dataclasses.replace(made, cache=tier)

    async def find_again(self, job: Job, kept: Made | None) -> Made | None:
        """Look for what another process kept before the lock was had: fresh, and not what was known before."""
        found = await self.tiers.get(job.key, since=await self.now(), quick=True) if self._locks else None
        made = from_stored(found[0]) if found is not None else None
        if made is None or self.state(job, made) is not State.FRESH:
            return None
        return made if kept is None or made.stored_at > kept.stored_at else None

    def state(self, job: Job, made: Made) -> State:
        rules = self._rules_of(job.plan)
        if must_revalidate(made.origin):
            rules = dataclasses.replace(rules, stale_while_revalidate_s=0.0)
        return rules.state(stored_at=made.stored_at, fresh_until=made.fresh_until, now=self._clock())

    def check_negative(self, key: str) -> None:
        """Raise what a moment ago was found to be wrong with the picture."""
        if (known := self.negatives.get(key)) is not None:
            raise known

    def holding(self, job: Job, *, left_s: float) -> Holding:
        """Hold the locks on a result; a holder that hangs is waited for no longer than the lease."""
        locks = self._locks if self.tiers.stores else ()
        return Holding(locks, "result " + job.key, wait_s=min(self._lease_s, max(0.0, left_s)))

    def dated(self, job: Job, made: Made, blob: Blob) -> Made:
        """Say from when to when a result is fresh."""
        now = self._clock()
        rules = self._rules_of(job.plan)
        fresh = fresh_s(blob.origin, rules, now=now)
        if fresh is None:
            return dataclasses.replace(made, stored_at=now, fresh_until=now, private=True)
        until = now + fresh if blob.fresh_until is None else blob.fresh_until
        return dataclasses.replace(made, stored_at=now, fresh_until=until)

    def freshened(self, job: Job, kept: Made, blob: Blob) -> Made:
        """Say that a result is good for another while, after its origin said that the source is."""
        origin = freshened_origin(kept.origin, blob.origin)
        return self.dated(job, dataclasses.replace(kept, origin=origin), dataclasses.replace(blob, origin=origin))

    async def keep(self, job: Job, made: Made, kept: Made | None, *, holding: Holding) -> None:
        """Keep a result in memory now and below after the answer has gone, and the locks until then."""
        if not self.tiers.any:
            return
        if made.private:
            if kept is not None:  # its origin has changed its mind
                holding.until(self.tiers.background, lambda: self.tiers.delete(job.key))
            return
        stored = to_stored(made, job.labels, keep_s=self._rules_of(job.plan).stale_s)
        if not await self.tiers.put_memory(job.key, stored, since=job.mark):
            return
        if kept is not None and kept.picture is made.picture and self.is_near(job.plan):
            return  # found unchanged by a look: nothing that a disk, or another machine, would have to know
        holding.until(self.tiers.background, lambda: self.tiers.put_stores(job.key, stored, since=job.mark))

    async def replace(self, job: Job, made: Made, *, mark: Mark) -> None:
        """Put a result in the place of the one that is kept, unless that was purged since `mark`."""
        stored = to_stored(made, job.labels, keep_s=self._rules_of(job.plan).stale_s)
        await self.tiers.put(job.key, stored, since=mark)

    @contextlib.asynccontextmanager
    async def refining(self, job: Job) -> AsyncIterator[bool]:
        """Be the one process that refines a result; False where another does."""
        async with contextlib.AsyncExitStack() as stack:
            for one in self._locks:
                if not await stack.enter_async_context(one.hold("refine " + job.key, wait_s=0)):
                    yield False
                    return
            yield True

    def check_later(self, key: str, check: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Begin to check a stale result while nobody waits; False where that is under way, or too much is."""
        if key in self._checking:
            return False

        async def work() -> None:
            try:
                await check()
            finally:
                self._checking.discard(key)

        started = self._checks.start(work)
        if started:
            self._checking.add(key)
        return started

    async def forget(self, key: str) -> None:
        """Forget one result everywhere."""
        await self.tiers.delete(key)

    def _rules_of(self, plan: Plan) -> KeepingRules:
        return self._near_rules if self.is_near(plan) else self._rules

    def is_near(self, plan: Plan) -> bool:
        """Tell whether a look at the source costs next to nothing, so that freshness is not worth writing down."""
        return scheme_of(plan.source) in self._near

    async def close(self, *, timeout_s: float) -> None:
        await self._checks.close(timeout_s=timeout_s)
