"""Jobs as the server sees them: artefacts that are wanted become orders, once each, and what became of them is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from imgserve.errors import NotFound, Pending, ProviderUnavailable, QueueFull, QueueUnavailable
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need
from imgserve.ports.jobs import Allowance, Job, JobOrder, JobPage, JobState, Queue, QueueError
from imgserve.service.artefacts import Artefacts, vital
from imgserve.service.entry import SOURCE

#: When to ask again for a picture whose job was just begun.
_RETRY_S: Final = 2
#: A job that has failed is begun anew by the first request after so long: bounded, and what was mended heals by itself.
_FAILED_S: Final = 3600.0
#: How often a job that somebody waits for is looked at.
_LOOK_S: Final = 0.1
_LOOK_SLOWLY_S: Final = 0.5
_SOON_S: Final = 5.0


class Jobs:
    """The service behind /v1/jobs, and behind image URLs whose AI steps are not ready."""

    def __init__(self, *, queue: Queue, artefacts: Artefacts, clock: Callable[[], float] = time.time) -> None:
        self._queue = queue
        self._artefacts = artefacts
        self._clock = clock

    async def submit(
        self, plans: Sequence[Plan], *, owner: str, priority: int = 0, webhook: str = "", paths: Sequence[str] = ()
    ) -> list[list[Job]]:
        """Have all that these plans need made; gives the jobs of each plan, none for one that needs no model.

        What is there already is a job that is done. Raises ProviderUnavailable before anything is taken, QueueFull and
        QueueUnavailable.
        """
        # In a thread, as in `pending`: providers look at files, and some ask a program.
        needs = await asyncio.to_thread(lambda: [self._needs(plan) for plan in plans])
        shown = paths or [""] * len(plans)
        orders = [
            self._order(need, owner=owner, priority=priority, webhook=webhook, path=path)
            for each, path in zip(needs, shown, strict=True)
            for need in each
        ]
        wanted = {order.id: need for order, need in zip(orders, (one for each in needs for one in each), strict=True)}
        jobs = await self._taken([*{order.id: order for order in orders}.values()], wanted)
        known = {job.order.id: job for job in jobs}
        return [[known[self._artefacts.key(need)] for need in each] for each in needs]

    async def pending(self, plan: Plan, missing: Sequence[Need], *, redo: bool = False) -> Pending:
        """Have what is missing made for an image request, and give the error that says so.

        `redo` says that what was made is of an older version of the source.
        """
        is_vital = any(vital(need.asks) for need in missing)
        try:
            await asyncio.to_thread(self._check, missing)
            orders = [self._order(need) for need in missing]
            wanted = {order.id: need for order, need in zip(orders, missing, strict=True)}
            jobs = await self._taken(orders, wanted, again=redo)
        except (ProviderUnavailable, QueueFull, QueueUnavailable) as error:
            return Pending(
                error.message, job="", failed=error.code, vital=is_vital, retry_after_s=error.retry_after_s or _RETRY_S
            )
        for job in jobs:
            if job.state in (JobState.FAILED, JobState.CANCELLED):
                reason = job.error.message if job.error is not None else "The job was cancelled."
                code = job.error.code if job.error is not None else job.state.value
                return Pending(reason, job=job.order.id, failed=code, vital=is_vital)
        first = next((job for job in jobs if not job.state.ended), jobs[0])
        return Pending(
            "An AI step of this picture is being worked on; ask again in a moment.",
            job=first.order.id,
            vital=is_vital,
            retry_after_s=_RETRY_S,
        )

    async def _taken(self, orders: Sequence[JobOrder], wanted: dict[str, Need], *, again: bool = False) -> list[Job]:
        """Give orders to the queue; a job is begun anew whose artefact is gone, or is wanted `again`."""
        try:
            jobs = await self._queue.submit(orders)
            done = [job.order.id for job in jobs if job.state is JobState.DONE]
            gone = [id for id in done if again or await self._artefacts.find(wanted[id]) is None]
            # Not one that has just failed: it would be begun at every request. But sources are mended, and purged.
            gone += [job.order.id for job in jobs if job.state is JobState.FAILED and self._is_old(job)]
            if gone:
                anew = await self._queue.submit([one for one in orders if one.id in gone], again=True)
                by_id = {job.order.id: job for job in anew}
                jobs = [by_id.get(job.order.id, job) for job in jobs]
            return jobs
        except QueueError as broken:
            raise _unavailable(broken) from broken

    def _is_old(self, job: Job) -> bool:
        return self._clock() > job.ended_at + _FAILED_S

    def _needs(self, plan: Plan) -> tuple[Need, ...]:
        needs = self._artefacts.needs(plan)
        self._check(needs)
        return needs

    def _check(self, needs: Sequence[Need]) -> None:
        for ask in (ask for need in needs for ask in need.asks):
            if (trouble := self._artefacts.providers[ask.task].trouble()) is not None:
                raise ProviderUnavailable(trouble, where=ask.task.value)

    def _order(self, need: Need, *, owner: str = "", priority: int = 0, webhook: str = "", path: str = "") -> JobOrder:
        return JobOrder(
            id=self._artefacts.key(need),
            source=need.source,
            asks=need.asks,
            labels=(SOURCE + need.source,),
            priority=priority,
            webhook=webhook,
            owner=owner,
            path=path,
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


def _known(job: Job | None) -> Job:
    if job is None:
        raise NotFound("There is no job with this id; records of ended ones are kept for IMGSERVE_JOB_TTL.", where="id")
    return job


def _unavailable(broken: QueueError) -> QueueUnavailable:
    return QueueUnavailable(f"The queue of jobs cannot be used now: {broken}", retry_after_s=_RETRY_S)
