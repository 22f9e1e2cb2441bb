"""What models made of sources, kept in the stores of results: found, judged, kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from imgserve.errors import NoProvider, NotKept
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need, needs_of
from imgserve.plan.sources import scheme_of
from imgserve.ports import Blob, Origin, Stored
from imgserve.ports.models import Ask, Detection, Provider, Reading, Score, Task
from imgserve.service.entry import SOURCE, origin_facts, origin_of
from imgserve.service.freshness import KeepingRules, State, fresh_s, freshened_origin, is_kept, must_revalidate
from imgserve.service.purges import Mark, Purges
from imgserve.service.tiers import Tiers

_FORM: Final = 1

#: Beyond its freshness one is kept so long at least, a week: its origin can be asked, and it took a model minutes.
_KEPT_S: Final = 604_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """What models made of one version of a source."""

    #: An image file that takes the source's place: upright, of its full size, lossless; empty where there is a reading.
    data: bytes = b""
    reading: Reading | None = None
    #: Of the source that it was made of.
    origin: Origin
    validator: str
    source_bytes: int
    #: Name of the source's format, which decides that of results.
    source_format: str
    #: Unix times, as in `Made`.
    stored_at: float = 0.0
    fresh_until: float = 0.0
    #: Names of the providers, in the order of the steps, and whether one of them is a basic one.
    providers: tuple[str, ...] = ()
    basic: bool = False


class Artefacts:
    """Finds and keeps artefacts; `providers` are those that this server has, by task."""

    def __init__(
        self,
        *,
        tiers: Tiers,
        purges: Purges,
        rules: KeepingRules,
        providers: Mapping[Task, Provider],
        near: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tiers = tiers
        self._purges = purges
        self._rules = rules
        self._near = frozenset(near)
        self._clock = clock
        self.providers = providers
        self._identities: dict[Task, str] = {}

    @property
    def keeps(self) -> bool:
        """Whether there is a store that workers and servers share."""
        return bool(self._tiers.stores)

    def needs(self, plan: Plan) -> tuple[Need, ...]:
        """Give the artefacts that a plan needs here; raises NoProvider where nobody could make one."""
        needs = needs_of(plan)
        if not needs:
            return ()
        if not self.keeps:
            raise NoProvider(
                "AI steps need a cache that processes share: disk, redis or s3 in IMGSERVE_CACHE.", where="cache"
            )
        possible = tuple(need for need in needs if self._is_possible(need))
        if not possible and any(vital(need.asks) for need in needs):
            raise NoProvider(
                "This server has nothing that finds faces or objects, so nothing could be hidden.", where="faces"
            )
        return possible

    def _is_possible(self, need: Need) -> bool:
        for ask in need.asks:
            if ask.task not in self.providers:
                if ask.optional:
                    return False
                raise NoProvider(
                    f"This server has nothing that does {ask.task}; its operator has to set that up (docs/ai.md).",
                    where=ask.task.value,
                )
        return True

    def key(self, need: Need) -> str:
        return need.key({ask.task: self._identity(ask.task) for ask in need.asks})

    def _identity(self, task: Task) -> str:
        # When it is first wanted: a program may have to be asked for its version, which would take a start 50 ms.
        if task not in self._identities and task in self.providers:
            self._identities[task] = self.providers[task].capability.identity
        return self._identities.get(task, "")

    async def mark(self) -> Mark:
        """Hear of purges, and give the point in time."""
        if self._purges.changed():
            await self._purges.catch_up()
        return self._purges.mark()

    async def purged_since(self, at: float, need: Need) -> bool:
        """Tell whether the source of a need was purged at a Unix time or later, as far as this process has heard."""
        await self.mark()
        return self._purges.purged_since(at, _labels(need))

    async def find(self, need: Need) -> Artefact | None:
        found = await self._tiers.get(self.key(need), since=await self.mark())
        return _from_stored(found[0]) if found is not None else None

    def is_fresh(self, need: Need, artefact: Artefact) -> bool:
        """Tell whether the source need not be looked at before the artefact is used."""
        return not self._is_near(need) and self._state(need, artefact) is State.FRESH

    def is_dead(self, need: Need, artefact: Artefact) -> bool:
        """Tell whether it may not be used even where the origin cannot be asked."""
        return self._state(need, artefact) is State.DEAD

    def _state(self, need: Need, artefact: Artefact) -> State:
        rules = replace(self._rules, stale_while_revalidate_s=0.0) if must_revalidate(artefact.origin) else self._rules
        return rules.state(stored_at=artefact.stored_at, fresh_until=artefact.fresh_until, now=self._clock())

    async def keep(self, need: Need, artefact: Artefact, *, since: Mark) -> None:
        """Keep what was made, where the origin allows it and nothing was purged `since`; raises NotKept."""
        stored = self._dated(need, artefact)
        await self._tiers.put_stores(self.key(need), stored, since=since)
        kept = await self._tiers.get(self.key(need), since=await self.mark())
        # One of an older version may still be there.
        if kept is None or (_from_stored(kept[0]) or artefact).validator != artefact.validator:
            raise NotKept(
                f"What was made ({stored.size} bytes) is not kept: the source was purged meanwhile, or no tier of the "
                "cache takes as much (IMGSERVE_DISK_CACHE_SIZE, IMGSERVE_REDIS_MAX_ENTRY_SIZE).",
                where="cache",
            )

    def _dated(self, need: Need, artefact: Artefact) -> Stored:
        now = self._clock()
        check_kept(artefact.origin)
        fresh = fresh_s(artefact.origin, self._rules, now=now) or 0.0
        dated = replace(artefact, stored_at=now, fresh_until=now + fresh)
        return Stored(
            meta=_meta(dated),
            # What is read may be long, and meta is for a few hundred bytes.
            body=artefact.data if artefact.reading is None else _json(reading_facts(artefact.reading)),
            labels=_labels(need),
            expires_at=dated.fresh_until + max(self._rules.stale_s, _KEPT_S),
        )

    async def freshen(self, need: Need, artefact: Artefact, answer: Blob, *, since: Mark) -> None:
        """Note that the origin has said that the source is still this version, unless it was purged `since`."""
        origin = freshened_origin(artefact.origin, answer.origin)
        fresh = fresh_s(origin, self._rules, now=self._clock())
        if fresh is None:
            await self._tiers.delete(self.key(need))
        elif (fresh and not self._is_near(need)) or self._is_late(artefact):
            # Where the next look costs as little, or is wanted each time, it is written only before it expires.
            stored = self._dated(need, replace(artefact, origin=origin))
            await self._tiers.put_stores(self.key(need), stored, since=since)

    def _is_late(self, artefact: Artefact) -> bool:
        return self._clock() > artefact.stored_at + max(self._rules.stale_s, _KEPT_S) / 2

    def _is_near(self, need: Need) -> bool:
        return scheme_of(need.source) in self._near


def _labels(need: Need) -> tuple[str, ...]:
    return (SOURCE + need.source,)


def check_kept(origin: Origin) -> None:
    """Refuse a source that its origin forbids to keep, as what is made of it; raises NotKept."""
    if not is_kept(origin):
        raise NotKept(
            "The origin forbids to keep this source (Cache-Control: no-store or private), so nothing can be made "
            "of it ahead.",
            where="source",
        )


def _meta(artefact: Artefact) -> bytes:
    facts: dict[str, Any] = {
        "form": _FORM,
        "origin": origin_facts(artefact.origin),
        "validator": artefact.validator,
        "source_bytes": artefact.source_bytes,
        "source_format": artefact.source_format,
        "stored_at": artefact.stored_at,
        "fresh_until": artefact.fresh_until,
        "providers": artefact.providers,
        "basic": artefact.basic,
        "reads": artefact.reading is not None,
    }
    return _json(facts)


def _json(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, separators=(",", ":")).encode()


def _from_stored(stored: Stored) -> Artefact | None:
    """Read what `_dated` wrote; None where another version of this server wrote it."""
    try:
        facts: dict[str, Any] = json.loads(stored.meta)
        if facts["form"] != _FORM:
            return None
        return Artefact(
            data=b"" if facts["reads"] else stored.body,
            reading=reading_of(json.loads(stored.body)) if facts["reads"] else None,
            origin=origin_of(facts["origin"]),
            validator=facts["validator"],
            source_bytes=facts["source_bytes"],
            source_format=facts["source_format"],
            stored_at=facts["stored_at"],
            fresh_until=facts["fresh_until"],
            providers=tuple(facts["providers"]),
            basic=facts["basic"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def reading_facts(reading: Reading) -> dict[str, Any]:
    """Give a reading as JSON values."""
    return {
        "detections": [
            [one.label, one.confidence, one.left, one.top, one.width, one.height, one.text]
            for one in reading.detections
        ],
        "scores": [[one.label, one.confidence] for one in reading.scores],
    }


def reading_of(facts: Mapping[str, Any]) -> Reading:
    """Read what `reading_facts` wrote."""
    return Reading(
        detections=tuple(
            Detection(label=label, confidence=confidence, left=left, top=top, width=width, height=height, text=text)
            for label, confidence, left, top, width, height, text in facts["detections"]
        ),
        scores=tuple(Score(label=label, confidence=confidence) for label, confidence in facts["scores"]),
    )


def vital(asks: Sequence[Ask]) -> bool:
    """Tell whether a picture must not be shown before all this is known."""
    return any(ask.vital for ask in asks)
