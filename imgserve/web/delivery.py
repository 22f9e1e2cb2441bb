"""The headers around a picture: freshness, validators, file name, what it varies by; for one plan and its origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from imgserve.errors import ImgserveError
from imgserve.ops.delivery import Expires, Filename, ReturnAttachment
from imgserve.plan.model import Plan
from imgserve.ports import Origin
from imgserve.web.conditions import Validation, last_modified
from imgserve.web.http import Freshness, Negotiation, cache_control, content_disposition, vary
from imgserve.web.responses import Headers

_FIRST_ERROR: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The operator's choices for the headers of pictures."""

    freshness: Freshness = Freshness()
    validation: Validation = Validation()
    negotiation: Negotiation = Negotiation()
    return_attachment: bool = False
    canonical: bool = False
    debug_headers: bool = False

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

    def common(self, plan: Plan, origin: Origin | None, *, now: float) -> Headers:
        """Give the headers that a picture and a 304 for it share."""
        found = (
            ("cache-control", self.cache_control(plan, now=now, origin=origin)),
            ("last-modified", last_modified(origin, self.validation) if origin is not None else ""),
            ("vary", vary(plan, self.negotiation)),
            ("accept-ch", "Sec-CH-DPR, Sec-CH-Width" if self.negotiation.client_hints else ""),
        )
        return tuple((name, value) for name, value in found if value)

    def fallback_cache_control(self, plan: Plan, error: ImgserveError, status: int, *, now: float) -> str:
        """Give Cache-Control of the fallback picture in place of `error`; with an error's status, that of the error."""
        ttl_s = self.freshness.fallback_ttl_s
        if not ttl_s:
            # Not the year of a good answer: the picture may be there in the next minute.
            ttl_s = self.freshness.source_error_ttl_s if error.cacheable or status < _FIRST_ERROR else 0
        if not ttl_s:
            return "no-store"
        return cache_control(Freshness(ttl_s=ttl_s), now=now, expires=_expires(plan))


def _expires(plan: Plan) -> int:
    expires = plan.get(Expires)
    return 0 if expires is None else expires.timestamp
