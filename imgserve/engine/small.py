"""A small picture in memory, and the even smaller ones that facts are computed from in Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyvips

from imgserve.engine.geometry import resize
from imgserve.engine.placement import Box
from imgserve.engine.rounding import scale
from imgserve.engine.upright import pixels_of
from imgserve.ports.models import Pixels

_RGBA: Final = 4
_OPAQUE: Final = 255
_WHITE: Final = [255.0, 255.0, 255.0]


@dataclass(frozen=True, slots=True)
class Small:
    """8-bit sRGB in memory; a fourth band is alpha, and says something."""

    image: pyvips.Image

    @staticmethod
    def of(image: pyvips.Image) -> Small:
        """Take a picture in any space; alpha that is opaque everywhere is left out."""
        if image.interpretation != "srgb":
            image = image.colourspace("srgb")
        image = image.cast("uchar").copy_memory()
        if image.bands == _RGBA and image[3].min() == _OPAQUE:
            image = image.extract_band(0, n=3)
        return Small(image)

    @property
    def has_alpha(self) -> bool:
        return bool(self.image.bands == _RGBA)

    def within(self, width: int, height: int) -> Small:
        """Give it shrunk into this box, with its aspect ratio; it is never enlarged."""
        factor = min(1.0, width / self.image.width, height / self.image.height)
        if factor == 1:
            return self
        return self.stretched(max(1, scale(self.image.width, factor)), max(1, scale(self.image.height, factor)))

    def stretched(self, width: int, height: int) -> Small:
        """Give it in exactly this size."""
        return Small(resize(self.image, width / self.image.width, height / self.image.height).copy_memory())

    def on_white(self) -> Small:
        return Small(self.image.flatten(background=_WHITE).copy_memory()) if self.has_alpha else self

    def pixels(self) -> Pixels:
        return pixels_of(self.image)

    def smart_cut(self, width: float, height: float) -> Box:
        """Give the part of this share of the sides that libvips finds most interesting, in shares."""
        outer = self.image.width, self.image.height
        inner = max(1, scale(outer[0], width)), max(1, scale(outer[1], height))
        found = self.image.smartcrop(*inner)
        # libvips notes where a cut was made, as what has to be added to come back.
        left, top = -found.xoffset / outer[0], -found.yoffset / outer[1]
        left, top = min(left, 1 - width), min(top, 1 - height)
        return Box(left, top, left + width, top + height)
