"""How an option declares its arguments: a kind, a default and a line of documentation each."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from imgserve.spec.kinds import Choice, Flag, Integer, Kind, Number, Text
from imgserve.spec.shapes import COMPASS, ClassesKind, ColourKind, GravityKind, Many, Pairs
from imgserve.spec.values import FORMAT_NAMES, GravityType

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


def classes(*, doc: str) -> Any:
    return Param(ClassesKind(), (), doc)


def gravity(*extra: GravityType, default: Any = REQUIRED, doc: str) -> Any:
    types = COMPASS + extra
    # Classes of objects are as many as there are pieces.
    return Param(GravityKind(types, None if GravityType.OBJECTS in types else 3), default, doc)
