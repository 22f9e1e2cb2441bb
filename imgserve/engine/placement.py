"""Where the upright source lies in the picture that a stage has before it, and with it every box that a model gave.

All steps before the canvas move, scale, turn and mirror, so that two numbers an axis and the order of the axes tell it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from imgserve.engine.intent import Intent
from imgserve.engine.layout import Layout, exif_turn


class Box(NamedTuple):
    """A part of a picture, in shares of it or in its pixels; the right and lower edge are not part of it."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def clipped(self, width: float, height: float) -> Box:
        """Give the part inside a picture of this size; it may be empty, that is: without width or height."""
        return Box(max(0.0, self.left), max(0.0, self.top), min(width, self.right), min(height, self.bottom))

    def grown(self, by_x: float, by_y: float) -> Box:
        """Give the box with that much more on each side."""
        return Box(self.left - by_x, self.top - by_y, self.right + by_x, self.bottom + by_y)


def union(boxes: list[Box]) -> Box:
    """Give the smallest box around these, of which there is at least one."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


@dataclass(frozen=True, slots=True)
class Placement:
    """x = x0 + by_x * share along one axis of the upright source, y likewise along the other one."""

    x0: float = 0.0
    by_x: float = 1.0
    y0: float = 0.0
    by_y: float = 1.0
    #: x runs along the height of the upright source, y along its width.
    swapped: bool = False

    @staticmethod
    def stored(width: int, height: int, *, orientation: int) -> Placement:
        """Place the upright source in the picture as it is stored: `width` x `height` with this EXIF orientation.

        Models see pictures upright, whether or not the request wants them so.
        """
        angle, mirror = exif_turn(orientation, auto_rotate=True)
        placed = Placement().mirrored_x(1) if mirror else Placement()
        return placed.turned(360 - angle, 1, 1).scaled(width, height)

    def moved(self, dx: float, dy: float) -> Placement:
        return replace(self, x0=self.x0 + dx, y0=self.y0 + dy)

    def scaled(self, factor_x: float, factor_y: float) -> Placement:
        return replace(
            self, x0=self.x0 * factor_x, by_x=self.by_x * factor_x, y0=self.y0 * factor_y, by_y=self.by_y * factor_y
        )

    def mirrored_x(self, width: float) -> Placement:
        return replace(self, x0=width - self.x0, by_x=-self.by_x)

    def mirrored_y(self, height: float) -> Placement:
        return replace(self, y0=height - self.y0, by_y=-self.by_y)

    def turned(self, angle: int, width: float, height: float) -> Placement:
        """Turn a picture of `width` x `height` clockwise by a multiple of 90 degrees."""
        match angle % 360:
            case 90:
                return Placement(height - self.y0, -self.by_y, self.x0, self.by_x, not self.swapped)
            case 180:
                return self.mirrored_x(width).mirrored_y(height)
            case 270:
                return Placement(self.y0, self.by_y, width - self.x0, -self.by_x, not self.swapped)
        return self

    def box(self, shares: Box) -> Box:
        """Give the pixels of a box in shares of the upright source."""
        along_x, along_y = (shares.left, shares.right), (shares.top, shares.bottom)
        if self.swapped:
            along_x, along_y = along_y, along_x
        left, right = sorted(self.x0 + self.by_x * share for share in along_x)
        top, bottom = sorted(self.y0 + self.by_y * share for share in along_y)
        return Box(left, top, right, bottom)


def oriented(placement: Placement, size: tuple[int, int], *, layout: Layout, intent: Intent) -> Placement:
    """Turn the placement as `geometry.orient` turns a picture of this size."""
    width, height = size
    placement = placement.turned(layout.angle, width, height)
    if layout.angle % 180:
        width, height = height, width
    if layout.mirror:
        placement = placement.mirrored_x(width)
    placement = placement.turned(intent.rotate, width, height)
    if intent.rotate % 180:
        width, height = height, width
    if intent.flip_horizontal:
        placement = placement.mirrored_x(width)
    return placement.mirrored_y(height) if intent.flip_vertical else placement
