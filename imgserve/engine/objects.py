"""Where to cut so that the things that were found stay: the best of them whole, and placed as is wanted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from imgserve.engine.detected import Thing
from imgserve.engine.placement import Box, union
from imgserve.engine.position import position
from imgserve.spec.values import Gravity, GravityType

#: Every pair of them is tried with every other one: 24 take 2 milliseconds.
_MOST_THINGS: Final = 24
#: Sums that differ by less are equal: what is left of rounding.
_DIGITS: Final = 6


class _Stretch(NamedTuple):
    """From where to where a window may begin, along one axis."""

    first: float
    last: float

    def has(self, start: float) -> bool:
        return self.first <= start <= self.last


class _Candidate(NamedTuple):
    """A thing, what it is worth, and the windows that show all of it, or as much as they can hold."""

    thing: Thing
    worth: float
    x: _Stretch
    y: _Stretch


def around(
    things: Sequence[Thing], outer: tuple[int, int], inner: tuple[int, int], *, at: Gravity, dpr: float = 1.0
) -> tuple[int, int]:
    """Give left and top of the window of size `inner` that shows the most of these things, of which there is one.

    What counts is weight x confidence x area of those that are whole in it, or fill it. Of windows that are equally
    good, it is the one in which these things sit at `at`; of groups that are, the one nearest the middle of all.
    """
    candidates = sorted((_candidate(one, outer, inner) for one in things), key=lambda one: one.worth, reverse=True)
    best = _best(candidates[:_MOST_THINGS])
    group = union([one.thing.box for one in best])
    x, y = _common(one.x for one in best), _common(one.y for one in best)
    left, top = _wanted(group, outer, inner, at=at, dpr=dpr)
    return _whole(left, x, outer[0] - inner[0]), _whole(top, y, outer[1] - inner[1])


def _candidate(thing: Thing, outer: tuple[int, int], inner: tuple[int, int]) -> _Candidate:
    box = thing.box
    area = min(box.width, inner[0]) * min(box.height, inner[1])
    x = _stretch(box.left, box.right - inner[0], outer[0] - inner[0])
    y = _stretch(box.top, box.bottom - inner[1], outer[1] - inner[1])
    return _Candidate(thing, thing.weight * thing.confidence * area, x, y)


def _stretch(near: float, far: float, most: int) -> _Stretch:
    # Of a thing that is larger than the window, the window shows a part wherever it begins inside of it.
    first, last = sorted((near, far))
    return _Stretch(min(max(first, 0.0), most), min(max(last, 0.0), most))


def _best(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Give the group worth most that one window shows."""
    middle = _middle([one.thing for one in candidates])

    def rank(group: list[_Candidate]) -> tuple[float, float]:
        return round(sum(one.worth for one in group), _DIGITS), -math.dist(
            _middle([one.thing for one in group]), middle
        )

    # Of the windows that show a group, one begins where one of the stretches does.
    starts_x, starts_y = {one.x.first for one in candidates}, {one.y.first for one in candidates}
    groups = ([one for one in candidates if one.x.has(x) and one.y.has(y)] for x in starts_x for y in starts_y)
    return max((group for group in groups if group), key=rank)


def _middle(things: Sequence[Thing]) -> tuple[float, float]:
    weights = [one.weight * one.confidence or 1e-9 for one in things]
    total = sum(weights)
    x = sum(weight * (one.box.left + one.box.right) for weight, one in zip(weights, things, strict=True))
    y = sum(weight * (one.box.top + one.box.bottom) for weight, one in zip(weights, things, strict=True))
    return x / total / 2, y / total / 2


def _common(stretches: Iterable[_Stretch]) -> _Stretch:
    firsts, lasts = zip(*stretches, strict=True)
    return _Stretch(max(firsts), min(lasts))


def _wanted(
    group: Box, outer: tuple[int, int], inner: tuple[int, int], *, at: Gravity, dpr: float
) -> tuple[float, float]:
    """Give left and top of the window in which the group sits at `at`; it may hang over the edge of the picture."""
    size = math.ceil(group.width), math.ceil(group.height)
    if at.type is GravityType.PROPORTIONAL:
        x = _proportional(group.left, size[0], outer[0], inner[0])
        return x, _proportional(group.top, size[1], outer[1], inner[1])
    x, y = position(inner, size, gravity=at, dpr=dpr)
    # A group that has no room is shown from its middle.
    left = group.left - x if size[0] <= inner[0] else group.left + (size[0] - inner[0]) / 2
    return left, group.top - y if size[1] <= inner[1] else group.top + (size[1] - inner[1]) / 2


def _proportional(start: float, size: int, outer: int, inner: int) -> float:
    """Leave the room on both sides of the group in the proportion that it has in the whole picture."""
    return start * (outer - inner) / (outer - size) if outer > size else (outer - inner) / 2


def _whole(start: float, stretch: _Stretch, most: int) -> int:
    return max(0, min(round(min(max(start, stretch.first), stretch.last)), most))
