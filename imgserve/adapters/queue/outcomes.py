"""What becomes of a job after a turn: done, tried again after a time, failed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from imgserve.adapters.queue.making import Broke, Made, Refused
from imgserve.adapters.queue.sweep import died
from imgserve.ports.jobs import JobError

#: Between two attempts, at most.
LONGEST_BACKOFF_S: Final = 300.0
#: Of the time, up or down: jobs that failed together do not come back together.
JITTER: Final = 0.25

BUG: Final = JobError(code="internal_error", message="The server made a mistake over this job; its log says more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """The child ended by itself, or the kernel ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLong:
    """It was ended after `timeout_s`."""

    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge:
    """It was ended with more than `max_bytes` of memory."""

    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The runner stops, or has no process to give; not the job's fault."""

    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """The job was cancelled, or is another's: nothing is to be written."""


Outcome = Made | Refused | Broke | Died | TooLong | TooLarge | Stopped | Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Another attempt, after a time."""

    error: JobError
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    error: JobError


def judge(
    outcome: Refused | Broke | Died | TooLong | TooLarge, *, attempts: int, max_attempts: int, backoff_s: float
) -> Again | Failed:
    """Say what an attempt that did not succeed leads to; `backoff_s` is the time after the first."""
    error = _error(outcome, attempts)
    if attempts >= max_attempts or (isinstance(outcome, Refused) and not outcome.mended_by_time):
        return Failed(error=error)
    delay_s = min(LONGEST_BACKOFF_S, backoff_s * 2 ** (attempts - 1))
    delay_s *= random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    wanted_s = outcome.retry_after_s if isinstance(outcome, Refused) else 0
    return Again(error=error, delay_s=max(delay_s, wanted_s))


def _error(outcome: Refused | Broke | Died | TooLong | TooLarge, attempts: int) -> JobError:
    match outcome:
        case Refused(code=code, message=message):
            return JobError(code=code, message=message)
        case TooLong(timeout_s=timeout_s):
            return JobError(code="job_timeout", message=f"The job took longer than {timeout_s:g} s.")
        case TooLarge(max_bytes=max_bytes):
            return JobError(code="job_memory", message=f"The job took more than {max_bytes} bytes of memory.")
        case Broke():
            return BUG
        case Died():
            return died(attempts)
