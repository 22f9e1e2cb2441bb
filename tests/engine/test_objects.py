"""Where a cut is made around things: the most of them whole, placed as wanted."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine.detected import Thing
from imgserve.engine.objects import around
from imgserve.engine.placement import Box
from imgserve.spec.values import Gravity, GravityType

CENTRE = Gravity()


def thing(
    left: float, top: float, right: float, bottom: float, *, confidence: float = 1.0, weight: float = 1.0
) -> Thing:
    return Thing(box=Box(left, top, right, bottom), label="x", confidence=confidence, weight=weight)


def test_one_thing_is_centred_as_far_as_the_picture_reaches() -> None:
    assert around([thing(140, 10, 160, 30)], (300, 100), (100, 100), at=CENTRE) == (100, 0)
    assert around([thing(0, 10, 20, 30)], (300, 100), (100, 100), at=CENTRE) == (0, 0)
    assert around([thing(280, 10, 300, 30)], (300, 100), (100, 100), at=CENTRE) == (200, 0)


def test_two_things_near_each_other_win_over_a_larger_one_far_away() -> None:
    near = [thing(10, 10, 40, 40), thing(50, 10, 80, 40)]
    left, _ = around([*near, thing(250, 10, 290, 45)], (300, 100), (100, 100), at=CENTRE)
    assert left == 0
    left, _ = around([*near, thing(250, 10, 295, 60)], (300, 100), (100, 100), at=CENTRE)
    assert left == 200


def test_weight_and_confidence_count() -> None:
    small, large = (10, 10, 20, 20), (250, 10, 290, 50)
    assert around([thing(*small), thing(*large)], (300, 100), (100, 100), at=CENTRE)[0] == 200
    assert around([thing(*small, weight=17), thing(*large)], (300, 100), (100, 100), at=CENTRE)[0] == 0
    assert around([thing(*small), thing(*large, confidence=0.05)], (300, 100), (100, 100), at=CENTRE)[0] == 0


def test_equal_things_that_are_too_far_apart_are_not_cut_in_half() -> None:
    pair = [thing(20, 0, 60, 40), thing(240, 0, 280, 40)]
    left, _ = around(pair, (300, 100), (100, 100), at=CENTRE)
    assert any(left <= one.box.left and one.box.right <= left + 100 for one in pair)


def test_of_equal_things_the_one_in_the_middle_of_all_stays() -> None:
    row = [thing(x, 0, x + 20, 20) for x in (0, 140, 280)]
    assert around(row, (300, 100), (100, 100), at=CENTRE)[0] == 100


def test_a_thing_that_is_larger_than_the_cut_fills_it() -> None:
    left, top = around([thing(50, 20, 250, 180)], (300, 200), (60, 40), at=CENTRE)
    assert (left, top) == (120, 80)


@pytest.mark.parametrize(
    ("at", "left", "top"),
    [
        (Gravity(GravityType.NORTH_WEST), 150, 100),
        (Gravity(GravityType.NORTH_WEST, 10, 0.1), 140, 90),
        (Gravity(GravityType.SOUTH_EAST), 70, 20),
        (Gravity(GravityType.FOCUS_POINT, 0.25, 0.5), 135, 60),
        (Gravity(GravityType.PROPORTIONAL), 107, 56),
    ],
)
def test_the_things_sit_where_they_are_wanted(at: Gravity, left: int, top: int) -> None:
    assert around([thing(150, 100, 170, 120)], (300, 200), (100, 100), at=at) == (left, top)


def test_offsets_in_pixels_grow_with_dpr() -> None:
    at = Gravity(GravityType.NORTH_WEST, 10, 10)
    assert around([thing(150, 100, 170, 120)], (300, 200), (100, 100), at=at, dpr=2) == (130, 80)


SPANS = st.tuples(st.floats(0, 280), st.floats(2, 60))
THINGS = st.lists(
    st.builds(
        lambda x, y, weight: thing(x[0], y[0], min(300, x[0] + x[1]), min(300, y[0] + y[1]), weight=weight),
        SPANS,
        SPANS,
        st.sampled_from([1.0, 2.0, 5.0]),
    ),
    min_size=1,
    max_size=6,
)


@given(things=THINGS, inner=st.tuples(st.integers(70, 300), st.integers(70, 300)))
def test_no_other_window_shows_more_of_them_whole(things: list[Thing], inner: tuple[int, int]) -> None:
    def whole(left: float, top: float, *, slack: float) -> float:
        return sum(
            one.weight * one.box.width * one.box.height
            for one in things
            if left - slack <= one.box.left
            and one.box.right <= left + inner[0] + slack
            and top - slack <= one.box.top
            and one.box.bottom <= top + inner[1] + slack
        )

    left, top = around(things, (300, 300), inner, at=CENTRE)
    assert 0 <= left <= 300 - inner[0]
    assert 0 <= top <= 300 - inner[1]
    # Whole pixels may leave out a part of one at an edge.
    best = max(whole(x, y, slack=0) for x, y in product(range(0, 301 - inner[0], 5), range(0, 301 - inner[1], 5)))
    assert whole(left, top, slack=1) >= best - 1e-3


def test_many_things_take_no_long_time() -> None:
    crowd = [thing(x * 9, y * 9, x * 9 + 8, y * 9 + 8) for x in range(30) for y in range(30)]
    left, top = around(crowd, (300, 300), (100, 100), at=CENTRE)
    assert 0 <= left <= 200
    assert 0 <= top <= 200
