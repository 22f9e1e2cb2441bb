"""How a setting is declared: a frozen group of fields, each with a kind, a default and a line of documentation."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

from imgserve.spec.kinds import Choice, Flag, Integer, Kind, Number, Text
from imgserve.spec.params import Param
from imgserve.spec.shapes import Pairs
from imgserve.spec.values import FORMAT_NAMES


@dataclass(frozen=True)
class ListOf(Kind):
    """Values of one kind between separators; empty ones do not count."""

    item: Kind
    separator: str = ","

    @property
    def expected(self) -> str:
        return f"a list separated by {self.separator!r} of {self.item.expected}"

    def parse(self, pieces: Any) -> tuple[Any, ...]:
        texts = [text.strip() for text in pieces[0].split(self.separator)]
        return tuple(self.item.parse([text]) for text in texts if text)

    def check(self, value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise self.refuse(value)
        return tuple(self.item.check(item) for item in value)

    def format(self, value: Any) -> list[str]:
        return [self.separator.join(piece for item in value for piece in self.item.format(item))]

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}


@dataclass(frozen=True)
class Hex(Text):
    """Bytes as pairs of hex digits."""

    @property
    def expected(self) -> str:
        return "a hex-encoded text: an even number of the digits 0-9 and a-f"

    def check(self, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", value):
            raise self.refuse(value)
        return value


@dataclass(frozen=True)
class HeaderText(Text):
    """What can stand in the value of an HTTP header."""

    @property
    def expected(self) -> str:
        return "a text of printable ASCII characters"

    def check(self, value: object) -> str:
        if not isinstance(value, str) or not (value.isascii() and (not value or value.isprintable())):
            raise self.refuse(value)
        return value


@dataclass(frozen=True)
class FormatQualities(Pairs):
    """imgproxy's `webp=79,avif=63`."""

    @property
    def expected(self) -> str:
        return f"format=quality pairs separated by commas, each quality {self.values.expected}"

    def parse(self, pieces: Any) -> Any:
        pairs = [pair.partition("=") for pair in pieces[0].split(",") if pair.strip()]
        return self.check([(name.strip(), self.values.parse([value.strip()])) for name, _, value in pairs])


def text(*, default: str, doc: str) -> Any:
    return Param(Text(65_536), default, doc)


def header_text(*, default: str, doc: str) -> Any:
    return Param(HeaderText(), default, doc)


def number(*, default: float, min: float | None = None, max: float | None = None, doc: str) -> Any:
    return Param(Number(min, max), default, doc)


def integer(*, default: int, min: int | None = None, max: int | None = None, doc: str) -> Any:
    return Param(Integer(min, max), default, doc)


def flag(*, default: bool, doc: str) -> Any:
    return Param(Flag(), default, doc)


def choice(*choices: str, default: str, doc: str) -> Any:
    return Param(Choice({word: word for word in choices}), default, doc)


def choices(*words: str, default: tuple[str, ...], doc: str) -> Any:
    return Param(ListOf(Choice({word: word for word in words})), default, doc)


def texts(*, separator: str = ",", default: tuple[str, ...], doc: str) -> Any:
    return Param(ListOf(Text(4096), separator), default, doc)


def hexes(*, default: tuple[str, ...], doc: str) -> Any:
    return Param(ListOf(Hex()), default, doc)


def formats(*, default: tuple[str, ...], doc: str) -> Any:
    return Param(ListOf(Choice(FORMAT_NAMES)), default, doc)


def qualities(*, default: tuple[tuple[str, int], ...], doc: str) -> Any:
    return Param(FormatQualities(Choice(FORMAT_NAMES), Integer(0, 100)), default, doc)


G = TypeVar("G")


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(text, header_text, number, integer, flag, choice, choices, texts, hexes, formats, qualities),
)
def group(cls: type[G]) -> type[G]:
    """Make a class of Param fields a frozen group; its docstring is the heading of its settings."""
    params = {name: vars(cls)[name] for name in vars(cls)["__annotations__"]}
    for name, param in params.items():
        setattr(cls, name, param.default)
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    made.params = params  # type: ignore[attr-defined]
    return made
