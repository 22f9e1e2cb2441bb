"""Take out of style rules what would fetch or run; in time that grows with the text and no faster.

What is taken out is found by rules of thumb, so that the rest of a style survives. What may stay is decided apart from
that, by `_is_harmful`, which needs not know where strings and rules begin and end: it looks for what is forbidden
anywhere in the text, in every way of reading it. A style that cannot be mended by the first so that the second lets it
pass is left out as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

#: Browsers ignore them inside a scheme.
IGNORED_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f-\xa0]")

_SAFE_TARGET: Final = r"(?:#|data:(?:image/(?:png|jpe?g|gif|webp|avif|bmp)[;,]|font/|application/font))"
#: Anything but a part of the document, or a picture or font in the text itself. Quotes may be there or not; browsers
#: skip white space on both sides of one.
_FETCHING_URL: Final = re.compile(
    rf"url\s*\((?![\x00-\x20]*+(?:[\"'][\x00-\x20]*+)?{_SAFE_TARGET})",
    re.IGNORECASE,
)
#: Functions that take an address as a plain string, and what runs script in some browser or other.
_RUNS_OR_FETCHES: Final = re.compile(
    r"(?:expression|image-set|cross-fade|(?<![-\w])(?:image|src|filter))\s*\("
    r"|(?<![-\w])behavior\s*:|-moz-binding|(?:java|vb)script\s*:",
    re.IGNORECASE,
)
_AT_RULE: Final = re.compile(r"@(?:import|(?:namespace|charset)\b)", re.IGNORECASE)

_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|(.))", re.DOTALL)
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
#: A string ends at its quote, or without one at the end of the line; a comment inside it is none.
_STRING_OR_COMMENT: Final = re.compile(
    r"""("(?:[^"\\\n\r\f]|\\.)*+"?|'(?:[^'\\\n\r\f]|\\.)*+'?)|/\*.*?(?:\*/|\Z)""", re.DOTALL
)

_WHOLE_AT_RULE: Final = re.compile(r"@(?:import|namespace|charset)\b[^;]*;?", re.IGNORECASE)
_URL: Final = re.compile(r"url\s*\(\s*", re.IGNORECASE)
_BETWEEN_DECLARATIONS: Final = re.compile(r"([;{}])")


def clean_css(text: str) -> str:
    """Give the rules without @import, without url() of anything outside the document, without script.

    Harmless rules come out as they are; those that cannot be made harmless come out empty.
    """
    if not _is_harmful(text):
        return text
    mended = _mended(text)
    return "" if _is_harmful(mended) else mended


def _is_harmful(text: str) -> bool:
    return any(
        _AT_RULE.search(reading) or _FETCHING_URL.search(reading) or _RUNS_OR_FETCHES.search(reading)
        for reading in _readings(text)
    )


def _readings(text: str) -> Iterator[str]:
    """Give the text as browsers read it, present and past, and as one would that takes strings for comments.

    Only the first is what standards say: no comment is ever inside a name, so leaving them in hides nothing.
    """
    plain = _unescaped(text)
    yield plain
    if "/*" in text or "/*" in plain:
        yield _unescaped(_without_comments(text))
        yield _unescaped(_COMMENT.sub("", text))
        yield _COMMENT.sub("", plain)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(found: re.Match[str]) -> str:
    if not found.group(1):
        return found.group(2)
    code = int(found.group(1), 16)
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"


def _without_comments(text: str) -> str:
    return _STRING_OR_COMMENT.sub(lambda found: found.group(1) or "", text)


def _mended(text: str) -> str:
    """Take out what is harmful in rules that do not try to hide it."""
    safe = _without_fetching_urls(_WHOLE_AT_RULE.sub("", _unescaped(_without_comments(text))))
    pieces = _BETWEEN_DECLARATIONS.split(safe)
    return "".join(piece for piece in pieces if not _RUNS_OR_FETCHES.search(piece))


def _without_fetching_urls(text: str) -> str:
    kept: list[str] = []
    at = 0
    while found := _URL.search(text, at):
        kept.append(text[at : found.start()])
        quote = text[found.end() : found.end() + 1]
        start = found.end()
        if quote and quote in "\"'":
            end = text.find(quote, start + 1)
            at = text.find(")", end) + 1 if end >= 0 else 0
        else:
            at = text.find(")", start) + 1
        if not at:
            # It never ends: all that follows is part of it.
            return "".join(kept)
        kept.append("none" if _FETCHING_URL.match(text, found.start()) else text[found.start() : at])
    return "".join([*kept, text[at:]])
