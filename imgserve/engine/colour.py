"""Colour spaces of the pipeline: where pixels are worked on, and where the result ends (imgproxy, reference c.6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pyvips

from imgserve.engine import tags
from imgserve.engine.formats import FORMATS
from imgserve.engine.frame import Frame

PROFILE: Final = "icc-profile-data"

_GREY: Final = ("b-w", "grey16")
#: Spaces that every step can work in; their profiles wait until the end.
_PLAIN: Final = ("rgb", "srgb", "rgb16", "scrgb", "grey16", "b-w")
_DEEP: Final = ("grey16", "rgb16", "scrgb")
#: Of a profile only the header is looked at.
_PROFILE_HEADER: Final = 128

#: Header fields of the sRGB IEC61966-2.1 profile that HP made in 1998 and half the world embeds: position, bytes.
_SRGB_MARKS: Final = (
    (8, b"\x02\x10\x00\x00"),
    (16, b"RGB "),
    (24, bytes((7, 206, 0, 2, 0, 9))),
    (48, b"IEC "),
    (52, b"sRGB"),
    (80, b"HP  "),
)


def space_of(image: pyvips.Image) -> str:
    """Give the interpretation of the pixels, by bands and format where the tag cannot be true."""
    tag = str(image.interpretation)
    bands: int = image.bands
    if tag in ("srgb", "rgb", "rgb16", "scrgb") and bands >= 3:
        return tag
    if tag in _GREY or (tag == "cmyk" and bands >= 4):
        return tag
    if tag in ("multiband", "error", "histogram", "matrix") or bands < 3:
        if image.format == "ushort":
            return "grey16" if bands < 3 else "rgb16"
        return "b-w" if bands < 3 else "srgb"
    return tag


def bits_of(image: pyvips.Image) -> int:
    return 16 if image.interpretation in _DEEP else 8


def profile_of(image: pyvips.Image) -> bytes | None:
    """Give the embedded profile, None when there is none worth the name."""
    data = tags.blob(image, PROFILE)
    return data if len(data) >= _PROFILE_HEADER else None


def _is_srgb(image: pyvips.Image, profile: bytes) -> bool:
    return space_of(image) == "srgb" and all(profile.startswith(mark, at) for at, mark in _SRGB_MARKS)


def _connection_space(profile: bytes) -> str:
    return "xyz" if profile.startswith(b"XYZ ", 20) else "lab"


def to_working_space(frame: Frame) -> Frame:
    """Bring the picture to 8-bit sRGB or grey, or 16-bit where that is kept; RGB and grey profiles stay as they are."""
    if frame.in_working_space:
        return frame
    image = frame.image
    space = space_of(image)
    target = _working_space(frame, space)
    frame = replace(frame, in_working_space=True)
    if image.interpretation == target:
        return frame
    if space == "scrgb":
        # The pixels are converted to a gamma-coded space and never back, so the profile would be wrong.
        frame = frame.with_image(_without_profile(image))
    else:
        frame = replace(frame, profile=profile_of(image))
        if space not in _PLAIN:
            frame = import_profile(frame)
    return to_space(frame, target)


def _working_space(frame: Frame, space: str) -> str:
    deep = frame.intent.preserve_hdr and FORMATS[frame.format].deep
    match space:
        case "rgb" | "srgb" | "b-w":
            return space
        case "rgb16":
            return space if deep else "srgb"
        case "grey16":
            return space if deep else "b-w"
        case "cmyk":
            return "srgb"
        case _:
            return "rgb16" if deep else "srgb"


def to_space(frame: Frame, space: str) -> Frame:
    if frame.image.interpretation == space:
        return frame
    return frame.with_image(frame.image.colourspace(space))


def import_profile(frame: Frame) -> Frame:
    """Apply the embedded profile, so that the pixels stand for colours; 8- and 16-bit pictures only."""
    image = frame.image
    if frame.profile_imported or image.coding != "none" or image.format not in ("uchar", "ushort"):
        return frame
    profile = profile_of(image)
    if profile is None or _is_srgb(image, profile):
        return frame
    colour_bands = {"rgb16": 3, "grey16": 1}.get(str(image.interpretation), image.bands)
    try:
        # icc_import takes alpha for 8 bits wide.
        colours = image.extract_band(0, n=colour_bands) if image.bands > colour_bands else image
        imported = colours.icc_import(embedded=True, pcs=_connection_space(profile))
        if colours is not image:
            alpha = image[colour_bands].cast(imported.format).linear([1.0 / 255.0], [0.0])
            imported = imported.bandjoin(alpha)
    except pyvips.Error:
        # A profile that cannot be used is as good as none.
        return frame
    return replace(frame, image=imported, profile_imported=True, profile=frame.profile or profile)


def to_plain_rgb(frame: Frame, *, colourful: bool) -> Frame:
    """Bring the picture to a space that backgrounds and overlays can be given in; to RGB when they are colourful."""
    space = space_of(frame.image)
    target: str
    match space:
        case "b-w":
            target = "srgb" if colourful else space
        case "grey16":
            target = "rgb16" if colourful else space
        case "srgb" | "rgb16":
            target = space
        case _:
            target = "srgb" if frame.image.format in ("uchar", "char") else "rgb16"
    if target == space:
        return frame
    frame = import_profile(frame)
    return frame.with_image(frame.image.colourspace(target))


def flatten(frame: Frame) -> Frame:
    """Put the picture on the background, where one is wanted or the format needs it."""
    background = frame.intent.background
    if (background is None and FORMATS[frame.format].alpha) or not frame.image.hasalpha():
        return frame
    channels = [255, 255, 255] if background is None else [background.red, background.green, background.blue]
    frame = to_plain_rgb(frame, colourful=len(set(channels)) > 1)
    factor = 257 if bits_of(frame.image) == 16 else 1
    return frame.with_image(frame.image.flatten(background=[channel * factor for channel in channels]))


def to_output_space(frame: Frame) -> Frame:
    """End in sRGB or grey without a profile, or in the space of the source's profile with it."""
    keep = not frame.intent.strip_color_profile and FORMATS[frame.format].profile
    image = frame.image
    if frame.profile is not None and not image.get_typeof(PROFILE):
        image = image.copy()
        tags.put_blob(image, PROFILE, frame.profile)
    profile = profile_of(image)
    if profile is not None and not _is_srgb(image, profile):
        try:
            image = _transformed(image, profile, keep=keep, imported=frame.profile_imported)
        except pyvips.Error:
            # The profile does not fit the pixels (a grey one on RGB): they are shown as they are.
            keep = False
    return frame.with_image(image if keep else _without_profile(image))


def _transformed(image: pyvips.Image, profile: bytes, *, keep: bool, imported: bool) -> pyvips.Image:
    if keep and imported:
        return image.icc_export(pcs=_connection_space(profile), depth=bits_of(image))
    if keep or imported:
        return image
    standard = "sGrey" if image.interpretation in _GREY else "sRGB"
    return image.icc_transform(standard, embedded=True, pcs=_connection_space(profile), depth=bits_of(image))


def _without_profile(image: pyvips.Image) -> pyvips.Image:
    if not image.get_typeof(PROFILE):
        return image
    image = image.copy()
    tags.remove(image, PROFILE, "exif-ifd0-WhitePoint", "exif-ifd0-PrimaryChromaticities", "exif-ifd2-ColorSpace")
    return image
