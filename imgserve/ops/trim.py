"""Options that cut away what surrounds the subject, before anything is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Self

import pyvips

from imgserve.engine.colour import space_of, to_working_space
from imgserve.engine.frame import Frame
from imgserve.engine.intent import Intent
from imgserve.engine.position import lacking
from imgserve.ops.behaviour import Transform
from imgserve.spec.op import Op, Pages, Stage, op
from imgserve.spec.params import colour, flag, integer, number
from imgserve.spec.values import Colour, Gravity, ResizingType

#: What transparent pixels count as: a colour that pictures do not have.
_MAGENTA = (255, 0, 255)

#: libvips compares neighbours, and refuses a picture that has none; such a one has no edges to cut off.
_LEAST_SIDE: Final = 3


@op("trim", "t", stage=Stage.TRIM, example="trim:10", pages=Pages.SKIP)
class Trim(Transform):
    """Cut off edges of one colour; not for animations."""

    threshold: float | None = number(default=None, doc="how far a pixel may be from the colour, empty = off")
    color: Colour | None = colour(default=None, doc="the colour of the edges, empty = that of the top left pixel")
    equal_hor: bool | None = flag(default=None, doc="cut the same from left and right")
    equal_ver: bool | None = flag(default=None, doc="cut the same from top and bottom")

    def apply(self, frame: Frame) -> Frame:
        if self.threshold is None:
            return frame
        frame = to_working_space(frame).in_memory()
        box = self._box(frame.image, self.threshold) or (0, 0, frame.image.width, frame.image.height)
        return frame.cut(frame.image.crop(*box), left=box[0], top=box[1]).in_memory()

    def _box(self, image: pyvips.Image, threshold: float) -> tuple[int, int, int, int] | None:
        rgb = image if space_of(image) == "srgb" else image.colourspace("srgb")
        if rgb.hasalpha():
            rgb = rgb.flatten(background=list(_MAGENTA))
        wanted = self.color
        background = rgb.getpoint(0, 0) if wanted is None else _channels(wanted)
        left, top, width, height = _found(rgb, threshold=max(0.0, threshold), background=background)
        if self.equal_hor:
            left, width = _centred(left, width, image.width)
        if self.equal_ver:
            top, height = _centred(top, height, image.height)
        return (left, top, width, height) if width and height else None


def _channels(colour: Colour) -> list[float]:
    return [float(colour.red), float(colour.green), float(colour.blue)]


def _centred(start: int, size: int, whole: int) -> tuple[int, int]:
    """Cut the smaller of both margins from both sides."""
    end = whole - start - size
    least = min(start, end)
    return least, whole - 2 * least


@op("autocrop", "acr", stage=Stage.TRIM, example="autocrop:50:10", pages=Pages.SKIP, own=True)
class AutoCrop(Transform):
    """Cut to the subject: all that is neither transparent nor, in an opaque picture, of the background's colour.

    The subject is never cut: `fill` shows more of what surrounds it, and is filled up as by `extend` beyond that.
    """

    margin: int = integer(min=0, default=0, doc="source pixels that stay around the subject")
    threshold: float = number(min=0, max=255, default=10.0, doc="how far a pixel may be from nothing")

    def merge(self, earlier: Self) -> Self:
        return self

    def configure(self, intent: Intent) -> Intent:
        if intent.resizing_type not in (ResizingType.FILL, ResizingType.FILL_DOWN):
            return intent
        return dataclasses.replace(intent, resizing_type=ResizingType.FIT, extend=True)

    def apply(self, frame: Frame) -> Frame:
        frame = to_working_space(frame).in_memory()
        image = frame.image
        left, top, width, height = self._subject(image)
        if not width or not height:
            return frame
        horizontal = _widened(left, width, by=self.margin, whole=image.width)
        vertical = _widened(top, height, by=self.margin, whole=image.height)
        if frame.intent.extend:
            horizontal, vertical = _shaped(frame, horizontal, vertical)
        (left, width), (top, height) = horizontal, vertical
        image = image.crop(left, top, width, height)
        if frame.intent.extend and not image.hasalpha():
            image, more_x, more_y = _filled_up(frame, image)
            left, top, frame = left - more_x, top - more_y, _filling(frame)
        return frame.cut(image, left=left, top=top).in_memory()

    def _subject(self, image: pyvips.Image) -> tuple[int, int, int, int]:
        if image.hasalpha():
            alpha = image[image.bands - 1]
            if alpha.format != "uchar":
                alpha = (alpha / 257).cast("uchar")
            if alpha.minpos()[0] < 255:
                return _found(alpha, threshold=self.threshold, background=[0.0])
            image = image.extract_band(0, n=image.bands - 1)
        rgb = image if space_of(image) == "srgb" else image.colourspace("srgb")
        return _found(rgb, threshold=self.threshold, background=_corner_colour(rgb))


def _found(image: pyvips.Image, *, threshold: float, background: Sequence[float]) -> tuple[int, int, int, int]:
    """Find left, top, width and height of what is not background."""
    if min(image.width, image.height) < _LEAST_SIDE:
        return 0, 0, image.width, image.height
    left, top, width, height = image.find_trim(threshold=threshold, background=list(background))
    return left, top, width, height


def _widened(start: int, size: int, *, by: int, whole: int) -> tuple[int, int]:
    """Give start and size of a stretch with up to `by` more on both sides."""
    first, last = max(0, start - by), min(whole, start + size + by)
    return first, last - first


def _shaped(frame: Frame, horizontal: tuple[int, int], vertical: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Take more of the source in, towards the aspect ratio of the result, as far as the source reaches."""
    more_x, more_y = _missing(frame, horizontal[1], vertical[1])
    return (
        _widened(*horizontal, by=more_x // 2, whole=frame.image.width),
        _widened(*vertical, by=more_y // 2, whole=frame.image.height),
    )


def _missing(frame: Frame, width: int, height: int) -> tuple[int, int]:
    """Give the pixels that a box lacks to have the aspect ratio of the result; 0 and 0 where there is none."""
    layout = frame.layout
    if not layout.target_width or not layout.target_height:
        return 0, 0
    ratio = layout.target_width / layout.target_height
    if layout.turned(frame.intent.rotate):
        ratio = 1 / ratio
    return lacking(width, height, ratio=ratio)


def _filling(frame: Frame) -> Frame:
    """Let a picture of the right shape fill its box: fitted, it could leave a line where it is half a pixel off."""
    if not frame.layout.target_width or not frame.layout.target_height:
        return frame
    intent = dataclasses.replace(frame.intent, resizing_type=ResizingType.FILL, extend=False, gravity=Gravity())
    return dataclasses.replace(frame, intent=intent)


def _filled_up(frame: Frame, image: pyvips.Image) -> tuple[pyvips.Image, int, int]:
    """Go on with the background's colour where an opaque source ends, so that it stays opaque.

    Also give what was added on the left and above.
    """
    more_x, more_y = _missing(frame, image.width, image.height)
    if not more_x and not more_y:
        return image, 0, 0
    left, top = more_x // 2, more_y // 2
    size = image.width + more_x, image.height + more_y
    background = _corner_colour(frame.image)
    return image.embed(left, top, *size, extend="background", background=background), left, top


def _corner_colour(image: pyvips.Image) -> list[float]:
    """Give the background's colour: of the four corners the middle one, so that a subject may touch one of them."""
    right, bottom = image.width - 1, image.height - 1
    corners = [image.getpoint(x, y) for x in (0, right) for y in (0, bottom)]
    return [sorted(channel)[1] for channel in zip(*corners, strict=True)]


OPS: tuple[type[Op], ...] = (Trim, AutoCrop)
