"""Sources as models see them: upright, sRGB, of their full size, and handed out in the sizes that models want."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

import pyvips

from imgserve.engine.deadline import Deadline, decoding
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.engine.load import open_source
from imgserve.engine.pipeline import first_frame, run_stages
from imgserve.errors import ImageRefused
from imgserve.ports.models import Pixels

#: Between good and visually lossless: what a service far away gets.
_JPEG_QUALITY: Final = 92


@dataclass(frozen=True, slots=True)
class Upright:
    """A source in memory: sRGB of 8 bits with three bands, or four with alpha, and its metadata."""

    image: pyvips.Image
    #: Name of the source's format.
    format: str


def open_upright(source: bytes, *, limits: Limits, config: EngineConfig, deadline: Deadline) -> Upright:
    """Decode a source's first picture; raises UnsupportedImage, ImageRefused and RenderTimeout.

    It is the pipeline without a wish: what it does about orientation, profiles and odd pixels is done here too.
    """
    # Bounds on results are for what is made of it: a panorama may be cut to a thumbnail.
    limits = dataclasses.replace(
        limits, max_animation_frames=1, max_result_dimension=0, max_result_side=0, max_result_pixels=0
    )
    # PNG holds whatever there may be, transparency too; nothing is encoded.
    intent = Intent(format="png", strip_metadata=False, limits=limits)
    with decoding(deadline):
        opened = open_source(source, intent=intent, config=config, deadline=deadline)
        frame, _ = first_frame(source, opened, intent=intent, config=config, deadline=deadline)
        image = run_stages(frame, [], {}).image
        if image.interpretation != "srgb":
            image = image.colourspace("srgb")
        return Upright(image.copy_memory(), opened.format)


class PictureOf:
    """A picture for providers (ports.models.Picture); transparent parts lie on white."""

    def __init__(self, image: pyvips.Image) -> None:
        self._image = image.flatten(background=[255, 255, 255]).copy_memory() if image.hasalpha() else image

    @property
    def width(self) -> int:
        return int(self._image.width)

    @property
    def height(self) -> int:
        return int(self._image.height)

    def pixels(self, *, max_side: int | None = None) -> Pixels:
        return pixels_of(self._within(max_side))

    def stretched(self, width: int, height: int) -> Pixels:
        if (width, height) == (self.width, self.height):
            return pixels_of(self._image)
        return pixels_of(self._image.thumbnail_image(width, height=height, size="force"))

    def encoded(self, *, format: str = "jpeg", max_side: int | None = None) -> bytes:
        image = self._within(max_side)
        options: dict[str, Any] = {"compression": 2} if format == "png" else {"Q": _JPEG_QUALITY}
        return bytes(image.write_to_buffer(f".{format}", keep="none", **options))

    def _within(self, max_side: int | None) -> pyvips.Image:
        if max_side is None or max(self.width, self.height) <= max_side:
            return self._image
        return self._image.thumbnail_image(max_side, height=max_side, size="down")


def pixels_of(image: pyvips.Image) -> Pixels:
    """Give the pixels of a picture of 8 bits."""
    return Pixels(data=bytes(image.write_to_memory()), width=image.width, height=image.height, bands=image.bands)


def image_of(pixels: Pixels, *, bands: int = 0) -> pyvips.Image:
    """Give a picture over these pixels; raises ImageRefused where their number is not what the size says.

    `bands` is how many there have to be, 0 = any number.
    """
    if len(pixels.data) != pixels.width * pixels.height * pixels.bands or not pixels.data:
        raise ImageRefused("A provider's answer has another size than it says.")
    if bands and pixels.bands != bands:
        raise ImageRefused(f"A provider's answer has {pixels.bands} bands; it must have {bands}.")
    image = pyvips.Image.new_from_memory(pixels.data, pixels.width, pixels.height, pixels.bands, "uchar")
    return image.copy(interpretation="b-w" if pixels.bands == 1 else "srgb")
