"""The ledger of jobs as those see it who ask for work: taking orders, and what becomes of them.

What is written first makes what follows safe: a place among the open jobs before the order, the order before its
message. Who is killed between two of these leaves something that a sweep finishes (see sweep).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from imgserve.adapters.queue.complaints import Complaints
from imgserve.adapters.queue.records import (
    End,
    Found,
    Lease,
    Limits,
    Looked,
    Record,
    found,
    job,
    joined,
    read,
    written,
)
from imgserve.adapters.queue.storage import Storage
from imgserve.errors import QueueFull
from imgserve.ports.jobs import Job, JobError, JobOrder, JobState, QueueError

#: What a client that met a full queue is told: about one job's time, so that it meets a place.
FULL_RETRY_S: Final = 30
#: The counter of jobs.
LAST: Final = "last"


class Ledger:
    """Jobs in a storage; blocks, and may be used by several threads. Each method raises QueueError."""

    def __init__(self, storage: Storage, limits: Limits) -> None:
        self.storage = storage
        self.limits = limits
        self.complaints = Complaints("It is passed over.")

    def submit(self, orders: Sequence[JobOrder], *, again: bool = False) -> list[Job]:
        """Take orders; see ports.jobs.Queue. All of them or, with QueueFull, none."""
        looked = self.look([order.id for order in orders])
        if looked.unreadable:
            raise QueueError(f"Job {min(looked.unreadable)} was written by another version, which alone can read it.")
        known = looked.found
        missing: dict[str, JobOrder] = {}
        for order in orders:
            if order.id not in known:
                missing.setdefault(order.id, order)
        ended = {order.id: order for order in orders if again and order.id in known and known[order.id].end is not None}
        self._make_room(len(missing) + len(ended))
        for order in missing.values():
            with self.storage.together():
                known[order.id] = self._begin(order)
        for order in ended.values():
            with self.storage.together():
                known[order.id] = self._begin_again(known[order.id].record, order)
        for order in orders:
            known[order.id] = self._join(known[order.id], order)
        return [self.job(known[order.id]) for order in orders]

    def get(self, ids: Sequence[str]) -> list[Job | None]:
        known = self.found(ids)
        return [self.job(known[id]) if id in known else None for id in ids]

    def cancel(self, id: str) -> Job | None:
        """End a job; its worker sees that with its next heartbeat, its message is dropped when it comes up."""
        known = self.found([id]).get(id)
        if known is None or known.end is not None:
            return None if known is None else self.job(known)
        self.end(known, state=JobState.CANCELLED)
        return self.get([id])[0]

    def retry(self, id: str) -> Job | None:
        known = self.found([id]).get(id)
        if known is None:
            return None
        if known.end is not None and known.end.state is not JobState.DONE:
            self._make_room(1)
            with self.storage.together():
                known = self._begin_again(known.record, known.record.order)
        return self.job(known)

    def found(self, ids: Iterable[str]) -> dict[str, Found]:
        """Give what is known of those jobs that there are and that can be read."""
        return self.look(ids).found

    def look(self, ids: Iterable[str]) -> Looked:
        """Give what is known of jobs; one that cannot be read, as after a step back to an older version, is named."""
        keys = list(dict.fromkeys(ids))
        orders = self.storage.orders.peek_many(keys)
        keys = list(orders)
        leases, ends = self.storage.leases.peek_many(keys), self.storage.ends.peek_many(keys)
        known: dict[str, Found] = {}
        for id, order in orders.items():
            try:
                known[id] = found(read(Record, order), lease=leases.get(id), end=ends.get(id))
            except QueueError as exc:
                self.complaints.say(QueueError(f"Job {id}: {exc}"))
        return Looked(found=known, unreadable=frozenset(orders) - frozenset(known))

    def end(
        self,
        known: Found,
        *,
        state: JobState,
        error: JobError | None = None,
        facts: Mapping[str, str | int | float] | None = None,
        telling: bool = False,
    ) -> bool:
        """Write an end; says whether this one counts, as the first. With `telling` the caller tells of it."""
        id, lease = known.record.order.id, known.lease
        end = End(
            generation=known.record.generation,
            state=state,
            ended_at=time.time(),
            turns=lease.turn if lease else 0,
            attempts=lease.attempts if lease else 0,
            worker=lease.worker if lease else "",
            started_at=lease.started_at if lease else 0.0,
            error=error,
            facts=facts or {},
            telling=telling,
        )
        with self.storage.together():
            first = self._put_end(id, end)
            if first:
                self.list_end(known.record, state)
        return first

    def _put_end(self, id: str, end: End) -> bool:
        if self.storage.ends.put_new(id, written(end)):
            return True
        there = self.storage.ends.peek(id)
        if there is None or read(End, there).generation >= end.generation:
            return False
        # Of a worker that was away so long that its job failed and was begun anew before it ended it.
        self.storage.ends.remove(id)
        return self.storage.ends.put_new(id, written(end))

    def list_end(self, record: Record, state: JobState) -> None:
        """Have an end listed and counted; twice does no harm."""
        self.storage.ended[state].put(str(record.number), record.key.encode())

    def close(self, record: Record, turns: int) -> bool:
        """Put away an ended job of which has been told; says whether this was the first to do so."""
        with self.storage.together():
            first = self.storage.open.remove(record.key)
            if first:
                self.forget_turns(record.order.id, record.generation, turns)
        return first

    def send(self, record: Record, *, delay_s: float = 0.0) -> None:
        """Tell workers of a job; once too often does no harm."""
        self.storage.job_line.send(record.order.id, record.generation, priority=record.order.priority, delay_s=delay_s)

    def forget_turns(self, id: str, generation: int, turns: int) -> None:
        lease = self.storage.leases.peek(id)
        if lease is not None and read(Lease, lease).generation <= generation:
            self.storage.leases.remove(id)
        for turn in range(1, turns + 2):  # a last one may have had a ticket and died before its lease
            self.storage.tickets.remove(f"{id}.{generation}.{turn}")

    def _make_room(self, wanted: int) -> None:
        if wanted and self.storage.job_line.waiting() + wanted > self.limits.max_jobs:
            raise QueueFull(
                f"No more than {self.limits.max_jobs} jobs may wait; try again later.", retry_after_s=FULL_RETRY_S
            )

    def _begin(self, order: JobOrder) -> Found:
        record = self._numbered(order, 1)
        if not self.storage.orders.put_new(order.id, written(record)):
            self.storage.numbers.remove(str(record.number))
            return self._reread(order.id, record)
        self.send(record)
        return Found(record=record, lease=None, end=None)

    def _begin_again(self, old: Record, order: JobOrder) -> Found:
        """Begin another generation, unless somebody else does: who pops the end may."""
        record = self._numbered(order, old.generation + 1)
        popped = self.storage.ends.pop(order.id)
        if popped is None:
            self.storage.numbers.remove(str(record.number))
            return self._reread(order.id, old)
        end = read(End, popped)
        self.forget_turns(old.order.id, old.generation, end.turns)
        self.storage.orders.put(order.id, written(record))
        self.send(record)
        self.storage.ended[end.state].remove(str(old.number))
        self.storage.numbers.remove(str(old.number))
        return Found(record=record, lease=None, end=None)

    def _join(self, known: Found, order: JobOrder) -> Found:
        """Give a job that has not ended what a later order adds.

        On Redis the job may end and be begun anew while this is written, whose order is then lost to this one: a
        sweep finds a place of another generation and begins it. What was ended meanwhile is given as it is then, as
        nobody may be told of it.
        """
        if known.end is not None or joined(known.record.order, order) == known.record.order:
            return known
        with self.storage.together():
            now = self._reread(order.id, known.record)
            record = replace(now.record, order=joined(now.record.order, order))
            if now.end is not None or record == now.record:
                return now
            self.storage.orders.put(order.id, written(record))
            job = self.job(now)
            if record.order.priority > now.record.order.priority and job.state is JobState.QUEUED and not job.due_at:
                self.send(record)  # a second message, further in front; the other one is dropped when it comes up
            return self._reread(order.id, record)

    def _numbered(self, order: JobOrder, generation: int) -> Record:
        now = time.time()
        number = self.storage.numbers.count(LAST)
        record = Record(order=order, generation=generation, number=number, created_at=now)
        self.storage.numbers.put(str(number), record.key.encode())
        self.storage.open.put_new(record.key, f"{number} {now}".encode())
        return record

    def _reread(self, id: str, otherwise: Record) -> Found:
        return self.found([id]).get(id) or Found(record=otherwise, lease=None, end=None)

    def job(self, known: Found) -> Job:
        """Give the job as it is now."""
        return job(known, now=time.time(), max_attempts=self.limits.max_attempts)
