"""Conditional requests: ETags that can be checked with the origin, so that a 304 costs neither pixels nor a download.

An ETag is "<hash>.<validator>": the hash covers the plan's key and the validator, the validator is what the origin said
of the source (its ETag or Last-Modified), in base64url. A client that sends the tag back thus brings the condition for
the origin; the hash proves that the tag is of this very result, and a change of plan, settings or engine breaks it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from imgserve.ports import Origin
from imgserve.service.validators import ETAG, MODIFIED, is_validator
from imgserve.web.http import http_date, http_time

_TAG: Final = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')
_HTTP_DATE: Final = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
#: Tags that are read of one If-None-Match; a client has no reason for more.
_MAX_TAGS: Final = 16
#: Bytes of the hash in a tag: 120 bits, 20 characters.
_HASH_BYTES: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The operator's choices for validators."""

    use_etag: bool = True
    etag_buster: str = ""
    use_last_modified: bool = True
    #: Unix time before which nothing counts as unmodified.
    last_modified_buster: float | None = None


def etag(key: str, validator: str, policy: Validation, *, draft: bool = False) -> str:
    """Make the ETag of a result of plan `key` made of a source with `validator`; "" when ETags are off.

    A draft has other bytes than the result that takes its place, and so another tag.
    """
    if not policy.use_etag:
        return ""
    weak = "W/" if validator.startswith(ETAG + "W/") else ""
    return f'{weak}"{_tag(_key(key, draft=draft), validator, policy)}"'


def _key(key: str, *, draft: bool) -> str:
    return key + "~draft" if draft else key


def _tag(key: str, validator: str, policy: Validation) -> str:
    digest = hashlib.sha256(f"{key}\n{policy.etag_buster}\n{validator}".encode()).digest()[:_HASH_BYTES]
    return f"{_base64(digest)}.{_base64(validator.encode())}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def last_modified(origin: Origin, policy: Validation) -> str:
    """Give the Last-Modified of an answer: the origin's, or the buster if that is later; "" when unknown or off."""
    given = origin.last_modified or ""
    if policy.use_last_modified and policy.last_modified_buster is None and _HTTP_DATE.fullmatch(given):
        # The common case: the date is well formed and stays as it is, so that nobody needs to know which day it means.
        return given
    at = _modified_at(origin, policy)
    return "" if at is None else http_date(at)


def _modified_at(origin: Origin, policy: Validation) -> float | None:
    if not policy.use_last_modified:
        return None
    at = http_time(origin.last_modified)
    if at is None or policy.last_modified_buster is None:
        return at
    return max(at, policy.last_modified_buster)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What the client already has of one result; the service asks it before it downloads and before it renders."""

    key: str
    policy: Validation
    #: If-None-Match: *
    anything: bool = False
    #: Validators of sources, from the client's tags for this very result.
    validators: tuple[str, ...] = ()
    #: The same of its draft. They are no condition for the origin: a source that has not changed does not make the
    #: client's draft the result.
    drafts: tuple[str, ...] = ()
    #: If-Modified-Since as Unix time; only without If-None-Match.
    since: float | None = None

    @property
    def given(self) -> bool:
        """Whether the client has anything at all."""
        return self.anything or bool(self.validators) or self.since is not None

    def origin_headers(self) -> Mapping[str, str]:
        """Give the condition in terms of the source, for its origin; empty when there is none."""
        tags = [text.removeprefix(ETAG) for text in self.validators if text.startswith(ETAG)]
        if tags:
            return {"If-None-Match": ", ".join(tags)}
        dates = [text.removeprefix(MODIFIED) for text in self.validators if text.startswith(MODIFIED)]
        if dates:
            return {"If-Modified-Since": dates[0]}
        buster = self.policy.last_modified_buster
        if self.since is not None and (buster is None or self.since > buster):
            return {"If-Modified-Since": http_date(self.since)}
        return {}

    def holds(self, validator: str, origin: Origin, *, draft: bool = False) -> bool:
        """Tell whether the client has the result, or the draft, made of a source with this validator."""
        if self.anything or validator in (self.drafts if draft else self.validators):
            return True
        if self.since is None:
            return False
        at = _modified_at(origin, self.policy)
        return at is not None and at <= self.since

    def validator_of(self, origin: Origin) -> str:
        """Give the validator of a source that the origin calls unmodified; "" when none is known."""
        if origin.etag and is_validator(ETAG + origin.etag):
            return ETAG + origin.etag
        return self.validators[0] if self.validators else ""


def read_condition(key: str, policy: Validation, none_match: str | None, modified_since: str | None) -> Condition:
    """Read If-None-Match and If-Modified-Since of a request for the result of plan `key`."""
    if policy.use_etag and none_match is not None:
        if none_match.strip() == "*":
            return Condition(key=key, policy=policy, anything=True)
        tags = [found[1] for found in _TAG.finditer(none_match)][:_MAX_TAGS]
        known = tuple(text for tag in tags if (text := _validator(key, tag, policy)))
        drafts = tuple(text for tag in tags if (text := _validator(_key(key, draft=True), tag, policy)))
        return Condition(key=key, policy=policy, validators=known, drafts=drafts)
    since = http_time(modified_since) if policy.use_last_modified else None
    return Condition(key=key, policy=policy, since=since)


def _validator(key: str, tag: str, policy: Validation) -> str:
    """Give the validator inside a tag of ours for this result, "" for any other tag.

    It goes into a request header for the origin, so its shape is checked although its hash fits.
    """
    _, dot, encoded = tag.partition(".")
    try:
        text = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("ascii") if dot else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text if is_validator(text) and tag == _tag(key, text, policy) else ""
