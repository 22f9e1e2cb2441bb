"""What a runner of jobs tells, counted."""

from __future__ import annotations

from imgserve import metrics
from imgserve.adapters.queue.watching import Watch
from imgserve.ports.jobs import Job


class JobMetrics(Watch):
    """Tells the metrics."""

    def claimed(self, *, waited_s: float) -> None:
        metrics.job_claimed(waited_s)

    def ended(self, job: Job, *, seconds: float) -> None:
        metrics.job_ended(job.state.value, job.error.code if job.error is not None else "", seconds)

    def requeued(self, *, code: str) -> None:
        metrics.job_requeued(code)

    def child_ended(self, *, reason: str) -> None:
        metrics.job_process_ended(reason)
