"""A perceptual hash: 64 bits that stay nearly the same when a picture is resized, recompressed or brightened."""

from __future__ import annotations

from typing import Final

from imgserve.engine.cosines import cosine_terms
from imgserve.ports.models import Pixels

#: The picture is stretched to a square of this side, and its first terms in each direction are compared.
SIDE: Final = 32
_TERMS: Final = 8

#: Brightness of red, green and blue (ITU-R BT.601, as in other programs that make these hashes).
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114


def perceptual_hash(pixels: Pixels) -> str:
    """Give the hash of an opaque picture as 16 hex digits: a bit for each term, row by row, set above the median."""
    red, green, blue = (pixels.data[band::3] for band in range(3))
    grey = [_RED * r + _GREEN * g + _BLUE * b for r, g, b in zip(red, green, blue, strict=True)]
    rows = [grey[start : start + pixels.width] for start in range(0, len(grey), pixels.width)]
    terms = [term for row in cosine_terms(rows, _TERMS, _TERMS) for term in row]
    # Of an even number; importing `statistics` for it is 6 ms of each start.
    below, above = sorted(terms)[len(terms) // 2 - 1 : len(terms) // 2 + 1]
    middle = (below + above) / 2
    bits = sum((term > middle) << place for place, term in enumerate(reversed(terms)))
    return f"{bits:016x}"
