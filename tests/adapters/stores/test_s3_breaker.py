"""The breaker, by a clock of the test."""

from __future__ import annotations

import pytest

from imgserve.adapters.stores.s3_breaker import MAX_FAILURES, PAUSE_S, Breaker
from imgserve.ports import StoreError


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.enter()
        breaker.failed()


def test_some_failures_change_nothing(breaker: Breaker) -> None:
    fail(breaker, MAX_FAILURES - 1)
    breaker.enter()


def test_a_success_between_them_begins_the_count_again(breaker: Breaker) -> None:
    fail(breaker, MAX_FAILURES - 1)
    breaker.succeeded()
    fail(breaker, MAX_FAILURES - 1)
    breaker.enter()


def test_failures_in_a_row_make_a_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, MAX_FAILURES)
    clock.now_s += PAUSE_S - 0.1
    with pytest.raises(StoreError):
        breaker.enter()


def test_after_the_pause_one_may_try_and_no_other(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, MAX_FAILURES)
    clock.now_s += PAUSE_S
    breaker.enter()
    with pytest.raises(StoreError):
        breaker.enter()


def test_an_attempt_that_never_ends_does_not_keep_it_closed(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, MAX_FAILURES)
    clock.now_s += PAUSE_S
    breaker.enter()
    clock.now_s += PAUSE_S
    breaker.enter()


def test_an_attempt_that_fails_makes_another_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, MAX_FAILURES)
    clock.now_s += PAUSE_S
    fail(breaker, 1)
    clock.now_s += PAUSE_S - 0.1
    with pytest.raises(StoreError):
        breaker.enter()


def test_an_attempt_that_succeeds_opens_it_for_all(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, MAX_FAILURES)
    clock.now_s += PAUSE_S
    breaker.enter()
    breaker.succeeded()
    breaker.enter()
    breaker.enter()
