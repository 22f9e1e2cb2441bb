"""How much of a file there has to be, from its start, before its head can be read as if all of it were there.

Loaders do not say: of a GIF that is cut off they count the frames that are left, and call that its number. So the
structure of the file is walked, and where that does not show all that a loader reads, nothing but the whole will do:

- GIF: frames are counted over all of the file. WebP: libwebp opens no file that is cut off.
- TIFF: directories and values may lie anywhere, and some compressions have facts in the pixels.
- AVIF: what is no plain picture (EXIF, XMP, the plan of a picture of tiles) lies among the pixels.
- SVG, Windows bitmaps and icons are read as a whole.

Measured with libvips 8.18.7 on every file of the tests and of a corpus: what the loaders of JPEG, PNG, TIFF and AVIF
told of the bytes up to `head_end` was what they told of the whole. PNG chunks behind the pixels are never read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

from imgserve.engine.formats import FORMATS, SNIFFED_BYTES, sniff
from imgserve.engine.tiff_directories import directories_end

#: Files have some tens of segments, chunks, boxes or items before their pixels; as many as this take 5 ms.
_MAX_PARTS: Final = 4096

#: Start of the pixels of a JPEG; and markers without a length, which no encoder puts before that.
_SOS: Final = 0xDA
_BARE_MARKERS: Final = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})

_PNG_SIGNATURE_BYTES: Final = 8
#: A chunk's length and name, and its check sum.
_PNG_CHUNK: Final = struct.Struct(">I4s")
_PNG_CRC_BYTES: Final = 4
_PNG_MAX_LENGTH: Final = 2**31 - 1

#: Version and flags, in front of what is in some boxes.
_FULL_BOX_BYTES: Final = 4
#: The one kind of item that libheif does not look into: how others are made of tiles stands among the pixels too.
_AVIF_PICTURE: Final = b"av01"
#: Brands of sequences, and of a form without boxes.
_AVIF_OTHER_BRANDS: Final = frozenset({b"avis", b"msf1", b"mif3"})
#: libheif refuses a file in which it cannot seek this far.
_AVIF_MIN_BYTES: Final = 1024


def head_end(data: bytes) -> int | None:
    """Tell where the head of a file ends, by its first bytes.

    Up to len(data): its head can be read of these bytes. More: at least as many are needed. None: all of the file is.
    """
    name = sniff(data)
    if name is None or not FORMATS[name].load:  # there is nothing more to know
        return SNIFFED_BYTES
    walk = _WALKS.get(name)
    return walk(data) if walk is not None else None


def _jpeg(data: bytes) -> int | None:
    at = 2
    for _ in range(_MAX_PARTS):
        if at + 4 > len(data):
            return at + 4
        marker = data[at + 1]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at] != 0xFF or marker in _BARE_MARKERS or length < 2:
            return None
        if marker == 0xFF:  # may be repeated
            at += 1
            continue
        at += 2 + length
        if marker == _SOS:
            return at
    return None


def _png(data: bytes) -> int | None:
    at = _PNG_SIGNATURE_BYTES
    for _ in range(_MAX_PARTS):
        if at + _PNG_CHUNK.size > len(data):
            return at + _PNG_CHUNK.size
        length, name = _PNG_CHUNK.unpack_from(data, at)
        if name == b"IDAT":
            return at + _PNG_CHUNK.size
        if name == b"IEND" or length > _PNG_MAX_LENGTH:
            return None
        at += _PNG_CHUNK.size + length + _PNG_CRC_BYTES
    return None


def _avif(data: bytes) -> int | None:
    for name, start, end in _boxes(data, 0):
        if end > len(data):
            return end
        if name == b"ftyp" and any(brand in data[start:end] for brand in _AVIF_OTHER_BRANDS):
            return None
        if name == b"meta":
            return max(end, _AVIF_MIN_BYTES) if _only_pictures(data[start:end]) else None
    return len(data) + 1


def _boxes(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    """Go through boxes: name, start of what is in it, end; the end of the last may lie beyond the data."""
    for _ in range(_MAX_PARTS):
        if at + 16 > len(data):
            return
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        if at + size < start:
            return
        at += size
        yield name, start, at


def _only_pictures(meta: bytes) -> bool:
    for name, start, end in _boxes(meta, _FULL_BOX_BYTES):
        if name == b"iinf":
            items = meta[start:end]
            count_bytes = 4 if items[:1] > b"\x00" else 2
            kinds = [_item_type(items, at) for _, at, _ in _boxes(items, _FULL_BOX_BYTES + count_bytes)]
            return bool(kinds) and all(kind == _AVIF_PICTURE for kind in kinds)
    return False


def _item_type(items: bytes, at: int) -> bytes:
    """Give what kind of thing an item is; version 3 has a longer number of it in front, older ones say no kind."""
    skipped = {b"\x02": 8, b"\x03": 10}.get(items[at : at + 1])
    return items[at + skipped : at + skipped + 4] if skipped else b""


_WALKS: Final[dict[str, Callable[[bytes], int | None]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "avif": _avif,
    "tiff": directories_end,
}
