"""Classes of things in arguments: one spelling for all ways to write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.ops.geometry import Crop, Extend, GravityOption
from imgserve.spec.kinds import BadArgument
from imgserve.spec.op import parse_arguments
from imgserve.spec.shapes import ClassesKind
from imgserve.spec.values import Gravity, GravityType, class_name

OBJ, OBJW = GravityType.OBJECTS, GravityType.WEIGHTED_OBJECTS


@pytest.mark.parametrize(
    "text", ["traffic light", "Traffic-Light", "TRAFFIC_LIGHT", "traffic%20light", " traffic--light "]
)
def test_spellings_of_a_class_are_one(text: str) -> None:
    assert class_name(text) == "traffic_light"


@given(st.text(max_size=20))
def test_the_spelling_of_a_spelling_is_itself(text: str) -> None:
    assert class_name(class_name(text)) == class_name(text)


def test_classes_are_sorted_once_each_and_all_is_everything() -> None:
    kind = ClassesKind()
    assert kind.parse(["Dog", "cat", "", "dog"]) == ("cat", "dog")
    assert kind.parse(["dog", "all"]) == ()
    for wrong in ([" "], ["a" * 65], [5], ["a"] * 65, "dog"):
        with pytest.raises(BadArgument):
            kind.check(wrong)


@pytest.mark.parametrize(
    ("text", "gravity", "printed"),
    [
        ("obj", Gravity(OBJ), "obj"),
        ("obj:all:face", Gravity(OBJ), "obj"),
        ("obj:Face:dog:face", Gravity(OBJ, classes=(("dog", 1), ("face", 1))), "obj:dog:face"),
        ("objw", Gravity(OBJ), "obj"),
        ("objw:face:3:dog", Gravity(OBJW, classes=(("dog", 1), ("face", 3))), "objw:dog:1:face:3"),
        ("objw:face::all:0.5", Gravity(OBJW, classes=(("all", 0.5), ("face", 1))), "objw:all:0.5:face:1"),
        ("no:1:2::", Gravity(GravityType.NORTH, 1, 2), "no:1:2"),
    ],
)
def test_gravities_by_objects(text: str, gravity: Gravity, printed: str) -> None:
    option = parse_arguments(GravityOption, text.split(":"))
    assert option.gravity == gravity
    assert option.text() == f"gravity:{printed}"
    crop = parse_arguments(Crop, ["10", "20", *text.split(":")])
    assert (crop.crop_gravity, crop.text()) == (gravity, f"crop:10:20:{printed}")


@pytest.mark.parametrize(
    "text", ["no:1:2:3", "sm:1", "objw:face:-1", "objw:face:many", "objw::2", "obj:-", "prop", "re"]
)
def test_other_gravities_are_refused(text: str) -> None:
    with pytest.raises(BadArgument):
        parse_arguments(GravityOption, text.split(":"))


def test_extend_takes_no_objects() -> None:
    with pytest.raises(BadArgument):
        parse_arguments(Extend, ["1", "obj"])


@pytest.mark.parametrize(
    ("table", "gravity"),
    [
        ({"type": "obj"}, Gravity(OBJ)),
        ({"type": "obj", "classes": ["Face"]}, Gravity(OBJ, classes=(("face", 1),))),
        ({"type": "objw", "classes": {"face": 2}}, Gravity(OBJW, classes=(("face", 2),))),
        ({"type": "objw", "classes": ["face"]}, Gravity(OBJW, classes=(("face", 1),))),
    ],
)
def test_gravities_by_objects_as_tables(table: dict[str, object], gravity: Gravity) -> None:
    assert GravityOption(gravity=table).gravity == gravity  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "table",
    [
        {"type": "obj", "x": 1}, {"type": "no", "classes": ["face"]}, {"type": "obj", "classes": "face"},
        {"type": "obj", "classes": [1]}, {"type": "objw", "classes": {"face": "2"}}, {"type": "obj", "classes": None},
    ],
)  # fmt: skip
def test_other_tables_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(BadArgument):
        GravityOption(gravity=table)  # type: ignore[arg-type]
