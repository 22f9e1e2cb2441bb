"""The small values that option arguments parse into: colours, gravities, resizing types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ResizingType(StrEnum):
    FIT = "fit"
    FILL = "fill"
    FILL_DOWN = "fill-down"
    FORCE = "force"
    AUTO = "auto"


class GravityType(StrEnum):
    CENTER = "ce"
    NORTH = "no"
    SOUTH = "so"
    EAST = "ea"
    WEST = "we"
    NORTH_EAST = "noea"
    NORTH_WEST = "nowe"
    SOUTH_EAST = "soea"
    SOUTH_WEST = "sowe"
    SMART = "sm"
    FOCUS_POINT = "fp"
    #: Only watermarks know it: the picture is tiled over the whole image.
    REPLICATE = "re"


@dataclass(frozen=True, slots=True)
class Gravity:
    """Where a box sits in a larger one.

    `x` and `y` are offsets from the named edge: absolute pixels when their magnitude is >= 1, else a share of the
    outer size. For a focus point they are its coordinates in 0..1.
    """

    type: GravityType = GravityType.CENTER
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Colour:
    """An opaque sRGB colour, 0..255 a channel."""

    red: int
    green: int
    blue: int

    @property
    def hex(self) -> str:
        return f"{self.red:02x}{self.green:02x}{self.blue:02x}"


#: Every format name that the grammar knows, and the one it stands for.
FORMAT_NAMES: dict[str, str] = {
    "jpeg": "jpeg",
    "jpg": "jpeg",
    "jxl": "jxl",
    "png": "png",
    "webp": "webp",
    "gif": "gif",
    "ico": "ico",
    "svg": "svg",
    "heic": "heic",
    "avif": "avif",
    "bmp": "bmp",
    "tiff": "tiff",
}
