"""From a plan of /info to facts: the head of the source, what is measured in its pixels, and what models read in it as
far as they have.

For the head, the first bytes of the source do where they tell it. For all else the whole source is fetched, as for a
picture: SourceCache keeps it, so that its size and validator are those of the bytes that models see. A look at a head
takes a few milliseconds, so what it tells is not kept; what is measured in pixels takes a decode and is.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imgserve.engine.deadline import Deadline
from imgserve.engine.header import open_header
from imgserve.engine.subject import Subject
from imgserve.errors import ImageRefused, Pending, ProviderUnavailable
from imgserve.ops.info import extent_of, fields, head_fields
from imgserve.ops.info_fields import BytesField, Extent, Head, PixelField, ReadingField
from imgserve.ops.info_hashsums import Hashsum
from imgserve.ops.info_head import Size
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need
from imgserve.ports import Blob, Origin
from imgserve.service.conditions import Condition, Unchanged
from imgserve.service.entry import SOURCE, key_of
from imgserve.service.flights import Flights
from imgserve.service.heads import HeadBytes
from imgserve.service.measured import Measured
from imgserve.service.modelled import Modelled
from imgserve.service.purges import Mark
from imgserve.service.render import Renderer
from imgserve.service.validators import NOT_MODIFIED, source_validator

#: A change of what answers say makes ETags of older ones void.
_FORM: Final = "info 2"

#: Why a field cannot be told now.
Lack = Pending | ProviderUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What is known of a source."""

    #: JSON values.
    facts: Mapping[str, Any]
    #: By name of the field's option.
    lacking: Mapping[str, Lack]
    origin: Origin
    validator: str
    #: Who read in the picture, "" = nobody was asked.
    provider: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspector:
    """The service behind /info."""

    #: Lends its sources, limits and threads.
    renderer: Renderer
    modelled: Modelled
    #: Unix time.
    clock: Callable[[], float] = time.time
    #: Of requests for the same facts at the same time one has them measured, as with pictures.
    measuring: Flights[dict[str, Any]] = dataclasses.field(default_factory=Flights)

    def key(self, plan: Plan) -> str:
        """Name a whole answer: another model gives another one."""
        needs = [need for need in self._needs(plan).values() if isinstance(need, Need)]
        return key_of(plan, epoch=f"{_FORM} {self.renderer.epoch}", of=self.modelled.keys(needs))

    async def answer(self, plan: Plan, condition: Condition, *, ends_at: float) -> Info | Unchanged:
        """Give what is known, or find that the client has it; what a model has not read yet is begun to be read.

        `ends_at` is on the clock of `time.monotonic`. Raises SourceError, ImageError and LoadError.
        """
        renderer, needs = self.renderer, self._needs(plan)
        # A 304 says nothing of what models have read.
        headers = {} if needs else condition.origin_headers()
        if not headers:
            # Without a 304, which needs no room, a thread is wanted; where there is none, spare the download.
            renderer.pool.check_room()
        if extent_of(plan) is Extent.HEAD:
            return await self._of_head(plan, condition, ends_at=ends_at)
        since = await renderer.results.now()
        with renderer.bytes_in_flight.share() as share:
            blob = await renderer.fetch(plan, renderer.intent(plan), headers=headers, announce=share.expect)
            if blob.origin.status == NOT_MODIFIED:
                return Unchanged(origin=blob.origin, validator=None)
            share.settle(len(blob.data))
            validator = source_validator(blob)
            known = Unchanged(origin=blob.origin, validator=validator)
            is_known = condition.holds(validator, blob.origin)
            if is_known and not needs:
                return known
            facts = await self._seen(plan, blob, validator=validator, since=since, ends_at=ends_at)
            info = await self._with_readings(plan, needs, blob, facts=facts, validator=validator)
        return known if is_known and not info.lacking else info

    def _needs(self, plan: Plan) -> dict[ReadingField, Need | ProviderUnavailable]:
        """Give what each field needs of models; one that nobody can fill keeps the others from nothing."""
        out: dict[ReadingField, Need | ProviderUnavailable] = {}
        for one in fields(plan, ReadingField):
            try:
                [out[one]] = self.modelled.needs(Plan(source=plan.source, ops=(one,)))
            except ProviderUnavailable as error:
                out[one] = error
        return out

    async def _of_head(self, plan: Plan, condition: Condition, *, ends_at: float) -> Info | Unchanged:
        """Answer of as many bytes of the source as its head takes."""
        renderer, intent = self.renderer, self.renderer.intent(plan)
        sized = any(isinstance(one, Size) for one in head_fields(plan))
        with renderer.bytes_in_flight.share() as share:
            head = await renderer.head(
                plan, intent, headers=condition.origin_headers(), sized=sized, ends_at=ends_at, announce=share.expect
            )
            if head.origin.status == NOT_MODIFIED:
                return Unchanged(origin=head.origin, validator=None)
            share.settle(len(head.data))
            validator = head.validator
            if condition.holds(validator, head.origin):
                return Unchanged(origin=head.origin, validator=validator)
            try:
                facts, _ = await self._look(plan, head.data, (), size=head.size, ends_at=ends_at)
            except ImageRefused:
                if head.whole:
                    raise
                # That a source is broken is said of the whole alone.
                head = HeadBytes.of(await renderer.fetch(plan, intent, headers={}, announce=share.expect))
                validator = head.validator
                facts, _ = await self._look(plan, head.data, (), ends_at=ends_at)
        return Info(facts=facts, lacking={}, origin=head.origin, validator=validator)

    async def _seen(self, plan: Plan, blob: Blob, *, validator: str, since: Mark, ends_at: float) -> dict[str, Any]:
        """Tell what the source itself says; its pixels are measured once for each of its versions."""
        measuring = fields(plan, PixelField)
        if not measuring:
            head, _ = await self._look(plan, blob.data, (), ends_at=ends_at)
            return head
        measured = Measured(tiers=self.renderer.results.tiers, epoch=self.renderer.epoch, clock=self.clock)
        key = measured.key(plan.source, validator, measuring)
        kept = await measured.find(key, since=since)
        if kept is not None:
            head, _ = await self._look(plan, blob.data, (), ends_at=ends_at)
            return head | kept

        async def measure() -> dict[str, Any]:
            head, facts = await self._look(plan, blob.data, measuring, ends_at=ends_at)
            await measured.keep(key, facts, source=plan.source, origin=blob.origin, since=since)
            return head | facts

        flight = f"{key} {plan.key(epoch=self.renderer.epoch)}"
        told, _ = await self.measuring.join(flight, measure, since=since, labels=(SOURCE + plan.source,))
        return told

    async def _look(
        self, plan: Plan, data: bytes, measuring: Sequence[PixelField], *, size: int | None = None, ends_at: float
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read the head of the source, and measure, in a thread of the pool; gives both parts of the answer."""
        renderer = self.renderer
        left_s = max(0.0, ends_at - renderer.clock())
        deadline = Deadline(min(left_s, renderer.render_timeout_s) if renderer.render_timeout_s else left_s)
        limits, config, checked = renderer.intent(plan).limits, renderer.config, plan.get(Hashsum)

        def look() -> tuple[dict[str, Any], dict[str, Any]]:
            if checked is not None:
                checked.check(data)
            with open_header(data, limits=limits, config=config, deadline=deadline) as opened:
                head = Head(size=size if size is not None else len(data), opened=opened)
                told = _joined(one.told(head) for one in head_fields(plan))
                told |= _joined(one.told(data) for one in fields(plan, BytesField))
                subject = Subject(data, opened, limits=limits, config=config, deadline=deadline)
                return told, _joined(one.told(subject) for one in measuring)

        return await renderer.pool.run(look, deadline=deadline)

    async def _with_readings(
        self,
        plan: Plan,
        needs: Mapping[ReadingField, Need | ProviderUnavailable],
        blob: Blob,
        *,
        facts: Mapping[str, Any],
        validator: str,
    ) -> Info:
        """Add what models have read in this version of the source; what they have not is ordered."""

        async def fetched(_headers: Mapping[str, str]) -> Blob:
            return blob

        found, lacking, providers = dict(facts), dict[str, Lack](), dict[str, None]()
        for field, need in needs.items():
            if isinstance(need, ProviderUnavailable):
                lacking[field.spec.name] = need
                continue
            try:
                given = await self.modelled.given(plan, [need], fetched)
            except Pending as pending:
                lacking[field.spec.name] = pending
                continue
            found |= field.told(given.readings[field.task])
            providers[given.provider] = None
        return Info(
            facts=found, lacking=lacking, origin=blob.origin, validator=validator, provider=", ".join(providers)
        )


def _joined(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}
