"""From a plan of /info to facts: the head of the source, and what models read in it as far as they have.

The whole source is fetched, as for a picture: SourceCache keeps it, so that its size and validator are those of the
bytes that models see. Answers are not kept: a look at a head takes a few milliseconds, most of them to read the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imgserve.engine.deadline import Deadline
from imgserve.engine.header import open_header
from imgserve.engine.load import Opened
from imgserve.errors import Pending, ProviderUnavailable
from imgserve.ops.info import Hashsum, HeaderField, ReadingField, header_fields, reading_fields
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need
from imgserve.ports import Blob, Origin
from imgserve.service.conditions import Condition, Unchanged
from imgserve.service.entry import key_of
from imgserve.service.modelled import Modelled
from imgserve.service.render import Renderer
from imgserve.service.validators import NOT_MODIFIED, source_validator

#: A change of what answers say makes ETags of older ones void.
_FORM: Final = "info 1"

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
            facts = await self._head(plan, blob.data, ends_at=ends_at)
            info = await self._with_readings(plan, needs, blob, facts=facts, validator=validator)
        return known if is_known and not info.lacking else info

    def _needs(self, plan: Plan) -> dict[ReadingField, Need | ProviderUnavailable]:
        """Give what each field needs of models; one that nobody can fill keeps the others from nothing."""
        out: dict[ReadingField, Need | ProviderUnavailable] = {}
        for one in reading_fields(plan):
            try:
                [out[one]] = self.modelled.needs(Plan(source=plan.source, ops=(one,)))
            except ProviderUnavailable as error:
                out[one] = error
        return out

    async def _head(self, plan: Plan, data: bytes, *, ends_at: float) -> dict[str, Any]:
        """Read the head of the source in a thread of the pool: decoders of some formats take their time for it."""
        renderer = self.renderer
        left_s = max(0.0, ends_at - renderer.clock())
        deadline = Deadline(min(left_s, renderer.render_timeout_s) if renderer.render_timeout_s else left_s)
        limits, fields, sum_ = renderer.intent(plan).limits, header_fields(plan), plan.get(Hashsum)

        def look() -> dict[str, Any]:
            if sum_ is not None:
                sum_.check(data)
            with open_header(data, limits=limits, config=renderer.config, deadline=deadline) as opened:
                return _told(fields, data, opened)

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


def _told(fields: Sequence[HeaderField], data: bytes, opened: Opened) -> dict[str, Any]:
    return {name: value for one in fields for name, value in one.told(data, opened).items()}
