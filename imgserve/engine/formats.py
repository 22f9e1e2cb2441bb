"""The table of picture formats, and which one some bytes are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What a format can hold, and what this server can do with it."""

    name: str
    mime: str
    extension: str
    alpha: bool = True
    #: Has a quality to choose.
    quality: bool = False
    animation_save: bool = False
    #: Holds a colour profile.
    profile: bool = False
    #: Holds 16 bits a channel.
    deep: bool = False
    #: May carry a thumbnail of itself.
    thumbnail: bool = False
    vector: bool = False
    #: There is a decoder, and an encoder.
    load: bool = True
    save: bool = True
    #: Bounds of the format on a result: pixels a side, pixels in all; 0 = none.
    max_side: int = 0
    max_pixels: int = 0


#: The largest 32-bit signed number / 4: what cgif can hold of RGBA pixels.
_GIF_PIXELS: Final = (2**31 - 1) // 4

FORMATS: Final[dict[str, Format]] = {
    one.name: one
    for one in (
        Format(name="jpeg", mime="image/jpeg", extension=".jpg", alpha=False, quality=True, profile=True),
        Format(
            name="jxl",
            mime="image/jxl",
            extension=".jxl",
            quality=True,
            profile=True,
            deep=True,
            load=False,
            save=False,
        ),
        Format(name="png", mime="image/png", extension=".png", profile=True, deep=True),
        Format(
            name="webp",
            mime="image/webp",
            extension=".webp",
            quality=True,
            animation_save=True,
            profile=True,
            max_side=16_383,  # WEBP_MAX_DIMENSION of libwebp
        ),
        Format(
            name="gif",
            mime="image/gif",
            extension=".gif",
            animation_save=True,
            max_side=65_535,
            max_pixels=_GIF_PIXELS,
        ),
        Format(name="ico", mime="image/x-icon", extension=".ico", max_side=256),
        Format(name="svg", mime="image/svg+xml", extension=".svg", vector=True, save=False),
        Format(
            name="heic",
            mime="image/heif",
            extension=".heic",
            quality=True,
            profile=True,
            thumbnail=True,
            max_side=16_384,
            load=False,
            save=False,
        ),
        Format(
            name="avif",
            mime="image/avif",
            extension=".avif",
            quality=True,
            profile=True,
            deep=True,
            thumbnail=True,
            max_side=16_384,  # of libvips' heifsave
        ),
        Format(name="bmp", mime="image/bmp", extension=".bmp"),
        Format(name="tiff", mime="image/tiff", extension=".tiff", quality=True, profile=True, deep=True),
    )
}

#: The format is known by these; so far the first element of an SVG is looked for.
SNIFFED_BYTES: Final = 32 * 1024

_JXL_BOX: Final = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_HEIC_BRANDS: Final = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1")
_AVIF_BRANDS: Final = (b"avif", b"avis")
_TIFF_HEADS: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

#: What may stand before the first element: white space, processing instructions, comments, a document type.
_XML_PROLOGUE: Final = re.compile(
    r"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^\[>\"']|\"[^\"]*\"|'[^']*')*(?:\[.*?\]\s*)?>)", re.DOTALL
)
_SVG_ELEMENT: Final = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?svg[\s/>]")


def sniff(data: bytes) -> str | None:
    """Name the format of encoded bytes by their content alone, None when it is no known picture."""
    head = data[:32]
    if head.startswith(b"\xff\xd8"):
        return "jpeg"
    if head.startswith((b"\xff\x0a", _JXL_BOX)):
        return "jxl"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if re.match(rb"GIF8.a", head, re.DOTALL):
        return "gif"
    if head.startswith(b"\x00\x00\x01\x00"):
        return "ico"
    if head[4:8] == b"ftyp":
        return _sniff_heif(data)
    if head.startswith(b"BM"):
        return "bmp"
    if head.startswith(_TIFF_HEADS):
        return "tiff"
    return "svg" if _is_svg(data[:SNIFFED_BYTES]) else None


def _sniff_heif(data: bytes) -> str | None:
    """Tell AVIF from HEIC; a general brand says it in its list of compatible ones."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    major = data[8:12]
    others = [data[at : at + 4] for at in range(16, size - 3, 4)]
    if major in _AVIF_BRANDS or (major in (b"mif1", b"msf1") and any(brand in _AVIF_BRANDS for brand in others)):
        return "avif"
    return "heic" if major in _HEIC_BRANDS else None


def _is_svg(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", "ignore")
    else:
        text = head.decode("utf-8", "ignore").removeprefix("\ufeff")
    if "<" not in text[:1024]:
        return False
    at = 0
    while found := _XML_PROLOGUE.match(text, at):
        at = found.end()
    return _SVG_ELEMENT.match(text, at) is not None
