"""Which sources a server fetches: patterns over whole source URLs, safe against look-alike hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from imgserve.errors import BadRequest, SourceForbidden

#: What `*` stands for: anything inside one path segment or host, but nothing that could end a host.
_WILDCARD = r"[^/?#@\\]*"


@dataclass(frozen=True, slots=True)
class AllowedSources:
    """Prefix patterns; `*` does not cross a slash. No patterns = every source is allowed.

    A pattern that ends with its host (`https://*.cdn.example`) ends there: `https://a.cdn.example.evil.com` is refused.
    """

    patterns: tuple[re.Pattern[str], ...] = ()

    def allows(self, url: str) -> bool:
        if not self.patterns:
            return True
        text = _normal(url)
        return text is not None and any(pattern.match(text) for pattern in self.patterns)

    def check(self, url: str) -> None:
        """Raise SourceForbidden when no pattern fits."""
        if not self.allows(url):
            raise SourceForbidden("This server does not fetch from that source.", where="source", got=url[:200])


def compile_patterns(texts: Sequence[str]) -> AllowedSources:
    """Compile IMGSERVE_ALLOWED_SOURCES."""
    return AllowedSources(tuple(_compile(text) for text in texts))


def _compile(text: str) -> re.Pattern[str]:
    scheme, marker, rest = text.partition("://")
    if marker and rest and "/" not in rest:
        text = f"{scheme.lower()}://{rest.lower()}/"
    elif marker:
        host, slash, path = rest.partition("/")
        text = f"{scheme.lower()}://{host.lower()}{slash}{path}"
    return re.compile(_WILDCARD.join(map(re.escape, text.split("*"))))


def _normal(url: str) -> str | None:
    """Spell a URL so that its host cannot be mistaken: lower-case host, a slash after it, no user part."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if not parts.scheme or "\\" in url:
        return None
    if "@" in parts.netloc:
        return None
    # All behind the host: only http has queries and fragments, files and keys may be called anything.
    rest = url[len(parts.scheme) + len("://") + len(parts.netloc) :]
    if _climbs(rest):
        return None
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{rest if rest.startswith('/') else '/' + rest}"


def _climbs(path: str) -> bool:
    """Tell whether a path may lead out of itself: a prefix says nothing about such a path."""
    segments = re.split(r"[/?#&=]|%2f|%5c", path.lower())
    return any(segment.replace("%2e", ".") in ("..", ".") for segment in segments)


def scheme_of(url: str) -> str:
    """Give the scheme of a source URL in lower case; raises BadRequest when it has none."""
    scheme, marker, _ = url.partition("://")
    if not marker or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise BadRequest(
            "The source is not a URL with a scheme.",
            where="source",
            got=url[:200],
            expected="https://, s3:// or local:///",
        )
    return scheme.lower()
