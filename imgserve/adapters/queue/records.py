"""What the ledger keeps of a job, as JSON, and the state that follows from it.

A job has an order, begun anew with each generation; a lease, of the last turn that a worker had; and an end. There is
no field for the state: with an end it is that, with a lease that lives it runs, else it waits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from imgserve.ports.jobs import Job, JobError, JobOrder, JobState, QueueError
from imgserve.ports.models import Ask, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An order as it was taken."""

    order: JobOrder
    #: From 1; each retry or new submission of an ended job begins another.
    generation: int
    #: Place in the order in which jobs came.
    number: int
    created_at: float

    @property
    def key(self) -> str:
        return f"{self.order.id}.{self.generation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The last turn of a job: who works on it, or how that went."""

    generation: int
    #: Whose ticket it is; counts all claims.
    turn: int
    #: Counts those claims that were not given back.
    attempts: int
    worker: str = ""
    #: The holder lives until then, 0 = it has given the job back.
    until: float = 0.0
    started_at: float = 0.0
    progress: float = 0.0
    task: str = ""
    due_at: float = 0.0
    error: JobError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a job has ended."""

    generation: int
    state: JobState
    ended_at: float
    turns: int = 0
    attempts: int = 0
    worker: str = ""
    started_at: float = 0.0
    error: JobError | None = None
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    #: Its writer tells of it; else a sweep does.
    telling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that is known of a job."""

    record: Record
    lease: Lease | None
    end: End | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was found of some jobs."""

    found: dict[str, Found]
    #: Ids of those that there are, and that this version cannot read.
    unreadable: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What holds for all jobs of a queue."""

    max_attempts: int
    lease_s: float
    ttl_s: int
    max_jobs: int


Kept = TypeVar("Kept", Record, Lease, End)


def written(record: Record | Lease | End) -> bytes:
    return json.dumps(asdict(record), separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """What can be read of an order that another version has written: its place and its age."""

    number: int
    created_at: float


def dated(order: bytes) -> Dated | None:
    """Read no more of a written order than that; None where not even that can be read."""
    try:
        raw = json.loads(order)
        return Dated(number=int(raw["number"]), created_at=float(raw["created_at"]))
    except (ValueError, TypeError, KeyError):
        return None


def read(kind: type[Kept], data: bytes) -> Kept:
    """Read what `written` gave, by this version or by another that has more fields. Raises QueueError."""
    try:
        raw = json.loads(data[data.index(b"{") :])  # ends once had words in front
        if raw.get("error"):
            raw["error"] = JobError(**raw["error"])
        if "state" in raw:
            raw["state"] = JobState(raw["state"])
        if "order" in raw:
            raw["order"] = _order(raw["order"])
        return kind(**_known(kind, raw))
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise QueueError(
            f"The queue has a {kind.__name__.lower()} that cannot be read; was it written by another version?"
        ) from exc


def _order(raw: dict[str, Any]) -> JobOrder:
    asks = tuple(Ask(Task(task), argument) for task, argument, *_ in raw.pop("asks"))
    return JobOrder(asks=asks, labels=tuple(raw.pop("labels")), **_known(JobOrder, raw))


def _known(kind: type[Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in raw.items() if name in names}


def found(record: Record, *, lease: bytes | None, end: bytes | None) -> Found:
    """Put together what belongs to one generation; what an earlier one has left counts for nothing."""
    of_lease = read(Lease, lease) if lease else None
    of_end = read(End, end) if end else None
    return Found(
        record=record,
        lease=of_lease if of_lease and of_lease.generation == record.generation else None,
        end=of_end if of_end and of_end.generation == record.generation else None,
    )


def joined(first: JobOrder, later: JobOrder) -> JobOrder:
    """Give the order of a job that was ordered again: what its first order left empty, and the higher priority."""
    return replace(
        first,
        webhook=first.webhook or later.webhook,
        owner=first.owner or later.owner,
        path=first.path or later.path,
        priority=max(first.priority, later.priority),
    )


def job(all: Found, *, now: float, max_attempts: int) -> Job:
    """Give the job as it is at this time."""
    record, lease, end = all.record, all.lease, all.end
    if end is not None:
        return Job(
            order=record.order,
            state=end.state,
            attempts=end.attempts,
            max_attempts=max_attempts,
            progress=1.0 if end.state is JobState.DONE else 0.0,
            worker=end.worker,
            created_at=record.created_at,
            started_at=end.started_at,
            ended_at=end.ended_at,
            error=end.error,
            facts=end.facts,
        )
    if lease is None:
        return Job(order=record.order, state=JobState.QUEUED, max_attempts=max_attempts, created_at=record.created_at)
    running = lease.until > now
    return Job(
        order=record.order,
        state=JobState.RUNNING if running else JobState.QUEUED,
        attempts=lease.attempts,
        max_attempts=max_attempts,
        progress=lease.progress if running else 0.0,
        task=lease.task if running else "",
        worker=lease.worker if running else "",
        created_at=record.created_at,
        started_at=lease.started_at if running else 0.0,
        due_at=lease.due_at if lease.due_at > now else 0.0,
        error=lease.error,
    )
