"""Jobs listed and counted without reading all of them: by their numbers from the youngest down, or by what is open."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Final

from imgserve.adapters.queue.ledger import LAST, Ledger
from imgserve.adapters.queue.records import Lease, read
from imgserve.adapters.queue.shelves import Shelf
from imgserve.errors import BadOption
from imgserve.ports.jobs import Job, JobPage, JobState, QueueError

#: Numbers looked at together: one question to the storage.
CHUNK: Final = 500
#: Numbers looked at for one page: 20 ms. A page that is not full then has a next one all the same.
LOOKED: Final = 10_000
#: Jobs of a state that are read and sorted rather than looked for among the numbers: 2 ms.
FEW: Final = 2000
#: The lowest number that may still be of a job; a record among the numbers, put by sweeps.
FIRST: Final = "first"


def listed(ledger: Ledger, *, state: JobState | None, limit: int, after: str) -> JobPage:
    """Give jobs, youngest first; see ports.jobs.Queue. Raises BadOption for an `after` that no page gave."""
    if after and not (after.isascii() and after.isdigit()):
        raise BadOption("The page is not known.", where="after", got=after, expected="what the page before gave")
    before = int(after) if after else None
    page: list[tuple[int, Job]] = []
    looked = 0
    for down_to, places in _places(ledger, before=before, state=state):
        for number, job in _jobs(ledger, places, at_once=limit + 1):
            if state is None or job.state is state:
                page.append((number, job))
            if len(page) > limit:
                return JobPage(jobs=tuple(job for _, job in page[:limit]), next=str(page[limit - 1][0]))
        looked += CHUNK
        if looked >= LOOKED and down_to:
            return JobPage(jobs=tuple(job for _, job in page), next=str(down_to))
    return JobPage(jobs=tuple(job for _, job in page))


def counts(ledger: Ledger) -> Mapping[JobState, int]:
    """Count jobs by state: those that wait are those with a number that neither run nor have ended."""
    storage = ledger.storage
    numbered = storage.numbers.size() - (storage.numbers.peek(FIRST) is not None)
    ended = {state: shelf.size() for state, shelf in storage.ended.items()}
    running = len(running_ids(ledger))
    queued = max(0, numbered - running - sum(ended.values()))
    return {JobState.QUEUED: queued, JobState.RUNNING: running, **ended}


def running_ids(ledger: Ledger) -> set[str]:
    """Give the ids of jobs whose lease lives and that have not ended."""
    now = time.time()
    leases = {id for id, data in ledger.storage.leases.items().items() if alive(data, now)}
    return {id for id, known in ledger.found(leases).items() if known.end is None}


def alive(lease: bytes | None, now: float) -> bool:
    """Say whether somebody holds a job; a lease that cannot be read is nobody's."""
    try:
        return lease is not None and read(Lease, lease).until > now
    except QueueError:
        return False


def _places(ledger: Ledger, *, before: int | None, state: JobState | None) -> Iterator[tuple[int, dict[int, str]]]:
    """Give ids by number, some at a time, and the number down to which all have been given then, 0 = the last."""
    storage = ledger.storage
    if state is None:
        return _down(ledger, storage.numbers, before=before)
    if not state.ended:
        unended = {int(value.split()[0]): _id(key) for key, value in storage.open.items().items()}
        if state is JobState.RUNNING:
            running = running_ids(ledger)
            unended = {number: id for number, id in unended.items() if id in running}
        return _sorted(unended, before=before)
    shelf = storage.ended[state]
    if shelf.size() > FEW:
        return _down(ledger, shelf, before=before)
    return _sorted({int(number): _id(key.decode()) for number, key in shelf.items().items()}, before=before)


def _down(ledger: Ledger, shelf: Shelf, *, before: int | None) -> Iterator[tuple[int, dict[int, str]]]:
    """Go down the numbers."""
    numbers = ledger.storage.numbers
    last = numbers.count(LAST, 0)
    # A number that was never given would be counted down from for years.
    top = last if before is None else min(last, before - 1)
    first = int(numbers.peek(FIRST) or 1)
    while top >= first:
        below = max(top - CHUNK, first - 1)
        there = shelf.peek_many([str(number) for number in range(top, below, -1)])
        ids = {int(number): _id(key.decode()) for number, key in there.items()}
        yield below + 1 if below >= first else 0, dict(sorted(ids.items(), reverse=True))
        top = below


def _sorted(places: Mapping[int, str], *, before: int | None) -> Iterator[tuple[int, dict[int, str]]]:
    left = sorted((number for number in places if before is None or number < before), reverse=True)
    for start in range(0, len(left), CHUNK):
        yield 0, {number: places[number] for number in left[start : start + CHUNK]}


def _jobs(ledger: Ledger, places: Mapping[int, str], *, at_once: int) -> Iterator[tuple[int, Job]]:
    """Read the jobs of some numbers, few at a time: an order costs more to read than its place."""
    numbers = list(places)
    for start in range(0, len(numbers), at_once):
        known = ledger.found(places[number] for number in numbers[start : start + at_once])
        for number in numbers[start : start + at_once]:
            one = known.get(places[number])
            # A number of an earlier generation, or of an order that was not taken, is nobody's.
            if one is not None and one.record.number == number:
                yield number, ledger.job(one)


def _id(key: str) -> str:
    return key.rpartition(".")[0]
