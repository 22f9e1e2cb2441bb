"""EXIF as text: every tag by its name, with its value as people write it."""

from __future__ import annotations

import re
from typing import Final

import pyvips

#: Of the picture, its camera and its place; number 1 is about the thumbnail inside, with the same names.
_FIELD: Final = re.compile(r"exif-ifd[0234]-(.+)", re.DOTALL)
#: libvips says everything twice: `28/10 (f/2.8, Rational, 1 components, 8 bytes)`.
_VALUE: Final = re.compile(r"(.*), [A-Za-z]+, [0-9]+ components, [0-9]+ bytes\)", re.DOTALL)
#: What libexif calls a value whose meaning it does not know; the number in front of it still says something.
_UNKNOWN: Final = "Internal error"

#: Longer values are a maker's own data, or no text; cut, they still say that they are there.
_MAX_VALUE: Final = 1024
_MAX_TAGS: Final = 500

#: Names that imgproxy's answers have, where they are more than the words of the tag's own name.
_TITLES: Final = {
    "Make": "Manufacturer",
    "XResolution": "X-Resolution",
    "YResolution": "Y-Resolution",
    "YCbCrPositioning": "YCbCr Positioning",
    "DateTime": "Date and Time",
    "DateTimeOriginal": "Date and Time (Original)",
    "DateTimeDigitized": "Date and Time (Digitized)",
    "SubSecTime": "Sub-second Time",
    "SubSecTimeOriginal": "Sub-second Time (Original)",
    "SubSecTimeDigitized": "Sub-second Time (Digitized)",
    "FNumber": "F-Number",
    "ShutterSpeedValue": "Shutter Speed",
    "ApertureValue": "Aperture",
    "BrightnessValue": "Brightness",
    "ExposureBiasValue": "Exposure Bias",
    "MaxApertureValue": "Maximum Aperture Value",
    "FlashpixVersion": "FlashPixVersion",
    "FocalPlaneXResolution": "Focal Plane X-Resolution",
    "FocalPlaneYResolution": "Focal Plane Y-Resolution",
    "FocalLengthIn35mmFilm": "Focal Length in 35mm Film",
    "GPSLatitude": "Latitude",
    "GPSLatitudeRef": "North or South Latitude",
    "GPSLongitude": "Longitude",
    "GPSLongitudeRef": "East or West Longitude",
    "GPSAltitude": "Altitude",
    "GPSAltitudeRef": "Altitude Reference",
}
#: Between small and capital letters, and before the last capital of a row of them (ISOSpeed).
_BETWEEN_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def read_exif(image: pyvips.Image) -> dict[str, str]:
    """Give the tags of a picture by their canonical names (`DateTimeOriginal`), as far as they are text."""
    out: dict[str, str] = {}
    for field in _fields(image)[:_MAX_TAGS]:
        found = _FIELD.fullmatch(field)
        if found is not None and (value := _text(image, field)) is not None:
            out[found[1]] = value
    return out


def title_of(name: str) -> str:
    """Give the name of a tag for people: `Date and Time (Original)`."""
    return _TITLES.get(name) or _BETWEEN_WORDS.sub(" ", name)


def _fields(image: pyvips.Image) -> list[str]:
    try:
        return [field for field in image.get_fields() if field.startswith("exif-ifd")]
    except UnicodeDecodeError:
        # Comments of PNG become names of fields; with one that is no text, the tags cannot be gone through.
        return []


def _text(image: pyvips.Image, field: str) -> str | None:
    try:
        value = image.get(field)
    except UnicodeDecodeError:
        return None
    return value_of(value)[:_MAX_VALUE] if isinstance(value, str) else None


def value_of(text: str) -> str:
    """Take what is for people out of libvips' text of a tag: `f/2.8` of the example above."""
    found = _VALUE.fullmatch(text)
    if found is None:
        return text
    both = found[1]
    half = (len(both) - len(" (")) // 2
    if both == f"{both[:half]} ({both[:half]}":
        return both[:half]
    # Where they differ, the raw value is numbers, without any bracket.
    raw, _, shown = both.partition(" (")
    return raw if shown.startswith(_UNKNOWN) else shown
