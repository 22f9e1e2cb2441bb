"""Kinds of argument made of several pieces or channels: colours, gravities, classes of objects, lists, pairs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from imgserve.spec.kinds import BadArgument, Choice, Kind, Number, Schema, number_text
from imgserve.spec.values import ALL_CLASSES, Colour, Gravity, GravityType, class_name

_HEX_COLOUR = re.compile(r"(?:[0-9a-fA-F]{3}){1,2}")


@dataclasses.dataclass(frozen=True)
class ColourKind(Kind):
    """A colour as 3 or 6 hex digits, or, where it may take three pieces, as R:G:B."""

    word = "colour"
    span: int | None = 1

    @property
    def expected(self) -> str:
        return "a colour of 3 or 6 hex digits" + (", or R:G:B of 0 to 255 each" if self.span == 3 else "")

    def parse(self, pieces: Sequence[str]) -> Colour:
        if len(pieces) == 1:
            return self.check(pieces[0])
        if len(pieces) != 3 or not all(re.fullmatch(r"[0-9]{1,3}", piece) for piece in pieces):
            raise self.refuse(":".join(pieces))
        return self.check([int(piece) for piece in pieces])

    def format(self, value: Colour) -> list[str]:
        return [value.hex]

    def check(self, value: object) -> Colour:
        if isinstance(value, Colour):
            channels = [value.red, value.green, value.blue]
        elif isinstance(value, str) and _HEX_COLOUR.fullmatch(value):
            digits = value if len(value) == 6 else "".join(digit * 2 for digit in value)
            channels = [int(digits[at : at + 2], 16) for at in (0, 2, 4)]
        elif isinstance(value, list | tuple) and len(value) == 3:
            channels = [self._channel(channel) for channel in value]
        else:
            raise self.refuse(value)
        if any(not 0 <= channel <= 255 for channel in channels):
            raise self.refuse(":".join(map(str, channels)))
        return Colour(*channels)

    def _channel(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(value)
        return value

    def schema(self) -> Schema:
        return {"type": "string", "pattern": "^([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"}


COMPASS: Final = tuple(kind for kind in GravityType if kind not in ("sm", "fp", "re", "obj", "objw", "prop"))

_OBJECT_TYPES: Final = (GravityType.OBJECTS, GravityType.WEIGHTED_OBJECTS)
_WITHOUT_OFFSETS: Final = (GravityType.SMART, GravityType.PROPORTIONAL)
#: What a class weighs that is given without a weight.
_WEIGHT: Final = 1.0

#: More than any model knows makes no sense; every one of them is compared with every thing that was found.
MAX_CLASSES: Final = 64
_MAX_CLASS_NAME: Final = 64


@dataclasses.dataclass(frozen=True)
class ClassesKind(Kind):
    """Classes of things that models find, in one order; none, as `all`, means every class."""

    word = "classes"
    span: int | None = None

    @property
    def expected(self) -> str:
        return f"class names with `_` or `-` for spaces, at most {MAX_CLASSES}; none or `{ALL_CLASSES}` for every class"

    def parse(self, pieces: Sequence[str]) -> tuple[str, ...]:
        return self.check([piece for piece in pieces if piece])

    def format(self, value: tuple[str, ...]) -> list[str]:
        return list(value)

    def check(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or len(value) > MAX_CLASSES:
            raise self.refuse(value)
        names = {self._name(item) for item in value}
        return () if ALL_CLASSES in names else tuple(sorted(names))

    def _name(self, value: object) -> str:
        name = class_name(value) if isinstance(value, str) else ""
        if not 0 < len(name) <= _MAX_CLASS_NAME:
            raise self.refuse(value)
        return name

    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": MAX_CLASSES}


@dataclasses.dataclass(frozen=True)
class GravityKind(Kind):
    """A gravity: `type`, or `type:x:y`; which types are meant differs from option to option.

    Where it is by objects, their classes follow: `obj:class…` or `objw:class:weight…`.
    """

    word = "gravity"
    types: tuple[GravityType, ...] = COMPASS
    span: int | None = 3

    @property
    def expected(self) -> str:
        text = f"a gravity: {', '.join(self.types)}, each with offsets x:y if wanted"
        if GravityType.FOCUS_POINT in self.types:
            text += "; fp needs x:y, both from 0 to 1"
        bare = ", ".join(kind for kind in _WITHOUT_OFFSETS if kind in self.types)
        text += f"; {bare} takes no offsets" if bare else ""
        if GravityType.OBJECTS in self.types:
            text += "; obj takes classes (obj:face:dog), objw classes with weights of 0 or more (objw:face:3:dog:1)"
        return text

    def parse(self, pieces: Sequence[str]) -> Gravity:
        text = ":".join(pieces)
        if pieces[0] not in self.types:
            raise self.refuse(text)
        kind = GravityType(pieces[0])
        if kind in _OBJECT_TYPES:
            return self.check(
                Gravity(kind, classes=self._classes(pieces[1:], text, weighted=kind is GravityType.WEIGHTED_OBJECTS))
            )
        if any(pieces[3:]) or (kind in _WITHOUT_OFFSETS and any(pieces[1:])):
            raise self.refuse(text)
        if kind is GravityType.FOCUS_POINT and len(list(filter(None, pieces))) != 3:
            raise self.refuse(text)
        x, y = (self._number(piece, text) if piece else 0.0 for piece in [*pieces[1:], "", ""][:2])
        return self.check(Gravity(kind, x, y))

    def _classes(self, pieces: Sequence[str], text: str, *, weighted: bool) -> tuple[tuple[str, float], ...]:
        if not weighted:
            return tuple((piece, _WEIGHT) for piece in pieces if piece)
        weights = [*pieces[1::2], ""]
        return tuple(
            (name, self._number(weight, text) if weight else _WEIGHT)
            for name, weight in zip(pieces[::2], weights, strict=False)
            if name or weight
        )

    def _number(self, piece: str, text: str) -> float:
        try:
            return Number().parse([piece])
        except BadArgument:
            raise self.refuse(text) from None

    def format(self, value: Gravity) -> list[str]:
        if value.type is GravityType.OBJECTS:
            return [value.type.value, *(name for name, _ in value.classes)]
        if value.type is GravityType.WEIGHTED_OBJECTS:
            return [
                value.type.value,
                *(piece for name, weight in value.classes for piece in (name, number_text(weight))),
            ]
        if value.type is not GravityType.FOCUS_POINT and not value.x and not value.y:
            return [value.type.value]
        return [value.type.value, number_text(value.x), number_text(value.y)]

    def check(self, value: object) -> Gravity:
        if isinstance(value, str) and value:
            return self.parse(value.split(":"))
        if isinstance(value, Mapping):
            value = self._of_table(value)
        if not isinstance(value, Gravity) or value.type not in self.types:
            raise self.refuse(value)
        x, y = Number().check(value.x), Number().check(value.y)
        if value.type in _WITHOUT_OFFSETS and (x or y):
            raise self.refuse(f"{value.type} with offsets")
        if value.type == GravityType.FOCUS_POINT and not (0 <= x <= 1 and 0 <= y <= 1):
            raise self.refuse(f"fp:{number_text(x)}:{number_text(y)}")
        if value.type in _OBJECT_TYPES:
            return _canonical_objects(value.type, value.classes)
        if value.classes:
            raise self.refuse(f"{value.type} with classes")
        return Gravity(value.type, x, y)

    def _of_table(self, table: Mapping[object, object]) -> Gravity:
        kind, named = table.get("type"), table.get("classes", ())
        allowed = {"type", "classes"} if kind in _OBJECT_TYPES else {"type", "x", "y"}
        if not isinstance(kind, str) or kind not in self.types or not set(table) <= allowed:
            raise self.refuse(dict(table))
        if isinstance(named, list | tuple):
            named = dict.fromkeys(named, _WEIGHT) if all(isinstance(name, str) for name in named) else None
        if not isinstance(named, Mapping):
            raise self.refuse(dict(table))
        x, y = table.get("x", 0.0), table.get("y", 0.0)
        return Gravity(GravityType(kind), cast(float, x), cast(float, y), tuple(named.items()))

    def schema(self) -> Schema:
        plain = [kind.value for kind in self.types if kind not in _OBJECT_TYPES]
        offsets = {"x": {"type": "number"}, "y": {"type": "number"}}
        text = {"type": "string", "pattern": f"^({'|'.join(self.types)})(:|$)"}
        if GravityType.OBJECTS not in self.types:
            return {"oneOf": [_table_schema(plain, offsets), text]}
        weights = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}
        by_classes = {"classes": {"anyOf": [ClassesKind().schema(), weights]}}
        return {"oneOf": [_table_schema(plain, offsets), _table_schema([*_OBJECT_TYPES], by_classes), text]}


def _canonical_objects(kind: GravityType, classes: Sequence[tuple[str, float]]) -> Gravity:
    """Give the one form of a gravity by objects; raises BadArgument."""
    weights: dict[str, float] = {}
    for name, weight in classes:
        canonical = class_name(name) if isinstance(name, str) else ""
        # `all` stays a name here: it may have a weight of its own.
        weights[canonical] = Number(low=0).check(weight)
    names = ClassesKind().check([*weights])
    if kind is GravityType.OBJECTS or not weights:
        return Gravity(GravityType.OBJECTS, classes=tuple((name, _WEIGHT) for name in names))
    return Gravity(kind, classes=tuple(sorted(weights.items())))


def _table_schema(types: Sequence[str], properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": [str(kind) for kind in types]}, **properties},
        "required": ["type"],
        "additionalProperties": False,
    }


@dataclasses.dataclass(frozen=True)
class Many(Kind):
    """All the pieces that are left, each of one kind."""

    word = "list"
    item: Kind
    noun: str
    max_items: int = 64
    span: int | None = None

    @property
    def expected(self) -> str:
        return f"{self.noun}, each {self.item.expected}"

    def parse(self, pieces: Sequence[str]) -> tuple[object, ...]:
        return self.check(tuple(self.item.parse([piece]) for piece in pieces))

    def format(self, value: tuple[object, ...]) -> list[str]:
        return [piece for item in value for piece in self.item.format(item)]

    def check(self, value: object) -> tuple[object, ...]:
        if not isinstance(value, list | tuple) or not 0 < len(value) <= self.max_items:
            raise self.refuse(value)
        return tuple(self.item.check(item) for item in value)

    def schema(self) -> Schema:
        return {"type": "array", "items": self.item.schema(), "minItems": 1, "maxItems": self.max_items}


@dataclasses.dataclass(frozen=True)
class Pairs(Kind):
    """name:value:name:value…, kept as a tuple of pairs; a later value of a name wins."""

    word = "pairs"
    names: Choice
    values: Kind
    span: int | None = None

    @property
    def expected(self) -> str:
        return f"pairs of a name ({', '.join(self.names.choices)}) and {self.values.expected}"

    def parse(self, pieces: Sequence[str]) -> tuple[tuple[str, object], ...]:
        if len(pieces) % 2:
            raise self.refuse(":".join(pieces))
        return self.check(
            [(name, self.values.parse([value])) for name, value in zip(pieces[::2], pieces[1::2], strict=True)]
        )

    def format(self, value: tuple[tuple[str, object], ...]) -> list[str]:
        return [piece for name, item in value for piece in (name, *self.values.format(item))]

    def check(self, value: object) -> tuple[tuple[str, object], ...]:
        if isinstance(value, Mapping):
            value = list(value.items())
        if not isinstance(value, list | tuple) or not value:
            raise self.refuse(value)
        out: dict[str, object] = {}
        for pair in value:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise self.refuse(pair)
            out[self.names.check(pair[0])] = self.values.check(pair[1])
        return tuple(sorted(out.items()))

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": {"enum": list(self.names.choices)},
            "additionalProperties": self.values.schema(),
        }
