"""IPX and Nuxt Image: `/_ipx/w_300,q_80/photo.jpg`, `_` for no modifiers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from imgserve.migrate import missing
from imgserve.migrate.colours import hex_of
from imgserve.migrate.draft import TRIM_THRESHOLD, Crop, Draft, corner, integer, number
from imgserve.migrate.urls import Given, absolute, misread
from imgserve.spec.values import Gravity, GravityType, ResizingType

Rule = Callable[[Draft, str, str], None]

_BETWEEN: Final = re.compile("[&,]")
_AFTER_NAME: Final = re.compile("[:=_]")
_NO_MODIFIERS: Final = "_"
_SHARPS_BACKGROUND: Final = "000000"
_WITHOUT_VALUE: Final = ("a", "animated", "enlarge", "flatten", "flip", "flop", "grayscale", "negate", "normalize")
#: Where IPX is mounted by Nuxt, whose sources are the site's own, and elsewhere.
_NUXT: Final = "_ipx"
_MOUNTS: Final = (_NUXT, "ipx")
#: IPX counts in the order of names; the first of these that is there makes the result's size.
_SIZES: Final = (("s", "resize"), ("w", "width"), ("h", "height"))

_FITS: Final = {
    "cover": ResizingType.FILL,
    "contain": ResizingType.FIT,
    "fill": ResizingType.FORCE,
    "inside": ResizingType.FIT,
    "outside": ResizingType.FILL,
}

_POSITIONS: Final = {
    "center": GravityType.CENTER,
    "centre": GravityType.CENTER,
    "top": GravityType.NORTH,
    "right": GravityType.EAST,
    "bottom": GravityType.SOUTH,
    "left": GravityType.WEST,
    "right top": GravityType.NORTH_EAST,
    "right bottom": GravityType.SOUTH_EAST,
    "left bottom": GravityType.SOUTH_WEST,
    "left top": GravityType.NORTH_WEST,
    "north": GravityType.NORTH,
    "east": GravityType.EAST,
    "south": GravityType.SOUTH,
    "west": GravityType.WEST,
    "northeast": GravityType.NORTH_EAST,
    "southeast": GravityType.SOUTH_EAST,
    "southwest": GravityType.SOUTH_WEST,
    "northwest": GravityType.NORTH_WEST,
    "entropy": GravityType.SMART,
    "attention": GravityType.SMART,
}


def is_own(path: str) -> bool:
    """Tell whether a path has modifiers of IPX, at a place where IPX is mounted or else as its first segment."""
    segments = path.lstrip("/").split("/")
    return any(segment in _MOUNTS for segment in segments[:-2]) or (len(segments) > 1 and _is_modifiers(segments[0]))


def has_modifiers(path: str) -> bool:
    """Tell whether a path has modifiers, wherever IPX is mounted."""
    return is_own(path) or any(map(_is_modifiers, path.split("/")[:-1]))


def _is_modifiers(segment: str) -> bool:
    if segment == _NO_MODIFIERS:
        return True
    found = _modifiers(segment)
    return bool(found) and all(name in NAMES and (value or name in _WITHOUT_VALUE) for name, value in found)


def translate(given: Given) -> Draft:
    """Translate one URL; raises BadRequest where it has no modifiers or no source."""
    segments = given.path.lstrip("/").split("/")
    mounted = [at for at, segment in enumerate(segments[:-2]) if segment in _MOUNTS]
    first = mounted[0] + 1 if mounted else _first_modifiers(segments)
    source = "/".join(segments[first + 1 :])
    if not segments[first] or not source:
        raise misread(given.text, "an IPX URL is /<modifiers>/<source>")
    draft = Draft()
    modifiers = dict(_modifiers(segments[first])) if segments[first] != _NO_MODIFIERS else {}
    # sharp mirrors before it turns, in whatever order they stand.
    for name in sorted(modifiers, key=lambda name: name == "rotate"):
        _read(draft, name, modifiers[name])
    _read_size(draft, modifiers)
    # sharp turns before it cuts where it resizes as well.
    draft.cut_first = not (draft.turn and (draft.width or draft.height))
    _finish(draft, modifiers)
    image = unquote(source) + (f"?{given.query}" if given.query else "")
    draft.source = absolute(image, given, own_site=_NUXT in segments[:first])
    return draft


def _first_modifiers(segments: list[str]) -> int:
    return next((at for at, segment in enumerate(segments) if _is_modifiers(segment)), 0)


def _modifiers(text: str) -> list[tuple[str, str]]:
    out = []
    for piece in _BETWEEN.split(unquote(text)):
        name, *values = _AFTER_NAME.split(piece)
        if name:
            out.append((name, "_".join(values)))
    return out


def _read(draft: Draft, name: str, value: str) -> None:
    part = f"{name}_{value}" if value else name
    rule = RULES.get(name)
    if rule is not None:
        rule(draft, part, value)
    elif name not in _WITH_OTHERS:
        draft.drop(part, MISSING.get(name, "there is no such modifier"))


def _read_size(draft: Draft, modifiers: dict[str, str]) -> None:
    draft.enlarge = "enlarge" in modifiers
    given = [(group, name) for group in _SIZES for name in group if name in modifiers]
    if not given:
        return
    group, name = given[0]
    part, value = f"{name}_{modifiers[name]}", modifiers[name]
    if group == _SIZES[0]:
        _read_box(draft, part, value, modifiers)
    elif (side := integer(value)) is not None and side > 0:
        draft.width, draft.height = (side, 0) if group == _SIZES[1] else (0, side)
    else:
        draft.drop(part, "expected pixels")
    for _, other in given[1:]:
        draft.differ(f"{other}_{modifiers[other]}", f"IPX obeys {part} alone; s_<width>x<height> sets both sides")


def _read_box(draft: Draft, part: str, value: str, modifiers: dict[str, str]) -> None:
    width, _, height = value.partition("x")
    sides = integer(width), integer(height or width)
    if sides[0] is None or sides[1] is None or min(sides[0], sides[1]) <= 0:
        draft.drop(part, "expected <width>x<height>")
        return
    draft.width, draft.height = sides[0], sides[1]
    fit = modifiers.get("fit") or "cover"
    kind = _FITS.get(fit)
    if kind is None:
        draft.drop(f"fit_{fit}", f"expected one of {', '.join(_FITS)}")
        return
    # What is too small for the box is cut to its shape.
    draft.kind = ResizingType.FILL_DOWN if fit == "cover" and not draft.enlarge else kind
    draft.extend = fit == "contain"
    if fit == "outside":
        draft.differ("fit_outside", missing.OUTSIDE)
    place = _place(modifiers)
    if fit == "contain":
        draft.extend_place = place if place.type is not GravityType.SMART else Gravity()
    else:
        draft.place = place


def _place(modifiers: dict[str, str]) -> Gravity:
    words = (modifiers.get("position") or modifiers.get("pos") or "center").replace("+", " ").split()
    name = " ".join(words)
    # sharp knows "right top", and CSS "top right".
    kind = _POSITIONS.get(name) or _POSITIONS.get(" ".join(reversed(words)))
    return Gravity(kind or GravityType.CENTER)


def _finish(draft: Draft, modifiers: dict[str, str]) -> None:
    """Settle the background: IPX paints what is added around the picture, and with `flatten` what is transparent."""
    painted = ["fit_contain"] if draft.extend else []
    painted += [name for name in ("extend", "flatten") if name in modifiers]
    name = next((one for one in ("background", "b") if one in modifiers), "")
    part = f"{name}_{modifiers[name]}" if name else "".join(painted[:1])
    colour = hex_of(modifiers[name]) if name else _SHARPS_BACKGROUND
    if not part:
        return
    if not painted:
        draft.differ(part, "IPX paints it where fit_contain, extend or flatten leave room only; it is left out")
    elif colour is None:
        draft.drop(part, "it is no opaque colour")
    else:
        draft.option(part, "background", colour)


def _format(draft: Draft, part: str, value: str) -> None:
    if value == "auto":
        draft.option(part, "negotiate", 1)
    else:
        draft.format(part, value)


def _quality(draft: Draft, part: str, value: str) -> None:
    draft.quality(part, value)


def _position(draft: Draft, part: str, value: str) -> None:
    if "entropy" in value:
        draft.differ(part, "the part that stays is chosen by attention (gravity:sm)")
    elif _place({"position": value}) == Gravity() and value not in ("center", "centre"):
        draft.drop(part, "it is no position of sharp; the middle stays")


def _rotate(draft: Draft, part: str, value: str) -> None:
    degrees = integer(value)
    if degrees is None:
        draft.drop(part, "expected degrees")
    else:
        draft.turn_by(part, degrees, mirrored=True)


def _flip(draft: Draft, part: str, value: str) -> None:
    draft.mirror_y = True


def _flop(draft: Draft, part: str, value: str) -> None:
    draft.mirror_x = True


def _extract(draft: Draft, part: str, value: str) -> None:
    numbers = [integer(text) for text in value.split("_")]
    left, top, width, height = (*numbers, None, None, None, None)[:4]
    if left is None or top is None or not width or not height or min(left, top, width, height) < 0:
        draft.drop(part, "expected <left>_<top>_<width>_<height>")
    else:
        draft.crop = Crop(width=float(width), height=float(height), place=corner(left, top))


def _extend(draft: Draft, part: str, value: str) -> None:
    draft.option(part, "padding", *(value.split("_") if value else ()))


def _trim(draft: Draft, part: str, value: str) -> None:
    draft.option(part, "trim", value or str(TRIM_THRESHOLD))


def _blur(draft: Draft, part: str, value: str) -> None:
    sigma = number(value.split("_")[0] or "1")
    if sigma is None:
        draft.drop(part, "expected a sigma")
    else:
        draft.option(part, "blur", sigma)


def _sharpen(draft: Draft, part: str, value: str) -> None:
    sigma = number(value.split("_")[0] or "1")
    if sigma is None:
        draft.drop(part, "expected a sigma")
        return
    draft.option(part, "sharpen", sigma)
    if "_" in value:
        draft.differ(part, "how flat and jagged parts are sharpened is libvips' own choice")


RULES: Final[dict[str, Rule]] = {
    "blur": _blur,
    "crop": _extract,
    "extend": _extend,
    "extract": _extract,
    "f": _format,
    "flip": _flip,
    "flop": _flop,
    "format": _format,
    "pos": _position,
    "position": _position,
    "q": _quality,
    "quality": _quality,
    "rotate": _rotate,
    "sharpen": _sharpen,
    "trim": _trim,
}

#: They say how others are done, or together make the size.
_WITH_OTHERS: Final = (
    "b",
    "background",
    "enlarge",
    "fit",
    "flatten",
    "h",
    "height",
    "resize",
    "s",
    "w",
    "width",
)

MISSING: Final[dict[str, str]] = {
    "a": missing.ANIMATION,
    "animated": missing.ANIMATION,
    "gamma": missing.COLOURS,
    "grayscale": missing.colours("grayscale(1)"),
    "kernel": "pictures are resized with Lanczos 3, which is sharp's default, too",
    "median": missing.COLOURS,
    "modulate": missing.colours("brightness() saturate() hue-rotate()"),
    "negate": missing.colours("invert(1)"),
    "normalize": missing.COLOURS,
    "threshold": missing.COLOURS,
    "tint": missing.COLOURS,
}

NAMES: Final = frozenset((*RULES, *_WITH_OTHERS, *MISSING))
