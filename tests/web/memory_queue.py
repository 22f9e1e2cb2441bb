"""A queue of jobs in the memory of one process, with a test in the place of its workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from imgserve.ports.jobs import Allowance, Job, JobOrder, JobPage, JobState, QueueError

MAX_ATTEMPTS = 3


class MemoryQueue:
    """Keeps jobs in a dictionary, oldest first; `broken` makes every method fail."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """`clock` is that of ends; without one a job takes two seconds."""
        self._clock = clock
        self.jobs: dict[str, Job] = {}
        self.taken: dict[str, int] = {}
        self.broken = False
        self.now = 1_800_000_000.0

    def _check(self) -> None:
        if self.broken:
            raise QueueError("broken by the test")

    def set(self, id: str, **changes: Any) -> Job:
        """Do what a worker does: change a job."""
        self.jobs[id] = dataclasses.replace(self.jobs[id], **changes)
        return self.jobs[id]

    def end(self, id: str, state: JobState, **changes: Any) -> Job:
        """End a job as a worker would."""
        ended_at = self._clock() if self._clock is not None else self.now + 2
        return self.set(id, state=state, ended_at=ended_at, **changes)

    async def submit(self, orders: Sequence[JobOrder], *, again: bool = False) -> list[Job]:
        self._check()
        for order in orders:
            known = self.jobs.get(order.id)
            if known is None or (again and known.state.ended):
                self._begin(order)
        return [self.jobs[order.id] for order in orders]

    def _begin(self, order: JobOrder) -> None:
        self.now += 1
        self.jobs.pop(order.id, None)
        self.jobs[order.id] = Job(order=order, state=JobState.QUEUED, max_attempts=MAX_ATTEMPTS, created_at=self.now)

    async def get(self, ids: Sequence[str]) -> list[Job | None]:
        self._check()
        return [self.jobs.get(id) for id in ids]

    async def listed(self, *, state: JobState | None = None, limit: int = 50, after: str = "") -> JobPage:
        self._check()
        found = [job for job in reversed(self.jobs.values()) if state in (None, job.state)]
        start = next((at + 1 for at, job in enumerate(found) if job.order.id == after), 0)
        page = found[start : start + limit]
        more = len(found) > start + limit
        return JobPage(jobs=tuple(page), next=page[-1].order.id if more else "")

    async def counts(self) -> Mapping[JobState, int]:
        self._check()
        return {state: sum(job.state is state for job in self.jobs.values()) for state in JobState}

    async def cancel(self, id: str) -> Job | None:
        self._check()
        job = self.jobs.get(id)
        return self.end(id, JobState.CANCELLED) if job is not None and not job.state.ended else job

    async def retry(self, id: str) -> Job | None:
        self._check()
        job = self.jobs.get(id)
        if job is not None and job.state in (JobState.FAILED, JobState.CANCELLED):
            self._begin(job.order)
        return self.jobs.get(id)

    async def take(self, name: str, *, limit: int, window_s: int) -> Allowance:
        self._check()
        count = self.taken[name] = self.taken.get(name, 0) + 1
        return Allowance(allowed=count <= limit, limit=limit, remaining=max(0, limit - count), reset_s=window_s)

    async def close(self) -> None:
        pass
