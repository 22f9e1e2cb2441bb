"""The seam to the queue: jobs that make artefacts, their states, and who may do what when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from imgserve.ports.models import Ask


class JobState(StrEnum):
    """Where a job is. The last three are ends; `retry` and a new submission lead out of them."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """What is to be made, as plain values; `id` is the artefact's key, 64 hex digits: asking twice is one job."""

    id: str
    #: URL of the source as it is fetched.
    source: str
    #: What models are asked, in this order: one reading, or all that change the picture.
    asks: tuple[Ask, ...]
    #: What a purge finds the artefact by.
    labels: tuple[str, ...] = ()
    #: Higher comes first.
    priority: int = 0
    #: Told when the job ends, "" = nobody.
    webhook: str = ""
    #: Name of the API key that asked, "" = an image request.
    owner: str = ""
    #: A signed path that shows the result, "" = none; for consoles.
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job ended badly, or was put back: as in an error answer."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it is now; times are Unix times, 0 = not yet."""

    order: JobOrder
    state: JobState
    #: Counted when it is claimed.
    attempts: int = 0
    max_attempts: int = 0
    #: Share of the work that is done, 0 to 1, and the task that is being done.
    progress: float = 0.0
    task: str = ""
    #: Who works on it, such as host:pid.
    worker: str = ""
    created_at: float = 0.0
    started_at: float = 0.0
    ended_at: float = 0.0
    #: Not before then, where it was put back to be tried again.
    due_at: float = 0.0
    #: Of the last attempt.
    error: JobError | None = None
    #: Of a job that is done: sizes, providers, seconds.
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some jobs, youngest first."""

    jobs: tuple[Job, ...]
    #: Give it to get the next page, which may be short or empty and have a next one; "" = this was the last.
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a client may still do in this window."""

    allowed: bool
    limit: int
    remaining: int
    #: Until the window ends.
    reset_s: int


class QueueError(Exception):
    """The queue is broken, full or too slow; a sentence for the operator. Becomes 503."""


class Queue(Protocol):
    """Jobs, kept through restarts and shared by all processes (or machines) that have the same one.

    Each method raises QueueError. A job that was taken is never lost: who works on it holds a lease, and when that
    ends without an end of the job it is tried again, up to `max_attempts`.
    """

    async def submit(self, orders: Sequence[JobOrder], *, again: bool = False) -> list[Job]:
        """Take orders, each once: an order whose id is known is no new job.

        One that has not ended takes what its first order left empty (webhook, owner, path) and the higher priority.
        With `again`, a job that has ended is begun anew (its artefact is gone, or its source has changed).
        """
        ...

    async def get(self, ids: Sequence[str]) -> list[Job | None]: ...

    async def listed(self, *, state: JobState | None = None, limit: int = 50, after: str = "") -> JobPage:
        """Give jobs, youngest first; `after` is `JobPage.next`."""
        ...

    async def counts(self) -> Mapping[JobState, int]: ...

    async def cancel(self, id: str) -> Job | None:
        """End a job that has not ended; one that runs is stopped within a heartbeat. None = there is no such job."""
        ...

    async def retry(self, id: str) -> Job | None:
        """Begin a job that failed or was cancelled anew, attempts counted from none; others are given as they are."""
        ...

    async def take(self, name: str, *, limit: int, window_s: int) -> Allowance:
        """Count one request of a client in the current window, across all processes."""
        ...

    async def close(self) -> None: ...
