"""Windows bitmaps and icons, which libvips cannot read or write: Pillow does, this converts."""

from __future__ import annotations

import io
import struct
from typing import Final

import pyvips
from PIL import BmpImagePlugin, IcoImagePlugin, Image

from imgserve.engine import tags
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

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_ICON_DIRECTORY: Final = struct.Struct("<HHH")
_ICON_ENTRY: Final = struct.Struct("<BBBBHHII")
#: An icon has at most 256x256 pixels of 4 bytes; more than this is not one (imgproxy has the same bound).
_MAX_ICON_BYTES: Final = 10 * 1024 * 1024
#: BITMAPFILEHEADER (14 bytes) and BITMAPINFOHEADER up to the bit count.
_BMP_HEAD: Final = struct.Struct("<2sIHHIIiiHH")
_INFO_HEADER_LENGTH: Final = 40
_V5_HEADER_LENGTH: Final = 124
_BI_RGB, _BI_BITFIELDS = 0, 3
_LCS_SRGB: Final = b"BGRs"
_LCS_GM_IMAGES: Final = 4


def _broken(what: str) -> ImageRefused:
    return ImageRefused(f"The source is broken: it begins like {what} but cannot be read as one.")


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1 or (limits.max_src_pixels and width * height > limits.max_src_pixels):
        raise ImageRefused(
            f"The source has {width}x{height} pixels; at most {limits.max_src_pixels} are read.",
            got=f"{width}x{height}",
            expected=f"at most {limits.max_src_pixels} pixels",
        )


def load_bmp(data: bytes, limits: Limits) -> pyvips.Image:
    """Decode a BMP into 3 or 4 bands of sRGB; a palette is remembered for saving."""
    try:
        with BmpImagePlugin.BmpImageFile(io.BytesIO(data)) as picture:
            _check_size(*picture.size, limits)
            alpha = _has_alpha(data)
            paletted = picture.mode in ("1", "L", "P")
            colours = len(picture.palette.colors) if picture.mode == "P" and picture.palette else 2
            if picture.mode == "L":
                colours = 256
            rgba = _raw_alpha(data, picture) if alpha else picture.convert("RGB")
            pixels = rgba.tobytes()
    except _BROKEN as error:
        raise _broken("a BMP") from error
    image = pyvips.Image.new_from_memory(pixels, rgba.width, rgba.height, len(rgba.getbands()), "uchar")
    image = image.copy(interpretation="srgb")
    if paletted:
        depth = 8 if colours > 16 else 4 if colours > 4 else 2 if colours > 2 else 1
        tags.put_integer(image, "palette", 1)
        tags.put_integer(image, "bits-per-sample", depth)
    return image


def _has_alpha(data: bytes) -> bool:
    """Tell whether the fourth byte of 32-bit pixels is alpha: newer headers have a mask that says so."""
    _, _, _, _, _, length, _, _, _, bits = _BMP_HEAD.unpack_from(data)
    if bits != 32:
        return False
    if length <= _INFO_HEADER_LENGTH:
        return bool(length == _INFO_HEADER_LENGTH)
    # The masks of red, green, blue and alpha follow the 40 bytes of the oldest header.
    (mask,) = struct.unpack_from("<I", data, 14 + _INFO_HEADER_LENGTH + 12)
    return bool(mask)


def _raw_alpha(data: bytes, picture: Image.Image) -> Image.Image:
    """Read 32-bit pixels as BGRA, which Pillow would give without alpha."""
    if picture.mode == "RGBA":
        return picture.convert("RGBA")
    offset = struct.unpack_from("<I", data, 10)[0]
    height = struct.unpack_from("<i", data, 22)[0]
    width = picture.width
    rows = data[offset : offset + width * 4 * abs(height)]
    return Image.frombytes("RGBA", picture.size, rows, "raw", "BGRA", width * 4, 1 if height < 0 else -1)


def load_ico(data: bytes, limits: Limits) -> pyvips.Image:
    """Open the largest picture of an icon file; one that is a PNG keeps its bands."""
    try:
        entry, inner = _largest_icon(data)
    except struct.error as error:
        raise _broken("an icon") from error
    if inner.startswith(_PNG_SIGNATURE):
        return pyvips.Image.pngload_buffer(inner, access="sequential")
    try:
        # Sizes as the bitmap says, whose height counts its mask too: Pillow warns where the directory says another.
        _, width, height = struct.unpack_from("<Iii", inner)
        head = _ICON_ENTRY.pack(width % 256, (height // 2) % 256, *entry[2:6], len(inner), 22)
        single = _ICON_DIRECTORY.pack(0, 1, 1) + head + inner
        with IcoImagePlugin.IcoImageFile(io.BytesIO(single)) as picture:
            _check_size(*picture.size, limits)
            rgba = picture.convert("RGBA")
            pixels = rgba.tobytes()
    except _BROKEN as error:
        raise _broken("an icon") from error
    image = pyvips.Image.new_from_memory(pixels, rgba.width, rgba.height, 4, "uchar")
    return image.copy(interpretation="srgb")


def _largest_icon(data: bytes) -> tuple[tuple[int, ...], bytes]:
    _, _, count = _ICON_DIRECTORY.unpack_from(data)
    best: tuple[int, ...] | None = None
    for index in range(min(count, 256)):
        entry = _ICON_ENTRY.unpack_from(data, _ICON_DIRECTORY.size + index * _ICON_ENTRY.size)
        # 0 stands for 256.
        if best is None or entry[0] > best[0] or entry[1] > best[1] or not entry[0] or not entry[1]:
            best = entry
    if best is None or best[6] > _MAX_ICON_BYTES:
        raise _broken("an icon")
    return best, data[best[7] : best[7] + best[6]]


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
    offset = 14 + _V5_HEADER_LENGTH
    header = struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset)
    header += struct.pack(
        "<IiiHHIIiiII4I4s36s3IIIII",
        _V5_HEADER_LENGTH,
        width,
        -height,  # rows from top to bottom
        1,
        bands * 8,
        _BI_BITFIELDS if bands == 4 else _BI_RGB,
        len(rows),
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
    return header + rows


def save_ico(image: pyvips.Image, png: bytes) -> bytes:
    """Wrap an encoded PNG of the picture, at most 256 pixels a side, as an icon file of one picture."""
    bits = 32 if image.hasalpha() else 24
    entry = _ICON_ENTRY.pack(image.width % 256, image.height % 256, 0, 0, 1, bits, len(png), 22)
    return _ICON_DIRECTORY.pack(0, 1, 1) + entry + png
