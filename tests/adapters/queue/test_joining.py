"""An order for a job that is known and has not ended: what it adds to the job."""

from __future__ import annotations

from dataclasses import replace

from imgserve.adapters.queue.claims import Claim, claim, finish, give_back
from imgserve.adapters.queue.ledger import Ledger
from imgserve.ports.jobs import JobOrder, JobState
from tests.adapters.queue.conftest import Place, ended, soon
from tests.adapters.queue.makers import order, tries

BARE = replace(order("a"), webhook="", owner="", path="")


def now(ledger: Ledger) -> JobOrder:
    (job,) = ledger.get([BARE.id])
    assert job is not None
    return job.order


def claimed(ledger: Ledger) -> Claim:
    mine = claim(ledger, id=BARE.id, generation=1, worker="x")
    assert isinstance(mine, Claim)
    return mine


def test_what_the_first_order_left_empty_is_filled_in_and_nothing_else_changes(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.submit([BARE])
        (job,) = ledger.submit([order("a", "another source")])
        assert job.order == now(ledger) == order("a")
        ledger.submit([replace(order("a"), webhook="https://example.com/2", owner="you", path="/other")])
        assert now(ledger) == order("a")
        assert ledger.storage.job_line.waiting() == 1


def test_a_running_job_is_told_to_the_webhook_of_a_later_order(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.submit([BARE])
        mine = claimed(ledger)
        (job,) = ledger.submit([order("a")])
        assert job.state is JobState.RUNNING
        finish(ledger, mine, {})
        assert now(ledger).webhook == order("a").webhook


def test_an_ended_job_stays_as_it_is(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.submit([BARE])
        finish(ledger, claimed(ledger), {})
        (job,) = ledger.submit([order("a", priority=5)])
        assert job.order == now(ledger) == BARE


def test_a_higher_priority_counts_for_a_job_that_waits_and_a_lower_one_does_not(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.submit([order("b", priority=3), BARE])
        ledger.submit([order("a", priority=9), order("b", priority=1)])
        assert now(ledger).priority == 9
        with place.running(ledger):
            for name in "ab":
                ended(ledger, order(name).id)
            soon(lambda: not ledger.storage.job_line.waiting())
        lines = (place.folder / "tries").read_text().splitlines()
        assert [line.split()[0] for line in lines] == [BARE.id, order("b").id]
        assert len(tries(place.folder, BARE.id)) == 1


def test_a_job_that_runs_gets_no_second_message_and_is_given_back_with_its_new_priority(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.submit([BARE, order("b", priority=3)])
        while ledger.storage.job_line.waiting():
            ledger.storage.job_line.receive()
        mine = claimed(ledger)
        ledger.submit([order("a", priority=9)])
        assert ledger.storage.job_line.waiting() == 0
        ledger.storage.job_line.send(order("b").id, 1, priority=3)
        give_back(ledger, mine)
        assert ledger.storage.job_line.receive() == (BARE.id, 1)


def test_one_request_that_orders_the_same_twice_adds_both(place: Place) -> None:
    with place.ledger() as ledger:
        first, twin = ledger.submit([BARE, order("a")])
        assert twin.order == now(ledger) == order("a")
        assert first == twin
