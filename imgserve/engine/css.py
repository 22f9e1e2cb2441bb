"""Take out of style rules what would fetch or run; in time that grows with the text and no faster."""

from __future__ import annotations

import re
from typing import Final

_IMPORT: Final = re.compile(r"@(?:import|namespace|charset)\b[^;]*;?", re.IGNORECASE)
_URL: Final = re.compile(r"url\s*\(\s*", re.IGNORECASE)
_SAFE_URL: Final = re.compile(
    r"^(?:#|data:(?:image/(?:png|jpe?g|gif|webp|avif|bmp)|font/|application/font))", re.IGNORECASE
)
_RUNS_OR_FETCHES: Final = re.compile(
    r"(?:expression|image-set|cross-fade|(?<![-\w])(?:image|src))\s*\(|(?<![-\w])behavior\s*:|-moz-binding",
    re.IGNORECASE,
)
_ESCAPE: Final = re.compile(r"\\([0-9a-fA-F]{1,6})\s?|\\(.)", re.DOTALL)
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_BETWEEN_DECLARATIONS: Final = re.compile(r"([;{}])")
#: Browsers ignore them inside a scheme.
IGNORED_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f-\xa0]")


def clean_css(text: str) -> str:
    """Give the rules without @import, without url() of anything outside the document, without script."""
    # What is hidden by comments or escapes is judged as browsers read it.
    plain = _ESCAPE.sub(_unescaped, _COMMENT.sub("", text))
    safe = _without_fetching_urls(_IMPORT.sub("", plain))
    if _RUNS_OR_FETCHES.search(safe):
        pieces = _BETWEEN_DECLARATIONS.split(safe)
        safe = "".join(piece for piece in pieces if not _RUNS_OR_FETCHES.search(piece))
    return text if safe == plain else safe


def _unescaped(found: re.Match[str]) -> str:
    if not found.group(1):
        return found.group(2)
    code = int(found.group(1), 16)
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"


def _without_fetching_urls(text: str) -> str:
    kept: list[str] = []
    at = 0
    while found := _URL.search(text, at):
        kept.append(text[at : found.start()])
        quote = text[found.end() : found.end() + 1]
        start = found.end()
        if quote and quote in "\"'":
            start += 1
            end = text.find(quote, start)
            at = text.find(")", end) + 1 if end >= 0 else 0
        else:
            end = text.find(")", start)
            at = end + 1
        if not at:
            # It never ends: all that follows is part of it.
            return "".join(kept)
        target = IGNORED_IN_URLS.sub("", text[start:end])
        kept.append(text[found.start() : at] if _SAFE_URL.match(target) else "none")
    return "".join([*kept, text[at:]])
