"""Windows bitmaps, which libvips cannot read or write: Pillow does most of it, this converts."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyvips
from PIL import BmpImagePlugin, Image

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import Limits
from imgserve.errors import ImageRefused

#: What Pillow's decoders raise on bytes that are not what they should be.
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
)

#: BITMAPFILEHEADER (14 bytes) and BITMAPINFOHEADER up to the bit count.
_BMP_HEAD: Final = struct.Struct("<2sIHHIIiiHH")
_INFO_HEADER_LENGTH: Final = 40
_V5_HEADER_LENGTH: Final = 124
_BI_RGB, _BI_RLE8, _BI_RLE4, _BI_BITFIELDS = 0, 1, 2, 3
#: What follows a zero in run-length encoded rows: end of the line, (1, end of the picture,) go right and on.
_RLE_LINE, _RLE_DELTA = 0, 2
#: Run lengths between two looks at the clock: some milliseconds.
_RUNS_UNCHECKED: Final = 4096
#: Marks a pixel that run lengths leave out: all of it is painted over.
_MISSING: Final = 255
#: More bits than these are colours and not numbers in a palette.
MAX_INDEX_BITS: Final = 8
_MASKS_565: Final = (0xF800, 0x7E0, 0x1F)
#: Pillow spreads 5 and 6 bits over all of 0..255; this takes the spread bits away again, for red, green and blue.
_UNSPREAD_565: Final = [value & keep for keep in (0xF8, 0xFC, 0xF8) for value in range(256)]
_LCS_SRGB: Final = b"BGRs"
_LCS_GM_IMAGES: Final = 4


def _broken() -> ImageRefused:
    return ImageRefused("The source is broken: it begins like a BMP but cannot be read as one.")


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1 or (limits.max_src_pixels and width * height > limits.max_src_pixels):
        raise ImageRefused(
            f"The source has {width}x{height} pixels; at most {limits.max_src_pixels} are read.",
            got=f"{width}x{height}",
            expected=f"at most {limits.max_src_pixels} pixels",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What the headers of a BMP say."""

    #: Where the pixels begin, and how long the information header is, from byte 14 on.
    offset: int
    length: int
    width: int
    height: int
    #: The first row in the file is the upper one.
    top_down: bool
    bits: int
    compression: int
    colours: int
    #: Bits of red, green, blue and alpha in a pixel; 0 where the header has no mask.
    masks: tuple[int, int, int, int]

    @staticmethod
    def of(data: bytes) -> _Head:
        _, _, _, _, offset, length, width, height, _, bits = _BMP_HEAD.unpack_from(data)
        compression, colours = struct.unpack_from("<I12xI", data, 30)
        # Masks are part of newer headers, and come after the oldest one when it says that they do.
        room = length - _INFO_HEADER_LENGTH
        if not room and compression == _BI_BITFIELDS:
            room = offset - 14 - length
        masks = [int.from_bytes(data[at : at + 4], "little") for at in range(54, 54 + min(room, 16) // 4 * 4, 4)]
        masks += [0] * (4 - len(masks))
        return _Head(
            offset=offset,
            length=length,
            width=width,
            height=abs(height),
            top_down=height < 0,
            bits=bits,
            compression=compression,
            colours=colours or (1 << bits if bits <= MAX_INDEX_BITS else 0),
            masks=(masks[0], masks[1], masks[2], masks[3]),
        )

    @property
    def indexed(self) -> bool:
        return self.bits in (1, 2, 4, MAX_INDEX_BITS) and self.compression in (_BI_RGB, _BI_RLE8, _BI_RLE4)

    @property
    def alpha(self) -> bool:
        """The fourth byte of a pixel is alpha: newer headers have a mask that says so, the oldest implies it."""
        if self.bits != 32:
            return False
        return bool(self.masks[3]) if any(self.masks) else self.length == _INFO_HEADER_LENGTH

    @property
    def is_565(self) -> bool:
        return self.bits == 16 and self.compression == _BI_BITFIELDS and self.masks[:3] == _MASKS_565

    @property
    def order(self) -> int:
        """Give the order of rows as Pillow numbers it."""
        return 1 if self.top_down else -1


def load_bmp(data: bytes, limits: Limits, *, deadline: Deadline) -> pyvips.Image:
    """Decode a BMP into 3 or 4 bands of sRGB; a palette is remembered for saving.

    Pixels are those of imgproxy's own decoder where they differ from Pillow's: 5 and 6 bits are not spread to 8, and
    what a run-length encoded picture leaves out is black.
    """
    try:
        (length,) = struct.unpack_from("<I", data, 14)
        head = _Head.of(data) if length >= _INFO_HEADER_LENGTH else None
        if head is not None:
            _check_size(head.width, head.height, limits)
        indexed = head is not None and head.indexed
        picture = _indexed(data, head, deadline) if head is not None and indexed else _direct(data, head, limits)
        pixels = picture.tobytes()
    except _BROKEN as error:
        raise _broken() from error
    image = pyvips.Image.new_from_memory(pixels, picture.width, picture.height, len(picture.getbands()), "uchar")
    image = image.copy(interpretation="srgb")
    if head is not None and indexed:
        tags.put_integer(image, "palette", 1)
        tags.put_integer(image, "bits-per-sample", _depth(head.colours))
    return image


def _depth(colours: int) -> int:
    return 8 if colours > 16 else 4 if colours > 4 else 2 if colours > 2 else 1


def _indexed(data: bytes, head: _Head, deadline: Deadline) -> Image.Image:
    size = (head.width, head.height)
    first = 14 + head.length
    palette = data[first : first + 4 * min(head.colours, 1 << head.bits)]
    # Some writers leave out how far the pixels are.
    start = head.offset if head.offset > first else first + len(palette)
    gaps: Image.Image | None = None
    if head.compression == _BI_RGB:
        stride = (head.width * head.bits + 31) // 32 * 4
        rows = data[start : start + stride * head.height]
        mode = f"P;{head.bits}" if head.bits < MAX_INDEX_BITS else "P"
        picture = Image.frombytes("P", size, rows, "raw", mode, stride, head.order)
    else:
        indices, missing = _run_lengths(data, start, head, deadline)
        picture = Image.frombytes("P", size, indices, "raw", "P", 0, head.order)
        if _MISSING in missing:
            gaps = Image.frombytes("L", size, missing, "raw", "L", 0, head.order)
    picture.putpalette(palette, "BGRX")
    picture = picture.convert("RGB")
    if gaps is not None:
        picture.paste((0, 0, 0), mask=gaps)
    return picture


def _run_lengths(data: bytes, start: int, head: _Head, deadline: Deadline) -> tuple[bytearray, bytearray]:
    """Expand run-length encoded rows into one byte a pixel; also tell which pixels nothing was said of."""
    indices = bytearray(head.width * head.height)
    missing = bytearray((_MISSING,)) * (head.width * head.height)
    for place, run in _runs(data, start, head, deadline):
        end = place + len(run)
        indices[place:end] = run
        missing[place:end] = bytes(len(run))
    return indices, missing


def _runs(data: bytes, start: int, head: _Head, deadline: Deadline) -> Iterator[tuple[int, bytes]]:
    """Give the pixels that instructions paint, and where each run of them begins."""
    width, height, bits = head.width, head.height, head.bits
    at, x, y = start, 0, 0
    # Each one paints a pixel, ends a row or jumps over something; a file with more of them is there to take time.
    for number in range(2 * (width + 1) * height + _RUNS_UNCHECKED):
        if number % _RUNS_UNCHECKED == 0:
            deadline.check()
        if y >= height:
            return
        count, value = data[at], data[at + 1]
        at += 2
        if count or value > _RLE_DELTA:
            # One pixel again and again, or pixels one by one, filled up to an even number of bytes.
            size = 0 if count else (value * bits + 15) // 16 * 2
            packed = data[at - 1 : at] * count if count else data[at : at + size]
            # A row that is too long does not run on into the next.
            run = _unpacked(packed, bits)[: min(count or value, width - x)]
            yield y * width + x, run
            at += size
            x += len(run)
        elif value == _RLE_DELTA:
            x, y = min(x + data[at], width), y + data[at + 1]
            at += 2
        elif value == _RLE_LINE:
            x, y = 0, y + 1
        else:
            return


def _unpacked(packed: bytes, bits: int) -> bytes:
    if bits == MAX_INDEX_BITS:
        return packed
    return bytes(half for both in packed for half in (both >> 4, both & 15))


def _direct(data: bytes, head: _Head | None, limits: Limits) -> Image.Image:
    with BmpImagePlugin.BmpImageFile(io.BytesIO(data)) as picture:
        _check_size(*picture.size, limits)
        if head is None or not head.alpha:
            rgb = picture.convert("RGB")
            return rgb.point(_UNSPREAD_565) if head is not None and head.is_565 else rgb
        if picture.mode == "RGBA":
            return picture.convert("RGBA")
    # Pillow takes the fourth byte for padding.
    rows = data[head.offset : head.offset + head.width * 4 * head.height]
    return Image.frombytes("RGBA", (head.width, head.height), rows, "raw", "BGRA", head.width * 4, head.order)


def _as_8_bit_rgb(image: pyvips.Image) -> pyvips.Image:
    if image.interpretation != "srgb":
        image = image.colourspace("srgb")
    return image if image.format == "uchar" else image.cast("uchar")


def save_bmp(image: pyvips.Image) -> bytes:
    """Encode as an uncompressed BMP of 24 bits, or of 32 with alpha, with a version 5 header that says so."""
    image = _as_8_bit_rgb(image)
    bands = 4 if image.bands > 3 else 3
    if image.bands > bands:
        image = image.extract_band(0, n=bands)
    width, height = image.width, image.height
    stride = (width * bands + 3) & ~3
    mode, raw = ("RGBA", "BGRA") if bands == 4 else ("RGB", "BGR")
    picture = Image.frombuffer(mode, (width, height), image.write_to_memory(), "raw", mode, 0, 1)
    rows = picture.tobytes("raw", raw, stride, 1)
    return _v5_headers(width, height, bands=bands, size=len(rows)) + rows


def _v5_headers(width: int, height: int, *, bands: int, size: int) -> bytes:
    offset = 14 + _V5_HEADER_LENGTH
    header = struct.pack("<2sIHHI", b"BM", offset + size, 0, 0, offset)
    return header + struct.pack(
        "<IiiHHIIiiII4I4s36s3IIIII",
        _V5_HEADER_LENGTH,
        width,
        -height,  # rows from top to bottom
        1,
        bands * 8,
        _BI_BITFIELDS if bands == 4 else _BI_RGB,
        size,
        0,
        0,
        0,
        0,
        0x00FF0000,
        0x0000FF00,
        0x000000FF,
        0xFF000000 if bands == 4 else 0,
        _LCS_SRGB,
        bytes(36),
        0,
        0,
        0,
        _LCS_GM_IMAGES,
        0,
        0,
        0,
    )
