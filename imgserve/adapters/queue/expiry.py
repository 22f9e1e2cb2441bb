"""Ended jobs forgotten, some at each sweep: those older than `ttl_s`, and the oldest where there are too many.

On the way through the numbers, the lists of ends are put right (a process may be killed between an end and its place
there), and numbers that are nobody's are removed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from imgserve.adapters.queue.ledger import LAST, Ledger
from imgserve.adapters.queue.listing import CHUNK, FIRST
from imgserve.adapters.queue.records import Dated, End, Record, dated, found, read
from imgserve.ports.jobs import JobState, QueueError

#: Numbers so close to the youngest may belong to orders that are just being taken.
YOUNG: Final = 1000
#: Ended jobs that are kept for each that may wait.
KEPT_PER_WAITING: Final = 10
#: Where too many are kept, one sweep looks at so many chunks of numbers, and forgets so many jobs (about a second).
LOOKED_CHUNKS: Final = 20
FORGOTTEN_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What stands behind a number."""

    number: int
    key: str
    #: None where not even its age can be read.
    date: Dated | None
    readable: bool
    end: End | None

    @property
    def id(self) -> str:
        return self.key.rpartition(".")[0]


class Expiry:
    """One runner's way through the numbers."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._at = 0
        self._oldest = 0
        self._strays: frozenset[str] = frozenset()

    def expire(self) -> int:
        """Forget what is to be, and say how many jobs that were. Raises QueueError."""
        numbers = self._ledger.storage.numbers
        first, last = int(numbers.peek(FIRST) or 1), numbers.count(LAST, 0)
        return self._expire_old(first, last) + self._expire_many(first, last)

    def _expire_old(self, first: int, last: int) -> int:
        """Look at the next numbers; begin again when all have been looked at."""
        at = self._at if first <= self._at <= last else first
        upto = min(at + CHUNK, last + 1)
        names = [str(number) for number in range(at, upto)]
        # Read before the ends: what is listed and has no end then is wrong, unless it has just been begun anew.
        listed = self._listed(names)
        seen, strays = self._look(names)
        self._remove_strays(names, strays)
        before = time.time() - self._ledger.limits.ttl_s
        aged = max((one.number for one in seen if one.date and one.date.created_at < before), default=0)
        old = [one for one in seen if _is_old(one, before, aged)]
        for one in old:
            self._forget(one)
        gone = {one.number for one in old}
        self._put_right(listed, [one for one in seen if one.number not in gone])
        if at == first:
            lowest = min([upto, last - YOUNG, *(one.number for one in seen), *map(int, strays)])
            if lowest > first:
                self._ledger.storage.numbers.put(FIRST, str(lowest).encode())
        self._at = upto
        return len(old)

    def _expire_many(self, first: int, last: int) -> int:
        """Forget the oldest ended jobs of which has been told, where more are kept than may be."""
        storage, limits = self._ledger.storage, self._ledger.limits
        ended = sum(shelf.size() for shelf in storage.ended.values())
        excess = min(ended - KEPT_PER_WAITING * limits.max_jobs, FORGOTTEN_AT_ONCE)
        forgotten, at = 0, max(first, self._oldest)
        for _ in range(LOOKED_CHUNKS):
            if forgotten >= excess:
                break
            names = [str(number) for number in range(at, min(at + CHUNK, last + 1))]
            if not names:
                at = first
                break
            seen, _ = self._look(list(self._listed(names)))
            untold = storage.open.peek_many([one.key for one in seen])
            over = [one for one in seen if one.end is not None and one.key not in untold][: excess - forgotten]
            for one in over:
                self._forget(one)
            forgotten += len(over)
            at = over[-1].number + 1 if forgotten >= excess else at + CHUNK
        self._oldest = at
        return forgotten

    def _listed(self, names: Sequence[str]) -> dict[str, set[JobState]]:
        """Give the states under which numbers are listed as ended."""
        listed: dict[str, set[JobState]] = {}
        for state, shelf in self._ledger.storage.ended.items():
            for name in shelf.peek_many(names):
                listed.setdefault(name, set()).add(state)
        return listed

    def _look(self, names: Sequence[str]) -> tuple[list[_Seen], dict[str, str]]:
        """Give what stands behind numbers, lowest first, and those that are nobody's with the ids they had."""
        storage = self._ledger.storage
        places = {name: key.decode() for name, key in storage.numbers.peek_many(names).items()}
        ids = {name: key.rpartition(".")[0] for name, key in places.items()}
        orders, ends = storage.orders.peek_many(list(ids.values())), storage.ends.peek_many(list(ids.values()))
        seen: list[_Seen] = []
        strays: dict[str, str] = {}
        for name in sorted(places, key=int):
            order = orders.get(ids[name])
            date = dated(order) if order else None
            if order is None or (date is not None and date.number != int(name)):
                strays[name] = ids[name]
                continue
            readable, end = _read(order, ends.get(ids[name]))
            seen.append(_Seen(number=int(name), key=places[name], date=date, readable=readable, end=end))
        return seen, strays

    def _remove_strays(self, names: Sequence[str], strays: dict[str, str]) -> None:
        """Remove numbers that were nobody's the last time too: their orders may just have been on the way."""
        storage = self._ledger.storage
        for name in strays.keys() & self._strays:
            if storage.orders.peek(strays[name]) is None:
                storage.ends.remove(strays[name])
            storage.numbers.remove(name)
        self._strays = frozenset(strays) | (self._strays - frozenset(names))

    def _put_right(self, listed: dict[str, set[JobState]], seen: Sequence[_Seen]) -> None:
        """Have each end of some jobs listed once, and nothing else."""
        shelves = self._ledger.storage.ended
        unreadable = {str(one.number) for one in seen if not one.readable}
        right = {str(one.number): (one.end.state, one.key) for one in seen if one.end is not None}
        for name, (state, key) in right.items():
            if state not in listed.get(name, ()):
                shelves[state].put(name, key.encode())
        for name, states in listed.items():
            for state in states - ({right[name][0]} if name in right else set()):
                if name not in unreadable:
                    shelves[state].remove(name)

    def _forget(self, one: _Seen) -> None:
        """Remove all that is kept of a job; the order first and its number last, so that no half is taken for a job."""
        storage, limits = self._ledger.storage, self._ledger.limits
        generation = int(one.key.rpartition(".")[2])
        with storage.together():
            storage.orders.remove(one.id)
            if one.readable:
                self._ledger.forget_turns(one.id, generation, one.end.turns if one.end else 0)
            else:
                storage.leases.remove(one.id)
                self._ledger.forget_turns(one.id, generation, limits.max_attempts)
            storage.open.remove(one.key)
            storage.ends.remove(one.id)
            for shelf in storage.ended.values():
                shelf.remove(str(one.number))
            storage.numbers.remove(str(one.number))


def _read(order: bytes, end: bytes | None) -> tuple[bool, End | None]:
    """Say whether a job can be read here, and give its end."""
    try:
        return True, found(read(Record, order), lease=None, end=end).end
    except QueueError:
        return False, None


def _is_old(one: _Seen, before: float, aged: int) -> bool:
    """Say whether a job ended too long ago; of one that cannot be read nobody knows more than its age."""
    if one.readable:
        return one.end is not None and one.end.ended_at < before
    return one.date.created_at < before if one.date is not None else one.number < aged
