"""Kinds of argument: each parses, prints, checks, describes itself as JSON Schema, and says what it expects.

A kind consumes one or more of an option's pieces (the texts between separators). `parse` reads URL text, `check` reads
any Python value (TOML, JSON, a call) and gives the canonical one, so that `5` and `5.0` are one argument.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from imgserve.spec.values import FORMAT_NAMES, Colour, Gravity, GravityType

#: Larger numbers mean nothing for images and overflow 32-bit arithmetic in decoders.
MAX_INTEGER: Final = 2**31 - 1

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,19}(?:\.[0-9]{0,19})?|\.[0-9]{1,19})(?:[eE][+-]?[0-9]{1,3})?")
_HEX_COLOUR = re.compile(r"(?:[0-9a-fA-F]{3}){1,2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

TRUE_TEXTS: Final = ("1", "t", "T", "TRUE", "true", "True")
FALSE_TEXTS: Final = ("0", "f", "F", "FALSE", "false", "False")

Schema = dict[str, Any]


class BadArgument(ValueError):
    """A value is not of its kind; `got` is the text or value, `expected` the kind's sentence."""

    def __init__(self, got: object, expected: str, *, field: str | None = None) -> None:
        super().__init__(f"expected {expected}, got {got!r}")
        self.got = got if isinstance(got, str) else repr(got)
        self.expected = expected
        self.field = field


class Kind:
    """One kind of argument; subclasses are small frozen dataclasses whose fields are its bounds."""

    #: How many pieces it takes at most; None = all that are left.
    span: int | None = 1

    @property
    def expected(self) -> str:
        """A noun phrase for error sentences and documentation."""
        raise NotImplementedError

    def parse(self, pieces: Sequence[str]) -> object:
        """Read its pieces (at least one); raises BadArgument."""
        raise NotImplementedError

    def format(self, value: Any) -> list[str]:
        """Print a checked value as pieces that `parse` reads back."""
        raise NotImplementedError

    def check(self, value: object) -> object:
        """Give the canonical value for any Python value; raises BadArgument."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """Describe the JSON form of the value as JSON Schema."""
        raise NotImplementedError

    def refuse(self, got: object) -> BadArgument:
        return BadArgument(got, self.expected)


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of {low:g} or more"
    return f" of {high:g} or less" if high is not None else ""


@dataclasses.dataclass(frozen=True)
class Integer(Kind):
    low: int | None = None
    high: int | None = None
    multiple_of: int = 1

    @property
    def expected(self) -> str:
        multiple = f", a multiple of {self.multiple_of}" if self.multiple_of > 1 else ""
        return f"an integer{_bounds(self.low, self.high)}{multiple}"

    def parse(self, pieces: Sequence[str]) -> int:
        if not _INTEGER.fullmatch(pieces[0]):
            raise self.refuse(pieces[0])
        return self.check(int(pieces[0]))

    def format(self, value: int) -> list[str]:
        return [str(value)]

    def check(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(value)
        low = -MAX_INTEGER if self.low is None else self.low
        high = MAX_INTEGER if self.high is None else self.high
        if not low <= value <= high or value % self.multiple_of:
            raise self.refuse(str(value))
        return value

    def schema(self) -> Schema:
        out: Schema = {"type": "integer"}
        if self.low is not None:
            out["minimum"] = self.low
        if self.high is not None:
            out["maximum"] = self.high
        if self.multiple_of > 1:
            out["multipleOf"] = self.multiple_of
        return out


@dataclasses.dataclass(frozen=True)
class Number(Kind):
    low: float | None = None
    high: float | None = None
    #: The lower bound itself is refused (a zoom of 0 means nothing).
    above_low: bool = False

    @property
    def expected(self) -> str:
        if self.above_low:
            upper = f" up to {self.high:g}" if self.high is not None else ""
            return f"a number greater than {self.low:g}{upper}"
        return f"a number{_bounds(self.low, self.high)}"

    def parse(self, pieces: Sequence[str]) -> float:
        if not _NUMBER.fullmatch(pieces[0]):
            raise self.refuse(pieces[0])
        return self.check(float(pieces[0]))

    def format(self, value: float) -> list[str]:
        return [number_text(value)]

    def check(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(value)
        number = float(value) + 0.0  # -0.0 and 0.0 are one number
        if not math.isfinite(number) or abs(number) > MAX_INTEGER:
            raise self.refuse(str(value))
        if self.low is not None and (number < self.low or (self.above_low and number == self.low)):
            raise self.refuse(str(value))
        if self.high is not None and number > self.high:
            raise self.refuse(str(value))
        return number

    def schema(self) -> Schema:
        out: Schema = {"type": "number"}
        if self.low is not None:
            out["exclusiveMinimum" if self.above_low else "minimum"] = self.low
        if self.high is not None:
            out["maximum"] = self.high
        return out


def number_text(value: float) -> str:
    """Print a number in the shortest way that reads back as the same: no exponent, no trailing zeros."""
    if value.is_integer():
        return str(int(value))
    text = repr(value)
    return text if "e" not in text else f"{value:.19f}".rstrip("0")


@dataclasses.dataclass(frozen=True)
class Flag(Kind):
    @property
    def expected(self) -> str:
        return "a flag: 1, t or true for yes; 0, f or false for no"

    def parse(self, pieces: Sequence[str]) -> bool:
        if pieces[0] in TRUE_TEXTS:
            return True
        if pieces[0] in FALSE_TEXTS:
            return False
        raise self.refuse(pieces[0])

    def format(self, value: bool) -> list[str]:
        return ["1" if value else "0"]

    def check(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.refuse(value)
        return value

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclasses.dataclass(frozen=True)
class Choice(Kind):
    """One word of a list; `choices` maps every accepted spelling to its canonical word."""

    choices: Mapping[str, str]

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.choices)}"

    def parse(self, pieces: Sequence[str]) -> str:
        return self.check(pieces[0])

    def format(self, value: str) -> list[str]:
        return [value]

    def check(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise self.refuse(value)
        return self.choices[value]

    def schema(self) -> Schema:
        return {"type": "string", "enum": list(self.choices)}


@dataclasses.dataclass(frozen=True)
class Text(Kind):
    max_length: int = 1024

    @property
    def expected(self) -> str:
        return f"a text of at most {self.max_length} characters without control characters"

    def parse(self, pieces: Sequence[str]) -> str:
        return self.check(pieces[0])

    def format(self, value: str) -> list[str]:
        return [value]

    def check(self, value: object) -> str:
        if not isinstance(value, str) or len(value) > self.max_length or _CONTROL.search(value):
            raise self.refuse(value if not isinstance(value, str) else value[:80])
        return value

    def schema(self) -> Schema:
        return {"type": "string", "maxLength": self.max_length}


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


REQUIRED: Final = object()


@dataclasses.dataclass(frozen=True)
class Param:
    """One argument as an option declares it: its kind, its default and its documentation.

    The default REQUIRED means that the argument must be given; None means that leaving it out keeps what an earlier
    option said.
    """

    kind: Kind
    default: object
    doc: str

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


def integer(
    *, min: int | None = None, max: int | None = None, multiple_of: int = 1, default: Any = REQUIRED, doc: str
) -> Any:
    return Param(Integer(min, max, multiple_of), default, doc)


def number(
    *, min: float | None = None, max: float | None = None, above: float | None = None, default: Any = REQUIRED, doc: str
) -> Any:
    low = above if above is not None else min
    return Param(Number(low, max, above is not None), default, doc)


def flag(*, default: Any = REQUIRED, doc: str) -> Any:
    return Param(Flag(), default, doc)


def choice(*choices: str, default: Any = REQUIRED, doc: str) -> Any:
    return Param(Choice({word: word for word in choices}), default, doc)


def image_format(*, default: Any = REQUIRED, doc: str) -> Any:
    return Param(Choice(FORMAT_NAMES), default, doc)


def image_formats(*, default: Any = REQUIRED, doc: str) -> Any:
    return Param(Many(Choice(FORMAT_NAMES), "format names"), default, doc)


def format_values(*, min: int, max: int, default: Any = REQUIRED, doc: str) -> Any:
    return Param(Pairs(Choice(FORMAT_NAMES), Integer(min, max)), default, doc)


def text(*, max_length: int = 1024, default: Any = REQUIRED, doc: str) -> Any:
    return Param(Text(max_length), default, doc)


def texts(*, noun: str, default: Any = REQUIRED, doc: str) -> Any:
    return Param(Many(Text(256), noun), default, doc)


def colour(*, rgb: bool = False, default: Any = REQUIRED, doc: str) -> Any:
    return Param(ColourKind(3 if rgb else 1), default, doc)


def gravity(*extra: GravityType, default: Any = REQUIRED, doc: str) -> Any:
    return Param(GravityKind(COMPASS + extra), default, doc)
