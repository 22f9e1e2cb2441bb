"""Pictures that the tests make themselves, and how they are rendered and compared."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pyvips

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import Rendered, render
from imgserve.ops.behaviour import Transform
from imgserve.spec.values import Gravity, GravityType, ResizingType

FILL = ResizingType.FILL
FORCE = ResizingType.FORCE
SMART = Gravity(GravityType.SMART)


def photo(width: int = 200, height: int = 100) -> pyvips.Image:
    """An opaque 8-bit sRGB picture in which every pixel tells where it is."""
    at = pyvips.Image.xyz(width, height)
    x, y = at[0], at[1]
    bands = (x * 255 / width).bandjoin(y * 255 / height).bandjoin((x * 7 + y * 13) % 256)
    return bands.cast("uchar").copy(interpretation="srgb")


def grey(width: int = 200, height: int = 100) -> pyvips.Image:
    return photo(width, height)[2].copy(interpretation="b-w")


def plain(width: int, height: int, channels: list[int]) -> pyvips.Image:
    """A picture of one colour."""
    bands = pyvips.Image.black(width, height, bands=len(channels)).linear([1.0], [float(value) for value in channels])
    return bands.cast("uchar").copy(interpretation="srgb")


def with_alpha(image: pyvips.Image) -> pyvips.Image:
    """The picture with an alpha that runs from transparent on the left to opaque."""
    at = pyvips.Image.xyz(image.width, image.height)
    alpha = (at[0] * 255 / (image.width - 1)).cast("uchar")
    return image.bandjoin(alpha).copy(interpretation=image.interpretation)


def deep(image: pyvips.Image) -> pyvips.Image:
    """The picture with 16 bits a channel, and low bits that are not the high ones."""
    space = "grey16" if image.interpretation == "b-w" else "rgb16"
    return (image * 256 + 31).cast("ushort").copy(interpretation=space)


def turned(image: pyvips.Image, orientation: int) -> pyvips.Image:
    image = image.copy()
    tags.put_integer(image, "orientation", orientation)
    return image


def png(image: pyvips.Image, **options: Any) -> bytes:
    return bytes(image.pngsave_buffer(**options))


def jpeg(image: pyvips.Image, **options: Any) -> bytes:
    return bytes(image.jpegsave_buffer(**{"Q": 90, **options}))


def animated(frames: list[pyvips.Image], *, delays: list[int] | None = None, loop: int = 3) -> pyvips.Image:
    strip = pyvips.Image.arrayjoin(frames, across=1).copy()
    tags.put_integer(strip, "page-height", frames[0].height)
    if delays:
        tags.put_integers(strip, "delay", delays)
    tags.put_integer(strip, "loop", loop)
    return strip


def make(source: bytes, *ops: Transform, config: EngineConfig | None = None, **wanted: Any) -> Rendered:
    """Render with an intent of these fields, as the service would."""
    intent = Intent(**wanted)
    for one in ops:
        intent = one.configure(intent)
    return render(source, intent=intent, transforms=ops, config=config or EngineConfig(), deadline=Deadline(30))


def decoded(data: bytes) -> pyvips.Image:
    """The pixels of encoded bytes as 8-bit sRGB with alpha."""
    return rgba(pyvips.Image.new_from_buffer(data, ""))


def rgba(image: pyvips.Image) -> pyvips.Image:
    if image.interpretation != "srgb":
        image = image.colourspace("srgb")
    if not image.hasalpha():
        image = image.addalpha()
    return image.cast("uchar")


def digest(image: pyvips.Image) -> str:
    """What imgproxy's own tests compare: SHA-256 of the RGBA bytes, with the size so that a mistake can be read."""
    return f"{image.width}x{image.height} {hashlib.sha256(rgba(image).write_to_memory()).hexdigest()}"


def digest_of(data: bytes) -> str:
    return digest(decoded(data))


def pixel(image: pyvips.Image, x: int, y: int) -> list[int]:
    return [round(value) for value in image.getpoint(x, y)]


def pixels(image: pyvips.Image) -> list[list[int]]:
    return [pixel(image, x, y) for y in range(image.height) for x in range(image.width)]


def bmp(bits: int, compression: int, extra: bytes, rows: bytes, *, size: tuple[int, int], colours: int = 0) -> bytes:
    """A file with the oldest header; `extra` is a palette or masks."""
    head = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 54 + len(extra))
    head += struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, compression, len(rows), 0, 0, colours, 0)
    return head + extra + rows
