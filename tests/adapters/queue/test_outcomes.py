"""What an attempt leads to, as a table."""

from __future__ import annotations

import pytest

from imgserve.adapters.queue.making import Broke, Refused
from imgserve.adapters.queue.outcomes import JITTER, LONGEST_BACKOFF_S, Again, Died, Failed, TooLarge, TooLong, judge


def refused(*, mended: bool, retry_after_s: int = 0) -> Refused:
    return Refused(code="c", message="m", mended_by_time=mended, retry_after_s=retry_after_s)


@pytest.mark.parametrize(
    "outcome",
    [refused(mended=True), Broke(traceback=""), Died(), TooLong(timeout_s=1), TooLarge(max_bytes=1)],
)
def test_an_attempt_leads_to_another_until_they_are_used_up(
    outcome: Refused | Broke | Died | TooLong | TooLarge,
) -> None:
    assert isinstance(judge(outcome, attempts=2, max_attempts=3, backoff_s=1), Again)
    assert isinstance(judge(outcome, attempts=3, max_attempts=3, backoff_s=1), Failed)


def test_what_no_time_mends_fails_at_the_first_attempt() -> None:
    assert isinstance(judge(refused(mended=False), attempts=1, max_attempts=3, backoff_s=1), Failed)


@pytest.mark.parametrize(("attempts", "around_s"), [(1, 2), (2, 4), (3, 8), (30, LONGEST_BACKOFF_S)])
def test_the_time_between_attempts_doubles_and_is_bounded(attempts: int, around_s: float) -> None:
    verdict = judge(Died(), attempts=attempts, max_attempts=100, backoff_s=2)
    assert isinstance(verdict, Again)
    assert around_s * (1 - JITTER) <= verdict.delay_s <= around_s * (1 + JITTER)


def test_a_service_that_says_when_is_not_asked_before() -> None:
    verdict = judge(refused(mended=True, retry_after_s=77), attempts=1, max_attempts=3, backoff_s=1)
    assert isinstance(verdict, Again)
    assert verdict.delay_s == 77


def test_a_job_that_killed_its_workers_says_how_often() -> None:
    verdict = judge(Died(), attempts=3, max_attempts=3, backoff_s=1)
    assert verdict.error.message == "The worker process ended 3 times over this job."
