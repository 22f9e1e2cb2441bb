"""One call for everything: have models work, wait for them a while, and render with or without what they make."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from imgserve.errors import (
    ModelFailed,
    NotFound,
    NotKept,
    Pending,
    ProviderUnavailable,
    QueueFull,
    QueueUnavailable,
    SourceNotFound,
    SourceTimeout,
    SourceUnreachable,
)
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need
from imgserve.ports import Origin
from imgserve.ports.jobs import Job, JobState
from imgserve.service.conditions import Unchanged
from imgserve.service.entry import Made
from imgserve.service.jobs import JobRequest, Jobs
from imgserve.service.render import Renderer
from imgserve.service.uploads import UPLOADS

#: Somebody waits for it: before what is ordered ahead.
_PRIORITY: Final = 10
#: What may be otherwise at the next try. Other failures are the picture's own.
_PASSING: Final = frozenset(
    one.code for one in (ProviderUnavailable, SourceNotFound, SourceUnreachable, SourceTimeout, NotKept)
)
#: A job that failed for such a reason rests so long, so that calls do not beat on a service that is down.
_REST_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One picture that is wanted of the source."""

    plan: Plan
    #: A signed path that shows it, "" = none.
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """How long a call goes on, on the clock of `time.monotonic`."""

    #: AI steps that are not ready by then are left out.
    models: float
    #: All is rendered by then, or it is RenderTimeout.
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One picture that was made."""

    made: Made
    #: Whether AI steps belong to it.
    asks: bool = False
    #: Why it is without them, None = it has them.
    lacks: Pending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """All that one call gives, the outputs in the order of the wishes."""

    outputs: Sequence[Output]
    #: As they were last seen.
    jobs: Sequence[Job]


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """The service behind POST /v1/process."""

    jobs: Jobs
    renderer: Renderer
    clock: Callable[[], float] = time.monotonic
    #: Unix time.
    wall: Callable[[], float] = time.time

    async def process(self, wishes: Sequence[Wish], *, owner: str, until: Until) -> Processed:
        """Make all that is wished.

        Raises what a request for one of the pictures would, but not that an AI step is missing: then the picture is
        made without it, where it may be shown so.
        """
        jobs = await self._ordered(wishes, owner=owner)
        await self._wait(jobs, until=until.models)
        missing: dict[tuple[Need, ...], Pending] = {}
        # One after the other: side by side they would fill the queue of renders that others wait in.
        outputs = [await self._output(wish.plan, jobs, missing, until=until) for wish in wishes]
        return Processed(outputs=outputs, jobs=list(jobs.values()))

    async def _ordered(self, wishes: Sequence[Wish], *, owner: str) -> dict[str, Job]:
        """Order what is needed, each need once; what cannot be ordered is told when the picture is made."""
        jobs: dict[str, Job] = {}
        for wish in self._different(wishes):
            with contextlib.suppress(ProviderUnavailable, QueueFull, QueueUnavailable):
                request = JobRequest(plan=wish.plan, path=wish.path, priority=_PRIORITY)
                [made] = await self.jobs.submit([request], owner=owner)
                for job in made:
                    if job.state is not JobState.DONE and await self._is_there(job):
                        continue  # whatever became of its record, nobody has to wait for it
                    jobs[job.order.id] = await self.jobs.retry(job.order.id) if self._is_worth_it(job) else job
        return jobs

    async def _is_there(self, job: Job) -> bool:
        modelled = self.renderer.modelled
        return (
            modelled is not None and await modelled.artefacts.find(Need(job.order.source, job.order.asks)) is not None
        )

    def _different(self, wishes: Sequence[Wish]) -> Sequence[Wish]:
        """Give the wishes that need models, one of those that need the same."""
        found: dict[tuple[Need, ...], Wish] = {}
        for wish in wishes:
            with contextlib.suppress(ProviderUnavailable):
                if needs := self.renderer.needs(wish.plan):
                    found.setdefault(needs, wish)
        return list(found.values())

    def _is_worth_it(self, job: Job) -> bool:
        """Tell whether a job that has ended without a result should begin anew, now that somebody asks again."""
        if job.state is JobState.CANCELLED:
            return True
        code = job.error.code if job.state is JobState.FAILED and job.error is not None else ""
        if code == SourceNotFound.code and job.order.source.startswith(UPLOADS):
            return True  # it is there again
        return code in _PASSING and self.wall() - job.ended_at >= _REST_S

    async def _wait(self, jobs: dict[str, Job], *, until: float) -> None:
        """Wait for the ends of jobs, and put what is seen of them in their places."""
        left_s = until - self.clock()
        waited = [job.order.id for job in jobs.values() if not job.state.ended]
        if left_s <= 0 or not waited:
            return

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                await asyncio.gather(*(self._follow(id, jobs, until=until) for id in waited))

    async def _follow(self, id: str, jobs: dict[str, Job], *, until: float) -> None:
        with contextlib.suppress(NotFound, QueueUnavailable):
            async for job in self.jobs.changes(id):
                jobs[id] = job
                if self._comes_late(job, until):
                    return

    def _comes_late(self, job: Job, until: float) -> bool:
        """Tell whether a job was put back for longer than it is waited for: its provider is down."""
        return not job.state.ended and job.due_at - self.wall() > until - self.clock()

    async def _output(
        self,
        plan: Plan,
        jobs: dict[str, Job],
        missing: dict[tuple[Need, ...], Pending],
        *,
        until: Until,
    ) -> Output:
        """Make one picture; `missing` has what those before it had to do without."""
        asks = any(one.asks() for one in plan.ops)
        try:
            needs = self.renderer.needs(plan)
            if needs in missing:
                # Ready by now, perhaps: but of pictures that belong together, all or none have the step.
                raise missing[needs]
            made = await self._with_models(plan, jobs, until=until)
            return Output(made=made, asks=asks)
        except (Pending, ProviderUnavailable) as error:
            lacks = _pending(plan, error)
        if lacks.vital:
            raise _refusal(lacks)
        with contextlib.suppress(ProviderUnavailable):
            missing[self.renderer.needs(plan)] = lacks
        made = await self.renderer.without_models(plan, ends_at=until.end)
        return Output(made=made, asks=asks, lacks=lacks)

    async def _with_models(self, plan: Plan, jobs: dict[str, Job], *, until: Until) -> Made:
        try:
            return await self._answer(plan, ends_at=until.end)
        except Pending as pending:
            known = jobs.get(pending.job)
            if pending.failed or (known is not None and not known.state.ended):
                raise
            # Begun again a moment ago, as what was there is of an older version of the source.
            jobs |= await self._known(pending.job)
        await self._wait(jobs, until=until.models)
        return await self._answer(plan, ends_at=until.end)

    async def _known(self, id: str) -> dict[str, Job]:
        with contextlib.suppress(NotFound, QueueUnavailable):
            return {id: await self.jobs.get(id)}
        return {}

    async def _answer(self, plan: Plan, *, ends_at: float) -> Made:
        answer = await self.renderer.answer(plan, _NOTHING, ends_at=ends_at)
        assert not isinstance(answer, Unchanged)  # noqa: S101 - who has nothing cannot have it already
        return answer


class _HasNothing:
    """A client without any version of the picture; see conditions.Condition."""

    given = False

    def origin_headers(self) -> Mapping[str, str]:
        return {}

    def holds(self, validator: str, origin: Origin, *, draft: bool = False) -> bool:
        return False


_NOTHING: Final = _HasNothing()


def _pending(plan: Plan, error: Pending | ProviderUnavailable) -> Pending:
    if isinstance(error, Pending):
        return error
    is_vital = any(ask.vital for one in plan.ops for ask in one.asks())
    return Pending(error.message, job="", failed=error.code, vital=is_vital)


def _refusal(lacks: Pending) -> Pending | ModelFailed:
    """Give the error for a picture that must not be shown without what is missing, as an image URL gives it."""
    return ModelFailed(lacks.message, where=lacks.failed) if lacks.failed else lacks
