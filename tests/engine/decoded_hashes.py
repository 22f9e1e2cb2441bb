"""What browsers make of hashes: written down from the formats' descriptions, to see what a hash says."""

from __future__ import annotations

import math

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"

Colour = tuple[float, float, float]


def _number(text: str) -> int:
    value = 0
    for digit in text:
        value = value * 83 + _DIGITS.index(digit)
    return value


def _linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def _coded(light: float) -> float:
    light = max(0.0, min(1.0, light))
    return 255 * (light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def blurhash_at(text: str, x: float, y: float) -> Colour:
    """Give the colour (0 to 255) at a place in shares of the picture."""
    count = _number(text[0])
    across, down = count % 9 + 1, count // 9 + 1
    assert len(text) == 4 + 2 * across * down
    most = (_number(text[1]) + 1) / 166
    first = _number(text[2:6])
    terms = [[_linear(first >> 16), _linear(first >> 8 & 255), _linear(first & 255)]]
    for at in range(6, len(text), 2):
        value = _number(text[at : at + 2])
        steps = [(step - 9) / 9 for step in (value // 361, value // 19 % 19, value % 19)]
        terms.append([math.copysign(step * step, step) * most for step in steps])
    weights = [math.cos(math.pi * i * x) * math.cos(math.pi * j * y) for j in range(down) for i in range(across)]
    red, green, blue = (
        _coded(sum(term[band] * weight for term, weight in zip(terms, weights, strict=True))) for band in range(3)
    )
    return red, green, blue


def thumbhash_at(data: bytes, x: float, y: float) -> tuple[float, float, float, float]:
    """Give red, green, blue and alpha (0 to 255) at a place in shares of the picture."""
    head, shape = int.from_bytes(data[:3], "little"), int.from_bytes(data[3:5], "little")
    has_alpha, is_landscape = bool(head >> 23), bool(shape >> 15)
    longer = 5 if has_alpha else 7
    across, down = (longer, shape & 7) if is_landscape else (shape & 7, longer)
    nibbles = iter([half for byte in data[6 if has_alpha else 5 :] for half in (byte & 15, byte >> 4)])

    def channel(mean: float, scale: float, nx: int, ny: int) -> float:
        value = mean
        for j in range(ny):
            for i in range(nx):
                if (i or j) and i * ny + j * nx < nx * ny:
                    wave = math.cos(math.pi * i * x) * math.cos(math.pi * j * y)
                    value += 2 * (next(nibbles) / 7.5 - 1) * scale * wave
        return value

    light = channel((head & 63) / 63, (head >> 18 & 31) / 31, max(3, across), max(3, down))
    yellow_blue = channel((head >> 6 & 63) / 31.5 - 1, (shape >> 3 & 63) / 63, 3, 3)
    red_green = channel((head >> 12 & 63) / 31.5 - 1, (shape >> 9 & 63) / 63, 3, 3)
    alpha = channel((data[5] & 15) / 15, (data[5] >> 4) / 15, 5, 5) if has_alpha else 1.0
    blue = light - 2 / 3 * yellow_blue
    red = (3 * light - blue + red_green) / 2
    values = [255 * max(0.0, min(1.0, value)) for value in (red, red - red_green, blue, alpha)]
    return values[0], values[1], values[2], values[3]


def ratio_of(data: bytes) -> float:
    """Give the aspect ratio that a ThumbHash notes, roughly."""
    longer = 5 if data[2] & 128 else 7
    return longer / (data[3] & 7) if data[4] & 128 else (data[3] & 7) / longer
