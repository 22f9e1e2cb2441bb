"""Options of /info: what to tell of a source, and how to treat the request. Names mean other things than in URLs of
pictures, so they have a catalog of their own.

A field is a class: what it tells stands in its `told`, where that comes from in its base.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from imgserve.engine.exif import read_exif, title_of
from imgserve.engine.formats import FORMATS
from imgserve.engine.header import orientation_of, size_of
from imgserve.engine.load import Opened
from imgserve.errors import ImageRefused
from imgserve.ops.delivery import Cachebuster, CacheTags, Expires
from imgserve.ops.limits import MaxSrcFileSize, MaxSrcResolution
from imgserve.plan.model import Plan
from imgserve.plan.presets import Preset
from imgserve.plan.url import Grammar
from imgserve.ports.models import Ask, Detection, Reading, Task
from imgserve.spec.kinds import BadArgument
from imgserve.spec.op import Catalog, Op, Stage, op
from imgserve.spec.params import choice, classes, flag, integer, text
from imgserve.spec.values import class_name

#: Fields decide the answer and nothing before it.
_ANSWER: Final = Stage.ENCODE

_ENABLED: Final = "whether to tell it"

#: Hex digits of each kind of hash sum.
_DIGITS: Final = {"none": 0, "md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_HEX: Final = re.compile(r"[0-9a-fA-F]*")


class Field(Op):
    """An option that asks for a part of the answer."""

    enabled: bool

    @property
    def wanted(self) -> bool:
        return self.enabled


class HeaderField(Field):
    """A field that is told unless the URL says no: the head of the source has it."""

    def told(self, data: bytes, opened: Opened) -> dict[str, Any]:
        """Give its part of the answer; blocks."""
        raise NotImplementedError


class ReadingField(Field):
    """A field that a model has to look at the picture for."""

    task: ClassVar[Task]
    #: Name of its part of the answer.
    part: ClassVar[str]

    def asks(self) -> Sequence[Ask]:
        return (Ask(self.task),) if self.wanted else ()

    def told(self, reading: Reading) -> dict[str, Any]:
        """Give its part of the answer."""
        return {self.part: self.listed(reading)}

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        raise NotImplementedError


@op("size", "s", stage=_ANSWER, example="size:1")
class Size(HeaderField):
    """`size`: bytes of the source."""

    enabled: bool = flag(default=True, doc=_ENABLED)

    def told(self, data: bytes, opened: Opened) -> dict[str, Any]:
        return {"size": len(data)}


@op("format", "f", stage=_ANSWER, example="format:1")
class SourceFormat(HeaderField):
    """`format` and `mime_type`, by the content of the source."""

    enabled: bool = flag(default=True, doc=_ENABLED)

    def told(self, data: bytes, opened: Opened) -> dict[str, Any]:
        return {"format": opened.format, "mime_type": FORMATS[opened.format].mime}


@op("dimensions", "d", stage=_ANSWER, example="dimensions:1")
class Dimensions(HeaderField):
    """`width` and `height` as people see the picture, and the `orientation` (1 to 8) that EXIF gives."""

    enabled: bool = flag(default=True, doc=_ENABLED)

    def told(self, data: bytes, opened: Opened) -> dict[str, Any]:
        width, height = size_of(opened)
        return {"width": width, "height": height, "orientation": orientation_of(opened)}


@op("exif", stage=_ANSWER, example="exif:1:1")
class Exif(HeaderField):
    """`exif`: what the camera wrote, where the picture was taken too."""

    enabled: bool = flag(default=True, doc=_ENABLED)
    canonical: bool = flag(default=False, doc="names as in the standard (`DateTimeOriginal`), not for people")

    def told(self, data: bytes, opened: Opened) -> dict[str, Any]:
        tags = read_exif(opened.image)
        return {"exif": tags if self.canonical else {title_of(name): value for name, value in tags.items()}}


@op("detect_objects", "do", stage=_ANSWER, example="detect_objects:1")
class DetectObjects(ReadingField):
    """`objects`: what things are where in the picture."""

    task = Task.OBJECTS
    part = "objects"
    enabled: bool = flag(doc=_ENABLED)

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return [{"class_name": one.label, **_box(one)} for one in reading.detections]


@op("faces", stage=_ANSWER, example="faces:1", own=True)
class Faces(ReadingField):
    """`faces`: where faces are in the picture."""

    task = Task.FACES
    part = "faces"
    enabled: bool = flag(doc=_ENABLED)

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return [_box(one) for one in reading.detections]


@op("text", stage=_ANSWER, example="text:1", own=True)
class ReadText(ReadingField):
    """`text`: what is written in the picture, and where."""

    task = Task.TEXT
    part = "text"
    enabled: bool = flag(doc=_ENABLED)

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return [{"text": one.text, **_box(one)} for one in reading.detections]


@op("classify", "cl", stage=_ANSWER, example="classify:3")
class Classify(ReadingField):
    """`classify`: what the whole picture is of, most likely first."""

    task = Task.CLASSIFY
    part = "classify"
    top_k: int = integer(min=0, doc="how many classes at most, 0 = none")
    classes: tuple[str, ...] = classes(doc="tell only of these")

    @property
    def wanted(self) -> bool:
        return self.top_k > 0

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return [one for one in _scores(reading) if not self.classes or class_name(one["name"]) in self.classes][
            : self.top_k
        ]


@op("nsfw", stage=_ANSWER, example="nsfw:1", own=True)
class Nsfw(ReadingField):
    """`nsfw`: how safe for work the picture is, in the classes of the model."""

    task = Task.NSFW
    part = "nsfw"
    enabled: bool = flag(doc=_ENABLED)

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return _scores(reading)


@op("hashsum", "hs", stage=Stage.LIMITS, example="hashsum:md5:cc507f81206a4c7d0a995a07c3d9f43a")
class Hashsum(Op):
    """Refuse a source whose bytes have another hash sum."""

    type: str = choice(*_DIGITS, doc="kind of the sum; `none` checks nothing")
    hashsum: str = text(default="", doc="the sum in hex digits")

    def validate(self) -> None:
        digits = _DIGITS[self.type]
        if digits and not (len(self.hashsum) == digits and _HEX.fullmatch(self.hashsum)):
            raise BadArgument(self.hashsum, f"{digits} hex digits", field="hashsum")

    def check(self, data: bytes) -> None:
        """Compare with the source; raises ImageRefused. Blocks."""
        if self.type == "none":
            return
        # It tells whether a file is the one that was meant, which needs no strong hash.
        found = hashlib.new(self.type, data, usedforsecurity=False).hexdigest()
        if found != self.hashsum.lower():
            raise ImageRefused(
                f"The source has another hash sum ({self.type}) than the URL says.",
                where="hashsum",
                got=found,
                expected=self.hashsum.lower(),
            )


def _box(one: Detection) -> dict[str, Any]:
    return {
        "confidence": one.confidence,
        "left": one.left,
        "top": one.top,
        "width": one.width,
        "height": one.height,
    }


def _scores(reading: Reading) -> list[dict[str, Any]]:
    return [{"name": one.label, "confidence": one.confidence} for one in reading.scores]


HEADER_FIELDS: tuple[type[HeaderField], ...] = (Size, SourceFormat, Dimensions, Exif)
READING_FIELDS: tuple[type[ReadingField], ...] = (DetectObjects, Faces, ReadText, Classify, Nsfw)
_CONTROL: tuple[type[Op], ...] = (Cachebuster, CacheTags, Expires)

#: In the order of the answer.
INFO_CATALOG: Final = Catalog(
    [(Preset,), HEADER_FIELDS, READING_FIELDS, _CONTROL, (Hashsum, MaxSrcResolution, MaxSrcFileSize)]
)


def info_grammar(grammar: Grammar) -> Grammar:
    """Give the grammar of /info for that of pictures: sources and permissions are the same, presets are not.

    Where URLs may say nothing but presets, those of /info may say nothing that changes what is told.
    """
    allowed = grammar.allowed_options
    if grammar.only_presets:
        allowed = frozenset(name for cls in _CONTROL for name in cls.spec.names)
    return dataclasses.replace(grammar, catalog=INFO_CATALOG, presets={}, only_presets=False, allowed_options=allowed)


def header_fields(plan: Plan) -> list[HeaderField]:
    """List what is to be told of the head of the source; a field that the URL does not name is told."""
    given = [plan.get(cls) or cls() for cls in HEADER_FIELDS]
    return [one for one in given if one.wanted]


def reading_fields(plan: Plan) -> list[ReadingField]:
    """List what models have to be asked."""
    return [one for one in plan.ops if isinstance(one, ReadingField) and one.wanted]
