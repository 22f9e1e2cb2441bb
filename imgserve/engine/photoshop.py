"""What Photoshop puts into pictures: its resources, and of those the resolution."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

#: Each resource begins with it; JPEG segments have a title before the first one.
_MARK: Final = b"8BIM"
#: Kind of the resource, and the length of its name.
_HEAD: Final = struct.Struct(">4sHB")
_SIZE: Final = struct.Struct(">I")
#: Photoshop writes some thirty; a file of empty ones could have millions, which take a second for each 15 MB.
_MAX_RESOURCES: Final = 1000

IPTC_RESOURCE: Final = 0x0404
_RESOLUTION_RESOURCE: Final = 0x03ED
#: Across and down: a number with 16 bits after the point, its unit, and the unit that sizes are shown in.
_RESOLUTION: Final = struct.Struct(">IHHIHH")
_FRACTION: Final = 65536
_RESOLUTION_UNITS: Final = {1: "inches", 2: "cm"}
_SIZE_UNITS: Final = {1: "inches", 2: "cm", 3: "points", 4: "picas", 5: "columns"}


def resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give kind and content of each resource, up to the first that is broken."""
    at = data.find(_MARK)
    for _ in range(_MAX_RESOURCES if at >= 0 else 0):
        if at + _HEAD.size > len(data):
            return
        mark, kind, name = _HEAD.unpack_from(data, at)
        # The name is padded to even length together with its length byte.
        size_at = at + _HEAD.size - 1 + ((name + 2) & ~1)
        start = size_at + _SIZE.size
        if mark != _MARK or start > len(data):
            return
        [size] = _SIZE.unpack_from(data, size_at)
        if start + size > len(data):
            return
        yield kind, data[start : start + size]
        at = start + size + size % 2


def resolution(data: bytes) -> dict[str, Any]:
    """Give the resolution that resources tell, empty where they tell none."""
    found = next((content for kind, content in resources(data) if kind == _RESOLUTION_RESOURCE), b"")
    if len(found) < _RESOLUTION.size:
        return {}
    across, across_unit, width_unit, down, down_unit, height_unit = _RESOLUTION.unpack_from(found)
    return {
        "XResolution": round(across / _FRACTION, 4),
        "XResolutionUnit": _RESOLUTION_UNITS.get(across_unit, "unknown"),
        "WidthUnit": _SIZE_UNITS.get(width_unit, "unknown"),
        "YResolution": round(down / _FRACTION, 4),
        "YResolutionUnit": _RESOLUTION_UNITS.get(down_unit, "unknown"),
        "HeightUnit": _SIZE_UNITS.get(height_unit, "unknown"),
    }
