"""The headers around a picture: freshness, validators, file name, what it varies by; for one plan and its origin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from imgserve.errors import ImgserveError
from imgserve.ops.delivery import CacheTags, Expires, Filename, ReturnAttachment
from imgserve.plan.model import Plan
from imgserve.ports import Origin
from imgserve.service.entry import Made, source_tag
from imgserve.web.conditions import Validation, last_modified
from imgserve.web.http import Freshness, Negotiation, cache_control, content_disposition, is_uncached, vary
from imgserve.web.responses import Headers

_FIRST_ERROR: Final = 400

#: Seconds that a picture stays fresh that will soon be another.
PASSING_TTL_S: Final = 10

#: Names of presets may have anything; what could not stand in these headers is left out.
_TAG: Final = re.compile(r"[A-Za-z0-9._-]+")
_AGE: Final = re.compile(r"(?:^|[,\s])(s-maxage|max-age)\s*=\s*\"?([0-9]{1,10})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The operator's choices for the headers of pictures."""

    freshness: Freshness = Freshness()
    validation: Validation = Validation()
    negotiation: Negotiation = Negotiation()
    return_attachment: bool = False
    canonical: bool = False
    debug_headers: bool = False
    #: Cache-Tag and Surrogate-Key, for CDNs.
    tag_headers: bool = True
    #: Seconds that nginx in front may keep an answer, 0 = as browsers.
    proxy_ttl_s: int = 0

    def disposition(self, plan: Plan, extension: str) -> str:
        """Give Content-Disposition for a result with this extension."""
        filename, attachment = plan.get(Filename), plan.get(ReturnAttachment)
        return content_disposition(
            source=plan.source,
            name=filename.name if filename is not None else None,
            extension=extension,
            attachment=self.return_attachment if attachment is None else attachment.attachment,
        )

    def cache_control(self, plan: Plan, *, now: float, origin: Origin | None) -> str:
        """Give Cache-Control of a picture."""
        return cache_control(self.freshness, now=now, expires=_expires(plan), origin=origin)

    def common(self, plan: Plan, origin: Origin | None, *, now: float, passing: bool = False) -> Headers:
        """Give the headers that a picture and a 304 for it share; a `passing` picture will soon be another.

        A 304 has them all: nginx would go by the year of Cache-Control after its first question otherwise.
        """
        fresh = self.passing_cache_control if passing else self.cache_control
        control = fresh(plan, now=now, origin=origin)
        found = (
            ("cache-control", control),
            *self.for_proxy(plan, control, passing=passing),
            ("last-modified", last_modified(origin, self.validation) if origin is not None else ""),
            ("vary", vary(plan, self.negotiation)),
            ("accept-ch", "Sec-CH-DPR, Sec-CH-Width" if self.negotiation.client_hints else ""),
        )
        return tuple((name, value) for name, value in found if value)

    def about_cache(self, plan: Plan, made: Made, *, now: float) -> Headers:
        """Say where a result comes from, and what caches in front find it by and how long they may keep it."""
        out = [("x-imgserve-cache", made.cache)]
        if made.stale:
            out.append(("x-imgserve-stale", made.stale))
        if made.provider:
            out.append(("x-imgserve-provider", made.provider))
        if self.tag_headers:
            out += tag_headers(plan)
        return tuple(out)

    def for_proxy(self, plan: Plan, cache_control: str, *, passing: bool = False) -> Headers:
        """Say how long nginx in front may keep an answer; nothing where no shared cache may keep it at all.

        URLs that expire are not kept: nginx would go on serving what it has while this server is down (use_stale), also
        when it is past its expiry.
        """
        if is_uncached(cache_control):
            return ()
        if _expires(plan) > 0:
            return (("x-accel-expires", "0"),)
        if not self.proxy_ttl_s:
            return ()
        ages = {name.lower(): int(seconds) for name, seconds in _AGE.findall(cache_control)}
        most_s = ages.get("s-maxage", ages.get("max-age", self.proxy_ttl_s))
        return (("x-accel-expires", str(min(1 if passing else self.proxy_ttl_s, most_s))),)

    def passing_cache_control(self, plan: Plan, *, now: float, origin: Origin | None) -> str:
        """Give Cache-Control of a picture that will soon be another: a draft, or one whose origin is down."""
        own = self.cache_control(plan, now=now, origin=origin)
        if is_uncached(own):
            return own  # a draft of what is private is private
        ttl_s = min(self.freshness.ttl_s, PASSING_TTL_S)
        return cache_control(Freshness(ttl_s=ttl_s), now=now, expires=_expires(plan))

    def fallback_cache_control(self, plan: Plan, error: ImgserveError, status: int, *, now: float) -> str:
        """Give Cache-Control of the fallback picture in place of `error`; with an error's status, that of the error."""
        ttl_s = self.freshness.fallback_ttl_s
        if not ttl_s:
            # Not the year of a good answer: the picture may be there in the next minute.
            ttl_s = self.freshness.source_error_ttl_s if error.cacheable or status < _FIRST_ERROR else 0
        if not ttl_s:
            return "no-store"
        return cache_control(Freshness(ttl_s=ttl_s), now=now, expires=_expires(plan))


def tag_headers(plan: Plan) -> Headers:
    """Name a result's source, tags and presets for purges in a CDN: Cache-Tag by commas, Surrogate-Key by spaces."""
    tags = plan.get(CacheTags)
    names = [
        source_tag(plan.source),
        *(tags.tags if tags is not None else ()),
        *(f"preset-{name}" for name in plan.presets if _TAG.fullmatch(name)),
    ]
    return (("cache-tag", ",".join(names)), ("surrogate-key", " ".join(names)))


def _expires(plan: Plan) -> int:
    expires = plan.get(Expires)
    return 0 if expires is None else expires.timestamp
