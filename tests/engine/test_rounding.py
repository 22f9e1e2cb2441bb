"""Halves: away from zero for sizes, to even for places."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine.rounding import half_away, min_non_zero, scale, scale_to_even, shrink, to_even


@pytest.mark.parametrize(
    ("value", "away", "even"),
    [(0.5, 1, 0), (1.5, 2, 2), (2.5, 3, 2), (-0.5, -1, 0), (-2.5, -3, -2), (0.49999999999999994, 0, 0), (7.2, 7, 7)],
)
def test_halves(value: float, away: int, even: int) -> None:
    assert (half_away(value), to_even(value)) == (away, even)


@given(st.floats(-1e15, 1e15))
def test_rounding_moves_by_half_at_most(value: float) -> None:
    assert abs(half_away(value) - value) <= 0.5
    assert half_away(-value) == -half_away(value)
    assert math.floor(value) <= half_away(value) <= math.ceil(value)


def test_sizes() -> None:
    assert (scale(5, 0.5), shrink(5, 2), scale_to_even(5, 0.5), scale(0, math.inf)) == (3, 3, 2, 0)
    assert (min_non_zero(0, 7), min_non_zero(7, 0), min_non_zero(7, 3), min_non_zero(0, 0)) == (7, 7, 3, 0)
