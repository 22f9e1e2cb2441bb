"""What an entry is as one value of Redis: its own key and labels, the entry, and a digest over all of it.

    magic and version (8 bytes) | length of head (4) | head | meta | body | digest (16)
    head = expiry as a double (8) | length of meta (4) | key, then labels, each with its length before it (4)

Numbers are big-endian. The scripts in redis_scripts read the head too: change both, and the version.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from imgserve.ports import Stored

#: Version 1 had its labels in other keys, where no purge of ours would find its entries.
MAGIC: Final = b"imgserv\x02"
DIGEST_BYTES: Final = 16
_START: Final = struct.Struct(">8sI")
_FACTS: Final = struct.Struct(">dI")
_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Envelope:
    """An entry with the key that it was put under."""

    key: str
    stored: Stored


#: What bytes are that nobody packed; its key is the key of nothing.
BROKEN: Final = Envelope("", Stored(meta=b"", body=b""))


def label_bytes(label: str) -> bytes:
    """Encode a label; a URL may have come with bytes that are no UTF-8, which Python keeps as lone surrogates."""
    return label.encode("utf-8", "surrogatepass")


def pack(envelope: Envelope) -> bytes:
    """Write an envelope."""
    stored = envelope.stored
    head = bytearray(_FACTS.pack(stored.expires_at, len(stored.meta)))
    for field in (envelope.key, *stored.labels):
        encoded = label_bytes(field)
        head += _LENGTH.pack(len(encoded)) + encoded
    parts = (_START.pack(MAGIC, len(head)), bytes(head), stored.meta, stored.body)
    return b"".join((*parts, _digest(*parts)))


def unpack(value: bytes) -> Envelope:
    """Read an envelope; BROKEN where it is none, or not whole."""
    if len(value) < _START.size + _FACTS.size + DIGEST_BYTES:
        return BROKEN
    inside = memoryview(value)[:-DIGEST_BYTES]
    magic, head_bytes = _START.unpack_from(inside)
    if magic != MAGIC or _digest(inside) != value[-DIGEST_BYTES:]:
        return BROKEN
    # Whole, so written by `pack`: nothing below can fail.
    expires_at, meta_bytes = _FACTS.unpack_from(inside, _START.size)
    meta_at = _START.size + head_bytes
    key, *labels = _fields(inside[_START.size + _FACTS.size : meta_at])
    body_at = meta_at + meta_bytes
    stored = Stored(
        meta=bytes(inside[meta_at:body_at]), body=bytes(inside[body_at:]), labels=tuple(labels), expires_at=expires_at
    )
    return Envelope(key, stored)


def _fields(packed: memoryview) -> list[str]:
    fields, place = [], 0
    while place < len(packed):
        (length,) = _LENGTH.unpack_from(packed, place)
        place += _LENGTH.size
        fields.append(bytes(packed[place : place + length]).decode("utf-8", "surrogatepass"))
        place += length
    return fields


def _digest(*parts: bytes | memoryview) -> bytes:
    """Sum up the parts: against bit rot and truncation, not against an enemy, who has the whole of Redis then."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()
