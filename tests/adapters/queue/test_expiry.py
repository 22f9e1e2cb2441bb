"""What becomes of old jobs: too many, too old, and some that nobody can read."""

from __future__ import annotations

import logging
import time

import pytest

from imgserve.adapters.queue.claims import Claim, claim, finish
from imgserve.adapters.queue.expiry import KEPT_PER_WAITING
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.listing import counts, listed
from imgserve.adapters.queue.sweep import Sweeper
from imgserve.ports.jobs import JobState, QueueError
from tests.adapters.queue.conftest import Place
from tests.adapters.queue.makers import order

SHORT_S = 0.05


def end(ledger: Ledger, name: str, *, told: bool = True) -> None:
    """Have a job done."""
    (job,) = ledger.submit([order(name)])
    ledger.storage.job_line.receive()
    mine = claim(ledger, id=job.order.id, generation=1, worker="x")
    assert isinstance(mine, Claim)
    finish(ledger, mine, {})
    if told:
        ledger.close(mine.record, mine.lease.turn)


def left(ledger: Ledger) -> set[str]:
    return {job.order.id for job in listed(ledger, state=None, limit=100, after="").jobs}


def ids(*names: str) -> set[str]:
    return {order(name).id for name in names}


def spoil(ledger: Ledger, name: str) -> None:
    """Have a record ask for what only another version knows."""
    orders = ledger.storage.orders
    data = orders.peek(order(name).id)
    assert data is not None
    orders.put(order(name).id, data.replace(b'"upscale"', b'"unheard of"'))


def test_of_too_many_ended_jobs_the_oldest_are_forgotten(place: Place) -> None:
    with place.ledger(max_jobs=1) as ledger:
        end(ledger, "untold", told=False)
        kept = [f"job {number}" for number in range(KEPT_PER_WAITING + 3)]
        for name in kept:
            end(ledger, name)
        ledger.submit([order("waiting")])
        sweeper = Sweeper(ledger, ended=lambda _: None)
        assert sweeper.sweep().expired == 4
        assert left(ledger) == ids("untold", "waiting", *kept[4:])
        assert counts(ledger)[JobState.DONE] == KEPT_PER_WAITING
        assert ledger.storage.orders.size() == KEPT_PER_WAITING + 1
        assert sweeper.sweep().expired == 0
        ledger.storage.job_line.receive()
        end(ledger, "another")
        assert sweeper.sweep().expired == 1
        assert left(ledger) == ids("untold", "waiting", "another", *kept[5:])


def test_a_job_that_cannot_be_read_is_passed_over_and_named_once(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with place.ledger(lease_s=SHORT_S) as ledger:
        ledger.submit([order("foreign"), order("ours")])
        while ledger.storage.job_line.waiting():
            ledger.storage.job_line.receive()
        spoil(ledger, "foreign")
        time.sleep(2 * SHORT_S)
        sweeper = Sweeper(ledger, ended=lambda _: None)
        assert [sweeper.sweep().sent_again for _ in range(2)] == [0, 1]
        assert left(ledger) == ids("ours")
        assert ledger.get([order("foreign").id]) == [None]
        assert ledger.storage.open.peek(f"{order('foreign').id}.1") is not None
        with pytest.raises(QueueError, match="another version"):
            ledger.submit([order("foreign")])
        errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        assert len(errors) == 1
        assert order("foreign").id in errors[0]


def test_an_end_a_lease_and_a_call_that_cannot_be_read_stop_nothing(place: Place) -> None:
    with place.ledger(lease_s=SHORT_S) as ledger:
        ledger.submit([order("end"), order("lease"), order("ours")])
        while ledger.storage.job_line.waiting():
            ledger.storage.job_line.receive()
        ledger.storage.ends.put(order("end").id, b'{"generation": 1, "state": "unheard of"}')
        ledger.storage.leases.put(order("lease").id, b"rubbish")
        ledger.storage.calls.put("call", b"rubbish")
        sweeper = Sweeper(ledger, ended=lambda _: None)
        assert [sweeper.sweep().sent_again for _ in range(2)] == [0, 1]
        assert left(ledger) == ids("ours")
        assert counts(ledger)[JobState.RUNNING] == 0
        assert [job.order.id for job in listed(ledger, state=JobState.QUEUED, limit=9, after="").jobs] == [
            order("ours").id
        ]


def test_what_cannot_be_read_is_forgotten_when_it_is_old(place: Place) -> None:
    with place.ledger(ttl_s=3600) as ledger, place.ledger(ttl_s=0) as later:
        ledger.submit([order("rubbish")])
        end(ledger, "ended")
        ledger.submit([order("foreign"), order("ours")])
        ledger.storage.leases.put(order("foreign").id, b"rubbish")
        spoil(ledger, "foreign")
        spoil(ledger, "ended")
        ledger.storage.orders.put(order("rubbish").id, b"\x80")
        Sweeper(ledger, ended=lambda _: None).sweep()
        assert ledger.storage.orders.size() == 4
        assert Sweeper(later, ended=lambda _: None).sweep().expired == 3
        storage = ledger.storage
        kept = [storage.orders, storage.open, storage.leases, storage.tickets, storage.ends, storage.numbers]
        assert [shelf.size() for shelf in kept] == [1, 1, 0, 0, 0, 1]
        assert ledger.storage.ended[JobState.DONE].size() == 0
        assert left(ledger) == ids("ours")
