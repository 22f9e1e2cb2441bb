"""Icon files, which libvips cannot read or write: a directory of pictures that are PNG or headless bitmaps."""

from __future__ import annotations

import struct
from typing import Final

import pyvips

from imgserve.engine import tags
from imgserve.engine.bitmaps import MAX_INDEX_BITS, load_bmp
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import Limits
from imgserve.errors import ImageRefused

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_ICON_DIRECTORY: Final = struct.Struct("<HHH")
_ICON_ENTRY: Final = struct.Struct("<BBBBHHII")
#: An icon has at most 256x256 pixels of 4 bytes; more than this is not one (imgproxy has the same bound).
_MAX_ICON_BYTES: Final = 10 * 1024 * 1024
#: What is known of a PNG or a palette, and not of an icon that is made of one.
_UNKNOWN_TAGS: Final = (
    *("palette", "bits-per-sample", "background", "orientation"),
    *("icc-profile-data", "exif-data", "iptc-data", "xmp-data"),
)


def _broken() -> ImageRefused:
    return ImageRefused("The source is broken: it begins like an icon but cannot be read as one.")


def load_ico(data: bytes, limits: Limits, *, deadline: Deadline) -> pyvips.Image:
    """Open the largest picture of an icon file; one that is a PNG keeps its bands.

    As in imgproxy, nothing is known of the picture but its pixels, and the mask that bitmaps in icons have besides
    their pixels is not read: only 32-bit ones can be transparent.
    """
    try:
        inner = _largest_icon(data)
        if inner.startswith(_PNG_SIGNATURE):
            image = pyvips.Image.pngload_buffer(inner, access="sequential").copy()
        else:
            image = load_bmp(_with_file_header(inner), limits, deadline=deadline)
    except struct.error as error:
        raise _broken() from error
    tags.remove(image, *_UNKNOWN_TAGS)
    return image


def _with_file_header(inner: bytes) -> bytes:
    """Make a file of a bitmap in an icon, which has no file header, and whose height counts the mask too."""
    length, _, height = struct.unpack_from("<Iii", inner)
    bits, colours = struct.unpack_from("<H16xI", inner, 14)
    if not colours and bits <= MAX_INDEX_BITS:
        colours = 1 << bits
    header = struct.pack("<2sIHHI", b"BM", 14 + len(inner), 0, 0, 14 + length + 4 * colours)
    return header + inner[:8] + struct.pack("<i", int(height / 2)) + inner[12:]


def _largest_icon(data: bytes) -> bytes:
    _, _, count = _ICON_DIRECTORY.unpack_from(data)
    best: tuple[int, ...] | None = None
    for index in range(min(count, 256)):
        entry = _ICON_ENTRY.unpack_from(data, _ICON_DIRECTORY.size + index * _ICON_ENTRY.size)
        # 0 stands for 256.
        if best is None or entry[0] > best[0] or entry[1] > best[1] or not entry[0] or not entry[1]:
            best = entry
    if best is None or best[6] > _MAX_ICON_BYTES:
        raise _broken()
    return data[best[7] : best[7] + best[6]]


def save_ico(image: pyvips.Image, png: bytes) -> bytes:
    """Wrap an encoded PNG of the picture, at most 256 pixels a side, as an icon file of one picture."""
    bits = 32 if image.hasalpha() else 24
    entry = _ICON_ENTRY.pack(image.width % 256, image.height % 256, 0, 0, 1, bits, len(png), 22)
    return _ICON_DIRECTORY.pack(0, 1, 1) + entry + png
