"""The option `raw`: pass a source's bytes on as they come, with the origin's own validators and ranges."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import Final

from imgserve.plan.model import Plan
from imgserve.ports import Origin
from imgserve.service.render import Renderer
from imgserve.web.delivery import Delivery
from imgserve.web.exchange import Exchange
from imgserve.web.http import canonical_link, printable, source_name
from imgserve.web.responses import Headers

#: What the origin is told of the request, and the client of the origin's answer; never cookies or credentials.
_PASSED_TO_ORIGIN: Final = ("if-none-match", "if-modified-since", "accept-encoding", "range")
_PASSED_TO_CLIENT: Final = ("content-encoding", "content-range", "accept-ranges", "last-modified", "etag")

#: Types that are passed on. Others (pages, scripts, styles) could act in the name of this host where a site trusts it,
#: and go out as downloads of unknown type.
_SAFE_TYPES: Final = (
    "image/", "video/", "audio/", "font/", "application/pdf", "application/octet-stream", "text/plain",
)  # fmt: skip
_UNKNOWN_TYPE: Final = "application/octet-stream"

_NO_BODY: Final = (204, 304)
_FIRST_ERROR: Final = 400


async def send_raw(exchange: Exchange, plan: Plan, renderer: Renderer, delivery: Delivery, *, now: float) -> None:
    """Stream the source to the client; no render slot is held, nothing is kept in memory."""
    async with renderer.open_raw(plan, headers=_origin_headers(exchange)) as stream:
        origin = stream.origin
        headers = _headers(plan, origin, delivery, now=now)
        await exchange.stream(origin.status, headers, stream.chunks())


def _origin_headers(exchange: Exchange) -> dict[str, str]:
    given = {name: printable(value) for name in _PASSED_TO_ORIGIN if (value := exchange.header(name))}
    if exchange.header("if-range"):
        # It is not passed on, and a range without it could be glued to another version's.
        given.pop("range", None)
    return given


def _headers(plan: Plan, origin: Origin, delivery: Delivery, *, now: float) -> Headers:
    kind = printable(origin.content_type or "") or _UNKNOWN_TYPE
    safe = kind.lower().startswith(_SAFE_TYPES)
    disposition = delivery.disposition(plan, _extension(plan.source, kind if safe else ""))
    if not safe:
        disposition = "attachment" + disposition.removeprefix("inline").removeprefix("attachment")
    # 416 is the one error that a source passes on.
    failed = origin.status >= _FIRST_ERROR
    control = "no-store" if failed else delivery.cache_control(plan, now=now, origin=origin)
    out = [
        ("content-disposition", disposition),
        ("cache-control", control),
        *delivery.for_proxy(plan, control),
    ]
    if origin.status not in _NO_BODY:
        out.append(("content-type", kind if safe else _UNKNOWN_TYPE))
        if origin.content_length is not None:
            out.append(("content-length", str(origin.content_length)))
    passed = ((name, printable(origin.headers.get(name, ""))) for name in _PASSED_TO_CLIENT)
    out += [(name, text) for name, text in passed if text]
    if delivery.canonical and (link := canonical_link(plan.source)):
        out.append(("link", link))
    return tuple(out)


def _extension(source: str, content_type: str) -> str:
    """Give the extension that the source's name has, else one of its type, else ""."""
    own = PurePosixPath(source_name(source)).suffix
    return own or mimetypes.guess_extension(content_type.partition(";")[0].strip()) or ""
