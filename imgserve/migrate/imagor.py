"""imagor: thumbor's grammar with shares, stretch, padding and filters of its own."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_plus

from imgserve.migrate import missing, thumbor
from imgserve.migrate.colours import hex_of
from imgserve.migrate.draft import Draft, focus, integer, number
from imgserve.migrate.thumbor_grammar import Filter, Parts, parse
from imgserve.migrate.urls import Given, absolute, misread
from imgserve.spec.values import ResizingType

_BASE64: Final = "b64:"
_COLOUR_IMAGE: Final = "color:"
_PERCENT: Final = 100
_MS_PER_S: Final = 1000
#: imagor's own formulas: blur(s) has half that sigma, sharpen(s) works with 1 + 2 s.
_BLUR_SHARE: Final = 0.5
_MAX_SHARPEN: Final = 10.0


def translate(given: Given) -> Draft:
    """Translate one URL; raises BadRequest where its source is not known."""
    parts = parse(given.path, hash_first=True)
    draft = Draft(cut_first=True, sized_first=True)
    thumbor.read_parts(draft, parts)
    thumbor.read_filters(draft, parts, FILTERS, MISSING)
    _finish(draft, parts)
    draft.source = absolute(_image(parts.image, given), given, bare_scheme="https")
    if given.query:
        draft.differ(f"?{given.query}", "imagor does not read it; it is left out")
    return draft


def is_own(parts: Parts) -> bool:
    """Tell whether a path has parts that imagor knows and thumbor does not."""
    crop = [parts.values.get(side, "0") for side in ("left", "top", "right", "bottom")]
    return (
        bool({"params", "stretch", "padding"} & set(parts.texts))
        or any("." in side for side in crop)
        or parts.image.startswith((_BASE64, _COLOUR_IMAGE))
        or any(one.name in _OWN_FILTERS for one in parts.filters)
    )


def _image(text: str, given: Given) -> str:
    image = unquote_plus(text)
    if image.startswith(_COLOUR_IMAGE):
        raise misread(given.text, "it asks for a plain colour, and has no source")
    if not image.startswith(_BASE64):
        return image
    encoded = image.removeprefix(_BASE64).rstrip("=")
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, ValueError):
        raise misread(given.text, "what follows b64: is no base64 of a text") from None


def _finish(draft: Draft, parts: Parts) -> None:
    """Fill up and pad: imagor pads only where `fill` paints what is added."""
    fills = draft.extend
    draft.extend = fills and draft.kind is not ResizingType.FORCE and not draft.enlarge
    draft.extend = draft.extend and bool(draft.width and draft.height)
    if "padding" not in parts.texts:
        return
    part = parts.texts["padding"]
    if not fills:
        draft.differ(part, "imagor adds it where there is a fill() only, so it is left out")
        return
    sides = {name: parts.values.get(f"pad_{name}", "") for name in ("left", "top", "right", "bottom")}
    left, top = sides["left"], sides["top"]
    draft.option(part, "padding", top, sides["right"] or left, sides["bottom"] or top, left)


def _blur(draft: Draft, one: Filter) -> None:
    sigma = number(one.get(1) or one.get(0))
    if sigma is None or sigma < 0:
        draft.drop(_part(one), "expected a sigma")
    else:
        draft.option(_part(one), "blur", sigma * _BLUR_SHARE)


def _sharpen(draft: Draft, one: Filter) -> None:
    sigma = number(one.get(1) or one.get(0))
    if sigma is None or sigma < 0:
        draft.drop(_part(one), "expected a sigma")
        return
    draft.option(_part(one), "sharpen", min(1 + 2 * sigma, _MAX_SHARPEN))
    draft.differ(_part(one), "the width is the same, the strength is libvips' own")


def _fill(draft: Draft, one: Filter) -> None:
    draft.extend = True
    thumbor.fill_colour(draft, one, one.get(0).lower())


def _focal(draft: Draft, one: Filter) -> None:
    points = [number(text) for text in re.split("[x:,]", ",".join(one.arguments))]
    values = [value for value in points if value is not None]
    if len(values) != len(points) or len(values) not in (2, 4):
        draft.drop(_part(one), "expected a point or a box")
    elif max(values) > 1 or (len(values) == 2 and max(values) == 1):
        draft.drop(_part(one), thumbor.MISSING["focal"])
    else:
        draft.place = focus((values[0] + values[-2]) / 2, (values[1] + values[-1]) / 2)


def _orient(draft: Draft, one: Filter) -> None:
    degrees = integer(one.get(0))
    if degrees is None:
        draft.drop(_part(one), "expected degrees")
        return
    if draft.mirror_x or draft.mirror_y or draft.turn:
        draft.differ(_part(one), "it is turned after it is mirrored or rotated, not before")
    # Sizes that follow are those of the turned picture, unlike those before a rotate().
    draft.cut_first = draft.sized_first = False
    draft.turn_by(_part(one), -degrees, mirrored=True)


def _proportion(draft: Draft, one: Filter) -> None:
    share = number(one.get(0))
    if share is None or share <= 0:
        draft.drop(_part(one), "a proportion is above 0 and at most 100")
    else:
        share = min(share, _PERCENT)
        draft.option(_part(one), "zoom", share / _PERCENT if share > 1 else share)


def _round_corner(draft: Draft, one: Filter) -> None:
    draft.option(_part(one), "round", one.get(0))
    if one.get(1) and one.get(1) != one.get(0):
        draft.differ(_part(one), "corners are quarters of a circle; the second radius is left out")
    if colour := hex_of(one.get(2)):
        draft.option(_part(one), "background", colour)


def _padding(draft: Draft, one: Filter) -> None:
    sides = one.arguments[1:]
    if not sides:
        draft.drop(_part(one), "expected a colour and sides")
        return
    left, top = sides[0], sides[1] if len(sides) > 1 else sides[0]
    right, bottom = (sides[2], sides[3]) if len(sides) > 3 else (left, top)
    draft.option(_part(one), "padding", top, right, bottom, left)
    thumbor.fill_colour(draft, one, one.get(0).lower())


def _trim(draft: Draft, one: Filter) -> None:
    draft.option(_part(one), "trim", one.get(0) or "1")
    draft.differ(_part(one), "edges are cut off before the picture is resized, not after it")


def _expire(draft: Draft, one: Filter) -> None:
    moment = one.get(0)
    if not moment.isdecimal():
        draft.drop(_part(one), "expected milliseconds since 1970")
    else:
        draft.option(_part(one), "expires", int(moment[:18]) // _MS_PER_S)


def _attachment(draft: Draft, one: Filter) -> None:
    draft.option(_part(one), "return_attachment", 1)
    if one.get(0):
        draft.option(_part(one), "filename", one.get(0).rpartition(".")[0] or one.get(0))


def _autojpg(draft: Draft, one: Filter) -> None:
    draft.format(_part(one), "jpeg")


def _raw(draft: Draft, one: Filter) -> None:
    draft.option(_part(one), "raw", 1)


def _to_colorspace(draft: Draft, one: Filter) -> None:
    if one.get(0).lower() in ("", "srgb"):
        draft.option(_part(one), "strip_color_profile", 1)
    else:
        draft.drop(_part(one), "pictures are converted to sRGB, to nothing else")


def _part(one: Filter) -> str:
    return f"filters:{one.text}"


_SHARED: Final = (
    "background_color",
    "format",
    "max_bytes",
    "no_upscale",
    "quality",
    "rotate",
    "stretch",
    "strip_exif",
    "strip_icc",
    "upscale",
    "watermark",
)

FILTERS: Final[dict[str, thumbor.FilterRule]] = {
    **{name: thumbor.FILTERS[name] for name in _SHARED},
    "attachment": _attachment,
    "autojpg": _autojpg,
    "blur": _blur,
    "expire": _expire,
    "fill": _fill,
    "focal": _focal,
    "orient": _orient,
    "padding": _padding,
    "proportion": _proportion,
    "raw": _raw,
    "round_corner": _round_corner,
    "sharpen": _sharpen,
    "strip_metadata": thumbor.FILTERS["strip_exif"],
    "to_colorspace": _to_colorspace,
    "trim": _trim,
}

MISSING: Final[dict[str, str]] = {
    "annotate_detection": "boxes are drawn with draw_detections:1",
    "bitdepth": missing.ENCODER,
    "brightness": missing.colours("brightness()"),
    "compression": missing.ENCODER,
    "contrast": missing.colours("contrast()"),
    "crop": "nothing is cut out after resizing; crop:<width>:<height>:<gravity> cuts before it",
    "dpi": "vectors are drawn at the size that the result has",
    "grayscale": missing.colours("grayscale(1)"),
    "hue": missing.colours("hue-rotate()"),
    "image": missing.OVERLAY,
    "label": "no text is written on pictures",
    "max_frames": missing.ANIMATION,
    "modulate": missing.COLOURS,
    "page": missing.PAGES,
    "palette": "IMGSERVE_PNG_QUANTIZE is for all PNG of the server",
    "preview": "what is kept is the server's: IMGSERVE_CACHE",
    "rgb": missing.COLOURS,
    "saturation": missing.colours("saturate()"),
    "set_frames": missing.ANIMATION,
    "text": "no text is written on pictures",
}

_OWN_FILTERS: Final = (set(FILTERS) | set(MISSING)) - set(thumbor.FILTERS) - set(thumbor.MISSING)
