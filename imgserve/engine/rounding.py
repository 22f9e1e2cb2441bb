"""The two kinds of rounding that sizes and positions need; which is used where decides pixels.

Sizes round half away from zero, offsets and padding round half to even (imgproxy, reference c.1).
"""

from __future__ import annotations

import math


def half_away(value: float) -> int:
    """Round to the nearest integer, halves away from zero."""
    whole = math.floor(abs(value))
    # `abs(value) - whole` is exact, `value + 0.5` is not: 0.49999999999999994 + 0.5 is 1.0.
    nearest = whole + 1 if abs(value) - whole >= 0.5 else whole
    return nearest if value >= 0 else -nearest


def to_even(value: float) -> int:
    """Round to the nearest integer, halves to the even one."""
    return round(value)


def scale(size: int, factor: float) -> int:
    return half_away(size * factor) if size else 0


def shrink(size: int, factor: float) -> int:
    return half_away(size / factor) if size else 0


def scale_to_even(size: int, factor: float) -> int:
    return to_even(size * factor) if size else 0


def min_non_zero(first: int, second: int) -> int:
    """Give the smaller of two sizes of which 0 means "not given"."""
    return min(first, second) if first and second else first or second
