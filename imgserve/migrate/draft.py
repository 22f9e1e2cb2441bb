"""A translation in the making: the geometry of the other server in imgserve's words, options, and what is lost."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, TypeVar

from imgserve.engine.formats import FORMATS
from imgserve.engine.position import before_orientation
from imgserve.errors import ImgserveError
from imgserve.ops.catalog import CATALOG
from imgserve.plan.url import Grammar, parse_options
from imgserve.spec.kinds import number_text
from imgserve.spec.values import FORMAT_NAMES, Gravity, GravityType, ResizingType

GRAMMAR: Final = Grammar(catalog=CATALOG)

#: libvips' own default for what counts as another colour, and that of the servers that are built on it.
TRIM_THRESHOLD: Final = 10

_N = TypeVar("_N", int, float)

#: Of shares that are computed: finer than a pixel of any picture.
_DECIMALS: Final = 6

_INTEGER: Final = re.compile(r"-?[0-9]{1,9}")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]{1,15}\.?[0-9]{0,15}|\.[0-9]{1,15})")


@dataclass(frozen=True, slots=True)
class Note:
    """A part of a URL, as it is written there, and what became of it."""

    part: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What a URL of another server asks for, in imgserve's options (`resize:fill:300:200`), not yet signed.

    `dropped` are the parts that have no counterpart, `differs` those whose counterpart does not do quite the same.
    `guessed` says that the dialect was told from the URL alone.
    """

    url: str
    dialect: str
    guessed: bool
    source: str
    options: tuple[str, ...]
    dropped: tuple[Note, ...] = ()
    differs: tuple[Note, ...] = ()


@dataclass(slots=True, kw_only=True)
class Crop:
    """A cut out of the source, before anything is resized: pixels, or shares below 1; 0 = the whole side."""

    width: float
    height: float
    place: Gravity


@dataclass(slots=True, kw_only=True)
class Draft:
    """What is read of a URL so far; dialects fill it in."""

    source: str = ""
    kind: ResizingType = ResizingType.FIT
    width: int = 0
    height: int = 0
    enlarge: bool = False
    extend: bool = False
    extend_place: Gravity = field(default_factory=Gravity)
    place: Gravity = field(default_factory=Gravity)
    crop: Crop | None = None
    #: Clockwise degrees, then mirroring left to right and top to bottom.
    turn: int = 0
    mirror_x: bool = False
    mirror_y: bool = False
    #: The crop, and the sizes and places, are those of the picture before it is turned and mirrored; imgserve's are
    #: those after it.
    cut_first: bool = False
    sized_first: bool = False
    dropped: list[Note] = field(default_factory=list)
    differs: list[Note] = field(default_factory=list)
    _options: dict[str, str] = field(default_factory=dict)

    def drop(self, part: str, why: str) -> None:
        """Name a part that has no counterpart, and what to do instead."""
        self.dropped.append(Note(part, why))

    def differ(self, part: str, how: str) -> None:
        """Name a part whose counterpart does not do quite the same."""
        self.differs.append(Note(part, how))

    def option(self, part: str, name: str, *arguments: object) -> None:
        """Add an option; a later one of the same name replaces it, and one that is not valid is dropped."""
        text = ":".join([name, *(_text(one) for one in arguments)])
        try:
            parse_options([text], GRAMMAR)
        except ImgserveError as wrong:
            self.drop(part, wrong.message)
        else:
            self._options[name] = text

    def quality(self, part: str, value: str) -> None:
        """Add a quality of 1 to 100."""
        quality = integer(value)
        if quality is None or not 1 <= quality <= 100:
            self.drop(part, "a quality is 1 to 100")
        else:
            self.option(part, "quality", quality)

    def format(self, part: str, value: str) -> None:
        """Add a format, if imgserve writes it."""
        name = {"jpg": "jpeg", "tif": "tiff", "heif": "heic"}.get(value.lower(), value.lower())
        if name in FORMAT_NAMES and FORMATS[FORMAT_NAMES[name]].save:
            self.option(part, "format", name)
        else:
            written = ", ".join(one.name for one in FORMATS.values() if one.save)
            self.drop(part, f"this format is not written; {written} are")

    def turn_by(self, part: str, degrees: int, *, mirrored: bool) -> None:
        """Turn clockwise by a multiple of 90, after (`mirrored`) or before the picture is mirrored."""
        if degrees % 90:
            self.drop(part, "pictures are turned by multiples of 90 degrees only")
            return
        self.turn = (self.turn + degrees) % 360
        if mirrored and degrees % 180:
            # A mirror that comes before a quarter turn is the other mirror after it.
            self.mirror_x, self.mirror_y = self.mirror_y, self.mirror_x

    def options(self) -> tuple[str, ...]:
        """Give all options: geometry first, then those that were added, in their order."""
        return (*self._geometry(), *self._options.values())

    def _geometry(self) -> list[str]:
        out = []
        if self.crop is not None:
            size, place = (self.crop.width, self.crop.height), self.crop.place
            if self.cut_first:
                size, place = self._turned(size), self._upright(place)
            out.append(":".join(["crop", *map(number_text, size), _gravity(place)]))
        if self.width or self.height:
            out += self._resize()
        if self.turn:
            out.append(f"rotate:{self.turn}")
        if self.mirror_x or self.mirror_y:
            out.append(f"flip:{self.mirror_x:d}:{self.mirror_y:d}")
        return out

    def _resize(self) -> list[str]:
        size, place, extend_place = (self.width, self.height), self.place, self.extend_place
        if self.sized_first:
            size, place, extend_place = self._turned(size), self._upright(place), self._upright(extend_place)
        pieces = ["resize", self.kind.value, *(str(side) if side else "" for side in size)]
        if self.enlarge or self.extend:
            pieces.append(f"{self.enlarge:d}")
        if self.extend:
            pieces += ["1", *([_gravity(extend_place)] if extend_place != Gravity() else [])]
        cuts = self.kind in (ResizingType.FILL, ResizingType.FILL_DOWN) and place != Gravity()
        return [":".join(pieces).rstrip(":"), *([f"gravity:{_gravity(place)}"] if cuts else [])]

    def _turned(self, size: tuple[_N, _N]) -> tuple[_N, _N]:
        return (size[1], size[0]) if self.turn % 180 else size

    def _upright(self, place: Gravity) -> Gravity:
        """Give a place of the picture before it is turned and mirrored as one of the result."""
        place = before_orientation(place, angle=-self.turn, mirror_x=False, mirror_y=False)
        return before_orientation(place, angle=0, mirror_x=self.mirror_x, mirror_y=self.mirror_y)


def _gravity(place: Gravity) -> str:
    if place.by_objects:
        return ":".join([place.type.value, *(name for name, _ in place.classes)])
    if place.type is not GravityType.FOCUS_POINT and not place.x and not place.y:
        return place.type.value
    return f"{place.type.value}:{number_text(place.x)}:{number_text(place.y)}"


def _text(argument: object) -> str:
    return number_text(argument) if isinstance(argument, float) else str(argument)


def integer(text: str) -> int | None:
    """Read a decimal integer, None for any other text."""
    return int(text) if _INTEGER.fullmatch(text) else None


def number(text: str) -> float | None:
    """Read a decimal number, None for any other text (NaN and infinity too)."""
    return float(text) if _NUMBER.fullmatch(text) else None


def focus(x: float, y: float) -> Gravity:
    """Give the place of a point in shares of the picture, moved inside where it lies beyond an edge."""
    x, y = (round(min(1.0, max(0.0, one)), _DECIMALS) for one in (x, y))
    return Gravity(GravityType.FOCUS_POINT, x, y)


def corner(x: float, y: float) -> Gravity:
    """Give the place of a cut whose left top point is known, in pixels or in shares below 1."""
    return Gravity(GravityType.NORTH_WEST, float(x), float(y))
