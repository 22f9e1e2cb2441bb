"""Options of our own that shape the picture: rounded corners, and a shadow behind it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

import pyvips

from imgserve.engine.colour import to_space
from imgserve.engine.frame import Frame
from imgserve.engine.geometry import embed
from imgserve.engine.intent import Intent
from imgserve.engine.rounding import to_even
from imgserve.ops.behaviour import Transform
from imgserve.spec.kinds import BadArgument, Kind, Number, Schema, number_text
from imgserve.spec.op import Op, Stage, op
from imgserve.spec.params import REQUIRED, Param, colour, number
from imgserve.spec.values import Colour

#: Beyond this many sigmas a Gaussian is below 1/255 of a half-opaque shadow.
_REACH_SIGMAS: Final = 2.5
#: Where libvips cuts the Gaussian off, so that the mask reaches as far as the room does.
_LEAST_AMPLITUDE: Final = math.exp(-_REACH_SIGMAS * _REACH_SIGMAS / 2)
_MAX_SIGMA: Final = 250
_MAX_OFFSET: Final = 1000

MAX_RADIUS: Final = "max"


@dataclasses.dataclass(frozen=True)
class RadiusKind(Kind):
    """A radius in pixels, or the word for the largest that the picture has room for."""

    word = "number"

    @property
    def expected(self) -> str:
        return f"a radius in pixels of 0 or more, or {MAX_RADIUS}"

    def parse(self, pieces: Any) -> float | str:
        if pieces[0] == MAX_RADIUS:
            return MAX_RADIUS
        try:
            return Number(low=0).parse(pieces)
        except BadArgument:
            raise self.refuse(pieces[0]) from None

    def format(self, value: float | str) -> list[str]:
        return [value if isinstance(value, str) else number_text(value)]

    def check(self, value: object) -> float | str:
        if value == MAX_RADIUS:
            return MAX_RADIUS
        try:
            return Number(low=0).check(value)
        except BadArgument:
            raise self.refuse(value) from None

    def schema(self) -> Schema:
        return {"oneOf": [{"const": MAX_RADIUS}, {"type": "number", "minimum": 0}]}


def _radius(*, doc: str) -> Any:
    return Param(RadiusKind(), REQUIRED, doc)


@op("round", "rnd", stage=Stage.MASK, example="round:20", own=True)
class Round(Transform):
    """Round the corners; with `max` the picture becomes a circle or a pill."""

    radius: float | str = _radius(doc=f"pixels before `dpr`, or {MAX_RADIUS}")

    def configure(self, intent: Intent) -> Intent:
        return dataclasses.replace(intent, transparent=True) if self.radius != 0 else intent

    def apply(self, frame: Frame) -> Frame:
        if self.radius == 0:
            return frame
        image = frame.image
        most = min(image.width, image.height) / 2
        radius = most if isinstance(self.radius, str) else min(most, self.radius * frame.layout.dpr)
        mask = _rounded_box(image.width, image.height, radius)
        if not image.hasalpha():
            image = image.addalpha()
        colours, alpha = image.extract_band(0, n=image.bands - 1), image[image.bands - 1]
        cut = (alpha * mask / 255).rint().cast(image.format)
        return frame.with_image(colours.bandjoin(cut).copy(interpretation=image.interpretation))


def _rounded_box(width: int, height: int, radius: float) -> pyvips.Image:
    """Draw the coverage of a box with round corners as one band of 0 to 255."""
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<rect width="{width}" height="{height}" rx="{radius:.3f}" ry="{radius:.3f}" fill="#fff"/></svg>'
    )
    # Pixels are read row by row like everything else; a mask in memory would cost as much as the picture.
    return pyvips.Image.svgload_buffer(drawing.encode(), access="sequential")[3]


@op("shadow", "shd", stage=Stage.SHADOW, example="shadow:10:0.4:0:8:000000", own=True)
class Shadow(Transform):
    """Let the picture's shape cast a soft shadow; width and height include it."""

    sigma: float = number(min=0, max=_MAX_SIGMA, default=10.0, doc="softness in result pixels before `dpr`")
    opacity: float = number(min=0, max=1, default=0.4, doc="0 = no shadow")
    dx: float = number(min=-_MAX_OFFSET, max=_MAX_OFFSET, default=0.0, doc="to the right, in pixels before `dpr`")
    dy: float = number(min=-_MAX_OFFSET, max=_MAX_OFFSET, default=8.0, doc="downwards, in pixels before `dpr`")
    color: Colour = colour(default=Colour(0, 0, 0), doc="the colour of the shadow")

    def configure(self, intent: Intent) -> Intent:
        if self.opacity == 0:
            return intent
        margins = tuple(was + more for was, more in zip(intent.margins, self._room(), strict=True))
        top, right, bottom, left = margins
        return dataclasses.replace(intent, margins=(top, right, bottom, left), transparent=True)

    def _room(self) -> tuple[int, int, int, int]:
        reach = _REACH_SIGMAS * self.sigma
        sides = (reach - self.dy, reach + self.dx, reach + self.dy, reach - self.dx)
        top, right, bottom, left = (max(0, math.ceil(side)) for side in sides)
        return top, right, bottom, left

    def apply(self, frame: Frame) -> Frame:
        if self.opacity == 0:
            return frame
        # The picture is read twice: for its shape, and for itself.
        frame = to_space(frame, "rgb16" if frame.image.interpretation in ("grey16", "rgb16") else "srgb").in_memory()
        image = frame.image
        top, right, bottom, left = frame.layout.margins
        width, height = image.width + left + right, image.height + top + bottom
        picture = embed(image, left, top, width, height)
        shadow = self._cast(picture, frame.layout.dpr)
        out = shadow.composite2(picture, "over", compositing_space=image.interpretation).cast(image.format)
        return frame.with_image(out)

    def _cast(self, picture: pyvips.Image, dpr: float) -> pyvips.Image:
        """Make the shadow of a picture with room around it: one colour, the alpha moved and blurred."""
        alpha = picture[picture.bands - 1]
        moved = alpha.embed(to_even(self.dx * dpr), to_even(self.dy * dpr), alpha.width, alpha.height, extend="black")
        if self.sigma * dpr >= 0.1:
            moved = moved.gaussblur(self.sigma * dpr, min_ampl=_LEAST_AMPLITUDE)
        factor = 257 if picture.format == "ushort" else 1
        channels = [self.color.red * factor, self.color.green * factor, self.color.blue * factor]
        ink = picture.new_from_image(channels).copy(interpretation=picture.interpretation)
        return ink.bandjoin((moved * self.opacity).rint().cast(picture.format))


OPS: tuple[type[Op], ...] = (Round, Shadow)
