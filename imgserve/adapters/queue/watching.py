"""What a runner tells of its work, for metrics and logs."""

from __future__ import annotations

from imgserve.adapters.queue.sweep import Swept
from imgserve.ports.jobs import Job


class Watch:
    """Told by several threads at once; does nothing, until somebody overrides it."""

    def claimed(self, *, waited_s: float) -> None:
        """A worker has taken a job, so long after it was submitted or begun anew."""

    def ended(self, job: Job, *, seconds: float) -> None:
        """An end was told of; `seconds` since its last turn began, 0 where it had none."""

    def requeued(self, *, code: str) -> None:
        """A job was put back; the code of its error, "stopped" where the runner stops."""

    def swept(self, what: Swept) -> None:
        """A sweep has ended."""

    def child_started(self) -> None:
        """A process was started."""

    def child_ended(self, *, reason: str) -> None:
        """A process is gone: died, timeout, memory, cancelled, lost, stopped, idle, old."""


def told(watch: Watch, job: Job) -> None:
    """Pass an end on."""
    seconds = job.ended_at - job.started_at if job.started_at and job.state.ended else 0.0
    watch.ended(job, seconds=max(0.0, seconds))
