"""A job as JSON values: what the API, its events and webhooks tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from imgserve.errors import RequestError
from imgserve.plan.signing import Signer
from imgserve.ports.jobs import Job
from imgserve.web.orders import Expansion, Order

#: Side of the square that the picture before the AI step is scaled to fit, for consoles.
BEFORE_PX: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """Tells of jobs; paths are as clients of this server ask for them."""

    expansion: Expansion
    signer: Signer
    prefix: str = ""

    def __call__(self, job: Job) -> dict[str, Any]:
        """Give all that is told of a job."""
        order, error = job.order, job.error
        return {
            "id": order.id,
            "state": job.state.value,
            "task": job.task or order.asks[0].task.value,
            "progress": round(job.progress, 4),
            "attempts": job.attempts,
            "max_attempts": job.max_attempts,
            "priority": order.priority,
            "source": order.source,
            "asks": [{"task": ask.task.value, "argument": ask.argument} for ask in order.asks],
            "owner": order.owner or None,
            "worker": job.worker or None,
            "created_at": _time(job.created_at),
            "started_at": _time(job.started_at),
            "ended_at": _time(job.ended_at),
            "due_at": _time(job.due_at),
            "error": {"code": error.code, "message": error.message} if error is not None else None,
            "facts": dict(job.facts),
            "status_url": self.status_url(order.id),
            "events_url": f"{self.status_url(order.id)}/events",
            "url": order.path or None,
            "before_url": self._before(order.source),
        }

    def status_url(self, id: str) -> str:
        return f"{self.prefix}/v1/jobs/{id}"

    def signed(self, path: str) -> str | None:
        """Give the whole path of an image path, None where this server cannot sign."""
        return f"{self.prefix}/{self.signer.sign(path)}{path}" if self.signer.pairs else None

    def _before(self, source: str) -> str | None:
        """Give a path that shows the source, None where no URL may."""
        if not self.signer.pairs:
            return None
        resize, separator = self.expansion.spelled("rs", "resize"), self.expansion.grammar.separator
        fitted = separator.join((resize, "fit", str(BEFORE_PX), str(BEFORE_PX)))
        try:
            [wanted] = self.expansion.wanted(source, Order(options=(fitted,)))
        except RequestError:
            return None
        # What URL replacements make of it may be another source.
        return self.signed(wanted.path) if wanted.plan.source == source else None


def _time(at: float) -> str | None:
    """Print a Unix time as RFC 3339, None for 0."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
