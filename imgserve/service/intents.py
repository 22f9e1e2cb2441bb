"""What plans want of the engine: options over the operator's defaults; and what decides every result's bytes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from imgserve.engine.frame import Transform
from imgserve.engine.intent import Intent
from imgserve.ops.behaviour import ModelStep, Setting
from imgserve.ops.behaviour import Transform as TransformOp
from imgserve.plan.model import Plan


def intent_of(plan: Plan, defaults: Intent) -> Intent:
    """Put what the plan says over the operator's defaults."""
    # Plain settings go in together, once: a copy of Intent costs 20 microseconds, more than parsing an option.
    given: dict[str, Any] = {"preferred": plan.preferred, "enforced": plan.enforced}
    rest: list[Setting | TransformOp | ModelStep] = []
    for one in plan.ops:
        if isinstance(one, Setting) and type(one).configure is Setting.configure:
            given |= one.given()
        elif isinstance(one, Setting | TransformOp | ModelStep):
            rest.append(one)
    return reduce(lambda so_far, one: one.configure(so_far), rest, dataclasses.replace(defaults, **given))


class Intents:
    """What plans want, made once for all that share their options; `defaults` are the operator's."""

    def __init__(self, defaults: Intent, *, limit: int = 1024) -> None:
        self.defaults = defaults
        self._limit = limit
        #: By id of the options, which plans of the same text share (plan.url.Lately); each entry holds the options, so
        #: that their id cannot become another's.
        self._known: dict[tuple[int, tuple[str, ...], tuple[str, ...]], tuple[Intent, object]] = {}

    def of(self, plan: Plan) -> Intent:
        """Put what the plan says over the defaults."""
        given = (id(plan.ops), plan.preferred, plan.enforced)
        known = self._known.get(given)
        if known is None:
            known = self._known[given] = (intent_of(plan, self.defaults), plan.ops)
            if len(self._known) > self._limit:
                del self._known[next(iter(self._known))]
        return known[0]


def transforms_of(plan: Plan) -> Sequence[Transform]:
    """Give the options of a plan that change pixels by themselves."""
    return [one for one in plan.ops if isinstance(one, TransformOp)]


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
