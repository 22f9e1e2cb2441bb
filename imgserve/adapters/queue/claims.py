"""The ledger of jobs as workers see it: a job is claimed, held by heartbeats, and ended or given back.

A turn belongs to whoever puts its ticket first, so two who claim at once never both work, and attempts are counted
once each. A worker that was away so long that its turn passed to another (its machine slept, its clock jumped) finds
another turn in the lease and leaves. Clocks of machines that share a queue must agree within a third of a lease.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.records import Found, Lease, Record, written
from imgserve.ports.jobs import JobError, JobState

#: Of a job that was put back: a message that comes so much before its time is one too many. Clocks differ by less.
EARLY_S: Final = 1.0


class Held(StrEnum):
    """What a heartbeat finds."""

    OURS = "ours"
    #: Somebody has cancelled it.
    ENDED = "ended"
    #: It is another's now.
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A turn at a job."""

    record: Record
    lease: Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedUp:
    """A job that nobody may claim any more: all its attempts ended their workers."""

    known: Found


def claim(ledger: Ledger, *, id: str, generation: int, worker: str) -> Claim | UsedUp | None:
    """Take a job that a message told of, and count the attempt; None where there is nothing to do."""
    with ledger.storage.together():
        return _claim(ledger, id, generation, worker)


def _claim(ledger: Ledger, id: str, generation: int, worker: str) -> Claim | UsedUp | None:
    known = ledger.found([id]).get(id)
    if known is None or known.record.generation != generation or known.end is not None:
        return None
    now, last = time.time(), known.lease
    if last is not None and (last.until > now or last.due_at > now + EARLY_S):
        return None
    turn, attempts = (last.turn + 1, last.attempts + 1) if last else (1, 1)
    until = now + ledger.limits.lease_s
    while not ledger.storage.tickets.put_new(f"{known.record.key}.{turn}", str(until).encode()):
        taken = ledger.storage.tickets.peek(f"{known.record.key}.{turn}")
        if taken is None or float(taken) > now:
            return None
        turn, attempts = turn + 1, attempts + 1  # who had that ticket died before it wrote its lease
    lease = Lease(generation=generation, turn=turn, attempts=attempts, worker=worker, until=until, started_at=now)
    if attempts > ledger.limits.max_attempts:
        used = replace(lease, attempts=attempts - 1, worker="", until=0.0)
        return UsedUp(known=replace(known, lease=used))
    ledger.storage.leases.put(id, written(lease))
    return Claim(record=known.record, lease=lease)


def beat(ledger: Ledger, mine: Claim, *, progress: float, task: str) -> Held:
    """Show a sign of life; says whether to go on."""
    with ledger.storage.together():
        held, _ = _held(ledger, mine)
        if held is Held.OURS:
            until = time.time() + ledger.limits.lease_s
            lease = replace(mine.lease, until=until, progress=progress, task=task)
            ledger.storage.leases.put(mine.record.order.id, written(lease))
    return held


def give_back(
    ledger: Ledger, mine: Claim, *, delay_s: float = 0.0, error: JobError | None = None, counted: bool = True
) -> Held:
    """Let another turn begin, after a time; `counted` says whether this one was an attempt."""
    held, record = _held(ledger, mine)
    if held is not Held.OURS:
        return held
    lease = replace(
        mine.lease,
        attempts=mine.lease.attempts - (0 if counted else 1),
        until=0.0,
        due_at=time.time() + delay_s if delay_s > 0 else 0.0,
        error=error,
    )
    with ledger.storage.together():
        ledger.storage.leases.put(mine.record.order.id, written(lease))
        ledger.send(record, delay_s=delay_s)
    return held


def fail(ledger: Ledger, mine: Claim, error: JobError) -> Held:
    """End a job badly; OURS says that this is its end now."""
    held, _ = _held(ledger, mine)
    if held is not Held.OURS:
        return held
    known = Found(record=mine.record, lease=mine.lease, end=None)
    return Held.OURS if ledger.end(known, state=JobState.FAILED, error=error, telling=True) else Held.ENDED


def finish(ledger: Ledger, mine: Claim, facts: Mapping[str, str | int | float]) -> Held:
    """End a job well, whoever has it now: what was to be made is there. OURS says that this is its end now."""
    known = Found(record=mine.record, lease=mine.lease, end=None)
    return Held.OURS if ledger.end(known, state=JobState.DONE, facts=facts, telling=True) else Held.ENDED


def _held(ledger: Ledger, mine: Claim) -> tuple[Held, Record]:
    """Say whose the job is, and give its record: another order may have raised its priority."""
    known = ledger.found([mine.record.order.id]).get(mine.record.order.id)
    if known is None or known.record.generation != mine.record.generation:
        return Held.LOST, mine.record
    if known.end is not None:
        return Held.ENDED, known.record
    ours = known.lease is not None and known.lease.turn == mine.lease.turn
    return Held.OURS if ours else Held.LOST, known.record
