"""One entry of the disk store as a file that says itself what it is.

    body | meta | labels (JSON array) | trailer: magic, lengths, expires_at, key, digest of all before

The body comes first, so that it is read into its own bytes without being copied; the trailer has a fixed size and is
found from the end. A file that was cut, lengthened, edited, or put under another key's name does not pass.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import re
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from imgserve.ports import Stored

KEY = re.compile(r"[0-9a-f]{64}")
#: What a file is called until it is whole: the entry's name and 64 random bits.
TEMPORARY = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{16}\.tmp")

#: The last byte but one is the version of the format.
MAGIC = b"imgsrv\x02\n"
DIGEST_BYTES = 32
_TRAILER = struct.Struct("<8sQIId32s32s")
_UNSIGNED = _TRAILER.size - DIGEST_BYTES
#: Read at the end in one piece; meta and labels are a few hundred bytes as a rule.
TAIL_BYTES = 2048

#: Inode, size, mtime and ctime in nanoseconds: the same numbers, the same bytes.
Stamp = tuple[int, int, int, int]


#: Takes handle, length and offset, as os.pread does.
Read = Callable[[int, int, int], bytes]


class Broken(Exception):
    """A file is not a whole entry of that key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an entry's file says of itself, without its body."""

    length: int
    labels: tuple[str, ...]
    expires_at: float


@dataclass(frozen=True, slots=True)
class _Tail:
    body_bytes: int
    meta: bytes
    labels: bytes
    expires_at: float
    #: Meta, labels and trailer up to the digest, as they are in the file.
    signed: bytes
    digest: bytes


def stamp(facts: os.stat_result) -> Stamp:
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def open_entry(path: str) -> int:
    """Open for reading; a FIFO put in the entry's place does not hang the thread, a link is not followed."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def read_cached(handle: int, length: int, offset: int) -> bytes:
    """Read what the kernel has in memory; raises BlockingIOError where the disk would have to be waited for."""
    nowait = getattr(os, "RWF_NOWAIT", None)
    if nowait is None:  # not Linux
        raise BlockingIOError
    buffer = bytearray(length)
    try:
        count = os.preadv(handle, (buffer,), offset, nowait)
    except OSError as exc:
        if exc.errno != errno.EOPNOTSUPP:  # some file systems cannot tell
            raise
        raise BlockingIOError from exc
    if count != length:  # a part of it, or it was cut
        raise BlockingIOError
    return bytes(buffer)


def load(handle: int, key: str, facts: os.stat_result, read: Read, *, verify: bool) -> Stored:
    """Read an open entry whole; raises Broken. Without `verify` the digest is not computed."""
    tail = _tail(handle, key, facts, read)
    body = read(handle, tail.body_bytes, 0)
    if len(body) != tail.body_bytes or (verify and _digest(body, tail.signed) != tail.digest):
        raise Broken(key)
    return Stored(meta=tail.meta, body=body, labels=_labels(tail.labels), expires_at=tail.expires_at)


def look(path: str, key: str) -> Facts:
    """Read what a file says of itself, not its body; raises Broken, OSError."""
    handle = open_entry(path)
    try:
        facts = os.fstat(handle)
        tail = _tail(handle, key, facts, os.pread)
    finally:
        os.close(handle)
    return Facts(length=facts.st_size, labels=_labels(tail.labels), expires_at=tail.expires_at)


def encode(key: str, stored: Stored) -> tuple[bytes, bytes]:
    """Give the two pieces of an entry's file: the body, and all after it."""
    labels = json.dumps(stored.labels).encode()
    head = (MAGIC, len(stored.body), len(stored.meta), len(labels), stored.expires_at, bytes.fromhex(key))
    signed = stored.meta + labels + _TRAILER.pack(*head, b"")[:_UNSIGNED]
    return stored.body, signed + _digest(stored.body, signed)


def write_temporary(path: str, pieces: tuple[bytes, ...]) -> str:
    """Write beside `path` what is to become it, and give its name; nothing is left behind by a failure."""
    temporary = f"{path}.{random.getrandbits(64):016x}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            written = os.writev(handle, pieces)
            if written != sum(map(len, pieces)):
                _write_rest(handle, memoryview(b"".join(pieces))[written:])
        finally:
            os.close(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    return temporary


def _write_rest(handle: int, rest: memoryview) -> None:
    while rest:  # a disk that fills up takes a part first, and fails the next write
        rest = rest[os.write(handle, rest) :]


def _tail(handle: int, key: str, facts: os.stat_result, read: Read) -> _Tail:
    size = facts.st_size
    if not stat.S_ISREG(facts.st_mode) or size < _TRAILER.size:
        raise Broken(key)
    end = read(handle, min(size, TAIL_BYTES), max(0, size - TAIL_BYTES))
    if len(end) < _TRAILER.size:  # it shrank since it was measured
        raise Broken(key)
    magic, body, meta, labels, expires_at, own_key, digest = _TRAILER.unpack_from(end, len(end) - _TRAILER.size)
    wanted = meta + labels + _TRAILER.size
    if magic != MAGIC or own_key.hex() != key or body + wanted != size:
        raise Broken(key)
    if wanted > len(end):
        end = read(handle, wanted, body)
        if len(end) != wanted:
            raise Broken(key)
    start = len(end) - wanted
    return _Tail(
        body,
        end[start : start + meta],
        end[start + meta : start + meta + labels],
        expires_at,
        end[start:-DIGEST_BYTES],
        digest,
    )


def _labels(text: bytes) -> tuple[str, ...]:
    try:
        return tuple(map(str, json.loads(text)))
    except (ValueError, TypeError) as exc:
        raise Broken("labels") from exc


def _digest(body: bytes, rest: bytes) -> bytes:
    # With the processor's own instructions (x86 since 2017 and 2021, ARM servers all) twice as fast as BLAKE2b.
    whole = sha256(body)
    whole.update(rest)
    return whole.digest()
