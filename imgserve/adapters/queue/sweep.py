"""What puts the ledger right after processes were killed, run every few seconds by each runner; several do no harm.

- A lease that ran out: the job is sent again, or has failed where its attempts are used up.
- An open job without a message, in two sweeps in a row (its message may just be in somebody's hands): sent again.
- An end of which nobody has told: told.
- A generation that was begun and not written: written. Places of orders that were never taken: removed.
- Ended jobs that are too old or too many (see expiry), old windows of rates: forgotten.

What cannot be read (another version wrote it) is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from imgserve.adapters.queue.calls import read_call
from imgserve.adapters.queue.expiry import Expiry
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.listing import CHUNK, alive
from imgserve.adapters.queue.rates import forget_old_windows
from imgserve.adapters.queue.records import End, Found, written
from imgserve.ports.jobs import Job, JobError, JobState, QueueError

WORKER_DIED: Final = "worker_died"


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
        self._expiry = Expiry(ledger)

    def sweep(self) -> Swept:
        """Put right what is to be; raises QueueError, and the next sweep goes on."""
        swept = self._sweep_open()
        self._sweep_calls()
        forget_old_windows(self._ledger.storage)
        return replace(swept, expired=self._expiry.expire())

    def _sweep_open(self) -> Swept:
        storage, now = self._ledger.storage, time.time()
        places = {key: float(value.split()[1]) for key, value in storage.open.items().items()}
        if not places:
            self._missed = frozenset()
            return Swept()
        ids = [key.rpartition(".")[0] for key in places]
        leases, ends = storage.leases.items(), storage.ends.peek_many(ids)
        candidates = [key for key, id in zip(places, ids, strict=True) if id in ends or not alive(leases.get(id), now)]
        present = storage.job_line.present() if candidates else set()
        missed: set[str] = set()
        done = dict.fromkeys(("sent_again", "failed", "told"), 0)
        for start in range(0, len(candidates), CHUNK):
            quiet = [key for key in candidates[start : start + CHUNK] if key not in present or self._has_end(key, ends)]
            looked = self._ledger.look(key.rpartition(".")[0] for key in quiet)
            for key in quiet:
                id = key.rpartition(".")[0]
                if id in looked.unreadable:
                    continue
                what = self._put_right(key, looked.found.get(id), since=places[key], now=now)
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
            storage.numbers.put(str(number), key.encode())  # it was nobody's, so it may have been removed
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
            self._tell_once(known, known.end)

    def _tell_late(self, known: Found, end: End, now: float) -> str:
        """Tell of an end for its writer, who does not, or died on the way, perhaps before it was listed."""
        if end.telling and end.ended_at + self._ledger.limits.lease_s > now:
            return ""
        return "told" if self._tell_once(known, end) else ""

    def _tell_once(self, known: Found, end: End) -> bool:
        """Tell, unless somebody has; who is killed before it is put away leaves it to be told again."""
        if self._ledger.storage.open.peek(known.record.key) is None:
            return False
        self._ledger.list_end(known.record, end.state)
        self._ended(self._ledger.job(known))
        return self._ledger.close(known.record, end.turns)

    def _sweep_calls(self) -> None:
        storage, now = self._ledger.storage, time.time()
        due = [id for id, data in storage.calls.items().items() if self._is_due(data, now)]
        missed = frozenset(due) - storage.call_line.present() if due else frozenset()
        for id in missed & self._missed_calls:
            storage.call_line.send(id)
        self._missed_calls = missed - self._missed_calls

    def _is_due(self, call: bytes, now: float) -> bool:
        try:
            return read_call(call).due_at < now
        except QueueError as exc:
            self._ledger.complaints.say(exc)
            return False
