"""thumbor: `/<hash or unsafe>/<crop>/<fit-in>/<size>/<align>/<smart>/filters:…/<source>`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote

from imgserve.migrate import missing
from imgserve.migrate.colours import hex_of
from imgserve.migrate.draft import Crop, Draft, corner, integer, number
from imgserve.migrate.thumbor_grammar import Filter, Parts, parse
from imgserve.migrate.urls import Given, absolute
from imgserve.spec.values import Gravity, GravityType, ResizingType

FilterRule = Callable[[Draft, Filter], None]

_PLACES: Final = {
    ("left", "top"): GravityType.NORTH_WEST,
    ("left", "middle"): GravityType.WEST,
    ("left", "bottom"): GravityType.SOUTH_WEST,
    ("center", "top"): GravityType.NORTH,
    ("center", "middle"): GravityType.CENTER,
    ("center", "bottom"): GravityType.SOUTH,
    ("right", "top"): GravityType.NORTH_EAST,
    ("right", "middle"): GravityType.EAST,
    ("right", "bottom"): GravityType.SOUTH_EAST,
}
#: Radii above it are cut off by thumbor.
_MAX_BLUR_RADIUS: Final = 150
#: The largest sigma of imgserve's `sharpen`.
_MAX_SHARPEN: Final = 10.0


def translate(given: Given) -> Draft:
    """Translate one URL; raises BadRequest where its source is not known."""
    parts = parse(given.path, hash_first=False)
    draft = Draft(cut_first=True, sized_first=True)
    read_parts(draft, parts)
    read_filters(draft, parts, FILTERS, MISSING)
    # Only fit-in leaves room; and a side that follows from the other leaves none.
    draft.extend = draft.extend and draft.kind is ResizingType.FIT and bool(draft.width and draft.height)
    draft.source = absolute(unquote(parts.image), given, bare_scheme="http")
    if given.query:
        draft.differ(f"?{given.query}", "thumbor does not read it; it is left out")
    return draft


def read_parts(draft: Draft, parts: Parts) -> None:
    """Read what stands before the filters."""
    texts, values = parts.texts, parts.values
    for name in ("debug", "meta", "params"):
        if name in texts:
            draft.drop(texts[name], missing.PARTS[name])
    if "trim" in texts:
        draft.option(texts["trim"], "trim", values.get("tolerance", "0"))
        if values.get("corner") == "bottom-right":
            draft.differ(texts["trim"], "the colour is that of the top left pixel; trim:<threshold>:<colour> names one")
    if "crop" in texts:
        _read_crop(draft, [float(values[name]) for name in ("left", "top", "right", "bottom")])
        if "trim" in texts:
            draft.differ(texts["crop"], "it is measured in what is left after trimming")
    _read_size(draft, parts)
    draft.mirror_x, draft.mirror_y = "flip" in values, "flop" in values
    smart = Gravity(GravityType.SMART) if "smart" in texts else None
    draft.place = smart or Gravity(_PLACES[values.get("halign", "center"), values.get("valign", "middle")])
    if smart and draft.kind is ResizingType.FILL and draft.width and draft.height:
        draft.differ("smart", "the liveliest part is kept as libvips finds it; for faces, put gravity:obj:face instead")


def _read_crop(draft: Draft, box: list[float]) -> None:
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        return  # the other servers pass over it, too
    shares = max(left, top) < 1 and max(right, bottom) <= 1
    width, height = right - left, bottom - top
    if shares:
        # A share of 1 is the whole side, which is written 0.
        width, height = (0.0 if one >= 1 else one for one in (width, height))
    draft.crop = Crop(width=round(width, 6), height=round(height, 6), place=corner(left, top))


def _read_size(draft: Draft, parts: Parts) -> None:
    texts, values = parts.texts, parts.values
    width, height = values.get("width", "0"), values.get("height", "0")
    fits = "fit" in texts
    draft.kind = ResizingType.FIT if fits else ResizingType.FILL
    draft.enlarge = not fits
    if "stretch" in texts:
        draft.kind = ResizingType.FORCE
    if "orig" in (width, height):
        _read_original_size(draft, parts, width, height)
    else:
        draft.width, draft.height = int(width), int(height)
    if "full" in values and draft.width and draft.height:
        draft.kind, draft.enlarge = ResizingType.FILL, True
        draft.differ(texts["fit"], missing.OUTSIDE)
    if "adaptive" in values and draft.width != draft.height:
        draft.drop(texts["fit"], "the box is not turned to suit the picture; resize:fit is what is left of it")


def _read_original_size(draft: Draft, parts: Parts, width: str, height: str) -> None:
    """Read a side that is to be as long as the source's."""
    draft.width, draft.height = int(width.replace("orig", "0")), int(height.replace("orig", "0"))
    if width == height or draft.kind is ResizingType.FIT:
        return
    part = parts.texts["size"]
    if draft.crop is not None or draft.kind is ResizingType.FORCE:
        draft.drop(part, "the size of the source cannot be named; give both sides in pixels")
    elif draft.width or draft.height:
        align = parts.values.get("halign", "center"), parts.values.get("valign", "middle")
        place = Gravity(GravityType.SMART) if "smart" in parts.texts else Gravity(_PLACES[align])
        draft.crop = Crop(width=float(draft.width), height=float(draft.height), place=place)
        draft.differ(part, "it is a crop, and enlarges nothing where the source is too small")
    draft.width = draft.height = 0


def read_filters(draft: Draft, parts: Parts, rules: Mapping[str, FilterRule], absent: Mapping[str, str]) -> None:
    """Read the filters in their order."""
    for one in parts.filters:
        rule = rules.get(one.name)
        if rule is not None:
            rule(draft, one)
        else:
            draft.drop(f"filters:{one.text}", absent.get(one.name, "there is no such filter"))


def _quality(draft: Draft, one: Filter) -> None:
    draft.quality(_part(one), one.get(0))


def _format(draft: Draft, one: Filter) -> None:
    draft.format(_part(one), one.get(0))


def _blur(draft: Draft, one: Filter) -> None:
    radius, sigma = integer(one.get(0)), number(one.get(1) or "0")
    if radius is None or radius <= 0 or sigma is None or sigma < 0:
        draft.drop(_part(one), "expected a radius in pixels, and a sigma if wanted")
        return
    draft.option(_part(one), "blur", round(cut_sigma(min(radius, _MAX_BLUR_RADIUS), sigma or radius), 2))


def cut_sigma(radius: int, sigma: float) -> float:
    """Give the standard deviation of a Gaussian kernel that ends `radius` pixels from its middle.

    thumbor's usual `blur(r)` ends at one sigma: what it does is little more than half of what it says.
    """
    weights = [math.exp(-(at * at) / (2 * sigma * sigma)) for at in range(-radius, radius + 1)]
    spread = sum(weight * at * at for weight, at in zip(weights, range(-radius, radius + 1), strict=True))
    return math.sqrt(spread / sum(weights))


def _sharpen(draft: Draft, one: Filter) -> None:
    radius = number(one.get(1))
    if radius is None or radius < 0:
        draft.drop(_part(one), "expected amount, radius and true or false")
        return
    draft.option(_part(one), "sharpen", min(radius, _MAX_SHARPEN))
    draft.differ(_part(one), "sharpen has the radius alone, and its own strength")


def _fill(draft: Draft, one: Filter) -> None:
    draft.extend = True
    fill_colour(draft, one, one.get(0).lower())


def fill_colour(draft: Draft, one: Filter, colour: str) -> None:
    """Add the colour of a fill; what is no colour leaves transparency."""
    if colour in ("transparent", "none"):
        return
    found = hex_of(colour)
    if found is not None:
        draft.option(_part(one), "background", found)
    else:
        why = missing.FILLS.get(colour, "it is no opaque colour")
        draft.drop(_part(one), f"{why}; transparency fills the picture up, background:<colour> puts a colour there")


def _background(draft: Draft, one: Filter) -> None:
    found = hex_of(one.get(0))
    if found is None:
        draft.drop(_part(one), "it is no opaque colour")
    else:
        draft.option(_part(one), "background", found)


def _rotate(draft: Draft, one: Filter) -> None:
    degrees = integer(one.get(0))
    if degrees is None:
        draft.drop(_part(one), "expected degrees")
    else:
        # Counted the other way round.
        draft.turn_by(_part(one), -degrees, mirrored=True)


def _round_corner(draft: Draft, one: Filter) -> None:
    radius, _, other = one.get(0).partition("|")
    draft.option(_part(one), "round", radius)
    if other and other != radius:
        draft.differ(_part(one), "corners are quarters of a circle; the second radius is left out")
    if one.get(4).lower() not in ("1", "true") and len(one.arguments) > 3:
        draft.option(_part(one), "background", *one.arguments[1:4])


def _watermark(draft: Draft, one: Filter) -> None:
    draft.drop(_part(one), missing.watermark(one.arguments[1:]))


def _no_upscale(draft: Draft, one: Filter) -> None:
    draft.enlarge = False


def _upscale(draft: Draft, one: Filter) -> None:
    draft.enlarge = True


def _stretch(draft: Draft, one: Filter) -> None:
    draft.kind, draft.enlarge = ResizingType.FORCE, True


def _proportion(draft: Draft, one: Filter) -> None:
    share = number(one.get(0))
    if share is None or not 0 < share <= 1:
        draft.drop(_part(one), "a proportion is above 0 and at most 1")
    else:
        draft.option(_part(one), "zoom", share)


def _max_bytes(draft: Draft, one: Filter) -> None:
    draft.option(_part(one), "max_bytes", one.get(0))


def _strip_exif(draft: Draft, one: Filter) -> None:
    draft.option(_part(one), "strip_metadata", 1)


def _strip_icc(draft: Draft, one: Filter) -> None:
    draft.option(_part(one), "strip_color_profile", 1)


def _part(one: Filter) -> str:
    return f"filters:{one.text}"


FILTERS: Final[dict[str, FilterRule]] = {
    "background_color": _background,
    "blur": _blur,
    "fill": _fill,
    "format": _format,
    "max_bytes": _max_bytes,
    "no_upscale": _no_upscale,
    "proportion": _proportion,
    "quality": _quality,
    "rotate": _rotate,
    "round_corner": _round_corner,
    "sharpen": _sharpen,
    "stretch": _stretch,
    "strip_exif": _strip_exif,
    "strip_icc": _strip_icc,
    "upscale": _upscale,
    "watermark": _watermark,
}

MISSING: Final[dict[str, str]] = {
    "autojpg": "a PNG stays one; format:jpeg, or negotiate:1, makes it smaller",
    "brightness": missing.colours("brightness()"),
    "colorize": missing.COLOURS,
    "contrast": missing.colours("contrast()"),
    "convolution": missing.COLOURS,
    "cover": missing.ANIMATION,
    "curve": missing.COLOURS,
    "equalize": missing.COLOURS,
    "extract_focal": "the source is another thumbor's result; name the picture itself, and gravity:fp:x:y",
    "focal": "it is in pixels of the source, and shares are wanted: gravity:fp:<x of 0 to 1>:<y of 0 to 1>",
    "frame": missing.OVERLAY,
    "grayscale": missing.colours("grayscale(1)"),
    "max_age": missing.FRESHNESS,
    "noise": missing.COLOURS,
    "red_eye": missing.COLOURS,
    "rgb": missing.COLOURS,
    "saturation": missing.colours("saturate()"),
}
