"""The discrete cosine transform, as far as hashes of pictures need it: the first few terms of a small picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul

Rows = Sequence[Sequence[float]]


def cosine_terms(rows: Rows, across: int, down: int, *, at: float = 0.5) -> list[list[float]]:
    """Give the mean of the values weighted with each of `across` x `down` cosines; a row of terms for each one down.

    Term (x, y) has x half waves from left to right. `at` is where in a pixel its cosine is taken: 0.5 = in the middle.
    The two directions are summed one after the other, which is fifty times quicker than term by term.
    """
    height, width = len(rows), len(rows[0])
    waves = [[math.cos(math.pi * i * (x + at) / width) for x in range(width)] for i in range(across)]
    columns = [[sum(map(mul, row, wave)) for row in rows] for wave in waves]
    falls = [[math.cos(math.pi * j * (y + at) / height) for y in range(height)] for j in range(down)]
    count = width * height
    return [[sum(map(mul, column, fall)) / count for column in columns] for fall in falls]
