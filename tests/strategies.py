"""Hypothesis strategies derived from the declarations: any valid value of a kind, any valid option."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from imgserve.ops.effects import MAX_RADIUS, RadiusKind
from imgserve.spec.kinds import BadArgument, Choice, Flag, Integer, Kind, Number, Text
from imgserve.spec.op import Op
from imgserve.spec.params import Param
from imgserve.spec.shapes import ClassesKind, ColourKind, GravityKind, Many, Pairs
from imgserve.spec.values import Colour, Gravity, GravityType

LARGE = 100_000
CLASSES = st.sampled_from(["face", "text", "all", "dog", "Traffic-Light", "potted%20plant"])
WORDS = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_-", min_size=1, max_size=12)


def values(kind: Kind) -> st.SearchStrategy[Any]:
    """Any value that `kind` checks as right."""
    match kind:
        case Integer(low=low, high=high, multiple_of=step):
            return st.integers(low if low is not None else -LARGE, high if high is not None else LARGE).map(
                lambda value: value - value % step
            )
        case Number(low=low, high=high, above_low=above):
            return st.floats(
                low if low is not None else -LARGE,
                high if high is not None else LARGE,
                exclude_min=above,
                allow_nan=False,
                allow_subnormal=False,
            ).map(lambda value: round(value, 6) or (1.0 if above else 0.0))
        case Flag():
            return st.booleans()
        case Choice(choices=choices):
            return st.sampled_from(sorted(choices))
        case Text():
            return WORDS
        case ColourKind():
            return st.builds(Colour, *[st.integers(0, 255)] * 3)
        case GravityKind(types=types):
            return st.sampled_from(types).flatmap(gravities)
        case ClassesKind():
            return st.lists(CLASSES, max_size=4).map(tuple)
        case Many(item=item):
            return st.lists(values(item), min_size=1, max_size=4).map(tuple)
        case Pairs(names=names, values=inner):
            return st.dictionaries(values(names), values(inner), min_size=1, max_size=3)
        case RadiusKind():
            return st.one_of(st.just(MAX_RADIUS), values(Number(low=0)))
    raise AssertionError(f"no strategy for {kind}")


def gravities(kind: GravityType) -> st.SearchStrategy[Gravity]:
    if kind in (GravityType.SMART, GravityType.PROPORTIONAL):
        return st.just(Gravity(kind))
    if kind in (GravityType.OBJECTS, GravityType.WEIGHTED_OBJECTS):
        weights = st.integers(0, 5).map(float)
        pairs = st.lists(st.tuples(CLASSES, weights), max_size=4).map(tuple)
        return st.builds(lambda classes: Gravity(kind, classes=classes), pairs)
    low, high = (0.0, 1.0) if kind is GravityType.FOCUS_POINT else (-500.0, 500.0)
    offset = st.floats(low, high).map(lambda value: round(value, 3))
    return st.builds(Gravity, st.just(kind), offset, offset)


def _arguments(params: dict[str, Param]) -> st.SearchStrategy[dict[str, Any]]:
    required = {name: values(param.kind) for name, param in params.items() if param.required}
    optional = {name: values(param.kind) for name, param in params.items() if not param.required}
    return st.fixed_dictionaries(required, optional=optional)


def ops(cls: type[Op]) -> st.SearchStrategy[Op]:
    """Any valid option of a class."""

    def make(arguments: dict[str, Any]) -> Op | None:
        try:
            return cls(**arguments)
        except BadArgument:
            return None

    return _arguments(dict(cls.spec.params)).map(make).filter(lambda one: one is not None)  # type: ignore[return-value]
