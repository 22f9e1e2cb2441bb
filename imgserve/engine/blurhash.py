"""BlurHash: a blurred picture as a short text (github.com/woltapp/blurhash, Algorithm.md)."""

from __future__ import annotations

import math
from typing import Final

from imgserve.engine.cosines import cosine_terms
from imgserve.ports.models import Pixels

#: More pixels change no digit that can be seen, and take longer.
MAX_SIDE: Final = 64
MAX_TERMS: Final = 9

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
#: Steps of the largest term, and what one is: field 2 of the text.
_MAX_STEP: Final = 82
_STEPS: Final = 166
#: A term is one of 19 values for each colour, 9 is none of it.
_NONE: Final = 9
_VALUES: Final = 19


def blurhash(pixels: Pixels, across: int, down: int) -> str:
    """Encode an opaque picture with 1 to 9 terms each way."""
    step = 3 * pixels.width
    starts = range(0, step * pixels.height, step)
    terms = [
        cosine_terms(
            [[_LINEAR[value] for value in pixels.data[start + band : start + step : 3]] for start in starts],
            across,
            down,
            at=0.0,
        )
        for band in range(3)
    ]
    # All cosines but the first, which is 1, have half of its energy.
    averages, *others = (
        [2 * band[y][x] if x or y else band[y][x] for band in terms] for y in range(down) for x in range(across)
    )
    largest = max((abs(value) for term in others for value in term), default=0.0)
    step_of_largest = max(0, min(_MAX_STEP, math.floor(largest * _STEPS - 0.5))) if others else 0
    most = (step_of_largest + 1) / _STEPS
    return "".join(
        (
            _text(across - 1 + (down - 1) * MAX_TERMS, 1),
            _text(step_of_largest, 1),
            _text(_joined([_coded(value) for value in averages], 256), 4),
            *(_text(_joined([_quantised(value / most) for value in term], _VALUES), 2) for term in others),
        )
    )


def _text(value: int, length: int) -> str:
    base = len(_DIGITS)
    return "".join(_DIGITS[value // base**place % base] for place in reversed(range(length)))


def _joined(values: list[int], base: int) -> int:
    red, green, blue = values
    return (red * base + green) * base + blue


def _quantised(value: float) -> int:
    root = math.copysign(math.sqrt(abs(value)), value)
    return max(0, min(_VALUES - 1, math.floor(root * _NONE + _NONE + 0.5)))


def _linear(value: int) -> float:
    """Give the light of an sRGB value (IEC 61966-2-1)."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def _coded(light: float) -> int:
    light = max(0.0, min(1.0, light))
    share = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return int(share * 255 + 0.5)


_LINEAR: Final = [_linear(value) for value in range(256)]
