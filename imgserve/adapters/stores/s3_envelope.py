"""What an S3 object of a result looks like: a head with every fact, then the body, both under a digest."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass
from typing import Final

from imgserve.ports import Stored

#: The number changes with the layout; what another layout wrote is then a miss.
MAGIC: Final = b"imgserve-result-1\n"
_DIGEST_BYTES: Final = 32
#: Magic, digest of the head, length of the head.
_START: Final = struct.Struct(f">{len(MAGIC)}s{_DIGEST_BYTES}sI")


@dataclass(frozen=True, slots=True)
class Head:
    """Facts of an entry, and where in the object its body lies."""

    meta: bytes
    labels: tuple[str, ...]
    expires_at: float
    body_digest: str
    body_at: int
    body_bytes: int


def pack(key: str, stored: Stored) -> bytes:
    facts = {
        "key": key,
        "meta": base64.b64encode(stored.meta).decode(),
        "labels": stored.labels,
        "expires_at": stored.expires_at,
        "body_bytes": len(stored.body),
        "body_digest": _digest(stored.body).hex(),
    }
    head = json.dumps(facts).encode()
    return b"".join((_START.pack(MAGIC, _digest(head), len(head)), head, stored.body))


def read_head(key: str, data: bytes) -> Head | None:
    """Read the beginning of an object; None where it is not a whole head of `key`."""
    if len(data) < _START.size:
        return None
    magic, digest, head_bytes = _START.unpack_from(data)
    body_at = _START.size + head_bytes
    head = data[_START.size : body_at]
    if magic != MAGIC or digest != _digest(head):
        return None
    facts = json.loads(head)  # the digest says that `pack` made it
    if facts["key"] != key:
        return None
    return Head(
        meta=base64.b64decode(facts["meta"]),
        labels=tuple(facts["labels"]),
        expires_at=facts["expires_at"],
        body_digest=facts["body_digest"],
        body_at=body_at,
        body_bytes=facts["body_bytes"],
    )


def unpack(key: str, data: bytes) -> Stored | None:
    """Read an object; None where it is not exactly what was put under `key`."""
    head = read_head(key, data)
    if head is None or len(data) != head.body_at + head.body_bytes:
        return None
    body = data[head.body_at :]
    if _digest(body).hex() != head.body_digest:
        return None
    return Stored(meta=head.meta, body=body, labels=head.labels, expires_at=head.expires_at)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
