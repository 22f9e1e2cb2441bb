"""Declaring options: what @op makes of a class, and the catalog."""

from __future__ import annotations

import dataclasses

import pytest

from imgserve.spec.kinds import BadArgument
from imgserve.spec.op import Catalog, Op, Stage, op, parse_arguments
from imgserve.spec.params import flag, gravity, number
from imgserve.spec.values import Gravity, GravityType


@op("spin", "sp", stage=Stage.FILTER, example="spin:5")
class Spin(Op):
    """Spin the picture."""

    speed: float = number(min=0, doc="turns")
    place: Gravity | None = gravity(default=None, doc="where")
    back: bool = flag(default=False, doc="whether back again")


def test_an_option_is_frozen_valid_and_canonical() -> None:
    assert Spin(speed=5) == Spin(speed=5.0)
    assert hash(Spin(speed=5)) == hash(Spin(speed=5.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Spin(speed=5).speed = 6  # type: ignore[misc]
    with pytest.raises(BadArgument) as wrong:
        Spin(speed=-1)
    assert wrong.value.field == "speed"


def test_arguments_are_positional_and_kinds_take_their_pieces() -> None:
    made = parse_arguments(Spin, ["5", "no", "1", "2", "1"])
    assert made == Spin(speed=5, place=Gravity(GravityType.NORTH, 1, 2), back=True)
    assert parse_arguments(Spin, ["5", "", "", "", "1"]) == Spin(speed=5, back=True)


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (Spin(speed=5), "spin:5"),
        (Spin(speed=0.5, place=Gravity(GravityType.EAST)), "spin:0.5:ea"),
        (Spin(speed=5, place=Gravity(GravityType.EAST, 1, 2)), "spin:5:ea:1:2"),
        (Spin(speed=5, place=Gravity(GravityType.EAST), back=True), "spin:5:ea:::1"),
        (Spin(speed=5, back=True), "spin:5::::1"),
    ],
)
def test_trailing_defaults_are_not_printed(one: Spin, text: str) -> None:
    assert one.text() == text
    assert parse_arguments(Spin, text.split(":")[1:]) == one


def test_too_many_pieces_are_refused() -> None:
    with pytest.raises(BadArgument, match="at most 5 arguments"):
        parse_arguments(Spin, ["5", "no", "1", "2", "1", "extra"])


def test_a_later_option_keeps_what_it_leaves_out() -> None:
    earlier = Spin(speed=1, place=Gravity(GravityType.EAST))
    assert Spin(speed=2).merge(earlier) == Spin(speed=2, place=Gravity(GravityType.EAST))


def test_a_name_belongs_to_one_option() -> None:
    with pytest.raises(TypeError, match="two options are called 'spin'"):
        Catalog([(Spin,), (Spin,)])


def test_undocumented_or_undeclared_options_are_refused() -> None:
    with pytest.raises(TypeError, match="documentation"):

        @op("mute", stage=Stage.FILTER, example="mute:1")
        class Mute(Op):
            on: bool = flag(doc="x")

    with pytest.raises(TypeError, match="kind of argument"):

        @op("loud", stage=Stage.FILTER, example="loud:1")
        class Loud(Op):
            """Loud."""

            on: bool = True
