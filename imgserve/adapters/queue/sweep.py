"""What puts the ledger right after processes were killed, run every few seconds by each runner; several do no harm.

- A lease that ran out: the job is sent again, or has failed where its attempts are used up.
- An open job without a message, in two sweeps in a row (its message may just be in somebody's hands): sent again.
- An end of which nobody has told: told.
- A generation that was begun and not written: written. Places of orders that were never taken: removed.
- Ended jobs older than `ttl_s`, old windows of rates: forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from imgserve.adapters.queue.calls import read_call
from imgserve.adapters.queue.ledger import LAST, Ledger
from imgserve.adapters.queue.listing import CHUNK, FIRST
from imgserve.adapters.queue.rates import forget_old_windows
from imgserve.adapters.queue.records import End, Found, Lease, Record, found, read, written
from imgserve.ports.jobs import Job, JobError, JobState

WORKER_DIED: Final = "worker_died"
#: Numbers so close to the youngest may belong to orders that are just being taken.
YOUNG: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep has put right."""

    sent_again: int = 0
    failed: int = 0
    told: int = 0
    expired: int = 0


def died(times: int) -> JobError:
    return JobError(
        code=WORKER_DIED, message=f"The worker process ended {times} time{'s' if times > 1 else ''} over this job."
    )


class Sweeper:
    """One runner's sweeps; it remembers what the last one missed."""

    def __init__(self, ledger: Ledger, *, ended: Callable[[Job], None]) -> None:
        self._ledger = ledger
        self._ended = ended
        self._missed: frozenset[str] = frozenset()
        self._missed_calls: frozenset[str] = frozenset()
        self._strays: frozenset[int] = frozenset()
        self._at = 0

    def sweep(self) -> Swept:
        """Put right what is to be; raises QueueError, and the next sweep goes on."""
        swept = self._sweep_open()
        self._sweep_calls()
        forget_old_windows(self._ledger.storage)
        return replace(swept, expired=self._expire())

    def _sweep_open(self) -> Swept:
        storage, now = self._ledger.storage, time.time()
        places = {key: float(value.split()[1]) for key, value in storage.open.items().items()}
        if not places:
            self._missed = frozenset()
            return Swept()
        ids = [key.rpartition(".")[0] for key in places]
        leases, ends = storage.leases.items(), storage.ends.peek_many(ids)
        candidates = [key for key, id in zip(places, ids, strict=True) if id in ends or not _alive(leases.get(id), now)]
        present = storage.job_line.present() if candidates else set()
        missed: set[str] = set()
        done = dict.fromkeys(("sent_again", "failed", "told"), 0)
        for start in range(0, len(candidates), CHUNK):
            quiet = [key for key in candidates[start : start + CHUNK] if key not in present or self._has_end(key, ends)]
            known = self._ledger.found(key.rpartition(".")[0] for key in quiet)
            for key in quiet:
                what = self._put_right(key, known.get(key.rpartition(".")[0]), since=places[key], now=now)
                if what == "missed":
                    missed.add(key)
                elif what:
                    done[what] += 1
        self._missed = frozenset(missed)
        return Swept(**done)

    @staticmethod
    def _has_end(key: str, ends: dict[str, bytes]) -> bool:
        return key.rpartition(".")[0] in ends

    def _put_right(self, key: str, known: Found | None, *, since: float, now: float) -> str:
        """Do what an open job needs: the name of what was done, "missed" for what may need it next time."""
        generation = int(key.rpartition(".")[2])
        if known is None or known.record.generation != generation:
            return self._half_begun(key, known, settled=since + self._ledger.limits.lease_s < now)
        if known.end is not None:
            return self._tell_late(known, known.end, now)
        lease = known.lease
        if lease is not None and lease.until > 0:
            return "" if lease.until > now else self._take_over(known)
        if lease is not None and lease.due_at > now:
            return ""
        if key not in self._missed:
            return "missed"
        self._ledger.send(known.record)
        return "sent_again"

    def _half_begun(self, key: str, known: Found | None, *, settled: bool) -> str:
        """See to a place whose order is not there, or is of another generation."""
        if not settled:
            return ""
        storage, generation = self._ledger.storage, int(key.rpartition(".")[2])
        if known is not None and known.end is None and known.record.generation == generation - 1:
            number = int((storage.open.peek(key) or b"0").split()[0])
            begun = replace(known.record, generation=generation, number=number, created_at=time.time())
            storage.orders.put(begun.order.id, written(begun))
            self._ledger.send(begun)
            return "sent_again"
        storage.open.remove(key)
        return ""

    def _take_over(self, known: Found) -> str:
        """See to a job whose worker shows no sign of life."""
        lease, most = known.lease, self._ledger.limits.max_attempts
        if lease is None or lease.attempts < most:
            self._ledger.send(known.record)
            return "sent_again"
        return "failed" if self.fail(known) else ""

    def fail(self, known: Found) -> bool:
        """End a job that nobody may try again; says whether this end counts."""
        attempts = known.lease.attempts if known.lease else 0
        if not self._ledger.end(known, state=JobState.FAILED, error=died(attempts), telling=True):
            return False
        self.tell_own(known.record.order.id)
        return True

    def tell_own(self, id: str) -> None:
        """Tell of an end that was just written here; who is killed before it is put away leaves it to a sweep."""
        known = self._ledger.found([id]).get(id)
        if known is not None and known.end is not None:
            self._ended(self._ledger.job(known))
            self._ledger.close(known.record, known.end.turns)

    def tell_other(self, id: str) -> None:
        """Tell of an end that was written by one who does not tell: a client that cancelled."""
        known = self._ledger.found([id]).get(id)
        if known is not None and known.end is not None and not known.end.telling:
            self._tell_first(known, known.end)

    def _tell_late(self, known: Found, end: End, now: float) -> str:
        """Tell of an end for its writer, who does not, or died on the way."""
        if end.telling and end.ended_at + self._ledger.limits.lease_s > now:
            return ""
        return "told" if self._tell_first(known, end) else ""

    def _tell_first(self, known: Found, end: End) -> bool:
        if not self._ledger.close(known.record, end.turns):
            return False
        self._ended(self._ledger.job(known))
        return True

    def _sweep_calls(self) -> None:
        storage, now = self._ledger.storage, time.time()
        due = [id for id, data in storage.calls.items().items() if read_call(data).due_at < now]
        missed = frozenset(due) - storage.call_line.present() if due else frozenset()
        for id in missed & self._missed_calls:
            storage.call_line.send(id)
        self._missed_calls = missed - self._missed_calls

    def _expire(self) -> int:
        """Look at the next numbers; begin again when all have been looked at."""
        numbers = self._ledger.storage.numbers
        first, last = int(numbers.peek(FIRST) or 1), numbers.count(LAST, 0)
        at = self._at if first <= self._at <= last else first
        upto = min(at + CHUNK, last + 1)
        there = numbers.peek_many([str(number) for number in range(at, upto)])
        places = {int(number): key.decode() for number, key in there.items()}
        expired = self._expire_some(places)
        if at == first:
            kept = [number for number in range(at, upto) if number in places]
            lowest = min(kept[0] if kept else upto, last - YOUNG)
            if lowest > first:
                numbers.put(FIRST, str(lowest).encode())
        self._at = upto
        return expired

    def _expire_some(self, places: dict[int, str]) -> int:
        storage, before = self._ledger.storage, time.time() - self._ledger.limits.ttl_s
        ids = {number: key.rpartition(".")[0] for number, key in places.items()}
        orders, ends = storage.orders.peek_many(list(ids.values())), storage.ends.peek_many(list(ids.values()))
        expired, strays = 0, set()
        for number, id in ids.items():
            order, end = orders.get(id), ends.get(id)
            record = read(Record, order) if order else None
            if record is None or record.number != number:
                strays.add(number)
                continue
            known = found(record, lease=None, end=end)
            if known.end is not None and known.end.ended_at < before:
                self._forget(record, known.end)
                expired += 1
        for number in strays & self._strays:
            if ids[number] not in orders:
                storage.ends.remove(ids[number])
            storage.numbers.remove(str(number))
        self._strays = frozenset(strays) | (self._strays - frozenset(places))
        return expired

    def _forget(self, record: Record, end: End) -> None:
        """Remove all that is kept of a job; the order first and its number last, so that no half is taken for a job."""
        storage = self._ledger.storage
        storage.orders.remove(record.order.id)
        self._ledger.forget_turns(record, end.turns)
        storage.open.remove(record.key)
        storage.ends.remove(record.order.id)
        storage.numbers.remove(str(record.number))


def _alive(lease: bytes | None, now: float) -> bool:
    return lease is not None and read(Lease, lease).until > now
