"""The dialects by name, which of them a URL is in, and the one function that translates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from imgserve.errors import BadRequest, ImgserveError
from imgserve.migrate import cloudflare, imagor, ipx, nextjs, thumbor, weserv
from imgserve.migrate.draft import GRAMMAR, Draft, Translation
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
        "weserv": weserv.translate,
        "next": nextjs.translate,
    }
)


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
    if cloudflare.PATH in given.path:
        return "cloudflare"
    if given.path.rstrip("/").endswith(nextjs.PATH):
        return "next"
    if weserv.HOSTS & {given.host, given.path.partition("/")[0]} or (given.path in ("", "/") and "url=" in given.query):
        return "weserv"
    if ipx.is_own(given.path):
        return "ipx"
    parts = parse_thumbor(given.path, hash_first=False)
    if imagor.is_own(parts):
        return "imagor"
    if parts.signature or parts.texts or parts.filters:
        return "thumbor"
    raise misread(given.text, f"nothing tells which server it is of; name one of {', '.join(DIALECTS)}")


def _check(given: Given, source: str, options: tuple[str, ...]) -> None:
    """Make sure that the server will read what was translated."""
    try:
        plan = arrange(source, parse_options(options, GRAMMAR), CATALOG)
        parse(write(plan).removeprefix("/"), GRAMMAR)
    except BadRequest as wrong:
        raise misread(given.text, f"its source cannot be named: {wrong.message}") from None
    except ImgserveError as wrong:
        raise misread(given.text, wrong.message) from None
