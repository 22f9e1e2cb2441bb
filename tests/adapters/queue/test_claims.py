"""Turns at a job: one holder at a time, attempts counted once, and no word from a holder of before."""

from __future__ import annotations

import threading
import time

from imgserve.adapters.queue.claims import Claim, Held, UsedUp, beat, claim, fail, finish, give_back
from imgserve.adapters.queue.ledger import Ledger
from imgserve.ports.jobs import Job, JobError, JobState
from tests.adapters.queue.conftest import Place, soon
from tests.adapters.queue.makers import order

SHORT_S = 0.05
ID = order("a").id
ERROR = JobError(code="x", message="y")


def claimed(ledger: Ledger, *, generation: int = 1) -> Claim:
    mine = claim(ledger, id=ID, generation=generation, worker="here:1")
    assert isinstance(mine, Claim)
    return mine


def now(ledger: Ledger) -> Job:
    (job,) = ledger.get([ID])
    assert job is not None
    return job


def lapsed(ledger: Ledger) -> None:
    soon(lambda: now(ledger).state is JobState.QUEUED)
    time.sleep(SHORT_S)  # the ticket of a turn lapses with its lease, not before


def test_of_many_who_claim_at_once_one_has_it(place: Place) -> None:
    with place.ledger() as first, place.ledger() as second:
        first.submit([order("a")])
        got: list[object] = []
        start = threading.Barrier(8)

        def try_it(ledger: Ledger) -> None:
            start.wait()
            got.append(claim(ledger, id=ID, generation=1, worker="x"))

        threads = [threading.Thread(target=try_it, args=(ledger,)) for ledger in (first, second) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(isinstance(each, Claim) for each in got) == 1
        assert now(first).attempts == 1


def test_a_lease_that_ran_out_passes_to_another_and_its_holder_is_not_heard(place: Place) -> None:
    with place.ledger(lease_s=SHORT_S) as ledger:
        ledger.submit([order("a")])
        former = claimed(ledger)
        lapsed(ledger)
        holder = claimed(ledger)
        assert holder.lease.attempts == 2
        assert beat(ledger, former, progress=0.9, task="old") is Held.LOST
        assert give_back(ledger, former) is Held.LOST
        assert fail(ledger, former, ERROR) is Held.LOST
        assert beat(ledger, holder, progress=0.1, task="new") is Held.OURS
        assert (now(ledger).task, now(ledger).attempts) == ("new", 2)


def test_what_a_former_holder_has_made_counts(place: Place) -> None:
    with place.ledger(lease_s=SHORT_S) as ledger:
        ledger.submit([order("a")])
        former = claimed(ledger)
        lapsed(ledger)
        holder = claimed(ledger)
        assert finish(ledger, former, {"by": "former"}) is Held.OURS
        assert beat(ledger, holder, progress=0.1, task="") is Held.ENDED
        assert finish(ledger, holder, {"by": "holder"}) is Held.ENDED
        assert now(ledger).facts == {"by": "former"}


def test_a_claimer_that_died_before_its_lease_cost_one_attempt(place: Place) -> None:
    with place.ledger(lease_s=SHORT_S) as ledger:
        ledger.submit([order("a")])
        ledger.storage.tickets.put_new(f"{ID}.1.1", str(time.time() + SHORT_S).encode())
        assert claim(ledger, id=ID, generation=1, worker="x") is None
        time.sleep(2 * SHORT_S)
        assert claimed(ledger).lease.attempts == 2


def test_a_job_whose_attempts_are_used_up_is_not_claimed(place: Place) -> None:
    with place.ledger(lease_s=SHORT_S, max_attempts=1) as ledger:
        ledger.submit([order("a")])
        claimed(ledger)
        lapsed(ledger)
        assert isinstance(claim(ledger, id=ID, generation=1, worker="x"), UsedUp)


def test_a_job_given_back_uncounted_has_all_its_attempts(place: Place) -> None:
    with place.ledger(max_attempts=1) as ledger:
        ledger.submit([order("a")])
        for _ in range(3):
            mine = claimed(ledger)
            assert mine.lease.attempts == 1
            give_back(ledger, mine, counted=False)
        assert now(ledger).attempts == 0


def test_a_job_put_back_for_later_is_not_claimed_before(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.submit([order("a")])
        give_back(ledger, claimed(ledger), delay_s=30, error=ERROR)
        assert claim(ledger, id=ID, generation=1, worker="x") is None
        assert now(ledger).error == ERROR
        assert now(ledger).due_at > time.time() + 20


def test_a_failure_of_a_former_generation_does_not_end_the_new_one(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.submit([order("a")])
        former = claimed(ledger)
        ledger.cancel(ID)
        ledger.retry(ID)
        assert fail(ledger, former, ERROR) is Held.LOST
        assert beat(ledger, former, progress=1, task="") is Held.LOST
        assert now(ledger).state is JobState.QUEUED
        finish(ledger, former, {})  # it left an end, which is of the former generation
        assert now(ledger).state is JobState.QUEUED
        assert finish(ledger, claimed(ledger, generation=2), {"by": "new"}) is Held.OURS
        assert now(ledger).facts == {"by": "new"}
