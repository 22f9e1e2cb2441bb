"""Lists and counts of ended jobs: by state, without reading all of them, and right whatever was killed."""

from __future__ import annotations

import pytest

from imgserve.adapters.queue import listing
from imgserve.adapters.queue.claims import Claim, claim, fail, finish
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.listing import counts, listed
from imgserve.adapters.queue.sweep import Sweeper
from imgserve.ports.jobs import JobError, JobState
from tests.adapters.queue.conftest import Place
from tests.adapters.queue.makers import order

ERROR = JobError(code="x", message="y")


def end(ledger: Ledger, name: str, *, well: bool = True) -> None:
    """Have a job done or failed, and told of."""
    (job,) = ledger.submit([order(name)])
    mine = claim(ledger, id=job.order.id, generation=1, worker="x")
    assert isinstance(mine, Claim)
    if well:
        finish(ledger, mine, {})
    else:
        fail(ledger, mine, ERROR)
    ledger.close(mine.record, mine.lease.turn)


def names(ledger: Ledger, state: JobState | None) -> list[list[str]]:
    """Give the ids of all pages of two."""
    pages: list[list[str]] = []
    after = ""
    while True:
        page = listed(ledger, state=state, limit=2, after=after)
        pages.append([job.order.id for job in page.jobs])
        after = page.next
        if not after:
            return pages


def ended(ledger: Ledger) -> list[int]:
    found = counts(ledger)
    return [found[state] for state in (JobState.QUEUED, JobState.DONE, JobState.FAILED, JobState.CANCELLED)]


def test_counts_follow_a_job_through_its_ends(place: Place) -> None:
    with place.ledger(ttl_s=0) as ledger:
        end(ledger, "a")
        end(ledger, "b", well=False)
        ledger.submit([order("c"), order("d")])
        ledger.cancel(order("c").id)
        assert ended(ledger) == [1, 1, 1, 1]
        ledger.retry(order("c").id)
        ledger.submit([order("a")], again=True)
        assert ended(ledger) == [3, 0, 1, 0]
        Sweeper(ledger, ended=lambda _: None).sweep()
        assert ended(ledger) == [3, 0, 0, 0]


def test_a_state_that_few_jobs_have_is_listed_without_going_down_the_numbers(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "CHUNK", 2)
    monkeypatch.setattr(listing, "LOOKED", 2)
    with place.ledger() as ledger:
        end(ledger, "rare", well=False)
        for number in range(6):
            end(ledger, f"job {number}")
        assert names(ledger, JobState.FAILED) == [[order("rare").id]]
        assert names(ledger, JobState.CANCELLED) == [[]]


def test_a_page_ends_after_so_many_numbers_and_says_where_to_go_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW", 0)
    monkeypatch.setattr(listing, "CHUNK", 2)
    monkeypatch.setattr(listing, "LOOKED", 4)
    with place.ledger() as ledger:
        end(ledger, "rare", well=False)
        for number in range(9):
            end(ledger, f"job {number}")
        end(ledger, "young", well=False)
        assert names(ledger, JobState.FAILED) == [[order("young").id], [], [order("rare").id]]
        done = [id for page in names(ledger, JobState.DONE) for id in page]
        assert done == [order(f"job {number}").id for number in reversed(range(9))]


def test_lists_of_ends_are_put_right_by_a_sweep(place: Place) -> None:
    with place.ledger() as ledger:
        end(ledger, "a")
        end(ledger, "b", well=False)
        ledger.submit([order("c")])
        lists = ledger.storage.ended
        lists[JobState.DONE].remove("1")  # killed between the end and its place
        lists[JobState.FAILED].put("1", b"another state")
        lists[JobState.CANCELLED].put("3", b"begun anew just then")
        Sweeper(ledger, ended=lambda _: None).sweep()
        assert {state: list(shelf.items()) for state, shelf in lists.items()} == {
            JobState.DONE: ["1"],
            JobState.FAILED: ["2"],
            JobState.CANCELLED: [],
        }
        assert ended(ledger) == [1, 1, 1, 0]
        assert names(ledger, JobState.DONE) == [[order("a").id]]
