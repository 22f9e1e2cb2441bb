"""Options that act on what models found in the picture: cut to it, hide it, show it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final, Self

import pyvips
from PIL import Image, ImageDraw, ImageFont

from imgserve.engine.detected import Thing, asks_for
from imgserve.engine.frame import Frame
from imgserve.engine.intent import Filtering, Intent
from imgserve.engine.placement import Box, Placement, oriented, union
from imgserve.engine.position import lacking
from imgserve.errors import ImageRefused
from imgserve.ops.behaviour import Transform
from imgserve.ports.models import Ask
from imgserve.spec.op import Op, Pages, Stage, op
from imgserve.spec.params import classes, flag, number
from imgserve.spec.values import Gravity, GravityType, ResizingType

_CLASSES_DOC: Final = "what to look for; `face` and `text` have models of their own"

_MAX_SCALE: Final = 100
_MAX_SIGMA: Final = 1000

#: Detectors draw faces from brow to chin; hair, ears and what a step of rounding leaves out tell who it is, too.
_HIDDEN_AROUND: Final = 0.2
_HIDDEN_AROUND_PIXELS: Final = 2
#: A blur of a sixth of what it hides leaves three waves across it, where people need eight to know a face: more of them
#: are below a step of 8 bits (a wave that fits k times is weakened by exp(-2 (pi k / 6)^2)).
_HIDDEN_SHARE: Final = 1 / 6
#: Blurs are made of a smaller picture, with what is left of sigma: the rest of it is averaged away, and much cheaper.
_KEPT_SIGMA: Final = 4.0

#: From this longer side on, lines of 2 pixels look thin.
_LARGE: Final = 800
_LABEL_SHARE: Final = 1 / 45
_LABEL_PIXELS: Final = (11, 30)
#: Told apart by people who see no difference of red and green too.
_COLOURS: Final = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
#: Black reads better than white on what is lighter (of 255).
_LIGHT: Final = 128


Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


class _Seeing(Transform):
    """An option that looks for classes of things."""

    classes: tuple[str, ...]

    def merge(self, earlier: Self) -> Self:
        # Classes left out mean every class, not those given before.
        return self

    def things(self, frame: Frame) -> list[Thing]:
        return frame.things([(name, 1.0) for name in self.classes])


@op("crop_objects", stage=Stage.TRIM, example="crop_objects:1.5:face")
class CropObjects(_Seeing):
    """Cut to the things that are found, before anything is measured; what `crop` says does not count then.

    For `fill` and `fill-down`, more of what surrounds them is shown, towards the aspect ratio of the result. Where
    nothing is found, nothing is cut, and `crop` counts. It has no short name: imgproxy's documentation gives `co` to
    this option and to `contrast`. Frames of an animation are cut as the first one is.
    """

    scale: float = number(above=0, max=_MAX_SCALE, doc="size of the cut: 1 = just around the things, 2 = twice as wide")
    classes: tuple[str, ...] = classes(doc=_CLASSES_DOC)

    def asks(self) -> Sequence[Ask]:
        return asks_for(self.classes)

    def apply(self, frame: Frame) -> Frame:
        things = self.things(frame)
        if not things:
            return frame
        layout, intent = frame.layout, frame.intent
        # Crops are in the result's orientation.
        turn = oriented(Placement(), (frame.image.width, frame.image.height), layout=layout, intent=intent)
        box = union([turn.box(one.box) for one in things])
        more = (self.scale - 1) / 2
        box = box.grown(box.width * more, box.height * more).clipped(layout.width, layout.height)
        (left, width), (top, height) = self._reach(frame, box)
        focus = Gravity(
            GravityType.FOCUS_POINT, (left + width // 2) / layout.width, (top + height // 2) / layout.height
        )
        return frame.laid_out(
            dataclasses.replace(intent, crop_width=float(width), crop_height=float(height), crop_gravity=focus)
        )

    def _reach(self, frame: Frame, box: Box) -> tuple[tuple[int, int], tuple[int, int]]:
        """Give start and size of both sides, in whole pixels, and with what the result's shape has room for."""
        layout = frame.layout
        size = math.ceil(box.right) - math.floor(box.left), math.ceil(box.bottom) - math.floor(box.top)
        fills = frame.intent.resizing_type in (ResizingType.FILL, ResizingType.FILL_DOWN)
        more = (0, 0)
        if fills and layout.target_width and layout.target_height:
            more = lacking(*size, ratio=layout.target_width / layout.target_height)
        return (
            _widened(math.floor(box.left), size[0], more=more[0], whole=layout.width),
            _widened(math.floor(box.top), size[1], more=more[1], whole=layout.height),
        )


def _widened(start: int, size: int, *, more: int, whole: int) -> tuple[int, int]:
    """Give start and size of a stretch with so much more: on both sides alike, or where there is room."""
    size = min(size + more, whole)
    return max(0, min(start - more // 2, whole - size)), size


@op("blur_detections", "bd", stage=Stage.FILTER, example="blur_detections:10:face")
class BlurDetections(_Seeing):
    """Make what is found unrecognisable, and some of what surrounds it.

    The blur is as strong as is asked for, and never weaker than what hides a thing of this size: a sixth of its longer
    side. Metadata goes with it, as it may hold a preview of the whole picture. Sources that are served as they are, and
    animations, whose later frames no model has seen, are refused.
    """

    sigma: float = number(
        min=0, max=_MAX_SIGMA, doc="standard deviation in result pixels before `dpr`, at least; 0 = off"
    )
    classes: tuple[str, ...] = classes(doc=_CLASSES_DOC)

    def asks(self) -> Sequence[Ask]:
        # A picture that shows what is to be hidden must not go out.
        return tuple(ask._replace(vital=True) for ask in asks_for(self.classes)) if self.sigma else ()

    def configure(self, intent: Intent) -> Intent:
        if not self.sigma:
            return intent
        need = max(intent.filtering, Filtering.PREMULTIPLIED)
        return dataclasses.replace(intent, filtering=need, conceals=True, strip_metadata=True)

    def apply(self, frame: Frame) -> Frame:
        if not self.sigma:
            return frame
        if frame.of_pages > 1:
            raise ImageRefused(
                "Nothing can be hidden in an animation: models see its first frame only. Ask for a still picture, "
                "for example with format:jpeg.",
                where="blur_detections",
                got=f"{frame.of_pages} frames",
                expected="one frame",
            )
        image = frame.image
        for one in self.things(frame):
            box = _hidden(one.box).clipped(image.width, image.height)
            left, top = math.floor(box.left), math.floor(box.top)
            # Always of the picture as it was: what was blurred before needs no second reading.
            part = frame.image.crop(left, top, math.ceil(box.right) - left, math.ceil(box.bottom) - top)
            image = image.insert(_blurred(part, self.sigma * frame.layout.dpr), left, top)
        return frame.with_image(image)


def _hidden(box: Box) -> Box:
    return box.grown(
        box.width * _HIDDEN_AROUND + _HIDDEN_AROUND_PIXELS, box.height * _HIDDEN_AROUND + _HIDDEN_AROUND_PIXELS
    )


def _blurred(part: pyvips.Image, sigma: float) -> pyvips.Image:
    width, height = part.width, part.height
    sigma = max(sigma, max(width, height) * _HIDDEN_SHARE)
    # Whole numbers on each axis, so that the averages are of whole pixels.
    down = max(1, int(sigma / _KEPT_SIGMA))
    down_x, down_y = min(down, width), min(down, height)
    small = part.shrink(down_x, down_y).gaussblur(sigma / down)
    large = small.resize(width / small.width, vscale=height / small.height, kernel="linear")
    return large.gravity("centre", width, height, extend="copy").cast(part.format)


@op("draw_detections", "dd", stage=Stage.FILTER, example="draw_detections:1:face", pages=Pages.SKIP)
class DrawDetections(_Seeing):
    """Draw a frame around all that is found, with its class and how sure the model is: to see what models see."""

    draw: bool = flag(doc="1 = do it")
    classes: tuple[str, ...] = classes(doc=_CLASSES_DOC)

    def asks(self) -> Sequence[Ask]:
        return asks_for(self.classes) if self.draw else ()

    def configure(self, intent: Intent) -> Intent:
        if not self.draw:
            return intent
        return dataclasses.replace(intent, filtering=max(intent.filtering, Filtering.STRAIGHT))

    def apply(self, frame: Frame) -> Frame:
        things = self.things(frame) if self.draw else []
        if not things:
            return frame
        longest = max(frame.image.width, frame.image.height)
        line = 3 if longest >= _LARGE else 2
        least, most = _LABEL_PIXELS
        size = max(least, min(round(longest * _LABEL_SHARE), most))
        font = ImageFont.load_default(size)
        image = frame.image
        # Filters get 8 bits a channel; drawing in what is premultiplied is right because nothing drawn is transparent.
        picture = Image.frombytes("RGBA" if image.hasalpha() else "RGB", (image.width, image.height), _bytes(image))
        canvas = ImageDraw.Draw(picture)
        # The surest last, and labels after all frames, so that what matters is on top.
        things.sort(key=lambda one: one.confidence)
        labels = sorted({one.label for one in things})
        colours = {label: _COLOURS[at % len(_COLOURS)] for at, label in enumerate(labels)}
        for one in things:
            _frame(canvas, one, colours[one.label], line=line)
        for one in things:
            _label(canvas, one, font, colours[one.label], width=image.width, line=line)
        drawn = pyvips.Image.new_from_memory(picture.tobytes(), image.width, image.height, image.bands, "uchar")
        return frame.with_image(image.copy_memory().insert(drawn, 0, 0))


def _bytes(image: pyvips.Image) -> bytes:
    return bytes(image.cast("uchar").write_to_memory())


def _frame(canvas: ImageDraw.ImageDraw, one: Thing, colour: tuple[int, int, int], *, line: int) -> None:
    box = one.box
    corners = (
        round(box.left),
        round(box.top),
        max(round(box.left), round(box.right) - 1),
        max(round(box.top), round(box.bottom) - 1),
    )
    canvas.rectangle(corners, outline=colour, width=line)


def _label(
    canvas: ImageDraw.ImageDraw, one: Thing, font: Font, colour: tuple[int, int, int], *, width: int, line: int
) -> None:
    """Write above the frame, or inside of it where there is no room."""
    text = f"{one.label} {one.confidence:.0%}"
    left, _, right, bottom = canvas.textbbox((0, 0), text, font=font)
    wide, high = math.ceil(right - left) + 4 * line, math.ceil(bottom) + 2 * line
    x = max(0, min(round(one.box.left), width - wide))
    y = round(one.box.top) - high if one.box.top >= high else round(one.box.top)
    canvas.rectangle((x, y, x + wide - 1, y + high - 1), fill=colour)
    red, green, blue = colour
    light = 0.299 * red + 0.587 * green + 0.114 * blue > _LIGHT
    canvas.text((x + 2 * line - left, y + line), text, font=font, fill=(0, 0, 0) if light else (255, 255, 255))


OPS: tuple[type[Op], ...] = (CropObjects, BlurDetections, DrawDetections)
