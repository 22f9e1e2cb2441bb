"""Validators: short texts that identify one version of a source, and can be shown to its origin again."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from imgserve.ports import Blob, Origin

NOT_MODIFIED: Final = 304

#: First letters: what kind of fact about the source follows.
ETAG: Final = "e"
MODIFIED: Final = "m"
HASH: Final = "h"

# Validators come back from clients and go into request headers, so their shape is fixed, and short.
_SHAPE: Final = re.compile(r'e(?:W/)?"[\x21\x23-\x7e]{0,256}"|m[A-Za-z0-9,: +-]{1,64}|h[0-9a-f]{64}')


def source_validator(blob: Blob) -> str:
    """Identify the version of a source by the origin's ETag, else its Last-Modified, else a hash of its bytes."""
    return _stated(blob.origin) or HASH + hashlib.sha256(blob.data).hexdigest()


def head_validator(origin: Origin, head: bytes, *, size: int | None) -> str:
    """Identify what the head of a source says, as `source_validator` does; the hash is of these bytes and the size.

    It is for answers that are made of nothing else: where these are the same, so is the answer, whatever else has
    changed.
    """
    return _stated(origin) or HASH + hashlib.sha256(b"head %d\n%b" % (size or 0, head)).hexdigest()


def _stated(origin: Origin) -> str:
    for kind, fact in ((ETAG, origin.etag), (MODIFIED, origin.last_modified)):
        if fact and is_validator(kind + fact):
            return kind + fact
    return ""


def is_version(blob: Blob, validator: str, *, known: str = "") -> bool:
    """Tell whether an answer, a 304 included, is the version of its source that a validator identifies.

    `known` is the answer's own validator, where its bytes are not the source's.
    """
    return blob.origin.status == NOT_MODIFIED or (known or source_validator(blob)) == validator


def is_validator(text: str) -> bool:
    """Tell whether a text could come from `source_validator`."""
    return _SHAPE.fullmatch(text) is not None


def origin_condition(validator: str) -> dict[str, str]:
    """Give the request header that asks an origin whether its source is still this version; empty for a hash."""
    if validator.startswith(ETAG):
        return {"If-None-Match": validator.removeprefix(ETAG)}
    if validator.startswith(MODIFIED):
        return {"If-Modified-Since": validator.removeprefix(MODIFIED)}
    return {}
