"""Options of size and place: how large the result is, which part of the source it shows, which way up."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Self

from imgserve.engine.detected import asks_for
from imgserve.engine.intent import Intent
from imgserve.ops.behaviour import Setting
from imgserve.ports.models import Ask
from imgserve.spec.kinds import BadArgument
from imgserve.spec.op import Op, Stage, op
from imgserve.spec.params import choice, flag, gravity, integer, number
from imgserve.spec.values import Gravity, GravityType, ResizingType

FOCUS = GravityType.FOCUS_POINT
SMART = GravityType.SMART
OBJECTS = (GravityType.OBJECTS, GravityType.WEIGHTED_OBJECTS)


def _asks(place: Gravity | None) -> Sequence[Ask]:
    return asks_for(name for name, _ in place.classes) if place is not None and place.by_objects else ()


@op("resizing_type", "rt", stage=Stage.SCALE, example="resizing_type:fill")
class ResizingTypeOption(Setting):
    """How the picture is made to fit width x height.

    `fit` keeps the whole picture inside, `fill` covers the box and crops the rest, `fill-down` is `fill` that, where
    the source is too small, keeps the aspect ratio at a smaller size, `force` stretches, `auto` is `fill` when source
    and box have the same orientation and `fit` when not.
    """

    resizing_type: ResizingType = choice(*(kind.value for kind in ResizingType), doc="the way of fitting")

    def configure(self, intent: Intent) -> Intent:
        return dataclasses.replace(intent, resizing_type=ResizingType(self.resizing_type))


@op("width", "w", stage=Stage.SCALE, example="width:300")
class Width(Setting):
    """The width of the result in pixels before `dpr`; 0 follows from the height."""

    width: int = integer(min=0, doc="pixels, 0 = automatic")


@op("height", "h", stage=Stage.SCALE, example="height:200")
class Height(Setting):
    """The height of the result in pixels before `dpr`; 0 follows from the width."""

    height: int = integer(min=0, doc="pixels, 0 = automatic")


@op("min-width", "mw", stage=Stage.SCALE, example="min-width:300")
class MinWidth(Setting):
    """The picture is scaled to at least this width before it is cropped to the result."""

    min_width: int = integer(min=0, doc="pixels, 0 = no bound")


@op("min-height", "mh", stage=Stage.SCALE, example="min-height:200")
class MinHeight(Setting):
    """The picture is scaled to at least this height before it is cropped to the result."""

    min_height: int = integer(min=0, doc="pixels, 0 = no bound")


@op("zoom", "z", stage=Stage.SCALE, example="zoom:1.5")
class Zoom(Setting):
    """Multiply the size of the result; offsets and padding stay."""

    zoom_x: float = number(above=0, doc="factor of the width")
    zoom_y: float | None = number(
        above=0, default=None, doc="factor of the height; the same as the width's if left out"
    )

    def configure(self, intent: Intent) -> Intent:
        zoom_y = self.zoom_x if self.zoom_y is None else self.zoom_y
        return dataclasses.replace(intent, zoom_x=self.zoom_x, zoom_y=zoom_y)

    def merge(self, earlier: Self) -> Self:
        # An absent second factor means "as the first", not "as before".
        return self


@op("dpr", stage=Stage.SCALE, example="dpr:2")
class Dpr(Setting):
    """The device pixel ratio: multiplies the size of the result, absolute offsets and padding."""

    dpr: float = number(above=0, doc="factor")


@op("enlarge", "el", stage=Stage.SCALE, example="enlarge:1")
class Enlarge(Setting):
    """Allow the result to be larger than the source."""

    enlarge: bool = flag(doc="whether to enlarge")


@op("extend", "ex", stage=Stage.EXTEND, example="extend:1:so")
class Extend(Setting):
    """Fill the picture up to width x height with transparency or `background` where it is smaller."""

    extend: bool = flag(doc="whether to extend")
    extend_gravity: Gravity | None = gravity(FOCUS, default=None, doc="where the picture sits")


@op("extend_aspect_ratio", "extend_ar", "exar", stage=Stage.EXTEND, example="extend_aspect_ratio:1")
class ExtendAspectRatio(Setting):
    """Fill the picture up to the aspect ratio of width x height; needs both."""

    extend_aspect_ratio: bool = flag(doc="whether to extend")
    extend_aspect_ratio_gravity: Gravity | None = gravity(FOCUS, default=None, doc="where the picture sits")


@op("gravity", "g", stage=Stage.FIT, example="gravity:nowe:10:20")
class GravityOption(Setting):
    """Which part of the picture stays when something is cut off.

    A side or corner with offsets, `sm` for the most interesting part as libvips finds it, `fp:x:y` for a focus point in
    shares of the picture, or what models find: `obj:face:dog` keeps as much as possible of faces and dogs,
    `objw:face:3:dog:1` counts faces three times. `face` and `text` have models of their own; `obj` alone, or the class
    `all`, is everything but text. The things that count most by weight, confidence and area stay whole; where none is
    found, it is `sm`. Class names are written with `_` or `-` for spaces, in any case.
    """

    gravity: Gravity = gravity(SMART, FOCUS, *OBJECTS, doc="the part to keep")

    def asks(self) -> Sequence[Ask]:
        return _asks(self.gravity)


@op("objects_position", "obj_pos", "op", stage=Stage.FIT, example="objects_position:so:0:10")
class ObjectsPosition(Setting):
    """Where the objects of the gravities `obj` and `objw` sit in what is cut out, as far as they stay whole.

    A side or corner with offsets, `fp:x:y` for a point in shares of the cut, or `prop` for where they sit in the whole
    picture.
    """

    objects_position: Gravity = gravity(FOCUS, GravityType.PROPORTIONAL, doc="the place of the objects")


@op("crop", "c", stage=Stage.CROP, example="crop:0.8:0.8:no")
class Crop(Setting):
    """Cut a part out of the source before it is resized."""

    crop_width: float = number(min=0, doc="0 = the whole width, below 1 = a share of it, else source pixels")
    crop_height: float = number(min=0, default=0.0, doc="the same for the height")
    crop_gravity: Gravity | None = gravity(
        SMART, FOCUS, *OBJECTS, default=None, doc="where to cut; the general gravity if left out"
    )

    def asks(self) -> Sequence[Ask]:
        return _asks(self.crop_gravity)

    def merge(self, earlier: Self) -> Self:
        return self


@op("padding", "pd", stage=Stage.PAD, example="padding:10:20")
class Padding(Setting):
    """Add space around the result, in CSS order; sides left out follow the opposite or the first one."""

    padding_top: int | None = integer(min=0, default=None, doc="pixels before `dpr`")
    padding_right: int | None = integer(min=0, default=None, doc="pixels, as top if left out")
    padding_bottom: int | None = integer(min=0, default=None, doc="pixels, as top if left out")
    padding_left: int | None = integer(min=0, default=None, doc="pixels, as right if left out")

    def validate(self) -> None:
        if all(getattr(self, side) is None for side in self.spec.params):
            raise BadArgument("", self.spec.params["padding_top"].kind.expected)

    def merge(self, earlier: Self) -> Self:
        # Only the top keeps its earlier value: the other sides follow from it.
        top = earlier.padding_top if self.padding_top is None else self.padding_top
        return dataclasses.replace(self, padding_top=top)

    def configure(self, intent: Intent) -> Intent:
        top = self.padding_top or 0
        right = top if self.padding_right is None else self.padding_right
        bottom = top if self.padding_bottom is None else self.padding_bottom
        left = right if self.padding_left is None else self.padding_left
        return dataclasses.replace(
            intent, padding_top=top, padding_right=right, padding_bottom=bottom, padding_left=left
        )


@op("auto_rotate", "ar", stage=Stage.ORIENT, example="auto_rotate:1")
class AutoRotate(Setting):
    """Turn the picture upright as its EXIF orientation says."""

    auto_rotate: bool = flag(doc="whether to obey EXIF")


@op("rotate", "rot", stage=Stage.ORIENT, example="rotate:90")
class Rotate(Setting):
    """Turn the picture clockwise, after EXIF; negative angles turn the other way."""

    rotate: int = integer(multiple_of=90, doc="degrees")

    def configure(self, intent: Intent) -> Intent:
        return dataclasses.replace(intent, rotate=self.rotate % 360)


@op("flip", "fl", stage=Stage.ORIENT, example="flip:1")
class Flip(Setting):
    """Mirror the picture, after it is turned."""

    flip_horizontal: bool = flag(doc="left becomes right")
    flip_vertical: bool = flag(default=False, doc="top becomes bottom")


def _extend(wanted: bool | None, place: Gravity | None) -> list[Op]:
    return [] if wanted is None else [Extend(extend=wanted, extend_gravity=place)]


@op("size", "s", stage=Stage.META, example="size:300:200")
class Size(Op):
    """Width, height, enlarge and extend in one; what is left empty stays as it was."""

    width: int | None = integer(min=0, default=None, doc="as in `width`")
    height: int | None = integer(min=0, default=None, doc="as in `height`")
    enlarge: bool | None = flag(default=None, doc="as in `enlarge`")
    extend: bool | None = flag(default=None, doc="as in `extend`")
    extend_gravity: Gravity | None = gravity(FOCUS, default=None, doc="as in `extend`")

    def expand(self) -> list[Op]:
        out: list[Op] = []
        if self.width is not None:
            out.append(Width(width=self.width))
        if self.height is not None:
            out.append(Height(height=self.height))
        if self.enlarge is not None:
            out.append(Enlarge(enlarge=self.enlarge))
        return out + _extend(self.extend, self.extend_gravity)


@op("resize", "rs", stage=Stage.META, example="resize:fill:300:200")
class Resize(Op):
    """Resizing type, width, height, enlarge and extend in one; what is left empty stays as it was."""

    type: str | None = choice(*(kind.value for kind in ResizingType), default=None, doc="as in `resizing_type`")
    width: int | None = integer(min=0, default=None, doc="as in `width`")
    height: int | None = integer(min=0, default=None, doc="as in `height`")
    enlarge: bool | None = flag(default=None, doc="as in `enlarge`")
    extend: bool | None = flag(default=None, doc="as in `extend`")
    extend_gravity: Gravity | None = gravity(FOCUS, default=None, doc="as in `extend`")

    def expand(self) -> list[Op]:
        kind: list[Op] = [] if self.type is None else [ResizingTypeOption(resizing_type=ResizingType(self.type))]
        size = Size(
            width=self.width,
            height=self.height,
            enlarge=self.enlarge,
            extend=self.extend,
            extend_gravity=self.extend_gravity,
        )
        return kind + size.expand()


OPS = (
    Resize,
    Size,
    ResizingTypeOption,
    Width,
    Height,
    MinWidth,
    MinHeight,
    Zoom,
    Dpr,
    Enlarge,
    Extend,
    ExtendAspectRatio,
    GravityOption,
    ObjectsPosition,
    Crop,
    Padding,
    AutoRotate,
    Rotate,
    Flip,
)
