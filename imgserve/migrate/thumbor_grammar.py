"""The path grammar that thumbor and imagor share, the parts of only one of them included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

#: thumbor signs with 28 characters of base64url; imagor may cut its hash, but never below 8.
_HASH: Final = r"[A-Za-z0-9_-]{26,}={0,2}"
_SHORT_HASH: Final = r"[A-Za-z0-9_=-]{8,}"
#: Segments before the signature: the path that the server is mounted at.
_MOUNT_SEGMENTS: Final = 3

_SHARE: Final = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+"

#: Name of a part and its pattern, in the order in which they stand; each may be missing.
_PARTS: Final = tuple(
    (name, re.compile(f"(?:{pattern})/"))
    for name, pattern in (
        ("params", "params"),
        ("debug", "debug"),
        ("meta", "meta"),
        ("trim", r"trim(?::(?P<corner>top-left|bottom-right))?(?::(?P<tolerance>[0-9]{1,6}))?"),
        ("crop", rf"(?P<left>{_SHARE})x(?P<top>{_SHARE}):(?P<right>{_SHARE})x(?P<bottom>{_SHARE})"),
        ("fit", r"(?P<adaptive>adaptive-)?(?P<full>full-)?fit-in"),
        ("stretch", "stretch"),
        ("size", r"(?P<flip>-)?(?P<width>[0-9]{1,6}|orig)?x(?P<flop>-)?(?P<height>[0-9]{1,6}|orig)?"),
        (
            "padding",
            r"(?P<pad_left>[0-9]{1,6})x(?P<pad_top>[0-9]{1,6})(?::(?P<pad_right>[0-9]{1,6})x(?P<pad_bottom>[0-9]{1,6}))?",
        ),
        ("halign", r"(?P<halign>left|right|center)"),
        ("valign", r"(?P<valign>top|bottom|middle)"),
        ("smart", "smart"),
    )
)
_FILTERS: Final = "filters:"


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: its name, its arguments without blanks around them, and its text."""

    name: str
    arguments: tuple[str, ...]
    text: str

    def get(self, at: int) -> str:
        """Give an argument, "" where there are fewer."""
        return self.arguments[at] if at < len(self.arguments) else ""


@dataclass(frozen=True, slots=True)
class Parts:
    """What stands in a path: the text of each part by name, the values in them by name, filters and the source."""

    texts: dict[str, str]
    values: dict[str, str]
    filters: tuple[Filter, ...]
    image: str
    #: `unsafe` or a hash.
    signature: str


def parse(path: str, *, hash_first: bool) -> Parts:
    """Read a path; never fails, as the grammar takes every text for a source.

    `hash_first` says that the first segment is a signature however short it is.
    """
    signature, rest = _signed(path.lstrip("/"), hash_first=hash_first)
    texts: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, pattern in _PARTS:
        found = pattern.match(rest)
        if found is None or not found[0].strip("/"):
            continue
        texts[name] = found[0].removesuffix("/")
        values |= {key: value for key, value in found.groupdict().items() if value is not None}
        rest = rest[found.end() :]
    filters: tuple[Filter, ...] = ()
    if rest.startswith(_FILTERS):
        text, rest = _filters_text(rest.removeprefix(_FILTERS))
        filters = tuple(_read_filters(text))
    return Parts(texts, values, filters, rest, signature)


def _signed(path: str, *, hash_first: bool) -> tuple[str, str]:
    segments = path.split("/")
    for at, segment in enumerate(segments[: _MOUNT_SEGMENTS + 1]):
        rest = "/".join(segments[at + 1 :])
        if segment == "params":
            return "params", rest.removeprefix("unsafe/")
        if segment == "unsafe" or re.fullmatch(_HASH, segment):
            return segment, rest
        if _is_part(segment):
            return "", "/".join(segments[at:])
    if hash_first and len(segments) > 1 and re.fullmatch(_SHORT_HASH, segments[0]):
        return segments[0], "/".join(segments[1:])
    return "", path


def _is_part(segment: str) -> bool:
    text = segment + "/"
    return segment.startswith(_FILTERS) or any(
        (found := pattern.fullmatch(text)) is not None and found[0] != "/" for _, pattern in _PARTS
    )


def _filters_text(text: str) -> tuple[str, str]:
    """Cut where the filters end: at the first slash outside of parentheses, else behind the first `)`."""
    depth = 0
    for at, one in enumerate(text):
        depth += (one == "(") - (one == ")")
        if one == "/" and depth <= 0:
            return text[:at], text[at + 1 :]
    head, closed, rest = text.partition(")/")
    return (head + ")", rest) if closed else (text, "")


def _read_filters(text: str) -> Iterator[Filter]:
    for piece in _split(text, ":"):
        name, _, inside = piece.partition("(")
        arguments = tuple(one.strip() for one in _split(inside.removesuffix(")"), ",")) if inside else ()
        if piece:
            yield Filter(name.strip(), () if arguments == ("",) else arguments, piece)


def _split(text: str, mark: str) -> list[str]:
    """Split at marks outside of parentheses and brackets."""
    depth, start, out = 0, 0, []
    for at, one in enumerate(text):
        depth += (one in "([") - (one in ")]")
        if one == mark and depth <= 0:
            out.append(text[start:at])
            start = at + 1
    return [*out, text[start:]]
