"""How far the directories of a TIFF, and their values, reach from the start of the file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

#: Bytes of a value by its type (TIFF 6.0 section 2, BigTIFF).
_VALUE_BYTES: Final = {
    kind: size
    for size, kinds in ((1, (1, 2, 6, 7)), (2, (3, 8)), (4, (4, 9, 11, 13)), (8, (5, 10, 12, 16, 17, 18)))
    for kind in kinds
}
_COMPRESSION, _SUB_DIRECTORIES = 259, 330
#: Point to directories of EXIF, of the place, and of interoperability.
_POINTERS: Final = frozenset({34665, 34853, 40965})
#: None, fax, LZW, deflate, packed bits. Of others libtiff may ask the pixels for facts, as of JPEG for its subsampling.
_PLAIN: Final = frozenset({1, 2, 3, 4, 5, 8, 32773, 32946})
#: Directories may lie on top of each other or be empty, so a file could have millions; with as many of both 12 ms.
_MAX_ENTRIES: Final = 1024


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers are written in a file: its byte order, and 32 or 64 bits."""

    #: Where the offset of the first directory stands.
    first: int
    offset: struct.Struct
    count: struct.Struct
    #: Tag, type, number of values, and the values or their offset.
    entry: struct.Struct
    short: struct.Struct

    @staticmethod
    def of(data: bytes) -> _Layout:
        order = "<" if data.startswith(b"II") else ">"
        first, *forms = (8, "Q", "Q", "HHQ8s") if b"+" in data[:4] else (4, "I", "H", "HHI4s")
        return _Layout(first, *(struct.Struct(order + form) for form in (*forms, "H")))


class _Unclear(Exception):  # as no bytes at the start tell it
    pass


@dataclass(slots=True)
class _Reach:
    """How far what was seen reaches, and which directories are still to be seen."""

    end: int
    todo: list[int]
    entries: int = 0


def directories_end(data: bytes) -> int | None:
    """Tell where all that libtiff reads before the pixels ends; see `prefix.head_end`."""
    layout = _Layout.of(data)
    reach = _Reach(end=layout.first + layout.offset.size, todo=[])
    if reach.end > len(data):
        return reach.end
    reach.todo += layout.offset.unpack_from(data, layout.first)
    seen: set[int] = set()
    try:
        while reach.todo and reach.end <= len(data):
            at = reach.todo.pop()
            if at in seen:
                return None
            seen.add(at)
            _see(data, at, layout, reach)
    except _Unclear:
        return None
    return reach.end


def _see(data: bytes, at: int, layout: _Layout, reach: _Reach) -> None:
    """Go through one directory, if all of it is there."""
    start = at + layout.count.size
    if not _there(data, start, reach):
        return
    (count,) = layout.count.unpack_from(data, at)
    reach.entries += 1 + count
    if reach.entries > _MAX_ENTRIES:
        raise _Unclear
    behind = start + count * layout.entry.size
    if not _there(data, behind + layout.offset.size, reach):
        return
    for tag, kind, number, value in layout.entry.iter_unpack(data[start:behind]):
        _see_entry(tag, kind, number, value, layout, reach)
    (following,) = layout.offset.unpack_from(data, behind)
    if following:
        reach.todo.append(following)


def _there(data: bytes, end: int, reach: _Reach) -> bool:
    reach.end = max(reach.end, end)
    return end <= len(data)


def _see_entry(tag: int, kind: int, number: int, value: bytes, layout: _Layout, reach: _Reach) -> None:
    if kind not in _VALUE_BYTES or tag == _SUB_DIRECTORIES:
        raise _Unclear
    if tag == _COMPRESSION and layout.short.unpack_from(value)[0] not in _PLAIN:
        raise _Unclear
    (offset,) = layout.offset.unpack(value)
    size = _VALUE_BYTES[kind] * number
    if size > len(value):
        reach.end = max(reach.end, offset + size)
    elif tag in _POINTERS:
        reach.todo.append(offset)
