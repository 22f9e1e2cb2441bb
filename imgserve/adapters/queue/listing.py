"""Jobs listed and counted without reading all of them: by their numbers from the youngest down, or by what is open."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from imgserve.adapters.queue.ledger import LAST, Ledger
from imgserve.adapters.queue.records import Lease, glance, read
from imgserve.errors import BadOption
from imgserve.ports.jobs import Job, JobPage, JobState

#: Numbers looked at together: one question to the storage.
CHUNK: Final = 500
#: The lowest number that may still be of a job; a record among the numbers, put by sweeps.
FIRST: Final = "first"


def listed(ledger: Ledger, *, state: JobState | None, limit: int, after: str) -> JobPage:
    """Give jobs, youngest first; see ports.jobs.Queue. Raises BadOption for an `after` that no page gave."""
    if after and not (after.isascii() and after.isdigit()):
        raise BadOption("The page is not known.", where="after", got=after, expected="what the page before gave")
    before = int(after) if after else None
    if state is None or state.ended:
        places = _numbered(ledger, before=before, state=state)
    else:
        places = _open(ledger, before=before, state=state)
    page: list[tuple[int, Job]] = []
    for chunk in _pieces(places, limit + 1):
        known = ledger.found(chunk.values())
        for number, id in chunk.items():
            one = known.get(id)
            # A number of an earlier generation, or of an order that was not taken, is nobody's.
            if one is None or one.record.number != number:
                continue
            job = ledger.job(one)
            if state is None or job.state is state:
                page.append((number, job))
            if len(page) > limit:
                return JobPage(jobs=tuple(job for _, job in page[:limit]), next=str(page[limit - 1][0]))
    return JobPage(jobs=tuple(job for _, job in page))


def counts(ledger: Ledger) -> Mapping[JobState, int]:
    """Count jobs by state."""
    storage, now = ledger.storage, time.time()
    totals = dict.fromkeys(JobState, 0)
    ends = {id: glance(data) for id, data in storage.ends.items().items()}
    for _, state in ends.values():
        totals[state] += 1
    running = set(running_ids(ledger, now))
    for key in storage.open.items():
        id, _, generation = key.rpartition(".")
        if id not in ends or ends[id][0] < int(generation):
            totals[JobState.RUNNING if id in running else JobState.QUEUED] += 1
    return totals


def running_ids(ledger: Ledger, now: float) -> Iterable[str]:
    """Give the ids of jobs whose lease lives."""
    return (id for id, data in ledger.storage.leases.items().items() if read(Lease, data).until > now)


def _numbered(ledger: Ledger, *, before: int | None, state: JobState | None) -> Iterator[dict[int, str]]:
    """Give ids by number, some at a time; with a state, those whose end says it."""
    numbers = ledger.storage.numbers
    last = numbers.count(LAST, 0)
    # A number that was never given would be counted down from for years.
    top = last if before is None else min(last, before - 1)
    first = int(numbers.peek(FIRST) or 1)
    while top >= first:
        below = max(top - CHUNK, first - 1)
        there = numbers.peek_many([str(number) for number in range(top, below, -1)])
        ids = {int(number): _id(key.decode()) for number, key in there.items()}
        if state is not None:
            ends = ledger.storage.ends.peek_many(list(ids.values()))
            ids = {number: id for number, id in ids.items() if id in ends and glance(ends[id])[1] is state}
        yield dict(sorted(ids.items(), reverse=True))
        top = below


def _open(ledger: Ledger, *, before: int | None, state: JobState) -> Iterator[dict[int, str]]:
    """Give ids of open jobs by number, some at a time."""
    found = {int(value.split()[0]): _id(key) for key, value in ledger.storage.open.items().items()}
    if state is JobState.RUNNING:
        running = set(running_ids(ledger, time.time()))
        found = {number: id for number, id in found.items() if id in running}
    left = sorted((number for number in found if before is None or number < before), reverse=True)
    for start in range(0, len(left), CHUNK):
        yield {number: found[number] for number in left[start : start + CHUNK]}


def _pieces(places: Iterable[dict[int, str]], size: int) -> Iterator[dict[int, str]]:
    """Give the same in smaller parts: an order costs more to read than its place."""
    for chunk in places:
        numbers = list(chunk)
        for start in range(0, len(numbers), size):
            yield {number: chunk[number] for number in numbers[start : start + size]}


def _id(key: str) -> str:
    return key.rpartition(".")[0]
