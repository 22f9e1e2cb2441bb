"""What HTTP means for pictures, as functions over values: negotiation, freshness, file names, ids; no sockets."""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from imgserve.ops.delivery import MAX_TIMESTAMP
from imgserve.ops.geometry import Dpr, Width
from imgserve.ops.output import Format, Negotiate, Raw
from imgserve.plan.model import Plan
from imgserve.ports import Origin
from imgserve.spec.op import Op

#: Formats that a client is only sent when it names them; the better one first where it wants both equally.
NEGOTIABLE: Final = ("avif", "webp")

#: RFC 9110, 12.4.2.
_WEIGHT: Final = re.compile(r"(?:^|;)\s*q\s*=\s*([^;\s]*)", re.IGNORECASE)
_QVALUE: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NOT_PRINTABLE: Final = re.compile(r"[^\x20-\x7e]+")
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])(?:s-maxage|max-age)\s*=\s*\"?([0-9]{1,10})", re.IGNORECASE)
#: An origin that says one of these is stricter than any time to live.
_UNCACHED: Final = re.compile(r"(?:^|[,\s])(?:no-store|no-cache|private)\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")

#: What stands unescaped in filename* (RFC 5987 attr-char, less those that quote() never escapes anyway).
_ATTR_CHAR: Final = "!#$&+^`|~"
#: No path and no quoting may hide in the plain form of a file name.
_UNSAFE_NAME: Final = str.maketrans({'"': "%22", "\\": "_", "/": "_"})
#: Longer names are cut: file systems hold 255 bytes.
_MAX_NAME: Final = 200
_MAX_EXTENSION: Final = 16

#: Imgproxy's bound on what a client may ask for.
_MAX_HINTED_DPR: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiation:
    """Formats that the operator lets the client decide on, and whether client hints count."""

    auto: tuple[str, ...] = ()
    enforced: tuple[str, ...] = ()
    client_hints: bool = False


def weights(accept: str) -> dict[str, float]:
    """Read an Accept header as media type -> quality; what is not a quality counts as 0."""
    out: dict[str, float] = {}
    for item in accept.split(","):
        media, semicolon, parameters = item.partition(";")
        found = _WEIGHT.search(parameters) if semicolon else None
        value = 1.0
        if found is not None:
            value = float(found[1]) if _QVALUE.fullmatch(found[1]) else 0.0
        out[media.strip().lower()] = value
    return out


def accepted_formats(accept: str) -> tuple[str, ...]:
    """Give the negotiable formats that the client names, the one it likes best first.

    Wildcards do not count: browsers without AVIF send image/* and */* as well.
    """
    named = weights(accept)
    liked = [name for name in NEGOTIABLE if named.get(f"image/{name}", 0.0) > 0]
    return tuple(sorted(liked, key=lambda name: -named[f"image/{name}"]))


def wants_json(accept: str | None) -> bool:
    """Tell whether an error should be JSON: only when the client names it."""
    return accept is not None and "json" in accept and weights(accept).get("application/json", 0.0) > 0


def negotiate(plan: Plan, accept: str | None, policy: Negotiation) -> Plan:
    """Add the formats that the client accepts and the operator offers; the key then has all that decides the bytes."""
    if accept is None or not negotiable(plan, policy):
        return plan
    liked = accepted_formats(accept)
    enforced = tuple(name for name in liked if name in policy.enforced)
    preferred = liked if _asked(plan) else tuple(name for name in liked if name in (*policy.auto, *policy.enforced))
    if plan.get(Format) is not None:
        preferred = enforced
    return dataclasses.replace(plan, preferred=preferred, enforced=enforced)


def negotiable(plan: Plan, policy: Negotiation) -> bool:
    """Tell whether the Accept header can change the answer to this plan."""
    return bool(policy.enforced or ((policy.auto or _asked(plan)) and plan.get(Format) is None))


def _asked(plan: Plan) -> bool:
    """Tell whether the URL itself leaves the format to the client."""
    asked = plan.get(Negotiate)
    return asked is not None and asked.negotiate


def vary(plan: Plan, policy: Negotiation) -> str:
    """Name the request headers that this answer depends on, "" for none."""
    names = ["Accept"] if negotiable(plan, policy) else []
    if policy.client_hints:
        names += ["Sec-CH-DPR", "DPR", "Sec-CH-Width", "Width"]
    return ", ".join(names)


def client_hints(header: Callable[[str], str | None]) -> tuple[Op, ...]:
    """Read Width and DPR hints as options; `header` finds a request header by lower-case name. Nonsense is left out."""
    dpr = _hint(header("sec-ch-dpr") or header("dpr"))
    width = _hint(header("sec-ch-width") or header("width"))
    dpr = dpr if dpr is not None and 0 < dpr <= _MAX_HINTED_DPR else None
    out: list[Op] = [] if dpr is None else [Dpr(dpr=dpr)]
    if width is not None and width >= 1:
        # The hint counts physical pixels, the option those before `dpr`.
        out.append(Width(width=max(1, round(width / (dpr or 1.0)))))
    return tuple(out)


def _hint(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How long answers stay fresh, in seconds."""

    ttl_s: int = 31_536_000
    passthrough: bool = False
    #: Errors that depend on the source alone; 0 = no-store.
    source_error_ttl_s: int = 10
    #: Fallback pictures; 0 = as any other picture.
    fallback_ttl_s: int = 0


def cache_control(freshness: Freshness, *, now: float, expires: int = 0, origin: Origin | None = None) -> str:
    """Say how long a picture is fresh: the URL's expiry caps what the origin (passthrough) or the operator say.

    A URL that expires in this very second gives max-age=0, never the whole time to live (imgproxy: a year).
    """
    given = _origin_freshness(origin, now) if freshness.passthrough and origin is not None else ""
    if given and is_uncached(given):
        return given
    if expires <= 0:
        return given or (f"max-age={freshness.ttl_s}, public" if freshness.ttl_s else "no-cache")
    found = _MAX_AGE.search(given)
    whole = int(found[1]) if found else freshness.ttl_s
    return f"max-age={max(0, min(whole, int(expires - now)))}, public" if whole else "no-cache"


def is_uncached(control: str) -> bool:
    """Tell whether a Cache-Control keeps shared caches from keeping an answer, or from using it without asking."""
    return _UNCACHED.search(control) is not None


def counts_down(origin: Origin, freshness: Freshness) -> bool:
    """Tell whether `cache_control` is another in each second: an origin's Expires is passed through as what is left."""
    return freshness.passthrough and origin.expires is not None and not origin.cache_control


def _origin_freshness(origin: Origin, now: float) -> str:
    if origin.cache_control:
        return printable(origin.cache_control)
    at = http_time(origin.expires)
    return "" if at is None else f"max-age={max(0, int(at - now))}, public"


def content_disposition(*, source: str, name: str | None, extension: str, attachment: bool) -> str:
    """Name the file: `name` or the stem of the source's path, with `extension` (".jpg") of the result.

    Both forms of RFC 6266 where ASCII does not hold the name; whatever it has, the header stays one header.
    """
    kind = "attachment" if attachment else "inline"
    full = _visible(name or source_stem(source))[:_MAX_NAME] + _visible(extension)[:_MAX_EXTENSION]
    plain = _NOT_PRINTABLE.sub("_", full).translate(_UNSAFE_NAME)
    if full.isascii():
        return f'{kind}; filename="{plain}"'
    extended = quote(full, safe=_ATTR_CHAR, errors="replace")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{extended}"


def _visible(text: str) -> str:
    return "".join(char for char in text if char.isprintable())


def source_name(source: str) -> str:
    """Give the last path segment of a source URL, decoded, without query; "" where it has none."""
    try:
        path = urlsplit(source).path
    except ValueError:
        path = source.partition("?")[0]
    return unquote(path.rpartition("/")[2], errors="replace")


def source_stem(source: str) -> str:
    """Give the name of a source without its extension, `image` where it has none."""
    last = source_name(source)
    stem, dot, _ = last.rpartition(".")
    return (stem if dot else last) or "image"


def canonical_link(source: str) -> str:
    """Give the value of Link for http and https sources, "" for others."""
    if not source.lower().startswith(("http://", "https://")):
        return ""
    return f'<{quote(source, safe="!#$%&()*+,/:;=?@[]~", errors="replace")}>; rel="canonical"'


def http_time(text: str | None) -> float | None:
    """Read an HTTP date as Unix time, None when it is none."""
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        at = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # Zones reach beyond the years that can be printed again.
    return at if 0 <= at <= MAX_TIMESTAMP else None


def http_date(at: float) -> str:
    """Print Unix time as an HTTP date."""
    return formatdate(at, usegmt=True)


def rfc3339_time(text: str) -> float:
    """Read an RFC 3339 time as Unix time; raises ValueError."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError("a time zone is missing")
    return parsed.timestamp()


def printable(text: str) -> str:
    """Leave out what cannot stand in a header value."""
    return _NOT_PRINTABLE.sub("", text).strip()


def request_id(given: str | None) -> str:
    """Keep the client's request id when it is plain text, else make one."""
    return plain_request_id(given) or secrets.token_urlsafe(15)


def plain_request_id(given: str | None) -> str:
    """Give the client's request id when it is plain text, else ""."""
    return given if given and _REQUEST_ID.fullmatch(given) else ""


def client_address(header: Callable[[str], str | None], peer: str) -> str:
    """Say for the log where the request came from; proxies' headers are believed, so it proves nothing."""
    forwarded = header("x-forwarded-for")
    named = header("cf-connecting-ip") or (forwarded or "").partition(",")[0].strip() or header("x-real-ip")
    return printable(named)[:64] if named else peer


def is_raw(plan: Plan) -> bool:
    """Tell whether the source's bytes are asked for as they are."""
    raw = plan.get(Raw)
    return raw is not None and raw.raw
