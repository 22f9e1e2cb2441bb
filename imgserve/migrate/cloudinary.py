"""Cloudinary: `https://res.cloudinary.com/<cloud>/image/upload/c_fill,w_300,h_200/f_auto/v1/shop/mug.jpg`."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile
from typing import Final
from urllib.parse import unquote

from imgserve.migrate import missing
from imgserve.migrate.colours import hex_of
from imgserve.migrate.draft import TRIM_THRESHOLD, Crop, Draft, corner, integer, number
from imgserve.migrate.urls import Given, absolute, misread
from imgserve.spec.values import Gravity, GravityType, ResizingType

Rule = Callable[[Draft, str, str], None]
#: The parts of one component by name: each text as it stands, and its value.
Values = dict[str, tuple[str, str]]

HOST: Final = "cloudinary.com"
_FETCH: Final = "fetch"
#: Of a signed URL; the version that ends the transformations.
_SIGNATURE: Final = re.compile(r"s--[A-Za-z0-9_-]+--")
_VERSION: Final = re.compile(r"v[0-9]+")
_DELIVERY: Final = re.compile(r"(?:^|/)image/(upload|fetch|private|authenticated)/")
_RATIO: Final = re.compile(r"([0-9.]+)(?::([0-9.]+))?")

#: c -> how it is resized, whether it is enlarged and filled up.
MODES: Final = {
    "scale": (ResizingType.FORCE, True, False),
    "fit": (ResizingType.FIT, True, False),
    "limit": (ResizingType.FIT, False, False),
    "mfit": (ResizingType.FIT, True, False),
    "fill": (ResizingType.FILL, True, False),
    "lfill": (ResizingType.FILL, False, False),
    "thumb": (ResizingType.FILL, True, False),
    "auto": (ResizingType.FILL, True, False),
    "pad": (ResizingType.FIT, True, True),
    "lpad": (ResizingType.FIT, False, True),
    "mpad": (ResizingType.FIT, False, True),
}
_MODES_DIFFER: Final = {
    "mfit": "a picture that is larger than the box is made smaller, as by fit",
    "mpad": "a picture that is larger than the box is made smaller, as by lpad",
    "thumb": "the picture is cut as by fill; crop_objects:<scale>:face cuts closer around faces",
    "auto": "the picture is cut as by fill, around the liveliest part",
}
_CROP: Final = "crop"
_SIDES: Final = {
    "center": GravityType.CENTER,
    "north": GravityType.NORTH,
    "north_east": GravityType.NORTH_EAST,
    "east": GravityType.EAST,
    "south_east": GravityType.SOUTH_EAST,
    "south": GravityType.SOUTH,
    "south_west": GravityType.SOUTH_WEST,
    "west": GravityType.WEST,
    "north_west": GravityType.NORTH_WEST,
}
_FACES: Final = ("face", "faces", "auto:face", "auto:faces")


def is_own(given: Given) -> bool:
    """Tell whether a URL is of Cloudinary's hosts, or a path as they have it."""
    is_host = f".{given.host}".endswith(f".{HOST}")
    return bool(_DELIVERY.search(given.path)) and (is_host or not given.host)


def translate(given: Given) -> Draft:
    """Translate one URL; raises BadRequest where it is of no image or its source is not known."""
    found = _DELIVERY.search(given.path)
    if found is None:
        raise misread(given.text, "an image of Cloudinary is /<cloud>/image/upload/<transformations>/<public id>")
    components, source = _split(given.path[found.end() :], is_fetched=found[1] == _FETCH)
    draft = Draft(cut_first=True, sized_first=True)
    for values in _without_overlays(draft, components):
        _read(draft, values)
    if found[1] == _FETCH:
        source = unquote(source) + (f"?{given.query}" if given.query else "")
    draft.source = absolute(source, given)
    return draft


def _split(text: str, *, is_fetched: bool) -> tuple[list[str], str]:
    """Give the components of the transformation, and the source behind them."""
    segments = text.split("/")
    if _SIGNATURE.fullmatch(segments[0]):
        segments = segments[1:]
    versions = [at for at, segment in enumerate(segments[:-1]) if _VERSION.fullmatch(segment)]
    if versions and not is_fetched:
        return segments[: versions[0]], "/".join(segments[versions[0] + 1 :])
    components = list(takewhile(_is_component, segments[:-1]))
    rest = segments[len(components) :]
    return components, "/".join(rest[1:] if _VERSION.fullmatch(rest[0]) else rest)


def _is_component(segment: str) -> bool:
    return all(_name_of(piece) in NAMES for piece in unquote(segment).split(","))


def _name_of(piece: str) -> str:
    return "$" if piece.startswith("$") else piece.partition("_")[0]


def _without_overlays(draft: Draft, components: list[str]) -> list[Values]:
    """Read components but for those of pictures and texts that are laid over, which are named."""
    out, applied = [], [at for at, one in enumerate(components) if "fl_layer_apply" in one]
    until = -1
    for at, component in enumerate(components):
        pieces = unquote(component).split(",")
        if any(_name_of(piece) in ("l", "u") for piece in pieces):
            until = next((end for end in applied if end >= at), at)
        if at <= until:
            draft.drop(component, missing.OVERLAY)
            continue
        out.append({_name_of(piece): (piece, piece.partition("_")[2]) for piece in pieces if piece})
    return out


def _read(draft: Draft, values: Values) -> None:
    if {"c", "w", "h", "ar"} & set(values):
        _read_size(draft, values)
    for name, (part, value) in values.items():
        rule = RULES.get(name)
        if rule is not None:
            rule(draft, part, value)
        elif name not in TOGETHER:
            draft.drop(part, MISSING.get(name, "there is no such parameter"))


def _read_size(draft: Draft, values: Values) -> None:
    part, mode = values.get("c", ("", "scale"))
    whole = ",".join(text for name, (text, _) in values.items() if name in TOGETHER)
    if draft.width or draft.height or (mode == _CROP and draft.crop):
        draft.drop(whole, "a picture is cut out, then resized, once each")
        return
    if mode == _CROP:
        _read_crop(draft, values, whole)
        return
    if mode not in MODES:
        draft.drop(part, f"expected one of {', '.join(MODES)} or crop; it is fill")
        mode = "fill"
    if mode in _MODES_DIFFER:
        draft.differ(part, _MODES_DIFFER[mode])
    draft.width, draft.height = (_side(draft, *values.get(name, ("", "0"))) for name in ("w", "h"))
    _read_ratio(draft, *values.get("ar", ("", "")))
    draft.kind, draft.enlarge, draft.extend = MODES[mode]
    if not (draft.width and draft.height):
        draft.extend = False
        draft.kind = ResizingType.FIT
    place = _place(draft, values)
    if draft.extend:
        draft.extend_place = place if place.type in _SIDES.values() else Gravity()
    else:
        draft.place = Gravity(GravityType.SMART) if mode == "auto" and "g" not in values else place
    for name in ("x", "y"):
        if name in values:
            draft.drop(values[name][0], "the picture is placed by gravity alone")


def _side(draft: Draft, part: str, value: str) -> int:
    side = integer(value)
    if side is not None and side >= 0:
        return side
    if value.startswith("auto"):
        draft.drop(part, "IMGSERVE_ENABLE_CLIENT_HINTS takes the width of the browser's hints for all URLs")
    else:
        draft.drop(part, "expected pixels; zoom:<factor> makes a share of the source's size")
    return 0


def _read_ratio(draft: Draft, part: str, value: str) -> None:
    """Find the side that is left open; with both, Cloudinary has no use for a ratio."""
    if not part or (draft.width and draft.height):
        return
    found = _RATIO.fullmatch(value)
    across, down = (number(found[1]), number(found[2] or "1")) if found else (None, None)
    if not across or not down or not (draft.width or draft.height):
        draft.drop(part, "expected <width>:<height>, and one side in pixels")
    elif draft.width:
        draft.height = max(1, round(draft.width * down / across))
    else:
        draft.width = max(1, round(draft.height * across / down))


def _read_crop(draft: Draft, values: Values, whole: str) -> None:
    numbers = [number(values.get(name, ("", "0"))[1]) for name in ("w", "h", "x", "y")]
    width, height, x, y = numbers
    if width is None or height is None or x is None or y is None or min(width, height, x, y) < 0 or "ar" in values:
        draft.drop(whole, "expected a width and a height, and where: crop:<width>:<height>:nowe:<left>:<top>")
        return
    place = _place(draft, values)
    if "x" in values or "y" in values:
        # Without a gravity both are counted from the left top corner.
        place = Gravity(place.type, x, y) if "g" in values and place.type in _SIDES.values() else corner(x, y)
    draft.crop = Crop(width=width, height=height, place=place)


def _place(draft: Draft, values: Values) -> Gravity:
    part, value = values.get("g", ("", "center"))
    if value in _SIDES:
        return Gravity(_SIDES[value])
    if value in _FACES:
        draft.differ(part, "faces are found by the server's own model; where there is none, the liveliest part stays")
        return Gravity(GravityType.OBJECTS, classes=(("face", 1.0),))
    if value.startswith("auto"):
        draft.differ(part, "the liveliest part is kept as libvips finds it")
        return Gravity(GravityType.SMART)
    draft.drop(part, "gravity:obj:<class> and gravity:fp:<x>:<y> say what stays; the middle stays")
    return Gravity()


def _quality(draft: Draft, part: str, value: str) -> None:
    if value.startswith("auto"):
        draft.differ(part, "the quality is the server's: IMGSERVE_QUALITY, and IMGSERVE_FORMAT_QUALITY for each format")
    else:
        draft.quality(part, value.partition(":")[0])


def _format(draft: Draft, part: str, value: str) -> None:
    if value.startswith("auto"):
        draft.option(part, "negotiate", 1)
    else:
        draft.format(part, value)


def _dpr(draft: Draft, part: str, value: str) -> None:
    if value == "auto":
        draft.drop(part, "IMGSERVE_ENABLE_CLIENT_HINTS takes the density of the browser's hints for all URLs")
    else:
        draft.option(part, "dpr", value)


def _radius(draft: Draft, part: str, value: str) -> None:
    draft.option(part, "round", value)


def _background(draft: Draft, part: str, value: str) -> None:
    colour = hex_of(value.removeprefix("rgb:"))
    if colour is None:
        draft.drop(part, "it is no opaque colour")
    else:
        draft.option(part, "background", colour)


def _angle(draft: Draft, part: str, value: str) -> None:
    for one in value.split("."):
        degrees = integer(one)
        if one == "hflip":
            draft.mirror_x = not draft.mirror_x
        elif one == "vflip":
            draft.mirror_y = not draft.mirror_y
        elif degrees is not None:
            draft.turn_by(part, degrees, mirrored=True)
        elif one != "exif":
            draft.drop(part, "expected degrees, hflip or vflip; EXIF's orientation is obeyed: IMGSERVE_AUTO_ROTATE")


def _effect(draft: Draft, part: str, value: str) -> None:
    name, _, strength = value.partition(":")
    if name == "trim":
        draft.option(part, "trim", strength.partition(":")[0] or str(TRIM_THRESHOLD))
        draft.differ(part, "edges of the top left pixel's colour are cut off, with a threshold on another scale")
    elif name in ("background_removal", "bgremoval"):
        draft.option(part, "remove_background", 1)
    else:
        draft.drop(part, EFFECTS.get(name, "there is no such effect"))


def _flags(draft: Draft, part: str, value: str) -> None:
    for flag in value.split("."):
        name, _, file = flag.partition(":")
        if name == "attachment":
            draft.option(part, "return_attachment", 1)
            if file:
                draft.option(part, "filename", file)
        else:
            draft.drop(part, missing.ENCODER)


RULES: Final[dict[str, Rule]] = {
    "a": _angle,
    "b": _background,
    "dpr": _dpr,
    "e": _effect,
    "f": _format,
    "fl": _flags,
    "q": _quality,
    "r": _radius,
}

#: They make the size and the place together.
TOGETHER: Final = ("ar", "c", "g", "h", "w", "x", "y")

MISSING: Final[dict[str, str]] = {
    "$": "there are no variables; the values themselves can be signed",
    "bo": "padding:<pixels> and background:<colour> make one",
    "co": missing.OVERLAY,
    "cs": "colours are sRGB in the end, with strip_color_profile",
    "d": missing.FALLBACK,
    "dn": missing.PAGES,
    "if": "there are no conditions; sign what is true of this picture",
    "l": missing.OVERLAY,
    "o": "nothing makes a whole picture transparent; the page can (CSS: opacity)",
    "pg": missing.PAGES,
    "t": "a named transformation is a preset here: write it, and translate with --preset <name>",
    "u": missing.OVERLAY,
    "z": "crop_objects:<scale>:face cuts closer around faces",
}

#: Effects without a counterpart.
EFFECTS: Final[dict[str, str]] = {
    "blackwhite": missing.COLOURS,
    "blur": "blur:<sigma> blurs; strengths of Cloudinary are on another scale",
    "brightness": missing.colours("brightness()"),
    "contrast": missing.colours("contrast()"),
    "grayscale": missing.colours("grayscale(1)"),
    "hue": missing.colours("hue-rotate()"),
    "improve": missing.COLOURS,
    "negate": missing.colours("invert(1)"),
    "saturation": missing.colours("saturate()"),
    "sepia": missing.colours("sepia()"),
    "sharpen": "sharpen:<sigma> sharpens; strengths of Cloudinary are on another scale",
    "upscale": "upscale:<factor> enlarges the source by a model, by a factor that you choose",
}

NAMES: Final = frozenset((*RULES, *TOGETHER, *MISSING))
