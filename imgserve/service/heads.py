"""The first bytes of a source, as many as its head takes, and no more than that of its origin.

They are asked for by Range, so that origins that know it send these bytes alone and keep the connection. Others send
all of it: that is read as far as needed, and the connection given up.
"""

from __future__ import annotations

import dataclasses
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from imgserve import metrics
from imgserve.engine.prefix import head_end
from imgserve.errors import SourceTooLarge
from imgserve.ports import Announce, Blob, Origin, Source, SourceStream
from imgserve.service.validators import head_validator

#: What is asked for at first: the heads of photographs take up to 20 KB, with a thumbnail and a print profile 60 KB.
FIRST_BYTES: Final = 64 * 1024
#: And then: a profile for CMYK takes 560 KB.
NEXT_BYTES: Final = 1024 * 1024
#: A part larger than the whole divided by this is not worth it: the whole can be kept.
_WORTH: Final = 2
#: A body of unknown length tells how much of it is there each time it has grown by this.
_TELL_EVERY_BYTES: Final = 1 << 20


_PART: Final = re.compile(r"bytes 0-[0-9]{1,19}/([0-9]{1,19}|\*)")
#: They say something of a part, not of the source.
_PART_HEADERS: Final = frozenset({"content-range", "content-length"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadBytes:
    """What the head of a source can be read of; with status 304 nothing, as the client has it."""

    data: bytes
    #: As of an answer with all of the source.
    origin: Origin
    #: Bytes of the whole source; None = unknown, as nobody asked for it.
    size: int | None
    #: Nothing is missing.
    whole: bool

    @staticmethod
    def of(blob: Blob) -> HeadBytes:
        """Make it of all bytes, or of a 304."""
        return HeadBytes(data=blob.data, origin=blob.origin, size=len(blob.data), whole=True)

    @property
    def validator(self) -> str:
        """Identify what the head says; the same of the first bytes and of all."""
        return head_validator(self.origin, self.data[: head_end(self.data)], size=self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadReader:
    """How to read the head of one source; the fields are those of `Source.fetch`."""

    source: Source
    url: str
    max_bytes: int
    #: Conditions.
    headers: Mapping[str, str]
    announce: Announce
    #: The size has to be known.
    sized: bool

    async def read(self) -> HeadBytes | None:
        """Ask the origin; None where the first bytes say too little, or it does not give them alone.

        Raises what `Source.open` raises.
        """
        wanted: int | None = FIRST_BYTES
        while wanted is not None:
            found = await self._ask(wanted)
            if found is None or found.whole or found.origin.status == HTTPStatus.NOT_MODIFIED:
                return found
            end = head_end(found.data)
            if end is not None and end <= len(found.data):
                return dataclasses.replace(found, data=found.data[:end])
            wanted = _after(wanted, end, found.size)
        return None

    async def _ask(self, wanted: int) -> HeadBytes | None:
        started = time.monotonic()
        headers = {**self.headers, "Range": f"bytes=0-{wanted - 1}"}
        async with self.source.open(self.url, max_bytes=self.max_bytes, headers=headers) as stream:
            origin, body = stream.origin, _Body(stream)
            match origin.status:
                case HTTPStatus.NOT_MODIFIED:
                    found: HeadBytes | None = HeadBytes(data=b"", origin=origin, size=None, whole=False)
                case HTTPStatus.PARTIAL_CONTENT:
                    found = await self._part(origin, body, wanted)
                case HTTPStatus.OK:
                    found = await self._of_all(origin, body)
                case _:  # 416: it may be empty
                    found = None
        metrics.source_fetched(self.source.schemes[0], time.monotonic() - started, body.length)
        return found

    async def _part(self, origin: Origin, body: _Body, wanted: int) -> HeadBytes | None:
        """Read the part that was asked for; None where it is another one."""
        found = _PART.fullmatch(origin.headers.get("content-range", "").strip())
        # Of a compressed source it is a part of the compressed bytes.
        if found is None or origin.headers.get("content-encoding", "identity").strip().lower() != "identity":
            return None
        size = None if found[1] == "*" else int(found[1])
        if size is None and self.sized:
            return None
        if size is not None and 0 < self.max_bytes < size:
            raise SourceTooLarge.beyond(self.max_bytes)
        self.announce(wanted if size is None else min(wanted, size))
        await body.read(wanted)
        data = body.bytes()[:wanted]
        if size is not None and len(data) > size:
            return None
        return HeadBytes(data=data, origin=_of_whole(origin, size), size=size, whole=len(data) == size)

    async def _of_all(self, origin: Origin, body: _Body) -> HeadBytes:
        """Read an answer with all of the source, to its end where the first bytes do not tell."""
        size = origin.content_length
        wanted = None if size is None and self.sized else FIRST_BYTES
        while wanted is not None:
            self.announce(wanted if size is None else min(wanted, size))
            await body.read(wanted)
            if body.ended:
                break
            end = head_end(body.bytes())
            if end is not None and end <= body.length:
                return HeadBytes(data=body.bytes()[:end], origin=origin, size=size, whole=False)
            wanted = _after(wanted, end, size)
        while not body.ended:
            there = size if size is not None else body.length + _TELL_EVERY_BYTES
            self.announce(there)
            await body.read(there)
        return HeadBytes(data=body.bytes(), origin=origin, size=body.length, whole=True)


def _after(wanted: int, end: int | None, size: int | None) -> int | None:
    """Give how many bytes to read where `wanted` did not tell the head, None = all; `end` is that of `head_end`."""
    if wanted == NEXT_BYTES or end is None or end > NEXT_BYTES or (size or math.inf) < _WORTH * NEXT_BYTES:
        return None
    return NEXT_BYTES


def _of_whole(origin: Origin, size: int | None) -> Origin:
    """Give what the origin would say of all of the source."""
    headers = {name: value for name, value in origin.headers.items() if name not in _PART_HEADERS}
    return dataclasses.replace(origin, status=HTTPStatus.OK.value, content_length=size, headers=headers)


class _Body:
    """What has been read of a body."""

    def __init__(self, stream: SourceStream) -> None:
        self._chunks = stream.chunks()
        self._pieces: list[bytes] = []
        self.length = 0
        self.ended = False

    async def read(self, wanted: int) -> None:
        """Go on until there is more than this, or it ends: where the end was not seen, the connection is lost."""
        while self.length <= wanted and not self.ended:
            piece = await anext(self._chunks, None)
            if piece is None:
                self.ended = True
            else:
                self._pieces.append(piece)
                self.length += len(piece)

    def bytes(self) -> bytes:
        self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]
