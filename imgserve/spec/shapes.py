"""Kinds of argument made of several pieces or channels: colours, gravities, lists, pairs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from imgserve.spec.kinds import BadArgument, Choice, Kind, Number, Schema, number_text
from imgserve.spec.values import Colour, Gravity, GravityType

_HEX_COLOUR = re.compile(r"(?:[0-9a-fA-F]{3}){1,2}")


@dataclasses.dataclass(frozen=True)
class ColourKind(Kind):
    """A colour as 3 or 6 hex digits, or, where it may take three pieces, as R:G:B."""

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


COMPASS: Final = tuple(kind for kind in GravityType if kind not in ("sm", "fp", "re"))


@dataclasses.dataclass(frozen=True)
class GravityKind(Kind):
    """A gravity: `type`, or `type:x:y`; which types are meant differs from option to option."""

    types: tuple[GravityType, ...] = COMPASS
    span: int | None = 3

    @property
    def expected(self) -> str:
        text = f"a gravity: {', '.join(self.types)}, each with offsets x:y if wanted"
        if GravityType.FOCUS_POINT in self.types:
            text += "; fp needs x:y, both from 0 to 1"
        return text + ("; sm takes no offsets" if GravityType.SMART in self.types else "")

    def parse(self, pieces: Sequence[str]) -> Gravity:
        text = ":".join(pieces)
        if pieces[0] not in self.types:
            raise self.refuse(text)
        if pieces[0] == GravityType.SMART and any(pieces[1:]):
            raise self.refuse(text)
        if pieces[0] == GravityType.FOCUS_POINT and len(list(filter(None, pieces))) != 3:
            raise self.refuse(text)
        offsets = [self._offset(piece, text) for piece in pieces[1:]]
        return self.check(Gravity(GravityType(pieces[0]), *offsets))

    def _offset(self, piece: str, text: str) -> float:
        try:
            return Number().parse([piece]) if piece else 0.0
        except BadArgument:
            raise self.refuse(text) from None

    def format(self, value: Gravity) -> list[str]:
        if value.type != GravityType.FOCUS_POINT and not value.x and not value.y:
            return [value.type.value]
        return [value.type.value, number_text(value.x), number_text(value.y)]

    def check(self, value: object) -> Gravity:
        if isinstance(value, str) and value:
            return self.parse(value.split(":"))
        if isinstance(value, Mapping) and set(value) <= {"type", "x", "y"}:
            kind = value.get("type")
            if not isinstance(kind, str) or kind not in self.types:
                raise self.refuse(dict(value))
            value = Gravity(GravityType(kind), cast(float, value.get("x", 0.0)), cast(float, value.get("y", 0.0)))
        if not isinstance(value, Gravity) or value.type not in self.types:
            raise self.refuse(value)
        x, y = Number().check(value.x), Number().check(value.y)
        if value.type == GravityType.SMART and (x or y):
            raise self.refuse("sm with offsets")
        if value.type == GravityType.FOCUS_POINT and not (0 <= x <= 1 and 0 <= y <= 1):
            raise self.refuse(f"fp:{number_text(x)}:{number_text(y)}")
        return Gravity(value.type, x, y)

    def schema(self) -> Schema:
        return {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": [kind.value for kind in self.types]},
                "x": {"type": "number"},
                "y": {"type": "number"},
            },
            "required": ["type"],
            "additionalProperties": False,
        }


@dataclasses.dataclass(frozen=True)
class Many(Kind):
    """All the pieces that are left, each of one kind."""

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
