"""What sweeps put right: each thing that a process killed between two writes can leave."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from imgserve.adapters.queue.calls import make_call, schedule
from imgserve.adapters.queue.claims import Claim, claim, finish
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.listing import listed
from imgserve.adapters.queue.records import Record, written
from imgserve.adapters.queue.sweep import Sweeper
from imgserve.ports.jobs import Job, JobState, QueueError
from tests.adapters.queue.conftest import Place
from tests.adapters.queue.makers import order

SHORT_S = 0.05
ID = order("a").id


def claimed(ledger: Ledger) -> Claim:
    mine = claim(ledger, id=ID, generation=1, worker="x")
    assert isinstance(mine, Claim)
    return mine


def waiting(ledger: Ledger) -> list[tuple[object, ...]]:
    """Take all messages."""
    return [ledger.storage.job_line.receive() or () for _ in range(ledger.storage.job_line.waiting())]


def test_an_open_job_without_a_message_is_sent_at_the_second_sweep(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.submit([order("a"), order("b")])
        ledger.storage.job_line.receive()
        sweeper = Sweeper(ledger, ended=lambda _: None)
        assert sweeper.sweep().sent_again == 0
        assert sweeper.sweep().sent_again == 1
        assert sweeper.sweep().sent_again == 0
        assert sorted(waiting(ledger)) == sorted([(ID, 1), (order("b").id, 1)])


def test_a_job_whose_lease_ran_out_is_sent_again_once(place: Place) -> None:
    with place.ledger(lease_s=SHORT_S) as ledger:
        ledger.submit([order("a")])
        waiting(ledger)
        claimed(ledger)
        sweepers = [Sweeper(ledger, ended=lambda _: None) for _ in range(3)]
        assert [each.sweep().sent_again for each in sweepers] == [0, 0, 0]
        time.sleep(2 * SHORT_S)
        assert [each.sweep().sent_again for each in sweepers] == [1, 0, 0]


def test_a_job_whose_last_worker_died_fails_and_is_told_of_once(place: Place) -> None:
    told: list[Job] = []
    with place.ledger(lease_s=SHORT_S, max_attempts=1) as ledger:
        ledger.submit([order("a")])
        waiting(ledger)
        claimed(ledger)
        time.sleep(2 * SHORT_S)
        sweepers = [Sweeper(ledger, ended=told.append) for _ in range(3)]
        for each in sweepers:
            each.sweep()
    (job,) = told
    assert (job.state, job.attempts) == (JobState.FAILED, 1)
    assert job.error is not None
    assert job.error.message == "The worker process ended 1 time over this job."


def test_an_end_that_its_writer_did_not_live_to_tell_is_told(place: Place) -> None:
    told: list[Job] = []
    with place.ledger(lease_s=SHORT_S) as ledger:
        ledger.submit([order("a")])
        finish(ledger, claimed(ledger), {})
        sweepers = [Sweeper(ledger, ended=told.append) for _ in range(3)]
        assert [each.sweep().told for each in sweepers] == [0, 0, 0]
        time.sleep(2 * SHORT_S)
        assert [each.sweep().told for each in sweepers] == [1, 0, 0]
        assert [job.state for job in told] == [JobState.DONE]


def test_an_end_is_put_away_after_it_was_told(place: Place) -> None:
    told: list[Job] = []

    def hook(job: Job) -> None:
        if not told:
            told.append(job)
            raise QueueError("killed just then")
        told.append(job)

    with place.ledger() as ledger:
        ledger.submit([order("a")])
        ledger.cancel(ID)
        sweeper = Sweeper(ledger, ended=hook)
        with pytest.raises(QueueError):
            sweeper.sweep()
        assert sweeper.sweep().told == 1
        assert sweeper.sweep().told == 0
        assert [job.state for job in told] == [JobState.CANCELLED] * 2


def test_a_call_scheduled_twice_under_one_id_is_one_call(place: Place) -> None:
    with place.ledger() as ledger:
        for payload in (b"first", b"second"):
            schedule(ledger.storage, "hook", payload, id="end of a")
        assert ledger.storage.call_line.waiting() == 1
        heard: list[bytes] = []
        make_call(ledger.storage, "end of a", {"hook": heard.append})
        make_call(ledger.storage, "end of a", {"hook": heard.append})
        assert heard == [b"first"]


def test_a_place_whose_order_was_never_taken_is_given_up(place: Place) -> None:
    with place.ledger(lease_s=SHORT_S) as ledger:
        ledger.storage.open.put_new(f"{ID}.1", f"1 {time.time()}".encode())
        sweeper = Sweeper(ledger, ended=lambda _: None)
        sweeper.sweep()
        assert ledger.storage.open.size() == 1
        time.sleep(2 * SHORT_S)
        sweeper.sweep()
        assert ledger.storage.open.size() == 0


def test_a_generation_that_was_begun_and_not_written_is_begun(place: Place) -> None:
    with place.ledger() as ledger:
        ledger.submit([order("a")])
        waiting(ledger)
        ledger.cancel(ID)
        sweeper = Sweeper(ledger, ended=lambda _: None)
        sweeper.sweep()
        number = ledger.storage.numbers.count("last")  # what `retry` does, up to the end that it pops
        ledger.storage.numbers.put(str(number), f"{ID}.2".encode())
        ledger.storage.open.put_new(f"{ID}.2", f"{number} {time.time() + 60}".encode())
        ledger.storage.ends.pop(ID)
        sweeper.sweep()
        sweeper.sweep()
        assert ledger.storage.numbers.peek(str(number)) is None
        ledger.storage.open.put(f"{ID}.2", f"{number} {time.time() - 60}".encode())
        assert sweeper.sweep().sent_again == 1
        assert waiting(ledger) == [(ID, 2)]
        assert [job.order.id for job in listed(ledger, state=None, limit=9, after="").jobs] == [ID]
        assert isinstance(claim(ledger, id=ID, generation=2, worker="x"), Claim)


def test_ended_jobs_are_forgotten_after_their_time_and_others_are_not(place: Place) -> None:
    with place.ledger(ttl_s=0) as ledger:
        ledger.submit([order("a"), order("b")])
        finish(ledger, claimed(ledger), {})
        Sweeper(ledger, ended=lambda _: None).sweep()
        assert ledger.get([ID]) == [None]
        assert ledger.get([order("b").id]) != [None]
        storage = ledger.storage
        left = [storage.orders, storage.open, storage.leases, storage.tickets, storage.ends]
        assert [shelf.size() for shelf in left] == [1, 1, 0, 0, 0]
        (job,) = ledger.submit([order("a")])
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)


def test_a_number_that_is_nobody_s_is_forgotten(place: Place) -> None:
    with place.ledger() as ledger:
        (job,) = ledger.submit([order("a")])
        ledger.storage.numbers.put(str(ledger.storage.numbers.count("last")), b"unknown.1")
        sweeper = Sweeper(ledger, ended=lambda _: None)
        sweeper.sweep()
        assert ledger.storage.numbers.size() == 2
        sweeper.sweep()
        assert ledger.storage.numbers.size() == 1
        assert ledger.get([job.order.id]) == [job]


def test_windows_that_are_over_are_forgotten(place: Place) -> None:
    with place.ledger() as ledger:
        storage = ledger.storage
        storage.rates.count("key:1:5")
        storage.rates.put("key:1", b"5")
        Sweeper(ledger, ended=lambda _: None).sweep()
        assert storage.rates.size() == 0
        assert storage.rates.count("key:1:5") == 1


def test_a_call_without_a_message_is_sent_at_the_second_sweep(place: Place) -> None:
    with place.ledger() as ledger:
        schedule(ledger.storage, "hook", b"x")
        ledger.storage.call_line.receive()
        sweeper = Sweeper(ledger, ended=lambda _: None)
        sweeper.sweep()
        assert ledger.storage.call_line.waiting() == 0
        sweeper.sweep()
        assert ledger.storage.call_line.waiting() == 1


def test_an_order_of_another_version_with_more_fields_is_read(place: Place) -> None:
    with place.ledger() as ledger:
        record = Record(order=order("a"), generation=1, number=1, created_at=1.0)
        newer = written(record).replace(b'"generation"', b'"unheard_of":1,"generation"')
        ledger.storage.orders.put(ID, newer)
        assert ledger.found([ID])[ID].record == replace(record)
