"""The small values that option arguments parse into: colours, gravities, resizing types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote


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
    #: Where things of these classes were found, all alike or each class with its weight.
    OBJECTS = "obj"
    WEIGHTED_OBJECTS = "objw"
    #: Only for where objects sit in a crop: as they do in the whole.
    PROPORTIONAL = "prop"


@dataclass(frozen=True, slots=True)
class Gravity:
    """Where a box sits in a larger one.

    `x` and `y` are offsets from the named edge: absolute pixels when their magnitude is >= 1, else a share of the
    outer size. For a focus point they are its coordinates in 0..1.
    """

    type: GravityType = GravityType.CENTER
    x: float = 0.0
    y: float = 0.0
    #: Class names and their weights, by name; none = things of every class.
    classes: tuple[tuple[str, float], ...] = ()

    @property
    def by_objects(self) -> bool:
        return self.type in (GravityType.OBJECTS, GravityType.WEIGHTED_OBJECTS)


#: Stands for things of every class.
ALL_CLASSES: Final = "all"

_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")


def class_name(text: str) -> str:
    """Give the one spelling of a class of things: lower case, `_` for all that is no letter or digit.

    Percent escapes are undone, as options of a URL keep them. A text without any letter or digit gives "".
    """
    return _BETWEEN_WORDS.sub("_", unquote(text).casefold()).strip("_")


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
