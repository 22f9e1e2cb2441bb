"""URLs whose AI steps are not ready: wait a little, answer without the steps, or say so."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from imgserve.engine.formats import FORMATS
from imgserve.errors import ImgserveError, ModelFailed, NotFound, Pending, QueueFull, QueueUnavailable
from imgserve.plan.model import Plan
from imgserve.service.entry import Made
from imgserve.service.jobs import Jobs
from imgserve.web.delivery import Delivery
from imgserve.web.http import vary
from imgserve.web.responses import Response

#: 202: a picture, but not the one that was asked for (D7).
_ACCEPTED: Final = 202
#: Of the request's time, what rendering gets after waiting.
_RENDER_S: Final = 2.0


def refusal(pending: Pending) -> ImgserveError:
    """Say as an error that a picture is not shown without what has failed; what may work in a moment is 503."""
    if pending.failed in (QueueFull.code, QueueUnavailable.code):
        return QueueUnavailable(pending.message, retry_after_s=pending.retry_after_s)
    return ModelFailed(pending.message, where=pending.failed)


class Policy(Enum):
    """How URLs are answered whose AI steps are not ready."""

    FALLBACK = "fallback"
    WAIT = "wait"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPolicy:
    """The operator's choice; `wait_s` is the most that a request waits for its job."""

    policy: Policy = Policy.FALLBACK
    wait_s: float = 0.0

    @classmethod
    def parse(cls, text: str) -> PendingPolicy:
        """Read IMGSERVE_PENDING, which settings have checked."""
        word, _, ms = text.partition(":")
        return cls(policy=Policy(word), wait_s=int(ms) / 1000 if ms else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAnswers:
    """What the image endpoint does about Pending."""

    jobs: Jobs
    delivery: Delivery
    policy: PendingPolicy = PendingPolicy()
    prefix: str = ""
    clock: Callable[[], float] = time.monotonic

    def falls_back(self, pending: Pending) -> bool:
        """Tell whether the picture may be shown without what is pending."""
        return self.policy.policy is not Policy.ERROR and not pending.vital

    async def waited(self, pending: Pending, *, ends_at: float) -> bool:
        """Wait for the job as long as the policy and the request's time allow; True when it has ended."""
        left_s = min(self.policy.wait_s, ends_at - self.clock() - _RENDER_S)
        if pending.failed or not pending.job or left_s <= 0:
            return False
        with contextlib.suppress(TimeoutError, QueueUnavailable, NotFound):
            async with asyncio.timeout(left_s):
                async for job in self.jobs.changes(pending.job):
                    if job.state.ended:
                        return True
        return False

    def response(self, plan: Plan, made: Made, pending: Pending, *, now: float) -> Response:
        """Answer the picture without its AI steps, marked; one whose job has failed may be kept for a moment."""
        degraded = bool(pending.failed)
        control = self.delivery.passing_cache_control(plan, now=now, origin=made.origin) if degraded else "no-store"
        headers = [
            ("content-type", made.picture.mime),
            ("content-disposition", self.delivery.disposition(plan, FORMATS[made.picture.format].extension)),
            ("cache-control", control),
            ("vary", vary(plan, self.delivery.negotiation)),
            *self.delivery.for_proxy(plan, control, passing=True),
            *self.delivery.about_cache(plan, made, now=now),
            *self._about(pending),
        ]
        return Response(
            status=200 if degraded else _ACCEPTED,
            headers=tuple((name, value) for name, value in headers if value),
            body=made.picture.data,
        )

    def _about(self, pending: Pending) -> tuple[tuple[str, str], ...]:
        told = [("location", f"{self.prefix}/v1/jobs/{pending.job}")] if pending.job else []
        if pending.failed:
            return (*told, ("x-imgserve-degraded", pending.failed))
        return (
            *told,
            ("x-imgserve-pending", pending.job),
            ("retry-after", str(pending.retry_after_s or 1)),
        )
