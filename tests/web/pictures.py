"""Small pictures for tests, drawn once."""

from __future__ import annotations

import functools

import pyvips


def _drawn(width: int = 60, height: int = 40) -> pyvips.Image:
    ramp = pyvips.Image.xyz(width, height)
    red, green = ramp[0] * (255 / width), ramp[1] * (255 / height)
    joined = red.bandjoin(green).bandjoin(90)
    return joined.cast("uchar").copy(interpretation="srgb")


@functools.cache
def jpeg() -> bytes:
    """Give a JPEG of 60 x 40 pixels."""
    return bytes(_drawn().jpegsave_buffer())


@functools.cache
def png() -> bytes:
    """Give a PNG of 30 x 30 pixels."""
    return bytes(_drawn(30, 30).pngsave_buffer())


def size_of(data: bytes) -> tuple[int, int]:
    """Give width and height of an encoded picture."""
    image = pyvips.Image.pngload_buffer(data) if data.startswith(b"\x89PNG") else None
    if image is None:
        load = pyvips.Image.webpload_buffer if data[8:12] == b"WEBP" else pyvips.Image.jpegload_buffer
        image = load(data)
    return image.width, image.height
