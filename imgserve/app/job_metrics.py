"""What a runner of jobs tells, counted."""

from __future__ import annotations

from imgserve import metrics
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.listing import counts
from imgserve.adapters.queue.sweep import Swept
from imgserve.adapters.queue.watching import Watch
from imgserve.ports.jobs import Job, JobState


class JobMetrics(Watch):
    """Tells the metrics; counts in the ledger after each sweep."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def swept(self, what: Swept) -> None:
        found = counts(self._ledger)
        metrics.set_jobs(queued=found[JobState.QUEUED], running=found[JobState.RUNNING])

    def claimed(self, *, waited_s: float) -> None:
        metrics.job_claimed(waited_s)

    def ended(self, job: Job, *, seconds: float) -> None:
        metrics.job_ended(job.state.value, job.error.code if job.error is not None else "", seconds)

    def requeued(self, *, code: str) -> None:
        metrics.job_requeued(code)

    def child_ended(self, *, reason: str) -> None:
        metrics.job_process_ended(reason)
