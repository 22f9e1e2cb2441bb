"""Boxes inside boxes, and the same boxes before the picture was turned."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine.position import before_orientation, position
from imgserve.spec.shapes import COMPASS
from imgserve.spec.values import Gravity, GravityType

PLACES = [*COMPASS, GravityType.FOCUS_POINT]


@pytest.mark.parametrize(
    ("gravity", "at"),
    [
        (Gravity(), (30, 10)),
        (Gravity(GravityType.NORTH), (30, 0)),
        (Gravity(GravityType.SOUTH, 0, 5), (30, 15)),
        (Gravity(GravityType.EAST, 5), (55, 10)),
        (Gravity(GravityType.WEST, 0.1), (10, 10)),
        (Gravity(GravityType.SOUTH_EAST, 3, 4), (57, 16)),
        (Gravity(GravityType.NORTH_WEST, 3, 4), (3, 4)),
        (Gravity(GravityType.NORTH_WEST, 300, -4), (60, 0)),
        (Gravity(GravityType.FOCUS_POINT, 0.5, 0.5), (30, 10)),
        (Gravity(GravityType.FOCUS_POINT, 1, 0), (60, 0)),
        (Gravity(GravityType.CENTER, 2, -2), (32, 8)),
    ],
)
def test_places_in_a_box_of_100_by_40(gravity: Gravity, at: tuple[int, int]) -> None:
    assert position((100, 40), (40, 20), gravity=gravity) == at


def test_absolute_offsets_grow_with_dpr_and_shares_do_not() -> None:
    place = Gravity(GravityType.NORTH_WEST, 5, 0.1)
    assert position((100, 100), (10, 10), gravity=place, dpr=2) == (10, 10)


def test_watermarks_may_hang_over_the_edge_by_all_but_a_pixel() -> None:
    place = Gravity(GravityType.NORTH_WEST, -500, 500)
    assert position((100, 40), (30, 20), gravity=place, overflow=True) == (-29, 39)


def test_odd_space_in_the_middle_goes_to_even() -> None:
    assert [position((size, 10), (4, 10), gravity=Gravity())[0] for size in (5, 6, 7, 8, 9)] == [1, 2, 2, 2, 3]


@given(
    st.tuples(st.integers(1, 500), st.integers(1, 500)),
    st.tuples(st.integers(1, 500), st.integers(1, 500)),
    st.builds(Gravity, st.sampled_from(PLACES), st.floats(-600, 600), st.floats(-600, 600)),
    st.floats(0.1, 10),
)
def test_a_box_stays_inside(outer: tuple[int, int], inner: tuple[int, int], gravity: Gravity, dpr: float) -> None:
    inner = min(outer[0], inner[0]), min(outer[1], inner[1])
    left, top = position(outer, inner, gravity=gravity, dpr=dpr)
    assert 0 <= left <= outer[0] - inner[0]
    assert 0 <= top <= outer[1] - inner[1]


Box = tuple[int, int, int, int]


def turn_box(box: Box, size: tuple[int, int], angle: int) -> Box:
    """Where a box of the stored picture is after the picture is turned clockwise."""
    left, top, width, height = box
    for _ in range(angle // 90):
        left, top, width, height = size[1] - top - height, left, height, width
        size = size[::-1]
    return left, top, width, height


def mirror_box(box: Box, size: tuple[int, int], *, x: bool, y: bool) -> Box:
    left, top, width, height = box
    return (size[0] - left - width if x else left, size[1] - top - height if y else top, width, height)


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize(("mirror_x", "mirror_y"), list(itertools.product((False, True), repeat=2)))
def test_cutting_before_the_turn_is_cutting_after_it(
    kind: GravityType, angle: int, *, mirror_x: bool, mirror_y: bool
) -> None:
    seen, inner = (120, 80), (40, 20)
    offsets = (0.25, 0.75) if kind is GravityType.FOCUS_POINT else (6.0, 4.0)
    gravity = Gravity(kind, *offsets)
    wanted = (*position(seen, inner, gravity=gravity), *inner)

    mapped = before_orientation(gravity, angle=angle, mirror_x=mirror_x, mirror_y=mirror_y)
    swapped = angle % 180 != 0
    stored, cut = (seen[::-1], inner[::-1]) if swapped else (seen, inner)
    box = (*position(stored, cut, gravity=mapped), *cut)
    assert mirror_box(turn_box(box, stored, angle), seen, x=mirror_x, y=mirror_y) == wanted
