"""Where a box sits in a larger one: positions from gravities, and gravities turned and mirrored."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from imgserve.engine.rounding import scale_to_even, to_even
from imgserve.spec.values import Gravity, GravityType

_CE, _NO, _EA, _SO, _WE = (
    GravityType.CENTER,
    GravityType.NORTH,
    GravityType.EAST,
    GravityType.SOUTH,
    GravityType.WEST,
)
_NOWE, _NOEA, _SOWE, _SOEA = (
    GravityType.NORTH_WEST,
    GravityType.NORTH_EAST,
    GravityType.SOUTH_WEST,
    GravityType.SOUTH_EAST,
)
_FOCUS = GravityType.FOCUS_POINT

_TOP: Final = (_NO, _NOEA, _NOWE)
_BOTTOM: Final = (_SO, _SOEA, _SOWE)
_LEFT: Final = (_WE, _NOWE, _SOWE)
_RIGHT: Final = (_EA, _NOEA, _SOEA)

_MIRROR_X: Final = {_EA: _WE, _WE: _EA, _NOWE: _NOEA, _NOEA: _NOWE, _SOWE: _SOEA, _SOEA: _SOWE}
_MIRROR_Y: Final = {_NO: _SO, _SO: _NO, _NOWE: _SOWE, _SOWE: _NOWE, _NOEA: _SOEA, _SOEA: _NOEA}

#: Where a gravity of the turned picture lies in the picture before it was turned clockwise by the angle.
_BEFORE_TURN: Final[dict[int, dict[GravityType, GravityType]]] = {
    90: {_NO: _WE, _EA: _NO, _SO: _EA, _WE: _SO, _NOWE: _SOWE, _NOEA: _NOWE, _SOWE: _SOEA, _SOEA: _NOEA},
    180: {_NO: _SO, _EA: _WE, _SO: _NO, _WE: _EA, _NOWE: _SOEA, _NOEA: _SOWE, _SOWE: _NOEA, _SOEA: _NOWE},
    270: {_NO: _EA, _EA: _SO, _SO: _WE, _WE: _NO, _NOWE: _NOEA, _NOEA: _SOEA, _SOWE: _NOWE, _SOEA: _SOWE},
}


def position(
    outer: tuple[int, int],
    inner: tuple[int, int],
    *,
    gravity: Gravity,
    dpr: float = 1.0,
    overflow: bool = False,
) -> tuple[int, int]:
    """Give left and top of a box of size `inner` in one of size `outer`, both in pixels as (width, height).

    Offsets of 1 and more are pixels and multiplied by `dpr`, smaller ones are shares of the outer size. With `overflow`
    the box may hang over the edge as long as one pixel of it stays inside.
    """
    width, height = outer
    inner_width, inner_height = inner
    if gravity.type is _FOCUS:
        left = scale_to_even(width, gravity.x) - inner_width // 2
        top = scale_to_even(height, gravity.y) - inner_height // 2
    else:
        left = _along(
            width, inner_width, offset=_offset(gravity.x, width, dpr), side=_side(gravity.type, _LEFT, _RIGHT)
        )
        top = _along(
            height, inner_height, offset=_offset(gravity.y, height, dpr), side=_side(gravity.type, _TOP, _BOTTOM)
        )
    if overflow:
        return _clamp(left, 1 - inner_width, width - 1), _clamp(top, 1 - inner_height, height - 1)
    return _clamp(left, 0, width - inner_width), _clamp(top, 0, height - inner_height)


def _offset(value: float, size: int, dpr: float) -> int:
    return to_even(value * dpr) if abs(value) >= 1 else scale_to_even(size, value)


def _side(kind: GravityType, near: tuple[GravityType, ...], far: tuple[GravityType, ...]) -> int:
    return -1 if kind in near else 1 if kind in far else 0


def _along(size: int, inner: int, *, offset: int, side: int) -> int:
    if side < 0:
        return offset
    if side > 0:
        return size - inner - offset
    return to_even((size - inner + 1) / 2) + offset


def lacking(width: float, height: float, *, ratio: float) -> tuple[int, int]:
    """Give the pixels that a box lacks in width and in height to have the aspect ratio; one of them is 0."""
    return max(0, round(height * ratio - width)), max(0, round(width / ratio - height))


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def before_orientation(gravity: Gravity, *, angle: int, mirror_x: bool, mirror_y: bool) -> Gravity:
    """Map a gravity of the upright picture back to the picture before it is turned by `angle` and then mirrored.

    Cropping with the mapped gravity and turning afterwards gives what turning and cropping would give, for less work.
    """
    if gravity.by_objects:
        return gravity
    if mirror_x:
        gravity = _mirrored_x(gravity)
    if mirror_y:
        gravity = _mirrored_y(gravity)
    return _unturned(gravity, angle % 360) if angle % 360 else gravity


def _mirrored_x(gravity: Gravity) -> Gravity:
    kind = _MIRROR_X.get(gravity.type, gravity.type)
    if kind in (_CE, _NO, _SO):
        return Gravity(kind, -gravity.x, gravity.y)
    if kind is _FOCUS:
        return Gravity(kind, 1.0 - gravity.x, gravity.y)
    return replace(gravity, type=kind)


def _mirrored_y(gravity: Gravity) -> Gravity:
    kind = _MIRROR_Y.get(gravity.type, gravity.type)
    if kind in (_CE, _EA, _WE):
        return Gravity(kind, gravity.x, -gravity.y)
    if kind is _FOCUS:
        return Gravity(kind, gravity.x, 1.0 - gravity.y)
    return replace(gravity, type=kind)


def _unturned(gravity: Gravity, angle: int) -> Gravity:
    kind = _BEFORE_TURN[angle].get(gravity.type, gravity.type)
    x, y = gravity.x, gravity.y
    if angle == 180:
        if kind is _FOCUS:
            return Gravity(kind, 1.0 - x, 1.0 - y)
        return Gravity(kind, -x if kind in (_CE, _NO, _SO) else x, -y if kind in (_CE, _EA, _WE) else y)
    if kind is _FOCUS:
        return Gravity(kind, y, 1.0 - x) if angle == 90 else Gravity(kind, 1.0 - y, x)
    if angle == 90:
        return Gravity(kind, y, -x if kind in (_CE, _EA, _WE) else x)
    return Gravity(kind, -y if kind in (_CE, _NO, _SO) else y, x)
