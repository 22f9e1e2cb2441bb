"""The ledger of jobs as those see it who ask for work: taking orders, and what becomes of them.

What is written first makes what follows safe: a place among the open jobs before the order, the order before its
message. Who is killed between two of these leaves something that a sweep finishes (see sweep).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from imgserve.adapters.queue.records import End, Found, Lease, Limits, Record, found, job, read, written
from imgserve.adapters.queue.storage import Storage
from imgserve.errors import QueueFull
from imgserve.ports.jobs import Job, JobError, JobOrder, JobState

#: What a client that met a full queue is told: about one job's time, so that it meets a place.
FULL_RETRY_S: Final = 30
#: The counter of jobs.
LAST: Final = "last"


class Ledger:
    """Jobs in a storage; blocks, and may be used by several threads. Each method raises QueueError."""

    def __init__(self, storage: Storage, limits: Limits) -> None:
        self.storage = storage
        self.limits = limits

    def submit(self, orders: Sequence[JobOrder], *, again: bool = False) -> list[Job]:
        """Take orders; see ports.jobs.Queue. All of them or, with QueueFull, none."""
        known = self.found([order.id for order in orders])
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
        """Give what is known of those jobs that there are."""
        keys = list(dict.fromkeys(ids))
        orders = self.storage.orders.peek_many(keys)
        keys = list(orders)
        leases, ends = self.storage.leases.peek_many(keys), self.storage.ends.peek_many(keys)
        return {id: found(read(Record, order), lease=leases.get(id), end=ends.get(id)) for id, order in orders.items()}

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
        if self.storage.ends.put_new(id, written(end)):
            return True
        there = self.storage.ends.peek(id)
        if there is None or read(End, there).generation >= end.generation:
            return False
        # Of a worker that was away so long that its job failed and was begun anew before it ended it.
        self.storage.ends.remove(id)
        return self.storage.ends.put_new(id, written(end))

    def close(self, record: Record, turns: int) -> bool:
        """Put away an ended job of which has been told; says whether this was the first to do so."""
        with self.storage.together():
            first = self.storage.open.remove(record.key)
            if first:
                self.forget_turns(record, turns)
        return first

    def send(self, record: Record, *, delay_s: float = 0.0) -> None:
        """Tell workers of a job; once too often does no harm."""
        self.storage.job_line.send(record.order.id, record.generation, priority=record.order.priority, delay_s=delay_s)

    def forget_turns(self, record: Record, turns: int) -> None:
        lease = self.storage.leases.peek(record.order.id)
        if lease is not None and read(Lease, lease).generation <= record.generation:
            self.storage.leases.remove(record.order.id)
        for turn in range(1, turns + 2):  # a last one may have had a ticket and died before its lease
            self.storage.tickets.remove(f"{record.key}.{turn}")

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
        self.forget_turns(old, read(End, popped).turns)
        self.storage.orders.put(order.id, written(record))
        self.send(record)
        self.storage.numbers.remove(str(old.number))
        return Found(record=record, lease=None, end=None)

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
