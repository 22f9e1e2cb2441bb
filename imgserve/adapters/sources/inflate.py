"""Undoing the compression that a body arrives in, without trusting it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from imgserve.errors import SourceUnreachable

#: Decoded bytes are made in pieces of this size, so that a bomb meets the limit before it meets the memory.
PIECE_BYTES = 256 * 1024
#: Compressed bytes are handed to zlib in portions of this size, since it copies what it leaves over at every call.
PORTION_BYTES = 64 * 1024
GZIP_MAGIC = b"\x1f\x8b"
#: Members of one gzip body. Empty ones decode to nothing, so no limit of bytes would end them; the encoder that makes
#: most, bgzip, puts 64 KB into each.
MAX_MEMBERS = 1000


class Inflate:
    """Undo gzip or deflate, piece by piece; several gzip members in a row are one body.

    `sender` begins the sentence of its errors.
    """

    def __init__(self, encoding: str, sender: str) -> None:
        self._gzip = encoding != "deflate"
        self._sender = sender
        self._engine = zlib.decompressobj(wbits=31) if self._gzip else None
        self._members = 1
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what `data` decodes to, at most PIECE_BYTES at a time; pieces may be empty."""
        for at in range(0, len(data), PORTION_BYTES):
            yield from self._portion(data[at : at + PORTION_BYTES])

    def _portion(self, data: bytes) -> Iterator[bytes]:
        data, self._held = self._held + data, b""
        engine = self._engine = self._engine or _deflate_engine(data)
        try:
            while data:
                if engine.eof:
                    if data == GZIP_MAGIC[:1]:  # the next portion tells a member from padding
                        self._held = data
                        return
                    if not self._gzip or not data.startswith(GZIP_MAGIC):
                        return  # padding behind the end
                    self._count_member()
                    engine = self._engine = zlib.decompressobj(wbits=31)
                yield engine.decompress(data, PIECE_BYTES)
                data = engine.unconsumed_tail or engine.unused_data
        except zlib.error as exc:
            raise SourceUnreachable(f"{self._sender} sent a broken compressed body.") from exc

    def _count_member(self) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise SourceUnreachable(f"{self._sender} sent a compressed body of more than {MAX_MEMBERS} members.")

    def finish(self) -> None:
        if self._engine is None or not self._engine.eof:
            raise SourceUnreachable(f"{self._sender} broke off its compressed answer.")


def _deflate_engine(data: bytes) -> zlib._Decompress:
    """Make an engine for what begins with `data`.

    "deflate" means zlib, but some servers send it raw; a zlib header has 8 in its low half byte, and a raw stream
    starting so would be a stored block with dirty padding, which no encoder writes.
    """
    return zlib.decompressobj(wbits=15 if data[0] & 0x0F == 8 else -15)
