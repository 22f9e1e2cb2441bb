"""Choices: what a signed URL leaves to its clients, who pick in the query among values that the signature covers.

`choose:w:640:750:1080` stands for `w:750` where the query says `w=750`, and for `w:640` where it does not say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from imgserve.errors import BadOption
from imgserve.spec.kinds import Integer, Number, number_text
from imgserve.spec.op import Catalog, Op

CHOOSE: Final = "choose"

#: Of one URL: nginx/imgserve.conf finds as many.
MAX_CHOICES: Final = 8
MAX_VALUES: Final = 100

#: What no client has a reason to escape, so that a value has one spelling in paths and queries.
_VALUE: Final = re.compile(r"[A-Za-z0-9._~-]+")
_RANGE: Final = re.compile(r"(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})")
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,9}")

#: What a client may pick: one value, or any whole number between two.
Value = bool | int | float | str | range | tuple[int, int]

#: Checks an option of one value as the rest of the grammar does; raises RequestError.
Check = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """One `choose` segment; all of its values are good ones."""

    #: The option as the segment spells it, which is how the query names it.
    name: str
    #: Texts, and ranges of whole numbers, both ends included.
    values: tuple[str | tuple[int, int], ...]

    @property
    def first(self) -> str:
        """What is taken where the query picks nothing."""
        value = self.values[0]
        return value if isinstance(value, str) else str(value[0])

    @property
    def expected(self) -> str:
        return f"one of {', '.join(one if isinstance(one, str) else f'{one[0]} to {one[1]}' for one in self.values)}"

    def grants(self, text: str) -> bool:
        """Tell whether a client may pick this value, compared as it was sent."""
        if text in self.values:
            return True
        if not _WHOLE.fullmatch(text):
            return False
        return any(low <= int(text) <= high for low, high in (one for one in self.values if not isinstance(one, str)))


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of a URL with what is left open in them."""

    segments: tuple[str | Choice, ...]

    def pick(self, query: str, separator: str) -> tuple[list[str], str]:
        """Give the segments that the query makes of them, and what of the query counted, in one spelling.

        Raises BadOption for a value that is not granted; what the query says of anything else is nobody's business.
        """
        asked = _asked(query, {one.name for one in self.segments if isinstance(one, Choice)})
        segments, picked = list[str](), list[str]()
        for one in self.segments:
            if isinstance(one, str):
                segments.append(one)
                continue
            value = asked.get(one.name)
            if value is None:
                value = one.first
            elif one.grants(value):
                picked.append(f"{one.name}={value}")
            else:
                raise BadOption(
                    f"The query picks {one.name}={value[:80]}: this URL grants {one.expected}.",
                    where=f"query {one.name}",
                    got=value[:80],
                    expected=one.expected,
                )
            segments.append(f"{one.name}{separator}{value}")
        return segments, "&".join(picked)


def _asked(query: str, names: Iterable[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name not in names:
            continue
        if name in out:
            # Proxies and servers disagree on which of the two counts.
            raise BadOption(f"The query picks {name} more than once.", where=f"query {name}", expected="one value")
        out[name] = value
    return out


def read_choices(segments: Sequence[str], separator: str, *, catalog: Catalog, check: Check) -> Choices:
    """Read option segments with `choose` among them; every value is checked, whether it will be picked or not."""
    out: list[str | Choice] = []
    chosen: set[type[Op]] = set()
    for segment in segments:
        if not is_choice(segment, separator):
            out.append(segment)
            continue
        choice = _read_choice(segment.split(separator)[1:], catalog=catalog, check=check)
        option = catalog.by_name[choice.name]
        if option in chosen:
            raise BadOption(
                f"Option {choice.name} is chosen twice in this URL: give all its values to one {CHOOSE}.",
                where=f"{CHOOSE} {choice.name}",
                expected=f"one {CHOOSE} for each option",
            )
        if len(chosen) == MAX_CHOICES:
            raise BadOption(
                f"The URL has more than {MAX_CHOICES} {CHOOSE}.", where=CHOOSE, expected=f"at most {MAX_CHOICES}"
            )
        chosen.add(option)
        out.append(choice)
    return Choices(tuple(out))


def is_choice(segment: str, separator: str) -> bool:
    return segment.startswith(CHOOSE + separator)


def _read_choice(pieces: Sequence[str], *, catalog: Catalog, check: Check) -> Choice:
    name, *values = pieces
    if not 0 < len(values) <= MAX_VALUES:
        raise BadOption(
            f"{CHOOSE} {name[:80]} has {len(values)} values.",
            where=f"{CHOOSE} {name[:80]}",
            got=str(len(values)),
            expected=f"1 to {MAX_VALUES} values, as in {CHOOSE}:w:640:750:1080",
        )
    for value in values:
        if not _VALUE.fullmatch(value):
            raise BadOption(
                f"{CHOOSE} {name[:80]}: {value[:80]!r} cannot be a value.",
                where=f"{CHOOSE} {name[:80]}",
                got=value[:80],
                expected="letters, digits and . _ ~ -",
            )
    return Choice(name, tuple(_checked(name, value, catalog=catalog, check=check) for value in values))


def _checked(name: str, value: str, *, catalog: Catalog, check: Check) -> str | tuple[int, int]:
    """Read one value; `a-b` is a range where the option takes a number."""
    known = catalog.by_name.get(name)
    first = next(iter(known.spec.params.values())).kind if known is not None else None
    ends = _RANGE.fullmatch(value) if isinstance(first, Integer | Number) else None
    if ends is None:
        check(name, value)
        return value
    low, high = int(ends[1]), int(ends[2])
    if low >= high:
        raise BadOption(
            f"{CHOOSE} {name}: the range {value} is empty.",
            where=f"{CHOOSE} {name}",
            got=value,
            expected="the smaller end first, as in 50-90",
        )
    check(name, str(low))
    check(name, str(high))
    return low, high


def choice_text(name: str, values: Sequence[Value]) -> str:
    """Print a choice with colons between; its values are not checked, but for their form. Raises BadOption."""
    if isinstance(values, str):  # its characters would be the values: of "750" also 0, the whole picture
        raise BadOption(
            f"Option {name}: one text is no list to choose from.",
            where=f"{CHOOSE} {name}",
            got=values[:80],
            expected="a list of values",
        )
    return ":".join([CHOOSE, name, *map(_value_text, values)])


def separated(choice: str, separator: str) -> str:
    """Put the server's separator into a choice; where a value has it, the server would read two."""
    if separator != ":" and separator in choice:
        raise BadOption(
            f"{choice[:80]!r} cannot stand in a URL whose separator is {separator!r}.",
            where=CHOOSE,
            got=choice[:80],
            expected=f"names and values without {separator}",
        )
    return choice.replace(":", separator)


def _value_text(value: Value) -> str:
    """Print one value of a choice as a URL has it."""
    if isinstance(value, range):
        if value.step != 1 or len(value) < 2:
            raise BadOption(
                f"{value} cannot be chosen from.",
                where=CHOOSE,
                got=str(value),
                expected="a range of step 1, two at least",
            )
        return f"{value[0]}-{value[-1]}"
    if isinstance(value, tuple):
        return f"{value[0]}-{value[1]}"
    if isinstance(value, float | bool):
        return number_text(float(value))
    return str(value)
