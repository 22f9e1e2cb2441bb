"""What a render with AI steps is made of: artefacts where they are there, and a job where they are not."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from imgserve.errors import SourceTimeout, SourceUnreachable
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need
from imgserve.ports import Blob
from imgserve.ports.models import Reading, Task
from imgserve.service.artefacts import Artefact, Artefacts
from imgserve.service.entry import source_tag
from imgserve.service.jobs import Jobs
from imgserve.service.purges import Mark
from imgserve.service.validators import is_version, origin_condition, source_validator

logger = logging.getLogger(__name__)

#: Fetches the plan's source with these request headers.
Fetch = Callable[[Mapping[str, str]], Awaitable[Blob]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a picture is made of."""

    #: The bytes to render, and what the source's origin says of it.
    blob: Blob
    source_bytes: int
    #: Of the source's version; "" = that of the bytes.
    validator: str = ""
    readings: Mapping[Task, Reading] = field(default_factory=dict)
    #: Where an artefact takes its place: the format of the source.
    source_format: str = ""
    #: Who made the artefacts, for a header.
    provider: str = ""
    #: As in `Made`: nobody could check whether the source is still the one of the artefacts.
    stale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modelled:
    """Finds what models made; where they have not yet, they are asked to, and Pending is raised."""

    artefacts: Artefacts
    jobs: Jobs

    def needs(self, plan: Plan) -> tuple[Need, ...]:
        return self.artefacts.needs(plan)

    def keys(self, needs: Sequence[Need]) -> list[str]:
        """Give what a result's key has to have beside its plan: another model gives other pixels."""
        return [self.artefacts.key(need) for need in needs]

    async def given(self, plan: Plan, needs: Sequence[Need], fetch: Fetch) -> Given:
        """Give what the plan is rendered of; raises Pending, and what fetching raises."""
        mark = await self.artefacts.mark()
        found = {need: await self.artefacts.find(need) for need in needs}
        if missing := [need for need, artefact in found.items() if artefact is None]:
            raise await self.jobs.pending(plan, missing)
        there = {need: artefact for need, artefact in found.items() if artefact is not None}
        readings = {need: artefact for need, artefact in there.items() if not need.pictorial}
        # Where they are of two versions, the source tells which is the older one, fresh as both may be.
        agree = len({artefact.validator for artefact in there.values()}) == 1
        given = await self._picture(plan, needs[0], there[needs[0]], fetch, since=mark, agree=agree)
        if outdated := [need for need, artefact in readings.items() if artefact.validator != given.validator]:
            raise await self.jobs.pending(plan, outdated, redo=True)
        return dataclasses.replace(
            given,
            readings={
                need.asks[0].task: artefact.reading
                for need, artefact in readings.items()
                if artefact.reading is not None
            },
            provider=_provider(there.values()),
        )

    async def _picture(
        self, plan: Plan, need: Need, artefact: Artefact, fetch: Fetch, *, since: Mark, agree: bool
    ) -> Given:
        """Give the picture that takes the source's place, if its source has not changed; else the source."""
        if not need.pictorial:
            blob = await fetch({})
            return Given(blob=blob, validator=source_validator(blob), source_bytes=len(blob.data))
        fresh_until: float | None = artefact.fresh_until
        stale = ""
        if not (agree and self.artefacts.is_fresh(need, artefact)):
            try:
                answer = await fetch(origin_condition(artefact.validator))
            except (SourceUnreachable, SourceTimeout) as error:
                if self.artefacts.is_dead(need, artefact):
                    raise
                tag = source_tag(plan.source)
                logger.warning("an artefact is used whose source cannot be checked (%s): %s", tag, error.message)
                stale = "error"
            else:
                if not is_version(answer, artefact.validator):
                    raise await self.jobs.pending(plan, [need], redo=True)
                await self.artefacts.freshen(need, artefact, answer, since=since)
                fresh_until = None
        return Given(
            blob=Blob(data=artefact.data, origin=artefact.origin, fresh_until=fresh_until),
            validator=artefact.validator,
            source_bytes=artefact.source_bytes,
            source_format=artefact.source_format,
            stale=stale,
        )


def _provider(artefacts: Iterable[Artefact]) -> str:
    """Name the providers for a header, and say which answers are those of a basic one."""
    named = [", ".join(one.providers) + ("; basic" if one.basic else "") for one in artefacts]
    return ", ".join(dict.fromkeys(named))
