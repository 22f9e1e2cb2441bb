"""Both ends of a URL of another server: where it stands, and the source that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from imgserve.errors import BadRequest

#: What a source may hold beside letters and digits: all that has a meaning in a URL, and the escapes that it has.
_KEPT: Final = "%/:?[]@!$&'()*+,;=~-._"

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/+")
_HTTP: Final = ("http", "https")
#: A name with a dot and a letter at its end, or a machine's own name with a port; `photo.jpg` alone is a file.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?::[0-9]+)?/|[A-Za-z0-9.-]+:[0-9]+/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A URL of another server, in parts; `path` and `query` as they stand, escapes not undone."""

    text: str
    #: `https://host`, "" where the URL begins with its path.
    origin: str
    host: str
    path: str
    query: str
    #: What relative sources are put behind.
    source_base: str = ""

    def parameters(self, *, plus_is_space: bool) -> list[tuple[str, str]]:
        """Give the query's names and values, in order, escapes undone."""
        query = self.query if plus_is_space else self.query.replace("+", "%2B")
        return parse_qsl(query, keep_blank_values=True)


def read(text: str, *, source_base: str = "") -> Given:
    """Take a URL apart; raises BadRequest where it is none."""
    text = without_entities(text.strip())
    try:
        text.encode()
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:  # UnicodeEncodeError is one: half a surrogate pair
        raise misread(text, "it is no URL") from None
    if not text or any(ord(one) < ord(" ") for one in text):
        raise misread(text, "it is empty or has control characters")
    web = parts.scheme in _HTTP or (not parts.scheme and bool(parts.netloc))
    if web and not parts.netloc:
        raise misread(text, "it has no host")
    origin = f"{parts.scheme or 'https'}://{parts.netloc}" if web else ""
    _, _, rest = text.partition(parts.netloc) if web else ("", "", text)
    path, _, query = rest.partition("#")[0].partition("?")
    return Given(text=text, origin=origin, host=host if web else "", path=path, query=query, source_base=source_base)


def without_entities(text: str) -> str:
    """Undo what HTML makes of `&`, in a URL that was copied from a page's source."""
    return text.replace("&amp;", "&")


def misread(url: str, why: str) -> BadRequest:
    """Make the error for a URL that is not understood."""
    shown = url.encode("utf-8", "replace").decode()[:200]
    return BadRequest(f"This URL is not understood: {why}.", where="url", got=shown)


def absolute(source: str, given: Given, *, bare_scheme: str = "", own_site: bool = False) -> str:
    """Give a source as a URL that can be fetched.

    A relative one is put behind `source_base`; without that, one that begins with a host gets `bare_scheme`, and one of
    the site that the other server stands on (`own_site`) gets that site. Raises BadRequest where none of it helps.
    """
    source = source.strip()
    if found := _SCHEME.match(source):
        scheme = found[1].lower()
        # Proxies make one slash of two.
        rest = source[found.end() :]
        return _fetchable(f"{scheme}://{rest}") if scheme in _HTTP else source
    if not source.strip("/"):
        raise misread(given.text, "it names no source")
    if source.startswith("//"):
        return _fetchable(f"https:{source}")
    base = given.source_base or (given.origin if own_site else "")
    if base:
        joined = base.rstrip("/") + ("/" if not base.endswith(":///") else "///") + source.lstrip("/")
        return _fetchable(joined) if joined.startswith("http") else unquote(joined)
    if bare_scheme and _HOST.match(source):
        return _fetchable(f"{bare_scheme}://{source}")
    raise misread(given.text, f"its source {source[:80]!r} is relative: say with a source base what it is relative to")


def _fetchable(url: str) -> str:
    return quote(url, safe=_KEPT)
