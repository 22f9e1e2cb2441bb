"""weserv (images.weserv.nl, wsrv.nl): `/?url=example.com/photo.jpg&w=300&h=200&fit=cover`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from imgserve.migrate import missing
from imgserve.migrate.colours import hex_of
from imgserve.migrate.draft import TRIM_THRESHOLD, Crop, Draft, corner, focus, integer, number
from imgserve.migrate.urls import Given, absolute, misread
from imgserve.spec.values import Gravity, GravityType, ResizingType

Rule = Callable[[Draft, str, str], None]

HOSTS: Final = frozenset(("images.weserv.nl", "wsrv.nl"))

_ALIASES: Final = {
    "shape": "mask",
    "strim": "mtrim",
    "or": "ro",
    "t": "fit",
    "pages": "n",
    "width": "w",
    "height": "h",
    "align": "a",
    "level": "l",
    "quality": "q",
    "lossless": "ll",
}

#: fit -> how it is resized, and whether what is missing is filled up. Those below are of earlier versions.
_FITS: Final = {
    "inside": (ResizingType.FIT, False),
    "outside": (ResizingType.FILL, False),
    "cover": (ResizingType.FILL, False),
    "fill": (ResizingType.FORCE, False),
    "contain": (ResizingType.FIT, True),
    "fit": (ResizingType.FIT, False),
    "fitup": (ResizingType.FIT, False),
    "square": (ResizingType.FILL, False),
    "squaredown": (ResizingType.FILL, False),
    "absolute": (ResizingType.FORCE, False),
    "letterbox": (ResizingType.FIT, True),
}
#: Earlier values of `fit` that do not enlarge.
_DOWN_ONLY: Final = ("fit", "squaredown")

_PLACES: Final = {
    "center": GravityType.CENTER,
    "top": GravityType.NORTH,
    "right": GravityType.EAST,
    "bottom": GravityType.SOUTH,
    "left": GravityType.WEST,
    "top-left": GravityType.NORTH_WEST,
    "top-right": GravityType.NORTH_EAST,
    "bottom-left": GravityType.SOUTH_WEST,
    "bottom-right": GravityType.SOUTH_EAST,
    "t": GravityType.NORTH,
    "r": GravityType.EAST,
    "b": GravityType.SOUTH,
    "l": GravityType.WEST,
    "entropy": GravityType.SMART,
    "attention": GravityType.SMART,
}
_TRIM_TOLERANCES: Final = range(1, 255)
_MAX_DPR: Final = 8
_MIDDLE: Final = "0.5"


def translate(given: Given) -> Draft:
    """Translate one URL; raises BadRequest where it names no source."""
    values = _values(given)
    if not values.get("url"):
        raise misread(given.text, "a weserv URL has url=<source>")
    draft = Draft()
    _read_size(draft, values)
    _read_place(draft, values)
    _read_crop(draft, values)
    for name, value in values.items():
        rule = RULES.get(name)
        if rule is not None:
            rule(draft, f"{name}={value}", value)
        elif name not in TOGETHER:
            draft.drop(f"{name}={value}", MISSING.get(name, "there is no such parameter"))
    _read_turn(draft, values)
    _read_colours(draft, values)
    source = values["url"]
    source = f"https://{source.removeprefix('ssl:').lstrip('/')}" if source.startswith("ssl:") else source
    source = source if "://" in source or source.startswith("/") else f"http://{source}"
    draft.source = absolute(source, given)
    return draft


def _values(given: Given) -> dict[str, str]:
    """Give the parameters by their present names; the first of a name counts, as there."""
    out: dict[str, str] = {}
    for name, value in given.parameters(plus_is_space=False):
        out.setdefault(_ALIASES.get(name, name), value)
    return out


def _is_on(values: dict[str, str], name: str) -> bool:
    return name in values and values[name] not in ("false", "0")


def _read_size(draft: Draft, values: dict[str, str]) -> None:
    sides = []
    for name in ("w", "h"):
        side = integer(values.get(name) or "0")
        if side is None or side < 0:
            draft.drop(f"{name}={values[name]}", "expected pixels")
        sides.append(max(0, side or 0))
    draft.width, draft.height = sides
    fit = values.get("fit", "inside")
    kind = _FITS.get("square" if fit.startswith("crop") else fit)
    if kind is None:
        draft.drop(f"fit={fit}", "it is read as inside, there as well")
        kind = _FITS["inside"]
    draft.kind, draft.extend = kind
    draft.enlarge = not _is_on(values, "we") and fit not in _DOWN_ONLY
    draft.extend = draft.extend and bool(draft.width and draft.height)
    if fit == "outside" and draft.width and draft.height:
        draft.differ("fit=outside", missing.OUTSIDE)


def _read_place(draft: Draft, values: dict[str, str]) -> None:
    text = values.get("a", "center")
    part = f"a={text}"
    if text.startswith(("focal", "crop-")):
        place = _focal(text, values)
    elif text in _PLACES:
        place = Gravity(_PLACES[text])
    else:
        draft.drop(part, "it is read as center, there as well")
        place = Gravity()
    if draft.extend:
        draft.extend_place = Gravity() if place.type is GravityType.SMART else place
        return
    draft.place = place
    if text == "entropy" and draft.kind is ResizingType.FILL:
        draft.differ(part, "the part that stays is chosen by attention (gravity:sm)")


def _focal(text: str, values: dict[str, str]) -> Gravity:
    """Read `a=focal` with fpx and fpy, or the earlier `a=focal-<x %>-<y %>`."""
    shares = [number(values.get(name, _MIDDLE)) for name in ("fpx", "fpy")]
    for at, piece in enumerate(text.split("-")[1:3]):
        percent = integer(piece)
        shares[at] = percent / 100 if percent is not None else 0.5
    x, y = (0.5 if one is None else one for one in shares)
    return focus(x, y)


def _read_crop(draft: Draft, values: dict[str, str]) -> None:
    given = {name: values[name] for name in ("cx", "cy", "cw", "ch") if name in values}
    if "crop" in values and not given:
        pieces = values["crop"].split(",")
        given = dict(zip(("cw", "ch", "cx", "cy"), pieces, strict=False)) if len(pieces) == 4 else {}
        if not given:
            draft.drop(f"crop={values['crop']}", "expected <width>,<height>,<x>,<y>")
    if not given:
        return
    part = "&".join(f"{name}={value}" for name, value in given.items())
    left, top, width, height = (integer(given.get(name, "0")) for name in ("cx", "cy", "cw", "ch"))
    if left is None or top is None or width is None or height is None:
        draft.drop(part, "expected pixels")
    elif (draft.width or draft.height) and not _is_on(values, "precrop"):
        draft.drop(part, "nothing is cut out after resizing; with precrop, and the source's pixels, it is cut before")
    elif (left > 0 and width <= 0) or (top > 0 and height <= 0):
        draft.drop(part, "a crop needs its width and height: crop:<width>:<height>:nowe:<left>:<top>")
    else:
        place = corner(max(0, left), max(0, top))
        draft.crop = Crop(width=float(max(0, width)), height=float(max(0, height)), place=place)


def _read_turn(draft: Draft, values: dict[str, str]) -> None:
    if values.get("ro"):
        degrees = integer(values["ro"])
        if degrees is None:
            draft.drop(f"ro={values['ro']}", "expected degrees")
        else:
            draft.turn_by(f"ro={values['ro']}", degrees, mirrored=False)
    draft.mirror_y, draft.mirror_x = _is_on(values, "flip"), _is_on(values, "flop")


def _read_colours(draft: Draft, values: dict[str, str]) -> None:
    """Read the colours behind the picture: imgserve has one for all of them."""
    for name, used in (("cbg", draft.extend), ("mbg", "mask" in values), ("bg", True)):
        if name not in values or not values[name]:
            continue
        part, colour = f"{name}={values[name]}", hex_of(values[name])
        if not used:
            draft.differ(part, "it is painted where fit=contain or a mask leaves room only, and left out")
        elif colour is None:
            draft.drop(part, "it is no opaque colour")
        else:
            draft.option(part, "background", colour)


def _quality(draft: Draft, part: str, value: str) -> None:
    draft.quality(part, value)


def _output(draft: Draft, part: str, value: str) -> None:
    if value == "json":
        draft.drop(part, missing.FACTS)
    elif value not in ("", "origin"):
        draft.format(part, "avif" if value == "av1" else value)


def _dpr(draft: Draft, part: str, value: str) -> None:
    ratio = number(value)
    if ratio is None or not 0 < ratio <= _MAX_DPR:
        draft.drop(part, f"expected a number above 0, at most {_MAX_DPR}")
    else:
        draft.option(part, "dpr", ratio)


def _blur(draft: Draft, part: str, value: str) -> None:
    sigma = number(value or "0")
    if sigma is None or sigma < 0:
        draft.drop(part, "expected a sigma")
    else:
        draft.option(part, "blur", sigma or 0.5)


def _sharp(draft: Draft, part: str, value: str) -> None:
    # The last of flat, jagged, sigma; or sigma alone.
    draft.option(part, "sharpen", value.split(",")[-1])


def _trim(draft: Draft, part: str, value: str) -> None:
    tolerance = integer(value) if value else TRIM_THRESHOLD
    if tolerance not in _TRIM_TOLERANCES:
        draft.drop(part, "expected 1 to 254")
    else:
        draft.option(part, "trim", tolerance)


def _mask(draft: Draft, part: str, value: str) -> None:
    if value in ("circle", "ellipse"):
        draft.option(part, "round", "max")
        if draft.kind is not ResizingType.FILL or draft.width != draft.height:
            draft.differ(part, "round:max makes a circle of a square only; others get round ends")
    else:
        draft.drop(part, "round:max makes circles; there are no other shapes")


def _filename(draft: Draft, part: str, value: str) -> None:
    draft.option(part, "filename", value)


def _pages(draft: Draft, part: str, value: str) -> None:
    if value not in ("", "1"):
        draft.drop(part, missing.ANIMATION)


def _base64(draft: Draft, part: str, value: str) -> None:
    if value == "base64":
        draft.drop(part, "answers are pictures; /info with lqip gives a small one as a data: URL")


RULES: Final[dict[str, Rule]] = {
    "blur": _blur,
    "dpr": _dpr,
    "encoding": _base64,
    "filename": _filename,
    "mask": _mask,
    "n": _pages,
    "output": _output,
    "q": _quality,
    "sharp": _sharp,
    "trim": _trim,
}

#: They are read with others, before or after the rules.
TOGETHER: Final = (
    "a",
    "bg",
    "cbg",
    "ch",
    "crop",
    "cw",
    "cx",
    "cy",
    "fit",
    "flip",
    "flop",
    "fpx",
    "fpy",
    "h",
    "mbg",
    "precrop",
    "ro",
    "url",
    "w",
    "we",
)

MISSING: Final[dict[str, str]] = {
    "af": missing.ENCODER,
    "bri": missing.colours("brightness()"),
    "con": missing.colours("contrast()"),
    "default": missing.FALLBACK,
    "delay": missing.ANIMATION,
    "errorredirect": missing.FALLBACK,
    "filt": missing.colours("grayscale() sepia() invert()"),
    "fsol": missing.ENCODER,
    "gam": missing.COLOURS,
    "hue": missing.colours("hue-rotate()"),
    "il": missing.ENCODER,
    "l": missing.ENCODER,
    "ll": missing.ENCODER,
    "loop": missing.ANIMATION,
    "maxage": missing.FRESHNESS,
    "mod": missing.colours("brightness() saturate() hue-rotate()"),
    "mtrim": "a mask is as large as the picture",
    "page": missing.PAGES,
    "rbg": "pictures are turned by multiples of 90 degrees only, which leaves nothing to paint",
    "sat": missing.colours("saturate()"),
    "sharpf": "how flat parts are sharpened is libvips' own choice",
    "sharpj": "how jagged parts are sharpened is libvips' own choice",
    "start": missing.COLOURS,
    "stop": missing.COLOURS,
    "tint": missing.COLOURS,
}
