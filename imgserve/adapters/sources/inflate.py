"""Undoing the compression that a body arrives in, without trusting it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from imgserve.errors import SourceUnreachable

#: Decoded bytes are made in pieces of this size, so that a bomb meets the limit before it meets the memory.
PIECE_BYTES = 256 * 1024


class Inflate:
    """Undo gzip or deflate, piece by piece; several gzip members in a row are one body.

    `sender` begins the sentence of its errors.
    """

    def __init__(self, encoding: str, sender: str) -> None:
        self._gzip = encoding != "deflate"
        self._sender = sender
        self._engine = zlib.decompressobj(wbits=31) if self._gzip else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._engine is None:
            # "deflate" means zlib, but some servers send it raw; a zlib header has 8 in its low half byte, and a raw
            # stream starting so would be a stored block with dirty padding, which no encoder writes.
            self._engine = zlib.decompressobj(wbits=15 if data[:1] and data[0] & 0x0F == 8 else -15)
        try:
            while data:
                if self._engine.eof:
                    if not self._gzip or not data.startswith(b"\x1f\x8b"):
                        return  # padding behind the end
                    self._engine = zlib.decompressobj(wbits=31)
                yield self._engine.decompress(data, PIECE_BYTES)
                data = self._engine.unconsumed_tail or self._engine.unused_data
        except zlib.error as exc:
            raise SourceUnreachable(f"{self._sender} sent a broken compressed body.") from exc

    def finish(self) -> None:
        if self._engine is None or not self._engine.eof:
            raise SourceUnreachable(f"{self._sender} broke off its compressed answer.")
