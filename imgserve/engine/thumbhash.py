"""ThumbHash: a blurred picture with alpha and aspect ratio as some 25 bytes (evanw.github.io/thumbhash, Details)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from imgserve.engine.cosines import Rows, cosine_terms
from imgserve.ports.models import Pixels

#: The format's own bound is 100; the terms of 64 pixels are the same to a fraction of a step.
MAX_SIDE: Final = 64

#: Terms of brightness along the longer side, of colours, and of alpha; with alpha there is less room for brightness.
_BRIGHTNESS: Final = 7
_BRIGHTNESS_BESIDE_ALPHA: Final = 5
_COLOUR: Final = 3
_ALPHA: Final = 5

_RGBA: Final = 4


@dataclass(frozen=True, slots=True)
class _Channel:
    """Mean, and the other terms with their largest magnitude."""

    mean: float
    scale: float
    terms: tuple[float, ...]

    def nibbles(self) -> list[int]:
        """Give the terms as steps from 0 (as low as the largest is high) to 15."""
        return [_rounded(15 * (0.5 + 0.5 * term / self.scale if self.scale else 0.0)) for term in self.terms]


def thumbhash(pixels: Pixels) -> bytes:
    """Encode a picture of three bands, or of four with alpha, of at most 100 pixels a side."""
    width, height = pixels.width, pixels.height
    has_alpha = pixels.bands == _RGBA
    most = _BRIGHTNESS_BESIDE_ALPHA if has_alpha else _BRIGHTNESS
    across = max(1, _rounded(most * width / max(width, height)))
    down = max(1, _rounded(most * height / max(width, height)))
    brightness, yellow_blue, red_green, alpha = _planes(pixels)
    light = _encoded(brightness, max(3, across), max(3, down))
    colours = [_encoded(plane, _COLOUR, _COLOUR) for plane in (yellow_blue, red_green)]
    opacity = [_encoded(alpha, _ALPHA, _ALPHA)] if has_alpha else []
    nibbles = [step for channel in (light, *colours, *opacity) for step in channel.nibbles()]
    is_landscape = width > height
    return b"".join(
        (
            _head(light, colours, has_alpha=has_alpha),
            _shape(colours, down if is_landscape else across, is_landscape=is_landscape),
            *(bytes((_rounded(15 * one.mean) | _rounded(15 * one.scale) << 4,)) for one in opacity),
            _packed(nibbles),
        )
    )


def _head(light: _Channel, colours: Sequence[_Channel], *, has_alpha: bool) -> bytes:
    yellow_blue, red_green = (_rounded(31.5 + 31.5 * one.mean) for one in colours)
    bits = _rounded(63 * light.mean) | yellow_blue << 6 | red_green << 12
    return (bits | _rounded(31 * light.scale) << 18 | has_alpha << 23).to_bytes(3, "little")


def _shape(colours: Sequence[_Channel], count: int, *, is_landscape: bool) -> bytes:
    yellow_blue, red_green = (_rounded(63 * one.scale) for one in colours)
    return (count | yellow_blue << 3 | red_green << 9 | is_landscape << 15).to_bytes(2, "little")


def _packed(nibbles: Sequence[int]) -> bytes:
    even = [*nibbles, 0] if len(nibbles) % 2 else nibbles
    return bytes(low | high << 4 for low, high in zip(even[::2], even[1::2], strict=True))


def _planes(pixels: Pixels) -> tuple[Rows, Rows, Rows, Rows]:
    """Split into brightness, yellow against blue, red against green, and alpha; what shows through is the average."""
    bands, data = pixels.bands, pixels.data
    alphas = [value / 255 for value in data[3::bands]] if bands == _RGBA else [1.0] * (pixels.width * pixels.height)
    whole = sum(alphas)
    lights = [[value / 255 for value in data[band::bands]] for band in range(3)]
    red, green, blue = (_filled(light, alphas, whole) for light in lights)
    rows = range(0, len(alphas), pixels.width)
    brightness = [(r + g + b) / 3 for r, g, b in zip(red, green, blue, strict=True)]
    yellow_blue = [(r + g) / 2 - b for r, g, b in zip(red, green, blue, strict=True)]
    red_green = [r - g for r, g in zip(red, green, strict=True)]
    first, second, third, fourth = (
        [plane[start : start + pixels.width] for start in rows]
        for plane in (brightness, yellow_blue, red_green, alphas)
    )
    return first, second, third, fourth


def _filled(light: Sequence[float], alphas: Sequence[float], whole: float) -> list[float]:
    average = sum(value * alpha for value, alpha in zip(light, alphas, strict=True)) / whole if whole else 0.0
    return [average * (1 - alpha) + alpha * value for value, alpha in zip(light, alphas, strict=True)]


def _encoded(rows: Rows, across: int, down: int) -> _Channel:
    """Keep the slower half of the terms: those on the side of the first one of a line from corner to corner."""
    terms = cosine_terms(rows, across, down)
    mean, *others = (terms[y][x] for y in range(down) for x in range(across) if x * down < across * (down - y))
    return _Channel(mean, max(map(abs, others)), tuple(others))


def _rounded(value: float) -> int:
    """Round halves up, as the format's own programs do."""
    return int(value + 0.5)
