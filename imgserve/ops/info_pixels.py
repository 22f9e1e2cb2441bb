"""Fields of /info that are measured in the pixels: transparency, crops, colours, hashes, placeholders."""

from __future__ import annotations

from typing import Any, Final

from imgserve.engine import blurhash, dominant, palette, phash, thumbhash
from imgserve.engine.header import size_of
from imgserve.engine.palette import Swatch
from imgserve.engine.placeholder import placeholder
from imgserve.engine.subject import Subject
from imgserve.ops.info_fields import ANSWER, ENABLED, PixelField
from imgserve.ports.models import Pixels
from imgserve.spec.kinds import BadArgument
from imgserve.spec.op import op
from imgserve.spec.params import flag, gravity, integer, number
from imgserve.spec.values import Gravity, GravityType

#: Shares are told to a hundredth of a pixel of the largest pictures.
_SHARE_DIGITS: Final = 7

#: The average is that of a picture of this side.
_AVERAGE_SIDE: Final = 64

#: Widths that next/image asks for by default: its `imageSizes`, then its `deviceSizes`. The packages have the same.
NEXT_WIDTHS: Final = (32, 48, 64, 96, 128, 256, 384, 640, 750, 828, 1080, 1200, 1920, 2048, 3840)


@op("alpha", "a", stage=ANSWER, example="alpha:1:1")
class Alpha(PixelField):
    """`alpha`: whether there is an alpha channel; `transparency`, if asked for: whether any pixel is not opaque."""

    enabled: bool = flag(doc=ENABLED)
    check_transparency: bool = flag(default=False, doc="look at every pixel's alpha")

    def told(self, subject: Subject) -> dict[str, Any]:
        transparency = {"transparency": subject.is_transparent()} if self.check_transparency else {}
        return {"alpha": subject.has_alpha, **transparency}


@op("crop", "c", stage=ANSWER, example="crop:600:400:sm")
class CropBox(PixelField):
    """`crop`: what the option `crop` of pictures would take, in shares of the upright picture."""

    width: float = number(min=0, doc="0 = the whole width, below 1 = a share of it, else source pixels")
    height: float = number(min=0, default=0.0, doc="the same for the height; where both are 0 nothing is told")
    gravity: Gravity = gravity(
        GravityType.SMART, GravityType.FOCUS_POINT, default=Gravity(), doc="where to cut; `sm` looks for it"
    )

    @property
    def wanted(self) -> bool:
        return self.width > 0 or self.height > 0

    def told(self, subject: Subject) -> dict[str, Any]:
        box = subject.cut(self.width, self.height, self.gravity)
        shares = {"left": box.left, "top": box.top, "width": box.width, "height": box.height}
        return {"crop": {name: round(share, _SHARE_DIGITS) for name, share in shares.items()}}


@op("palette", "p", stage=ANSWER, example="palette:6")
class Palette(PixelField):
    """`palette`: colours (`R`, `G`, `B`, `A`) that stand for all visible ones, most frequent first."""

    colors: int = integer(min=0, max=256, doc="how many at most, 2 to 256; 0 = none")

    def validate(self) -> None:
        if self.colors == 1:
            raise BadArgument("1", "an integer from 2 to 256, or 0 for none", field="colors")

    @property
    def wanted(self) -> bool:
        return self.colors > 0

    def told(self, subject: Subject) -> dict[str, Any]:
        return {"palette": [_rgba(one) for one in palette.palette(_counted(subject), self.colors)]}


@op("average", "avg", stage=ANSWER, example="average:1")
class Average(PixelField):
    """`average`: the average colour (`R`, `G`, `B`, `A`), each pixel counted as far as it is opaque."""

    enabled: bool = flag(doc=ENABLED)
    ignore_transparent: bool = flag(default=True, doc="alpha is the average of what is not fully transparent alone")

    def told(self, subject: Subject) -> dict[str, Any]:
        pixels = subject.small.within(_AVERAGE_SIDE, _AVERAGE_SIDE).pixels()
        return {"average": _rgba(palette.average(pixels, ignore_transparent=self.ignore_transparent))}


@op("dominant_colors", "dc", stage=ANSWER, example="dominant_colors:1")
class DominantColors(PixelField):
    """`dominant_colors`: `vibrant`, `light_vibrant`, `dark_vibrant`, `muted`, `light_muted` and `dark_muted` (`R`, `G`,
    `B`), as far as the picture has them.
    """

    enabled: bool = flag(doc=ENABLED)
    build_missed: bool = flag(default=False, doc="make those that it does not have of the others")

    def told(self, subject: Subject) -> dict[str, Any]:
        swatches = palette.palette(_counted(subject), dominant.COLOURS)
        found = dominant.dominant_colours(swatches, build_missed=self.build_missed)
        return {"dominant_colors": {name: _rgb(one) for name, one in found.items()}}


@op("blurhash", "bh", stage=ANSWER, example="blurhash:4:3")
class Blurhash(PixelField):
    """`blurhash`: the text that BlurHash libraries decode to a blurred picture; transparent parts lie on white."""

    x_components: int = integer(min=0, max=blurhash.MAX_TERMS, doc="detail across, 1 to 9; 0 = none")
    y_components: int = integer(min=0, max=blurhash.MAX_TERMS, doc="detail down, 1 to 9; 0 = none")

    @property
    def wanted(self) -> bool:
        return self.x_components > 0 and self.y_components > 0

    def told(self, subject: Subject) -> dict[str, Any]:
        pixels = subject.small.on_white().within(blurhash.MAX_SIDE, blurhash.MAX_SIDE).pixels()
        return {"blurhash": blurhash.blurhash(pixels, self.x_components, self.y_components)}


@op("thumb_hash", "th", stage=ANSWER, example="thumb_hash:1")
class ThumbHash(PixelField):
    """`thumb_hash`: the bytes that ThumbHash libraries decode to a blurred picture with alpha, as hex digits."""

    enabled: bool = flag(doc=ENABLED)

    def told(self, subject: Subject) -> dict[str, Any]:
        pixels = subject.small.within(thumbhash.MAX_SIDE, thumbhash.MAX_SIDE).pixels()
        return {"thumb_hash": thumbhash.thumbhash(pixels).hex().upper()}


@op("perceptual_hash", "phash", "ph", stage=ANSWER, example="perceptual_hash:1")
class PerceptualHash(PixelField):
    """`perceptual_hash`: 16 hex digits; the fewer bits of two differ, the more alike the pictures are."""

    enabled: bool = flag(doc=ENABLED)

    def told(self, subject: Subject) -> dict[str, Any]:
        pixels = subject.small.on_white().stretched(phash.SIDE, phash.SIDE).pixels()
        return {"perceptual_hash": phash.perceptual_hash(pixels)}


@op("lqip", stage=ANSWER, example="lqip:16", own=True)
class Lqip(PixelField):
    """`lqip`: a tiny picture to show while the picture loads, and what a page has to know of the picture.

    `blurDataURL` is a WebP as a data URL, `width` and `height` are those of the source as people see it, and `widths`
    are those that next/image asks for by default and the source has.
    """

    width: int = integer(min=1, max=64, doc="width of the tiny picture in pixels; 16 is enough for most")

    @property
    def wanted(self) -> bool:
        return True

    def told(self, subject: Subject) -> dict[str, Any]:
        width, height = size_of(subject.opened)
        largest = min(width, NEXT_WIDTHS[-1])
        return {
            "lqip": {
                "width": width,
                "height": height,
                "blurDataURL": placeholder(subject.small, self.width),
                "widths": [*(one for one in NEXT_WIDTHS if one < largest), largest],
            }
        }


def _counted(subject: Subject) -> Pixels:
    return subject.small.within(palette.MAX_SIDE, palette.MAX_SIDE).pixels()


def _rgb(swatch: Swatch) -> dict[str, int]:
    return {"R": swatch.red, "G": swatch.green, "B": swatch.blue}


def _rgba(swatch: Swatch) -> dict[str, int]:
    return {**_rgb(swatch), "A": swatch.alpha}
