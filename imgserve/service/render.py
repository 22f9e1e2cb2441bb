"""From a Plan to a picture: look it up, join who makes it already, fetch the source, render, keep it.

The steps stand in `Renderer.answer` in the order of the house's request table; each is a method over values. Nothing
here knows HTTP, settings or a kind of source or store.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from imgserve import metrics
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import Rendered, render
from imgserve.engine.pool import RenderPool
from imgserve.errors import (
    ImageError,
    ImgserveError,
    LoadError,
    RenderTimeout,
    SourceDenied,
    SourceNotFound,
    SourceTimeout,
    SourceUnreachable,
)
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need, without_models
from imgserve.ports import Blob
from imgserve.ports.models import Reading, Task
from imgserve.service.admission import Ahead, ByteBudget, Place, Share
from imgserve.service.conditions import Condition, Unchanged, unless_known
from imgserve.service.entry import COALESCED, Made, key_of, labels_of, source_tag
from imgserve.service.fetching import Fetching
from imgserve.service.freshness import State
from imgserve.service.intents import Intents, transforms_of
from imgserve.service.modelled import Given, Modelled
from imgserve.service.results import Job, ResultCache
from imgserve.service.validators import NOT_MODIFIED, is_version, origin_condition, source_validator

logger = logging.getLogger(__name__)

#: Bound on asking an origin about a stale result in the background.
_CHECK_S: Final = 30.0

#: What a plan's key has when its AI steps are left out.
_WITHOUT_MODELS: Final = "without models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer(Fetching):
    """The service behind every image URL."""

    pool: RenderPool
    intents: Intents
    config: EngineConfig
    #: For results of AI steps, which are no drafts: they cannot be made again beside this process. None = `config`.
    final: EngineConfig | None = None
    #: Changes whenever the same plan would give other bytes.
    epoch: str
    results: ResultCache
    #: Bounds what sources take in memory between their download and the end of their render.
    bytes_in_flight: ByteBudget
    #: Jobs on their way to a render.
    ahead: Ahead = field(default_factory=Ahead)
    #: Bound on one render, beside the request's own; 0 = none.
    render_timeout_s: float = 0.0
    #: Told of results that were encoded fast; None = all encodes are final.
    drafts: Callable[[Job], None] | None = None
    #: Gives what AI steps made; None = this server has none.
    modelled: Modelled | None = None
    clock: Callable[[], float] = time.monotonic

    def intent(self, plan: Plan) -> Intent:
        return self.intents.of(plan)

    def key(self, plan: Plan) -> str:
        """Name the plan's result; raises ProviderUnavailable for AI steps that nobody does here."""
        return self._key(plan, self.needs(plan))

    def _key(self, plan: Plan, needs: tuple[Need, ...]) -> str:
        return key_of(plan, epoch=self.epoch, of=self.modelled.keys(needs) if needs and self.modelled else ())

    def needs(self, plan: Plan) -> tuple[Need, ...]:
        """Give the artefacts that the plan is made of; raises ProviderUnavailable."""
        return self.modelled.needs(plan) if self.modelled is not None else ()

    async def answer(self, plan: Plan, condition: Condition, *, ends_at: float) -> Made | Unchanged:
        """Give the picture of a plan, or find that the client has it; `ends_at` is on the clock of `time.monotonic`."""
        needs = self.needs(plan)
        job = Job(
            plan=plan,
            key=self._key(plan, needs),
            labels=labels_of(plan),
            ends_at=ends_at,
            mark=await self.results.now(),
            needs=needs,
        )
        kept = await self.results.find(job)
        if kept is not None and (found := await self._kept_answer(job, kept)) is not None:
            return unless_known(found, condition)
        if kept is None and condition.given and not job.needs:
            return await self._made_unless_known(job, condition)
        return unless_known(await self._join(job, kept), condition)

    async def without_models(self, plan: Plan, *, ends_at: float) -> Made:
        """Give the picture of a plan as it is without its AI steps, while those are not ready; it is never a draft."""
        if self.drafts is not None:
            # Shown for a while, so it is not worth another encode.
            return await dataclasses.replace(self, drafts=None).without_models(plan, ends_at=ends_at)
        plain = without_models(plan)
        job = Job(
            plan=plain,
            key=key_of(plain, epoch=self.epoch, of=(_WITHOUT_MODELS,)),
            labels=labels_of(plain),
            ends_at=ends_at,
            mark=await self.results.now(),
        )
        kept = await self.results.find(job)
        if kept is not None and (found := await self._kept_answer(job, kept)) is not None:
            return found
        return await self._join(job, kept)

    async def _made_unless_known(self, job: Job, condition: Condition) -> Made | Unchanged:
        """Make a result that the client may have: where the origin agrees, nobody needs to."""
        headers = condition.origin_headers()
        if not headers:
            # Without a 304, which needs no room, a render is likely; where it would be refused, spare the download.
            self.pool.check_room()
        with self.bytes_in_flight.share() as share:
            blob = await self.fetch(job.plan, self.intent(job.plan), headers=headers, announce=share.expect)
            if blob.origin.status == NOT_MODIFIED:
                return Unchanged(origin=blob.origin, validator=None)
            if condition.holds(validator := source_validator(blob), blob.origin):
                return Unchanged(origin=blob.origin, validator=validator)
            return unless_known(await self._join(dataclasses.replace(job, blob=blob), None), condition)

    async def _kept_answer(self, job: Job, kept: Made) -> Made | None:
        """Give what is kept, if it may be served; None where it has to be made, or its origin asked, first."""
        if kept.draft and self.drafts is not None:
            self.drafts(job)  # it may be older than this process
        state = self.results.state(job, kept)
        if state is State.FRESH:
            return kept
        if state is State.REVALIDATE:
            if self.results.check_later(job.key, lambda: self._check(job, kept)):
                metrics.stale_answered("revalidating")
            return dataclasses.replace(kept, stale="revalidating")
        if state is State.STALE:
            try:
                return await self._join(job, kept)
            except (SourceUnreachable, SourceTimeout, LoadError) as error:
                # Pending too: what was made of the older version is better than nothing.
                metrics.revalidated("error")
                metrics.stale_answered("error")
                _told("a stale result is served, as its source cannot be checked", job, error)
                return dataclasses.replace(kept, stale="error")
        return None

    async def _check(self, job: Job, kept: Made) -> None:
        """Ask the origin about a stale result that was served, while nobody waits."""
        try:
            await self._join(dataclasses.replace(job, ends_at=self.clock() + _CHECK_S), kept)
        except ImgserveError as error:
            metrics.revalidated("error")
            if isinstance(error, SourceNotFound) and not isinstance(error, SourceDenied):
                # It is gone, and what was made of it goes too.
                await self.results.forget(job.key)
                return
            _told("a stale result was served, and its source cannot be checked", job, error)

    async def _join(self, job: Job, kept: Made | None) -> Made:
        if job.key not in self.results.flights:
            # Before there is a task for it: a refusal has to cost little.
            self._check_new(job, kept)
        made, joined = await self.results.flights.join(
            job.key, lambda: self._make(job, kept), since=job.mark, labels=job.labels
        )
        if joined:
            metrics.coalesced("process")
            return dataclasses.replace(made, cache=COALESCED)
        return made

    def _check_new(self, job: Job, kept: Made | None) -> None:
        """Refuse a result that is known to be wrong, or for whose render there is no room: its download is spared."""
        self.results.check_negative(job.key)
        if kept is None:
            self.pool.check_room(ahead=self.ahead.inside)

    async def _make(self, job: Job, kept: Made | None) -> Made:
        """Make a result, or find it unchanged; once in all processes that share a lock."""
        async with contextlib.AsyncExitStack() as stack:
            self._check_new(job, kept)  # again, as others may have come before this task began
            place = stack.enter_context(self.ahead.place(near=self.results.is_near(job.plan)))
            holding = await stack.enter_async_context(self.results.holding(job, left_s=job.ends_at - self.clock()))
            if (again := await self.results.find_again(job, kept)) is not None:
                metrics.coalesced("other")
                return dataclasses.replace(again, cache=COALESCED)
            made = await self._made(job, kept, place)
            await self.results.keep(job, made, kept, holding=holding)
            if made.draft and self.drafts is not None:
                self.drafts(job)
            return made

    async def _made(self, job: Job, kept: Made | None, place: Place) -> Made:
        with self.bytes_in_flight.share() as share:
            given = await self._given(job, kept, share)
            if kept is not None and is_version(given.blob, kept.validator, known=given.validator):
                metrics.revalidated("unchanged")
                return self.results.freshened(job, kept, given.blob)
            if kept is not None:
                metrics.revalidated("changed")
            place.leave()
            try:
                picture = await self._run(job, given)
            except ImageError as error:
                if not job.mark.passed(job.labels):
                    self.results.negatives.put(job.key, error)
                raise
        return self.results.dated(
            job,
            Made(
                picture=picture,
                origin=given.blob.origin,
                source_bytes=given.source_bytes,
                validator=given.validator or source_validator(given.blob),
                draft=self.drafts is not None and not picture.passthrough and not job.needs,
                provider=given.provider,
                stale=given.stale,
            ),
            given.blob,
        )

    async def _given(self, job: Job, kept: Made | None, share: Share) -> Given:
        """Fetch what the picture is made of, or hear that it has not changed; raises Pending for AI steps."""
        intent = self.intent(job.plan)

        async def fetch(headers: Mapping[str, str]) -> Blob:
            blob = await self.fetch(job.plan, intent, headers=headers, announce=share.expect)
            share.settle(len(blob.data))
            return blob

        if job.needs and self.modelled is not None:
            given = await self.modelled.given(job.plan, job.needs, fetch)
            share.settle(len(given.blob.data))
            return given
        # The request that brings one counts it.
        blob = job.blob or await fetch(origin_condition(kept.validator) if kept is not None else {})
        return Given(blob=blob, source_bytes=len(blob.data))

    async def run(
        self,
        plan: Plan,
        intent: Intent,
        data: bytes,
        *,
        ends_at: float,
        readings: Mapping[Task, Reading] = MappingProxyType({}),
        config: EngineConfig | None = None,
    ) -> Rendered:
        """Render in the pool; raises QueueFull, Unavailable, RenderTimeout and the engine's ImageError."""
        self.pool.check_room()
        transforms = transforms_of(plan)
        left_s = ends_at - self.clock()
        if left_s <= 0:
            raise RenderTimeout("The image was not ready in time; try again later.")
        deadline = Deadline(min(left_s, self.render_timeout_s) if self.render_timeout_s else left_s)

        def work() -> Rendered:
            return render(
                data,
                intent=intent,
                transforms=transforms,
                config=config or self.config,
                deadline=deadline,
                readings=readings,
            )

        return await self.pool.run(work, deadline=deadline)

    async def _run(self, job: Job, given: Given) -> Rendered:
        intent = self.intent(job.plan)
        if given.source_format:
            # The artefact is no source to be passed on, its own format says nothing about the result's, and what
            # bounds sources says nothing about what was made of one.
            limits = dataclasses.replace(intent.limits, max_src_pixels=0)
            intent = dataclasses.replace(intent, skip_processing=(), source_format=given.source_format, limits=limits)
        config = self.final if job.needs else None
        return await self.run(
            job.plan, intent, given.blob.data, ends_at=job.ends_at, readings=given.readings, config=config
        )


def _told(what: str, job: Job, error: ImgserveError) -> None:
    # Not the source's URL, which may be secret: the name that it has in Cache-Tag.
    logger.warning("%s (%s): %s", what, source_tag(job.plan.source), error.message)
