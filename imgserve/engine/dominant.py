"""The six colours that designs are made with: vibrant and muted ones, each normal, light and dark.

The scheme is that of Android's Palette and of Vibrant.js: of some 60 colours that stand for the picture, each role
takes the one that comes closest to what it should be, if any is near enough.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from imgserve.engine.palette import Swatch

#: Colours that the picture is reduced to before they are judged.
COLOURS: Final = 64

#: How much it counts to have the right saturation, the right lightness, and to be frequent.
_SATURATION_WEIGHT, _LIGHTNESS_WEIGHT, _COUNT_WEIGHT = 3.0, 6.5, 0.5

#: Lighter than this in all channels is paper, not a colour of the picture.
_PAPER: Final = 250


@dataclass(frozen=True, slots=True)
class _Range:
    least: float
    best: float
    most: float

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most


_VIBRANT: Final = _Range(0.35, 1.0, 1.0)
_MUTED: Final = _Range(0.0, 0.3, 0.4)
_NORMAL: Final = _Range(0.3, 0.5, 0.7)
_LIGHT: Final = _Range(0.55, 0.74, 1.0)
_DARK: Final = _Range(0.0, 0.26, 0.45)

#: By name: saturation and lightness, in the order in which they choose.
ROLES: Final = {
    "vibrant": (_VIBRANT, _NORMAL),
    "light_vibrant": (_VIBRANT, _LIGHT),
    "dark_vibrant": (_VIBRANT, _DARK),
    "muted": (_MUTED, _NORMAL),
    "light_muted": (_MUTED, _LIGHT),
    "dark_muted": (_MUTED, _DARK),
}


@dataclass(frozen=True, slots=True)
class _Colour:
    hue: float
    lightness: float
    saturation: float
    swatch: Swatch

    @staticmethod
    def of(swatch: Swatch) -> _Colour:
        return _Colour(*colorsys.rgb_to_hls(swatch.red / 255, swatch.green / 255, swatch.blue / 255), swatch)

    def score(self, saturation: _Range, lightness: _Range, *, most: int) -> float:
        """Tell how well it fits a role; `most` is the count of the most frequent colour."""
        return (
            _SATURATION_WEIGHT * (1 - abs(self.saturation - saturation.best))
            + _LIGHTNESS_WEIGHT * (1 - abs(self.lightness - lightness.best))
            + _COUNT_WEIGHT * self.swatch.count / most
        )


def dominant_colours(swatches: Iterable[Swatch], *, build_missed: bool) -> dict[str, Swatch]:
    """Give the colours by role; roles that no colour of the picture has are left out, or made of the others'."""
    left = [_Colour.of(one) for one in swatches if min(one.red, one.green, one.blue) <= _PAPER]
    most = max((one.swatch.count for one in left), default=1)
    chosen: dict[str, _Colour] = {}
    for name, (saturation, lightness) in ROLES.items():
        fitting = [one for one in left if one.saturation in saturation and one.lightness in lightness]
        if fitting:
            chosen[name] = max(fitting, key=lambda one: one.score(saturation, lightness, most=most))
            left.remove(chosen[name])
    found = {name: one.swatch for name, one in chosen.items()}
    if build_missed and chosen:
        found |= {name: _built(name, chosen) for name in ROLES if name not in chosen}
    return {name: found[name] for name in ROLES if name in found}


def _built(name: str, chosen: dict[str, _Colour]) -> Swatch:
    """Make the colour of a role of that of another one: first of those as vibrant, then of those as light."""
    saturation, lightness = ROLES[name]
    like = min(
        (role for role in ROLES if role in chosen),
        key=lambda role: (ROLES[role][0] is not saturation, ROLES[role][1] is not lightness),
    )
    base = chosen[like]
    # It is not made more vibrant than it is: grey has no hue to show.
    red, green, blue = colorsys.hls_to_rgb(base.hue, lightness.best, min(base.saturation, saturation.most))
    return Swatch(round(red * 255), round(green * 255), round(blue * 255))
