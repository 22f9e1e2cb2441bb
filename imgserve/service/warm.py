"""Warming: the variants of a source made ahead of the requests for them, all of one decoding, and kept as a GET would.

What is kept and fresh is passed over, so that an order that was cut short goes on when it is given again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import Final

from imgserve.engine.beside import BesideProcess
from imgserve.engine.intent import EngineConfig
from imgserve.engine.pipeline import Rendered
from imgserve.engine.sharing import Variant
from imgserve.errors import ImgserveError, NotKept, QueueFull, Unavailable
from imgserve.plan.model import Plan
from imgserve.ports import Announce, Blob
from imgserve.service.entry import Made, labels_of
from imgserve.service.freshness import State, is_kept
from imgserve.service.intents import transforms_of
from imgserve.service.render import Renderer
from imgserve.service.results import Job
from imgserve.service.validators import is_version, origin_condition, source_validator

#: Bound on all variants of one source; one that reaches it goes on where it stopped when it is asked for again.
SOURCE_S: Final = 300.0
#: Orders that a process takes at a time. They wait for each other, source by source.
MAX_ORDERS: Final = 8
#: A server whose sources fill it has room again after a render or two.
_ROOM_TRIES: Final = 20
_ROOM_EVERY_S: Final = 0.5

_NOT_MODIFIED: Final = 304


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One variant, as a client would ask for it."""

    #: As it is signed.
    path: str
    #: Negotiated.
    plan: Plan
    #: What the client sends as `Accept`, None where it does not matter or is not sent.
    accept: str | None = None


class Outcome(Enum):
    """What became of a variant."""

    MADE = "made"
    #: It was there.
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """A variant that is done with."""

    wanted: Wanted
    outcome: Outcome
    #: Of the result.
    bytes: int = 0
    #: Since the one before.
    seconds: float = 0.0
    error: ImgserveError | None = None


@dataclass(frozen=True, slots=True)
class _Item:
    """A variant on its way, and what was found of it: old, or a draft."""

    wanted: Wanted
    job: Job
    found: Made | None

    @property
    def kept(self) -> Made | None:
        """What of it can stay as it is, where the source has not changed."""
        return None if self.found is None or self.found.draft else self.found

    def done(self, outcome: Outcome, size: int = 0) -> Warmed:
        return Warmed(wanted=self.wanted, outcome=outcome, bytes=size)

    def failed(self, error: ImgserveError) -> Warmed:
        return Warmed(wanted=self.wanted, outcome=Outcome.FAILED, error=error)


class Warmer:
    """Makes variants in a process beside this one, so that no request waits for a render thread of this one.

    `config` is that of final results, also where requests are answered with drafts first. As many sources are worked on
    at a time as there are processes; each holds a source's pixels.
    """

    def __init__(
        self, renderer: Renderer, *, config: EngineConfig, timeout_s: float = SOURCE_S, processes: int = 1
    ) -> None:
        self._renderer = renderer
        self._config = config
        #: Past the memory: a hundred sources would push out all that requests ask for.
        self._results = renderer.results.below_memory()
        self._timeout_s = timeout_s
        self._processes = [BesideProcess(timeout_s=timeout_s) for _ in range(processes)]
        self._free: asyncio.Queue[BesideProcess] = asyncio.Queue()
        for process in self._processes:
            self._free.put_nowait(process)
        self._orders = 0

    def with_processes(self, count: int) -> Warmer:
        """Give another one, for as many sources at a time."""
        return Warmer(self._renderer, config=self._config, timeout_s=self._timeout_s, processes=count)

    @property
    def keeps(self) -> bool:
        """Whether there is a tier that others than this process read."""
        return self._results.tiers.any

    @contextlib.asynccontextmanager
    async def order(self) -> AsyncIterator[None]:
        """Work on an order for the time of the block; raises QueueFull where too many are worked on."""
        if self._orders >= MAX_ORDERS:
            raise QueueFull(f"This server warms for {MAX_ORDERS} others already; try again later.", retry_after_s=10)
        self._orders += 1
        try:
            yield
        finally:
            self._orders -= 1
            if not self._orders:
                await self.close()

    async def warm(self, wanted: Sequence[Wanted]) -> AsyncGenerator[Warmed, None]:
        """Make what is missing of one source's variants, and give each as soon as it is kept, in an order of its own.

        To be closed (aclosing) by whoever leaves early: that ends the render too.
        """
        process = await self._free.get()
        last = time.monotonic()
        try:
            async with aclosing(self._warmed(wanted, process)) as all_of_them:
                async for one in all_of_them:
                    now = time.monotonic()
                    yield dataclasses.replace(one, seconds=now - last)
                    last = now
        finally:
            self._free.put_nowait(process)

    async def _warmed(self, wanted: Sequence[Wanted], process: BesideProcess) -> AsyncGenerator[Warmed, None]:
        missing: list[_Item] = []
        # Before anything is read: what is purged from here on is not kept.
        mark = await self._results.now()
        for one in wanted:
            job = Job(
                plan=one.plan,
                key=self._renderer.key(one.plan),
                labels=labels_of(one.plan),
                ends_at=float("inf"),
                mark=mark,
            )
            item = _Item(one, job, await self._results.find(job))
            if item.kept is not None and self._results.state(job, item.kept) is State.FRESH:
                yield item.done(Outcome.KEPT, len(item.kept.picture.data))
            else:
                missing.append(item)
        for alike in self._by_limit(missing):
            async with aclosing(self._of_source(alike, process)) as made:
                async for warmed in made:
                    yield warmed

    def _by_limit(self, items: Iterable[_Item]) -> Iterable[list[_Item]]:
        """Put together what may fetch a source of the same size; that is everything, unless URLs change limits."""
        groups: dict[int, list[_Item]] = {}
        for item in items:
            groups.setdefault(self._renderer.intent(item.job.plan).limits.max_src_bytes, []).append(item)
        return groups.values()

    async def _of_source(self, items: Sequence[_Item], process: BesideProcess) -> AsyncGenerator[Warmed, None]:
        """Fetch the source, pass over what was made of this version of it, and make the rest."""
        with self._renderer.bytes_in_flight.share() as share:
            try:
                blob = await self._fetched(items, share.expect)
            except ImgserveError as error:
                for item in items:
                    yield item.failed(error)
                return
            share.settle(len(blob.data))
            missing: list[_Item] = []
            for item in items:
                if item.kept is not None and is_version(blob, item.kept.validator):
                    yield await self._freshened(item, item.kept, blob)
                else:
                    missing.append(item)
            if not is_kept(blob.origin):
                for item in missing:
                    yield item.failed(NotKept("The origin forbids to keep what is made of its source (Cache-Control)."))
            elif missing:
                async with aclosing(self._rendered(missing, blob, process)) as made:
                    async for warmed in made:
                        yield warmed

    async def _fetched(self, items: Sequence[_Item], announce: Announce) -> Blob:
        """Get the source once for all; where only its version is in question, ask its origin for no more than that."""
        plan = items[0].job.plan
        known = {item.kept.validator if item.kept is not None else "" for item in items}
        headers = origin_condition(known.pop()) if len(known) == 1 else {}
        for _ in range(_ROOM_TRIES):
            # A source that finds no room waits for it: nobody is held up.
            with contextlib.suppress(QueueFull):
                return await self._renderer.fetch(plan, self._renderer.intent(plan), headers=headers, announce=announce)
            await asyncio.sleep(_ROOM_EVERY_S)
        raise Unavailable("The sources of other images fill this server; ask again later.", retry_after_s=10)

    async def _rendered(
        self, items: Sequence[_Item], blob: Blob, process: BesideProcess
    ) -> AsyncGenerator[Warmed, None]:
        variants = [
            Variant(intent=self._renderer.intent(item.job.plan), transforms=transforms_of(item.job.plan))
            for item in items
        ]
        left = dict(enumerate(items))
        validator = source_validator(blob)
        try:
            async with aclosing(process.render(blob.data, variants, config=self._config)) as made:
                async for index, picture in made:
                    item = left.pop(index)
                    if isinstance(picture, ImgserveError):
                        yield item.failed(picture)
                    else:
                        yield await self._kept(item, picture, blob, validator)
        except ImgserveError as error:
            for item in left.values():
                yield item.failed(error)

    async def _kept(self, item: _Item, picture: Rendered, blob: Blob, validator: str) -> Warmed:
        """Keep a result as a GET does, unless somebody has kept one of the same or a newer source meanwhile."""
        job = item.job
        made = self._results.dated(
            job,
            Made(
                picture=picture,
                origin=blob.origin,
                source_bytes=len(blob.data),
                validator=validator,
            ),
            blob,
        )
        async with self._results.holding(job, left_s=float("inf")):
            other = await self._results.find(job)
            if (
                other is not None
                and _is_newer(other, item.found)
                and not (other.draft and other.validator == validator)
            ):
                return item.done(Outcome.KEPT, len(other.picture.data))
            await self._results.replace(job, made, mark=job.mark)
        return await self._checked(item, Outcome.MADE)

    async def _freshened(self, item: _Item, kept: Made, blob: Blob) -> Warmed:
        """Say that a result is good for another while."""
        if not self._results.is_near(item.job.plan):
            made = self._results.freshened(item.job, kept, blob)
            async with self._results.holding(item.job, left_s=float("inf")):
                await self._results.replace(item.job, made, mark=item.job.mark)
        return await self._checked(item, Outcome.KEPT)

    async def _checked(self, item: _Item, outcome: Outcome) -> Warmed:
        """Look whether a result is there: stores that are broken, full or purged take nothing, and say nothing."""
        found = await self._results.find(item.job)
        if found is None or found.draft:
            purged = item.job.mark.passed(item.job.labels)
            why = "it was purged while it was made" if purged else "no tier took it; the log says why"
            return item.failed(NotKept(f"The result is not kept: {why}."))
        memory = self._renderer.results.tiers.memory
        if memory is not None and memory.peek(item.job.key) is not None:
            # What this process answers with may be a draft, or old.
            await self._renderer.results.tiers.get(item.job.key, since=await self._results.now())
        return item.done(outcome, len(found.picture.data))

    async def close(self) -> None:
        """End the processes; the next order starts new ones."""
        await asyncio.gather(*(process.end() for process in self._processes))


def _is_newer(other: Made, found: Made | None) -> bool:
    return found is None or other.stored_at > found.stored_at
