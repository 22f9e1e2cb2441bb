"""Kinds: what each accepts as text and as a value, how it prints, what it expects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.ops.catalog import CATALOG
from imgserve.spec.kinds import BadArgument, Choice, Flag, Integer, Kind, Number, Text, number_text
from imgserve.spec.params import Param
from imgserve.spec.shapes import ColourKind, GravityKind, Many, Pairs
from imgserve.spec.values import Colour, Gravity, GravityType
from tests.strategies import values

PARAMS = [
    pytest.param(param, id=f"{cls.spec.name}-{name}") for cls in CATALOG.ops for name, param in cls.spec.params.items()
]


@pytest.mark.parametrize("param", PARAMS)
@given(data=st.data())
def test_every_argument_of_every_option_prints_and_parses_back(param: Param, data: st.DataObject) -> None:
    value = param.kind.check(data.draw(values(param.kind)))
    assert param.kind.parse(param.kind.format(value)) == value


@pytest.mark.parametrize("param", PARAMS)
def test_every_argument_is_documented(param: Param) -> None:
    assert param.doc
    assert param.kind.expected
    assert param.kind.schema()


@pytest.mark.parametrize(
    ("kind", "pieces", "value"),
    [
        (Integer(), ["+5"], 5),
        (Integer(), ["007"], 7),
        (Number(), [".5"], 0.5),
        (Number(), ["5."], 5.0),
        (Number(), ["1e2"], 100.0),
        (Number(), ["-0"], 0.0),
        (Flag(), ["T"], True),
        (Flag(), ["false"], False),
        (ColourKind(), ["AbC"], Colour(0xAA, 0xBB, 0xCC)),
        (ColourKind(3), ["1", "2", "3"], Colour(1, 2, 3)),
        (GravityKind(), ["no", "", "2"], Gravity(GravityType.NORTH, 0, 2)),
        (Many(Integer(), "numbers"), ["1", "2"], (1, 2)),
        (Pairs(Choice({"a": "a"}), Integer()), ["a", "1", "a", "2"], (("a", 2),)),
    ],
)
def test_texts(kind: Kind, pieces: list[str], value: object) -> None:
    assert kind.parse(pieces) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Integer(low=1, high=3), 0), (Integer(low=1, high=3), 4), (Integer(), True), (Integer(), 1.0), (Integer(), "1"),
        (Integer(), 2**31), (Integer(multiple_of=90), 45), (Number(), float("nan")), (Number(), float("inf")),
        (Number(low=0, above_low=True), 0), (Number(low=0), -0.1), (Number(high=1), 1.1), (Number(), "1"),
        (Number(), False), (Flag(), 1), (Choice({"a": "a"}), "b"), (Text(3), "abcd"), (Text(), "a\nb"), (Text(), 5),
        (ColourKind(), "ffff"), (ColourKind(), [1, 2]), (ColourKind(), [1, 2, 256]), (ColourKind(), ["1", "2", "3"]),
        (GravityKind(), "sm"), (GravityKind((GravityType.SMART,)), Gravity(GravityType.SMART, 1, 0)),
        (GravityKind(), {"type": "no", "z": 1}), (GravityKind(), {"x": 1}), (GravityKind(), ""),
        (GravityKind((GravityType.FOCUS_POINT,)), Gravity(GravityType.FOCUS_POINT, 2, 0)),
        (Many(Integer(), "numbers"), []), (Many(Integer(), "numbers", 1), [1, 2]),
        (Pairs(Choice({"a": "a"}), Integer()), {"b": 1}), (Pairs(Choice({"a": "a"}), Integer()), ["a"]),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_refused(kind: Kind, value: object) -> None:
    with pytest.raises(BadArgument) as wrong:
        kind.check(value)
    assert wrong.value.expected


def outside(kind: Kind) -> list[Any]:
    match kind:
        case Integer(low=low, high=high):
            return [bound + step for bound, step in ((low, -1), (high, 1)) if bound is not None]
        case Number(low=low, high=high, above_low=above):
            below = [] if low is None else [low if above else low - 1]
            return below + ([] if high is None else [high + 1])
    return []


@pytest.mark.parametrize("param", PARAMS)
def test_one_value_outside_each_bound_is_refused(param: Param) -> None:
    for value in outside(param.kind):
        with pytest.raises(BadArgument):
            param.kind.check(value)
        with pytest.raises(BadArgument):
            param.kind.parse([str(value)])


@given(st.floats(-1e9, 1e9, allow_subnormal=False))
def test_numbers_print_without_exponent_and_read_back(value: float) -> None:
    text = number_text(value)
    assert "e" not in text
    assert float(text) == pytest.approx(value, abs=1e-18)


@pytest.mark.parametrize("kind", [Number(), Integer()])
@pytest.mark.parametrize("value", [10**400, -(10**4000)])
def test_numbers_of_thousands_of_digits_are_refused_in_a_short_sentence(kind: Kind, value: int) -> None:
    with pytest.raises(BadArgument) as caught:
        kind.check(value)
    assert len(caught.value.got) <= 80
