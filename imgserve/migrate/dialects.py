"""The dialects by name, which of them a URL is in, and the one function that translates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from imgserve.errors import BadRequest, ImgserveError
from imgserve.migrate import cloudflare, cloudinary, elsewhere, imagor, ipx, nextjs, thumbor, weserv
from imgserve.migrate.draft import GRAMMAR, Draft, Translation
from imgserve.migrate.thumbor_grammar import Parts
from imgserve.migrate.thumbor_grammar import parse as parse_thumbor
from imgserve.migrate.urls import Given, misread, read
from imgserve.ops.catalog import CATALOG
from imgserve.plan.model import arrange
from imgserve.plan.url import parse, parse_options
from imgserve.plan.writing import write

DIALECTS: Final[Mapping[str, Callable[[Given], Draft]]] = MappingProxyType(
    {
        "thumbor": thumbor.translate,
        "imagor": imagor.translate,
        "ipx": ipx.translate,
        "cloudflare": cloudflare.translate,
        "cloudinary": cloudinary.translate,
        "weserv": weserv.translate,
        "next": nextjs.translate,
    }
)

#: Of files that sites have beside pictures. Not `.php` and the like, which may answer with a picture.
_NO_PICTURES: Final = frozenset(
    (".css", ".htm", ".html", ".js", ".json", ".map", ".mjs", ".txt", ".webmanifest", ".woff", ".woff2", ".xml")
)
_ABSOLUTE: Final = re.compile(r"https?(?::|%3A)/|b64:", re.IGNORECASE)


def translate(url: str, *, dialect: str | None = None, source_base: str = "") -> Translation:
    """Translate a URL of another image server, absolute or from its path on.

    `dialect` is a name of DIALECTS, None to guess it. `source_base` (https://shop.example.com, local:///) is put before
    relative sources; those of Cloudflare and Next.js are of the URL's own site without it. The other server's signature
    is not checked. Raises BadRequest for what is not understood, with what to change, and ValueError for a dialect that
    does not exist.
    """
    if dialect is not None and dialect not in DIALECTS:
        raise ValueError(f"there is no dialect {dialect!r}; there are {', '.join(DIALECTS)}")
    given = read(url, source_base=source_base)
    elsewhere.refuse_hosts(given)
    name = dialect or guess(given)
    draft = DIALECTS[name](given)
    options = draft.options()
    _check(given, draft.source, options)
    return Translation(
        url=url,
        dialect=name,
        guessed=dialect is None,
        source=draft.source,
        options=options,
        dropped=tuple(draft.dropped),
        differs=tuple(draft.differs),
    )


def guess(given: Given) -> str:
    """Tell the dialect of a URL; raises BadRequest where nothing tells it."""
    elsewhere.refuse_hosts(given)
    if cloudflare.PATH in given.path:
        return "cloudflare"
    if cloudinary.is_own(given):
        return "cloudinary"
    if given.path.rstrip("/").endswith(nextjs.PATH):
        return "next"
    if weserv.HOSTS & {given.host, given.path.partition("/")[0]} or (given.path in ("", "/") and "url=" in given.query):
        return "weserv"
    elsewhere.refuse_own(given)
    if ipx.is_own(given.path):
        return "ipx"
    parts = parse_thumbor(given.path, hash_first=False)
    if imagor.is_own(parts):
        return "imagor"
    if _has_thumbor_parts(parts):
        return "thumbor"
    raise misread(given.text, f"nothing tells which server it is of; name one of {', '.join(DIALECTS)}")


def asks_for_picture(url: str, *, dialect: str | None = None) -> bool:
    """Tell whether a request of an access log is one for a picture in this dialect (None = any), or for another file.

    Dialects take nearly every path for a source: this is for logs, which have pages, scripts and icons of the site too.
    """
    try:
        given = read(url)
    except BadRequest:
        return True  # to be told what is wrong with it
    if PurePosixPath(given.path).suffix.lower() in _NO_PICTURES:
        return False
    if dialect is not None:
        return _HAS_MARKS[dialect](given)
    try:
        guess(given)
    except BadRequest:
        return False
    return True


def _has_thumbor_marks(given: Given) -> bool:
    parts = parse_thumbor(given.path, hash_first=False)
    return _has_thumbor_parts(parts) or bool(_ABSOLUTE.search(given.path))


def _has_thumbor_parts(parts: Parts) -> bool:
    return bool(parts.signature or parts.texts or parts.filters)


_HAS_MARKS: Final[Mapping[str, Callable[[Given], bool]]] = MappingProxyType(
    {
        "thumbor": _has_thumbor_marks,
        "imagor": _has_thumbor_marks,
        "ipx": lambda given: ipx.has_modifiers(given.path),
        "cloudflare": lambda given: cloudflare.PATH in given.path,
        "cloudinary": cloudinary.is_own,
        "weserv": lambda given: "url=" in given.query,
        "next": lambda given: given.path.rstrip("/").endswith(nextjs.PATH),
    }
)


def _check(given: Given, source: str, options: tuple[str, ...]) -> None:
    """Make sure that the server will read what was translated."""
    try:
        plan = arrange(source, parse_options(options, GRAMMAR), CATALOG)
        parse(write(plan).removeprefix("/"), GRAMMAR)
    except BadRequest as wrong:
        raise misread(given.text, f"its source cannot be named: {wrong.message}") from None
    except ImgserveError as wrong:
        raise misread(given.text, wrong.message) from None
