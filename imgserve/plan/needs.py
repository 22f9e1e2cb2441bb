"""What a plan needs of models before it can be rendered: artefacts, each with a key of its own."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from imgserve.plan.model import Plan
from imgserve.ports.models import Ask, Task
from imgserve.spec.op import Stage

#: A change of what artefacts are makes older ones unreadable, that is: to be made again.
_FORM: Final = "artefact 1"


@dataclass(frozen=True, slots=True)
class Need:
    """One artefact of a source: the picture that several steps make of it, or what one model reads in it."""

    source: str
    asks: tuple[Ask, ...]

    @property
    def pictorial(self) -> bool:
        """Whether the artefact takes the source's place."""
        return self.asks[0].task.pictorial

    def key(self, identities: Mapping[Task, str]) -> str:
        """Name the artefact, as 64 hex digits; another model or other parameters of it make another artefact."""
        asked = (f"{one.task}:{one.argument}:{identities.get(one.task, '')}" for one in self.asks)
        text = "\n".join((_FORM, *asked, self.source))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def needs_of(plan: Plan) -> tuple[Need, ...]:
    """Give the artefacts of a plan, the pictorial one first; most plans need none."""
    asks = [ask for one in plan.ops for ask in one.asks()]
    if not asks:
        return ()
    pictorial = tuple(ask for ask in asks if ask.task.pictorial)
    readings: dict[tuple[Task, str], Ask] = {}
    for ask in asks:
        if not ask.task.pictorial:
            # One option may do without what another one needs.
            other = readings.get((ask.task, ask.argument), ask)
            readings[ask.task, ask.argument] = ask._replace(
                optional=ask.optional and other.optional, vital=ask.vital or other.vital
            )
    return (
        *([Need(plan.source, pictorial)] if pictorial else []),
        *(Need(plan.source, (ask,)) for ask in readings.values()),
    )


def without_models(plan: Plan) -> Plan:
    """Give the plan without what models make of the picture; options that read what they found find nothing."""
    kept = tuple(one for one in plan.ops if one.spec.stage is not Stage.MODEL)
    # Presets stay: a purge by preset has to find this picture too.
    return dataclasses.replace(plan, ops=kept, printed=None)
