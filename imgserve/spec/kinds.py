"""Kinds of argument: each parses, prints, checks, describes itself as JSON Schema, and says what it expects.

A kind consumes one or more of an option's pieces (the texts between separators). `parse` reads URL text, `check` reads
any Python value (TOML, JSON, a call) and gives the canonical one, so that `5` and `5.0` are one argument.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final

#: Larger numbers mean nothing for images and overflow 32-bit arithmetic in decoders.
MAX_INTEGER: Final = 2**31 - 1

#: Smaller numbers are nothing: they change no pixel, and would print as hundreds of zeros.
_LEAST: Final = 1e-12
#: Of a number that nobody means.
_SHOWN_DIGITS: Final = 40

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,19}(?:\.[0-9]{0,64})?|\.[0-9]{1,64})(?:[eE][+-]?[0-9]{1,3})?")
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

    @property
    def found(self) -> str:
        """The end of a sentence about what was expected."""
        return f"got {self.got[:80]!r}"


class MissingArgument(BadArgument):
    """There is no value where one has to be."""

    def __init__(self, expected: str, *, field: str | None = None) -> None:
        super().__init__("", expected, field=field)

    @property
    def found(self) -> str:
        return "it is missing"


class Kind:
    """One kind of argument; subclasses are small frozen dataclasses whose fields are its bounds."""

    #: What programs that write URLs call it.
    word: ClassVar[str]
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
        return f" from {number_text(float(low))} to {number_text(float(high))}"
    if low is not None:
        return f" of {number_text(float(low))} or more"
    return f" of {number_text(float(high))} or less" if high is not None else ""


@dataclasses.dataclass(frozen=True)
class Integer(Kind):
    word = "integer"
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
        if self.high is None and value > high:
            raise BadArgument(str(value)[:_SHOWN_DIGITS], f"{self.expected}, and at most {high}")
        if not low <= value <= high or value % self.multiple_of:
            raise self.refuse(str(value)[:_SHOWN_DIGITS])
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
    word = "number"
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
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise self.refuse(str(value)[:_SHOWN_DIGITS])  # too large for a float to hold
        number = float(value) + 0.0  # -0.0 and 0.0 are one number
        if not math.isfinite(number) or abs(number) > MAX_INTEGER:
            raise self.refuse(str(value))
        if abs(number) < _LEAST:
            number = 0.0
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
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


@dataclasses.dataclass(frozen=True)
class Flag(Kind):
    word = "flag"

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

    word = "choice"
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
    word = "text"
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
