"""Jobs as the server sees them: artefacts that are wanted become orders, once each, and what became of them is told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from imgserve.errors import NotFound, NotKept, Pending, ProviderUnavailable, QueueFull, QueueUnavailable
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need
from imgserve.ports.jobs import Allowance, Job, JobOrder, JobPage, JobState, Queue, QueueError
from imgserve.ports.models import Task
from imgserve.service.artefacts import Artefacts, vital
from imgserve.service.entry import SOURCE

logger = logging.getLogger(__name__)

#: When to ask again for a picture whose job was just begun.
_RETRY_S: Final = 2
#: A job that has failed is begun anew by the first request after so long: bounded, and what was mended heals by itself.
_FAILED_S: Final = 3600.0
#: A job that was done, or was begun anew for another version of its source, is not begun anew for so long: each
#: request would, where this server does not find what workers keep, or the source is another one at each fetch.
_REST_S: Final = 60.0
#: A file that is gone is noticed within this time; the job of the meantime says so itself.
_WELL_S: Final = 2.0
#: How often a job that somebody waits for is looked at.
_LOOK_S: Final = 0.1
_LOOK_SLOWLY_S: Final = 0.5
_SOON_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """One order: have all made that a plan needs."""

    plan: Plan
    #: A signed path that shows the result, "" = none is known.
    path: str = ""
    priority: int = 0
    #: Told when the jobs end, "" = nobody.
    webhook: str = ""


class Jobs:
    """The service behind /v1/jobs, and behind image URLs whose AI steps are not ready."""

    def __init__(self, *, queue: Queue, artefacts: Artefacts, clock: Callable[[], float] = time.time) -> None:
        self._queue = queue
        self._artefacts = artefacts
        self._clock = clock
        #: By task, until when its provider is taken to be well, on the clock of `time.monotonic`.
        self._well: dict[Task, float] = {}
        #: When jobs were begun anew for another version of their source, by this process.
        self._redone: dict[str, float] = {}

    async def submit(self, requests: Sequence[JobRequest], *, owner: str) -> list[list[Job]]:
        """Have all that these need made; gives the jobs of each request, none for one that needs no model.

        What is there already is a job that is done. Of one artefact that several want, path and webhook are those of
        the first that has one, and the priority is the highest. Raises ProviderUnavailable before anything is taken,
        QueueFull and QueueUnavailable.
        """
        needs = [self._artefacts.needs(one.plan) for one in requests]
        await self._check([need for each in needs for need in each])
        orders: dict[str, JobOrder] = {}
        wanted: dict[str, Need] = {}
        for request, each in zip(requests, needs, strict=True):
            for need in each:
                order = self._order(need, request, owner=owner)
                wanted[order.id] = need
                orders[order.id] = _together(orders[order.id], order) if order.id in orders else order
        jobs = await self._taken([*orders.values()], wanted)
        known = {job.order.id: job for job in jobs}
        return [[known[self._artefacts.key(need)] for need in each] for each in needs]

    async def pending(self, plan: Plan, missing: Sequence[Need], *, redo: bool = False) -> Pending:
        """Have what is missing made for an image request, and give the error that says so.

        `redo` says that what was made is of an older version of the source.
        """
        is_vital = any(vital(need.asks) for need in missing)
        try:
            await self._check(missing)
            orders = [self._order(need, JobRequest(plan=plan)) for need in missing]
            wanted = {order.id: need for order, need in zip(orders, missing, strict=True)}
            jobs = await self._taken(orders, wanted, again=redo)
            vain = await self._in_vain(jobs, wanted, again=redo)
        except (ProviderUnavailable, QueueFull, QueueUnavailable) as error:
            message = error.message
            if isinstance(error, QueueUnavailable):
                # Where the queue is concerns holders of a key, not everybody who may see the picture.
                logger.warning("%s", message)
                message = "The queue of jobs cannot be used now."
            return Pending(
                message, job="", failed=error.code, vital=is_vital, retry_after_s=error.retry_after_s or _RETRY_S
            )
        for job in jobs:
            if job.state in (JobState.FAILED, JobState.CANCELLED):
                reason = job.error.message if job.error is not None else "The job was cancelled."
                code = job.error.code if job.error is not None else job.state.value
                return Pending(reason, job=job.order.id, failed=code, vital=is_vital)
        if vain is not None:
            return Pending(_OUTDATED if redo else _NOT_FOUND, job=vain.order.id, failed=NotKept.code, vital=is_vital)
        first = next((job for job in jobs if not job.state.ended), jobs[0])
        return Pending(
            "An AI step of this picture is being worked on; ask again in a moment.",
            job=first.order.id,
            vital=is_vital,
            retry_after_s=_RETRY_S,
        )

    async def _taken(self, orders: Sequence[JobOrder], wanted: Mapping[str, Need], *, again: bool = False) -> list[Job]:
        """Give orders to the queue; a job is begun anew whose artefact is gone, or is wanted `again`."""
        try:
            jobs = await self._queue.submit(orders)
            gone = [job.order.id for job in jobs if await self._is_gone(job, wanted[job.order.id], again=again)]
            if gone:
                anew = await self._queue.submit([one for one in orders if one.id in gone], again=True)
                by_id = {job.order.id: job for job in anew}
                jobs = [by_id.get(job.order.id, job) for job in jobs]
            return jobs
        except QueueError as broken:
            raise _unavailable(broken) from broken

    async def _is_gone(self, job: Job, need: Need, *, again: bool) -> bool:
        """Tell whether a job is to be begun anew; never at every request, but always when its source was purged."""
        if job.state not in (JobState.DONE, JobState.FAILED):
            return False
        now = self._clock()
        if job.state is JobState.DONE and again:
            if now < self._redone.get(job.order.id, 0.0) + _REST_S:
                return False
            self._redone = {id: at for id, at in self._redone.items() if now < at + _REST_S} | {job.order.id: now}
            return True
        if job.state is JobState.DONE and await self._artefacts.find(need) is not None:
            return False
        rest_s = _REST_S if job.state is JobState.DONE else _FAILED_S
        return now > job.ended_at + rest_s or await self._artefacts.purged_since(job.ended_at, need)

    async def _in_vain(self, jobs: Iterable[Job], wanted: Mapping[str, Need], *, again: bool) -> Job | None:
        """Find a job that is done, was not begun anew, and whose artefact is not there, or the one of before."""
        for job in jobs:
            # Who asks for another version may have looked before a job that has just ended was done.
            if job.state is not JobState.DONE or (again and self._clock() <= job.ended_at + _RETRY_S):
                continue
            if again or await self._artefacts.find(wanted[job.order.id]) is None:
                return job
        return None

    async def _check(self, needs: Sequence[Need]) -> None:
        """Raise ProviderUnavailable where a provider is in trouble; one that is well is believed for a while."""
        now = time.monotonic()
        unsure = [need for need in needs if any(self._well.get(ask.task, 0.0) < now for ask in need.asks)]
        if unsure:
            # In a thread: providers look at files, and some ask a program.
            await asyncio.to_thread(self._look, unsure)
            self._well |= {ask.task: now + _WELL_S for need in unsure for ask in need.asks}

    def _look(self, needs: Sequence[Need]) -> None:
        for need in needs:
            for ask in need.asks:
                if (trouble := self._artefacts.providers[ask.task].trouble()) is not None:
                    raise ProviderUnavailable(trouble, where=ask.task.value)
            self._artefacts.key(need)  # for the first one, its provider is asked for its version

    def _order(self, need: Need, request: JobRequest, *, owner: str = "") -> JobOrder:
        return JobOrder(
            id=self._artefacts.key(need),
            source=need.source,
            asks=need.asks,
            labels=(SOURCE + need.source,),
            priority=request.priority,
            webhook=request.webhook,
            owner=owner,
            path=request.path,
        )

    async def get(self, id: str) -> Job:
        """Give a job; raises NotFound."""
        try:
            [job] = await self._queue.get([id])
        except QueueError as broken:
            raise _unavailable(broken) from broken
        return _known(job)

    async def listed(self, *, state: JobState | None, limit: int, after: str) -> JobPage:
        try:
            return await self._queue.listed(state=state, limit=limit, after=after)
        except QueueError as broken:
            raise _unavailable(broken) from broken

    async def counts(self) -> dict[str, int]:
        try:
            return {state.value: count for state, count in (await self._queue.counts()).items()}
        except QueueError as broken:
            raise _unavailable(broken) from broken

    async def cancel(self, id: str) -> Job:
        try:
            return _known(await self._queue.cancel(id))
        except QueueError as broken:
            raise _unavailable(broken) from broken

    async def retry(self, id: str) -> Job:
        try:
            return _known(await self._queue.retry(id))
        except QueueError as broken:
            raise _unavailable(broken) from broken

    async def take(self, name: str, *, limit: int, window_s: int) -> Allowance:
        """Count a request of an API key."""
        try:
            return await self._queue.take(name, limit=limit, window_s=window_s)
        except QueueError as broken:
            raise _unavailable(broken) from broken

    async def changes(self, id: str) -> AsyncGenerator[Job, None]:
        """Give a job now and whenever it has changed, until it has ended; raises NotFound."""
        began, last = time.monotonic(), None
        while True:
            job = await self.get(id)
            if job != last:
                last = job
                yield job
            if job.state.ended:
                return
            await asyncio.sleep(_LOOK_S if time.monotonic() - began < _SOON_S else _LOOK_SLOWLY_S)

    async def close(self) -> None:
        await self._queue.close()


#: Why a picture is without what its job has made.
_NOT_FOUND: Final = (
    "The job is done, but this server does not find what it made: all machines need the same redis or s3 in "
    "IMGSERVE_CACHE, and IMGSERVE_REDIS_MAX_ENTRY_SIZE above its size."
)
_OUTDATED: Final = (
    "The job is done, but its source has changed again since; what changes at each fetch is made anew once a minute."
)


def _together(first: JobOrder, other: JobOrder) -> JobOrder:
    """Give one order for two of the same artefact."""
    return replace(
        first,
        priority=max(first.priority, other.priority),
        webhook=first.webhook or other.webhook,
        path=first.path or other.path,
    )


def _known(job: Job | None) -> Job:
    if job is None:
        raise NotFound("There is no job with this id; records of ended ones are kept for IMGSERVE_JOB_TTL.", where="id")
    return job


def _unavailable(broken: QueueError) -> QueueUnavailable:
    return QueueUnavailable(f"The queue of jobs cannot be used now: {broken}", retry_after_s=_RETRY_S)
