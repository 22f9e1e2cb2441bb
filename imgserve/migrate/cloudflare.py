"""Cloudflare Images: `/cdn-cgi/image/width=300,quality=80/photo.jpg`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from imgserve.migrate import missing
from imgserve.migrate.colours import hex_of
from imgserve.migrate.draft import TRIM_THRESHOLD, Crop, Draft, corner, focus, integer, number
from imgserve.migrate.urls import Given, absolute, misread
from imgserve.spec.values import Gravity, GravityType, ResizingType

Rule = Callable[[Draft, str, str], None]

PATH: Final = "/cdn-cgi/image/"

ALIASES: Final = {
    "w": "width",
    "h": "height",
    "q": "quality",
    "f": "format",
    "g": "gravity",
    "scq": "slow-connection-quality",
    "face-zoom": "zoom",
}

#: fit -> how it is resized, whether it is enlarged and filled up.
FITS: Final = {
    "scale-down": (ResizingType.FIT, False, False),
    "contain": (ResizingType.FIT, True, False),
    "scale-up": (ResizingType.FIT, True, False),
    "cover": (ResizingType.FILL, True, False),
    "crop": (ResizingType.FILL, False, False),
    "aspect-crop": (ResizingType.FILL_DOWN, False, False),
    "pad": (ResizingType.FIT, True, True),
    "squeeze": (ResizingType.FORCE, True, False),
}

_SIDES: Final = {
    "center": GravityType.CENTER,
    "left": GravityType.WEST,
    "right": GravityType.EAST,
    "top": GravityType.NORTH,
    "bottom": GravityType.SOUTH,
    "auto": GravityType.SMART,
}
_POINT: Final = re.compile(r"([0-9.]+)x([0-9.]+)")
#: A comma inside the parentheses of rgb(…) ends no option.
_BETWEEN: Final = re.compile(r",(?![^(]*\))")


def translate(given: Given) -> Draft:
    """Translate one URL; raises BadRequest where it has no options or no source."""
    _, found, rest = given.path.partition(PATH)
    text, slash, source = rest.partition("/")
    if not found or not slash or not source:
        raise misread(given.text, f"a Cloudflare URL is {PATH}<options>/<source>")
    draft = Draft(cut_first=True)
    values = _values(draft, text)
    _read_flip(draft, values)
    _read_size(draft, values)
    _read_crop(draft, values)
    for name, (part, value) in values.items():
        rule = RULES.get(name)
        if rule is not None:
            rule(draft, part, value)
        elif name not in TOGETHER:
            draft.drop(part, MISSING.get(name.partition(".")[0], "there is no such option"))
    _finish(draft, values)
    draft.source = absolute(source + (f"?{given.query}" if given.query else ""), given, own_site=True)
    return draft


def _values(draft: Draft, text: str) -> dict[str, tuple[str, str]]:
    """Give each option's text and value by its long name; the last one counts."""
    out = {}
    for piece in _BETWEEN.split(unquote(text)):
        name, equals, value = piece.strip().partition("=")
        if equals:
            out[ALIASES.get(name, name)] = (piece.strip(), value)
        elif name:
            draft.drop(name, "an option is <name>=<value>")
    return out


def _read_size(draft: Draft, values: dict[str, tuple[str, str]]) -> None:
    for name in ("width", "height"):
        part, value = values.get(name, ("", "0"))
        side = integer(value)
        if value == "auto":
            draft.drop(part, "IMGSERVE_ENABLE_CLIENT_HINTS takes the width of the browser's hints for all URLs")
        elif side is None or side < 0:
            draft.drop(part, "expected pixels")
        elif name == "width":
            draft.width = side
        else:
            draft.height = side
    part, fit = values.get("fit", ("", "scale-down"))
    if fit not in FITS:
        draft.drop(part, f"expected one of {', '.join(FITS)}; it is scale-down")
        fit = "scale-down"
    if fit == "scale-up":
        draft.differ(part, "a picture that is larger than the box is made smaller, as by contain")
    draft.kind, draft.enlarge, draft.extend = FITS[fit]
    draft.extend = draft.extend and bool(draft.width and draft.height)


def _read_flip(draft: Draft, values: dict[str, tuple[str, str]]) -> None:
    """Read `flip`, which Cloudflare does before it rotates."""
    part, value = values.get("flip", ("", ""))
    if value not in ("", "h", "v", "hv", "vh"):
        draft.drop(part, "expected h, v or hv")
    else:
        draft.mirror_x, draft.mirror_y = "h" in value, "v" in value


def _read_crop(draft: Draft, values: dict[str, tuple[str, str]]) -> None:
    sides = {name: values[f"trim.{name}"] for name in ("left", "top", "width", "height") if f"trim.{name}" in values}
    if not sides:
        return
    numbers = {name: number(value) for name, (_, value) in sides.items()}
    part = ",".join(text for text, _ in sides.values())
    box = [numbers.get(name, 0.0) for name in ("width", "height", "left", "top")]
    if None in box or min(one for one in box if one is not None) < 0:
        draft.drop(part, "expected pixels")
        return
    width, height, left, top = (one or 0.0 for one in box)
    draft.crop = Crop(width=width, height=height, place=corner(left, top))
    if (left and not width) or (top and not height):
        draft.crop = None
        draft.drop(part, "a crop needs its width and height: crop:<width>:<height>:nowe:<left>:<top>")


def _finish(draft: Draft, values: dict[str, tuple[str, str]]) -> None:
    part, value = values.get("background", ("fit=pad", "white"))
    colour = hex_of(value)
    if "background" not in values and not draft.extend:
        return
    if colour is None:
        draft.drop(part, "it is no opaque colour")
    else:
        draft.option(part, "background", colour)


def _gravity(draft: Draft, part: str, value: str) -> None:
    if draft.kind not in (ResizingType.FILL, ResizingType.FILL_DOWN):
        return  # Cloudflare crops for these alone, too
    if value in _SIDES:
        draft.place = Gravity(_SIDES[value])
        if value == "auto":
            draft.differ(part, "the liveliest part is kept as libvips finds it")
    elif value == "face":
        draft.place = Gravity(GravityType.OBJECTS, classes=(("face", 1.0),))
        draft.differ(part, "faces are found by the server's own model; where there is none, the liveliest part stays")
    elif found := _POINT.fullmatch(value):
        x, y = number(found[1]), number(found[2])
        if x is None or y is None:
            draft.drop(part, "expected <x>x<y>, both from 0 to 1")
        else:
            draft.place = focus(x, y)
    else:
        draft.drop(part, "expected auto, face, a side or <x>x<y>; the middle stays")


def _format(draft: Draft, part: str, value: str) -> None:
    if value == "auto":
        draft.option(part, "negotiate", 1)
    elif value == "json":
        draft.drop(part, missing.FACTS)
    elif value == "baseline-jpeg":
        draft.format(part, "jpeg")
        draft.differ(part, "JPEG is baseline unless IMGSERVE_JPEG_PROGRESSIVE is on")
    else:
        draft.format(part, value)


def _quality(draft: Draft, part: str, value: str) -> None:
    if value in ("high", "medium-high", "medium-low", "low"):
        draft.drop(part, "a quality is a number; IMGSERVE_FORMAT_QUALITY has one for each format")
    else:
        draft.quality(part, value)


def _dpr(draft: Draft, part: str, value: str) -> None:
    draft.option(part, "dpr", value)


def _blur(draft: Draft, part: str, value: str) -> None:
    draft.option(part, "blur", value)
    draft.differ(part, "blur takes a standard deviation, there it is a radius: look at the result")


def _sharpen(draft: Draft, part: str, value: str) -> None:
    draft.option(part, "sharpen", value)
    draft.differ(part, "sharpen takes a standard deviation, there it is a strength: look at the result")


def _rotate(draft: Draft, part: str, value: str) -> None:
    degrees = integer(value)
    if degrees is None:
        draft.drop(part, "expected 90, 180 or 270")
    else:
        draft.turn_by(part, degrees, mirrored=True)


def _metadata(draft: Draft, part: str, value: str) -> None:
    if value not in ("keep", "copyright", "none"):
        draft.drop(part, "expected keep, copyright or none")
        return
    draft.option(part, "strip_metadata", int(value != "keep"))
    if value != "keep":
        draft.option(part, "keep_copyright", int(value == "copyright"))


def _trim(draft: Draft, part: str, value: str) -> None:
    if value == "border":
        draft.option(part, "trim", TRIM_THRESHOLD)
        draft.differ(part, "edges of the top left pixel's colour are cut off")
    else:
        draft.drop(part, "what is left depends on the source's size; crop:<width>:<height>:nowe:<left>:<top> says it")


def _segment(draft: Draft, part: str, value: str) -> None:
    if value == "foreground":
        draft.option(part, "remove_background", 1)
    else:
        draft.drop(part, "expected foreground")


def _upscale(draft: Draft, part: str, value: str) -> None:
    if value != "interpolate":
        draft.drop(part, "upscale:<factor> enlarges the source by a model, by a factor that you choose")


def _anim(draft: Draft, part: str, value: str) -> None:
    draft.drop(part, missing.ANIMATION)


def _zoom(draft: Draft, part: str, value: str) -> None:
    draft.drop(part, "crop_objects:<scale>:face cuts around the faces, closer with a smaller scale")


RULES: Final[dict[str, Rule]] = {
    "anim": _anim,
    "blur": _blur,
    "dpr": _dpr,
    "format": _format,
    "gravity": _gravity,
    "metadata": _metadata,
    "quality": _quality,
    "rotate": _rotate,
    "segment": _segment,
    "sharpen": _sharpen,
    "trim": _trim,
    "upscale": _upscale,
    "zoom": _zoom,
}

#: They are read with others, before the rules.
TOGETHER: Final = (
    "background",
    "fit",
    "flip",
    "height",
    "trim.height",
    "trim.left",
    "trim.top",
    "trim.width",
    "width",
)

MISSING: Final[dict[str, str]] = {
    "border": "padding:<pixels> and background:<colour> make one",
    "brightness": missing.colours("brightness()"),
    "compression": missing.ENCODER,
    "contrast": missing.colours("contrast()"),
    "draw": missing.OVERLAY,
    "gamma": missing.COLOURS,
    "onerror": missing.FALLBACK,
    "saturation": missing.colours("saturate()"),
    "slow-connection-quality": "the quality does not follow the connection",
    "trim": "edges are cut off by trim:<threshold>:<colour>, with no other wishes",
}
