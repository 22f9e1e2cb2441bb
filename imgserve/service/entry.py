"""A result as it is kept: the picture, the source it was made of, and how long it may be used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imgserve.engine.pipeline import Rendered
from imgserve.ops.delivery import CacheTags
from imgserve.plan.model import Plan
from imgserve.ports import Origin, Stored

SOURCE: Final = "source:"
TAG: Final = "tag:"
PRESET: Final = "preset:"

#: How a result was come by, where it is no tier's name.
MEMORY: Final = "memory"
COALESCED: Final = "coalesced"
MISS: Final = "miss"

#: A change of the form below makes what older versions kept unreadable, that is: a miss.
_FORM: Final = 1

#: Headers of an origin that answers made of its source can need again.
_KEPT_HEADERS: Final = ("age", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A picture, and the source it was made of."""

    picture: Rendered
    origin: Origin
    source_bytes: int
    #: Identifies the source's version: see `source_validator`.
    validator: str
    #: Unix times: when it was made or last found unchanged, and until when nobody needs to ask.
    stored_at: float = 0.0
    fresh_until: float = 0.0
    #: It was encoded fast, and a smaller encode is to take its place.
    draft: bool = False
    #: How it was come by: a tier's name, `coalesced` or `miss`.
    cache: str = MISS
    #: Why it is served beyond its time: `revalidating` or `error`, "" when it is not.
    stale: str = ""
    #: It must not be kept: the origin said so.
    private: bool = False
    #: Who made its AI steps, "" where there are none.
    provider: str = ""

    @property
    def passing(self) -> bool:
        """Whether it will soon be another, so that browsers should not keep it for long."""
        return self.draft or bool(self.stale)


def labels_of(plan: Plan) -> tuple[str, ...]:
    """Name what a purge may find the plan's result by: its source, its tags, its presets."""
    tags = plan.get(CacheTags)
    named = {TAG + tag for tag in (tags.tags if tags is not None else ())} | {PRESET + name for name in plan.presets}
    return (SOURCE + plan.source, *sorted(named))


def key_of(plan: Plan, *, epoch: str, of: Sequence[str] = ()) -> str:
    """Name the plan's result, as 64 hex digits; `of` is what it is made of beside its source.

    Other tags and presets make another result of the same pixels: what is kept has then the labels of every URL that it
    answers, whoever made it, and a purge by any of them finds it.
    """
    key = plan.key(epoch=epoch)
    _, *named = (*labels_of(plan), *of)
    return hashlib.sha256("\n".join((key, *named)).encode()).hexdigest() if named else key


def source_tag(source: str) -> str:
    """Name a source in a header for CDNs, where a URL could not stand."""
    return "src-" + hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def to_stored(made: Made, labels: tuple[str, ...], *, keep_s: float) -> Stored:
    """Make what a store keeps; `keep_s` is how long beyond its freshness it is of use."""
    picture = made.picture
    facts = {
        "form": _FORM,
        "format": picture.format,
        "mime": picture.mime,
        "size": [picture.width, picture.height, picture.source_width, picture.source_height],
        "passthrough": picture.passthrough,
        "source_bytes": made.source_bytes,
        "validator": made.validator,
        "stored_at": made.stored_at,
        "fresh_until": made.fresh_until,
        "draft": made.draft,
        "origin": origin_facts(made.origin),
    } | ({"provider": made.provider} if made.provider else {})
    return Stored(
        meta=json.dumps(facts, separators=(",", ":")).encode(),
        body=picture.data,
        labels=labels,
        expires_at=made.fresh_until + keep_s,
    )


def from_stored(stored: Stored) -> Made | None:
    """Read what `to_stored` wrote; None where another version of this server wrote it."""
    try:
        facts = json.loads(stored.meta)
        if facts["form"] != _FORM:
            return None
        width, height, source_width, source_height = facts["size"]
        picture = Rendered(
            data=stored.body,
            format=facts["format"],
            mime=facts["mime"],
            width=width,
            height=height,
            source_width=source_width,
            source_height=source_height,
            passthrough=facts["passthrough"],
        )
        return Made(
            picture=picture,
            origin=origin_of(facts["origin"]),
            source_bytes=facts["source_bytes"],
            validator=facts["validator"],
            stored_at=facts["stored_at"],
            fresh_until=facts["fresh_until"],
            draft=facts["draft"],
            provider=facts.get("provider", ""),
        )
    except (ValueError, KeyError, TypeError):
        return None


def origin_facts(origin: Origin) -> dict[str, Any]:
    """Give what of an origin's answer is kept, as JSON values."""
    facts = {
        "content_type": origin.content_type,
        "etag": origin.etag,
        "last_modified": origin.last_modified,
        "cache_control": origin.cache_control,
        "expires": origin.expires,
    }
    headers = {name: origin.headers[name] for name in _KEPT_HEADERS if name in origin.headers}
    return {name: value for name, value in facts.items() if value is not None} | (
        {"headers": headers} if headers else {}
    )


def origin_of(facts: Mapping[str, Any]) -> Origin:
    """Read what `origin_facts` wrote."""
    return Origin(**facts)
