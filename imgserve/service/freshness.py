"""How long a source, and what was made of it, may be used without asking its origin again (RFC 9111)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

from imgserve.ports import Origin

_DIRECTIVE: Final = re.compile(r"(?:^|[,\s])([a-z-]+)(?:\s*=\s*\"?([0-9]{1,10}))?", re.IGNORECASE)
#: An origin that keeps its answers from shared caches keeps them from this one.
_NOT_KEPT: Final = frozenset({"no-store", "private"})

#: RFC 9111, 5.2.2: no answer beyond its freshness without asking.
_ASK_FIRST: Final = frozenset({"no-cache", "must-revalidate", "proxy-revalidate", "s-maxage"})

#: Entries "from the future" up to here are those of a machine whose clock is a little ahead.
SKEW_S: Final = 60.0


class State(Enum):
    """What a kept result is worth."""

    FRESH = "fresh"
    #: It may be served while somebody asks the origin.
    REVALIDATE = "revalidate"
    #: It may be served only if the origin cannot be asked.
    STALE = "stale"
    #: Not even then.
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingRules:
    """The operator's choices, in seconds."""

    #: Used where the origin says nothing.
    ttl_s: float = 3600.0
    stale_while_revalidate_s: float = 86_400.0
    stale_if_error_s: float = 604_800.0

    @property
    def stale_s(self) -> float:
        return max(self.stale_while_revalidate_s, self.stale_if_error_s)

    def state(self, *, stored_at: float, fresh_until: float, now: float) -> State:
        """Judge a result by Unix times; one that was stored in the future proves a wrong clock and is asked about."""
        if stored_at > now + SKEW_S:
            return State.STALE
        if now < fresh_until:
            return State.FRESH
        if now < fresh_until + self.stale_while_revalidate_s:
            return State.REVALIDATE
        return State.STALE if now < fresh_until + self.stale_if_error_s else State.DEAD


def fresh_s(origin: Origin, rules: KeepingRules, *, now: float) -> float | None:
    """Give the seconds for which an answer is fresh from now on, None when it must not be kept at all."""
    given = _directives(origin.cache_control)
    if given.keys() & _NOT_KEPT:
        return None
    if "no-cache" in given:
        return 0.0
    for name in ("s-maxage", "max-age"):
        if (value := given.get(name)) is not None:
            return max(0.0, value - _age_s(origin))
    if (expires := origin.expires) is not None:
        at = _time(expires)
        # A date that cannot be read is one in the past (RFC 9111, 5.3); many origins say "0".
        return max(0.0, at - (_time(origin.headers.get("date", "")) or now)) if at else 0.0
    return rules.ttl_s


def is_kept(origin: Origin) -> bool:
    """Tell whether the origin lets a shared cache keep its answer."""
    return not _directives(origin.cache_control).keys() & _NOT_KEPT


def must_revalidate(origin: Origin) -> bool:
    """Tell whether the origin wants to be asked before a stale answer is used; a dead one cannot be asked."""
    return bool(_directives(origin.cache_control).keys() & _ASK_FIRST)


def freshened_origin(kept: Origin, answer: Origin) -> Origin:
    """Take over what a 304 says of freshness (RFC 9111, 4.3.4); an answer with a body says it as well."""
    return replace(
        kept,
        cache_control=answer.cache_control or kept.cache_control,
        expires=answer.expires or kept.expires,
        headers=answer.headers,
    )


def _directives(text: str | None) -> dict[str, int | None]:
    found = _DIRECTIVE.findall(text or "")
    return {name.lower(): int(value) if value else None for name, value in found}


def _age_s(origin: Origin) -> int:
    """Give how long a cache in front of the origin has had it."""
    text = origin.headers.get("age", "").strip()
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 10 else 0


def _time(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
