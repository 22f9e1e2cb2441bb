"""From a Plan to a picture: fetch the source, ask whether the client has the result already, render.

The steps stand in `Renderer.answer` in the order of the house's request table; each is a method over values. Nothing
here knows HTTP, settings or a kind of source.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Protocol

from imgserve.engine.deadline import Deadline
from imgserve.engine.frame import Transform
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import Rendered, render
from imgserve.engine.pool import RETRY_AFTER_S, RenderPool
from imgserve.errors import BadRequest, QueueFull, RenderTimeout, SourceUnreachable, Unavailable
from imgserve.ops.behaviour import Setting
from imgserve.ops.behaviour import Transform as TransformOp
from imgserve.plan.model import Plan
from imgserve.plan.sources import AllowedSources, scheme_of
from imgserve.ports import Blob, Origin, Source, SourceStream
from imgserve.service.validators import source_validator

_NOT_MODIFIED: Final = 304

#: A worker without render threads is replaced within this time.
_RECYCLING_S: Final = 10


class Condition(Protocol):
    """What the client already has."""

    def origin_headers(self) -> Mapping[str, str]:
        """Give the condition in terms of the source, for its origin; empty when there is none."""
        ...

    def holds(self, validator: str, origin: Origin) -> bool:
        """Tell whether the client has the result made of this source."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A picture, and the source it was made of."""

    picture: Rendered
    origin: Origin
    source_bytes: int
    #: Identifies the source's version: see `source_validator`.
    validator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """The client has the result; `validator` is None when the origin said so without sending the source."""

    origin: Origin
    validator: str | None


def intent_of(plan: Plan, defaults: Intent) -> Intent:
    """Put what the plan says over the operator's defaults."""
    # Plain settings go in together, once: a copy of Intent costs 20 microseconds, more than parsing an option.
    given: dict[str, Any] = {"preferred": plan.preferred, "enforced": plan.enforced}
    rest: list[Setting | TransformOp] = []
    for one in plan.ops:
        if isinstance(one, Setting) and type(one).configure is Setting.configure:
            given |= one.given()
        elif isinstance(one, Setting | TransformOp):
            rest.append(one)
    return reduce(lambda so_far, one: one.configure(so_far), rest, dataclasses.replace(defaults, **given))


def fingerprint(*facts: object) -> str:
    """Hash facts that decide every result's bytes (versions, defaults, configuration) for the epoch of keys."""
    return hashlib.sha256("\n".join(map(_stable, facts)).encode()).hexdigest()[:32]


def _stable(fact: object) -> str:
    # repr() of a mapping follows insertion, not meaning; that of a picture would be as long as the picture.
    if isinstance(fact, Mapping):
        return repr(sorted(fact.items()))
    if isinstance(fact, bytes):
        return hashlib.sha256(fact).hexdigest()
    if dataclasses.is_dataclass(fact):
        parts = (f"{field.name}={_stable(getattr(fact, field.name))}" for field in dataclasses.fields(fact))
        return f"{type(fact).__name__}({', '.join(parts)})"
    return repr(fact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """The service behind every image URL."""

    #: By scheme, lower case.
    sources: Mapping[str, Source]
    allowed: AllowedSources
    pool: RenderPool
    defaults: Intent
    config: EngineConfig
    #: Changes whenever the same plan would give other bytes.
    epoch: str
    #: Bound on one render, beside the request's own; 0 = none.
    render_timeout_s: float = 0.0
    clock: Callable[[], float] = time.monotonic

    def key(self, plan: Plan) -> str:
        return plan.key(epoch=self.epoch)

    def admit(self, plan: Plan) -> None:
        """Check before any work that the plan's source may be fetched; raises BadRequest or SourceForbidden."""
        self.source_of(plan)
        self.allowed.check(plan.source)

    def source_of(self, plan: Plan) -> Source:
        """Find the source by scheme; raises BadRequest."""
        scheme = scheme_of(plan.source)
        source = self.sources.get(scheme)
        if source is None:
            enabled = ", ".join(f"{name}://" for name in sorted(self.sources))
            raise BadRequest(
                f"Sources with {scheme[:40]}:// are not enabled on this server; enabled are {enabled}.",
                where="source",
                got=scheme[:40],
                expected=enabled,
            )
        return source

    async def answer(self, plan: Plan, condition: Condition, *, ends_at: float) -> Made | Unchanged:
        """Make the picture of a plan, or find that the client has it; `ends_at` is on the clock of `time.monotonic`."""
        intent = intent_of(plan, self.defaults)
        headers = condition.origin_headers()
        if not headers:
            # A render will be wanted: where it would be refused, the download is spared. A 304 needs no room.
            self._check_room()
        blob = await self.fetch(plan, intent, headers=headers)
        if blob.origin.status == _NOT_MODIFIED:
            return Unchanged(origin=blob.origin, validator=None)
        validator = source_validator(blob)
        if condition.holds(validator, blob.origin):
            return Unchanged(origin=blob.origin, validator=validator)
        picture = await self.run(plan, intent, blob.data, ends_at=ends_at)
        return Made(picture=picture, origin=blob.origin, source_bytes=len(blob.data), validator=validator)

    def _check_room(self) -> None:
        """Refuse at once what the pool would refuse; raises QueueFull or Unavailable."""
        pool = self.pool
        if pool.stuck >= pool.threads:
            raise Unavailable("This server cannot render at the moment.", retry_after_s=_RECYCLING_S)
        if pool.pending >= pool.threads + pool.queue_size:
            raise QueueFull("Too many images are being made; try again in a moment.", retry_after_s=RETRY_AFTER_S)

    async def fetch(self, plan: Plan, intent: Intent, *, headers: Mapping[str, str]) -> Blob:
        """Download the source within the plan's limits; no render slot is held meanwhile."""
        blob = await self.source_of(plan).fetch(plan.source, max_bytes=intent.limits.max_src_bytes, headers=headers)
        if blob.origin.status == _NOT_MODIFIED and not headers:
            raise SourceUnreachable("The source's server answered 304 to a request without conditions.", where="source")
        return blob

    def open_raw(self, plan: Plan, *, headers: Mapping[str, str]) -> AbstractAsyncContextManager[SourceStream]:
        """Open the source to pass its bytes on as they are; its size is not bounded, as in imgproxy."""
        return self.source_of(plan).open(plan.source, max_bytes=0, headers=headers)

    async def run(self, plan: Plan, intent: Intent, data: bytes, *, ends_at: float) -> Rendered:
        """Render in the pool; raises QueueFull, Unavailable, RenderTimeout and the engine's ImageError."""
        self._check_room()
        transforms: Sequence[Transform] = [one for one in plan.ops if isinstance(one, TransformOp)]
        left_s = ends_at - self.clock()
        if left_s <= 0:
            raise RenderTimeout("The image was not ready in time; try again later.")
        deadline = Deadline(min(left_s, self.render_timeout_s) if self.render_timeout_s else left_s)

        def work() -> Rendered:
            return render(data, intent=intent, transforms=transforms, config=self.config, deadline=deadline)

        return await self.pool.run(work, deadline=deadline)
