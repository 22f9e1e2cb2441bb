"""A picture's tags (libvips metadata), read and written with the types they have."""

from __future__ import annotations

from typing import Any, cast

import pyvips
from pyvips import GValue


def integer(image: pyvips.Image, name: str, default: int) -> int:
    """Give a number, `default` when the tag is missing or something else."""
    if not image.get_typeof(name):
        return default
    value: Any = image.get(name)
    return value if isinstance(value, int) else default


def integers(image: pyvips.Image, name: str) -> tuple[int, ...]:
    if not image.get_typeof(name):
        return ()
    value: Any = image.get(name)
    return tuple(value) if isinstance(value, list) else ()


def blob(image: pyvips.Image, name: str) -> bytes:
    """Give the bytes of a tag, empty when it is missing."""
    if not image.get_typeof(name):
        return b""
    value: Any = image.get(name)
    return value if isinstance(value, bytes) else b""


def put_integer(image: pyvips.Image, name: str, value: int) -> None:
    """Set a number; the picture must be the caller's own, fresh from an operation."""
    image.set_type(GValue.gint_type, name, value)


def put_integers(image: pyvips.Image, name: str, values: list[int]) -> None:
    image.set_type(GValue.array_int_type, name, values)


def put_blob(image: pyvips.Image, name: str, value: bytes) -> None:
    image.set_type(GValue.blob_type, name, cast(Any, value))


def remove(image: pyvips.Image, *names: str) -> None:
    """Take tags away; the picture must be the caller's own, fresh from an operation."""
    for name in names:
        if image.get_typeof(name):
            image.remove(name)


def orientation(image: pyvips.Image) -> int:
    """Give the EXIF orientation, 1 when there is none."""
    return integer(image, "orientation", 1)
