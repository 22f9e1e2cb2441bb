"""A picture for providers, from an array; and sizes and drawings that their tests share."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imgserve.ports.models import Pixels


class ArrayPicture:
    """A Picture of rows x columns x 3 numbers of 8 bits, in sRGB."""

    def __init__(self, values: NDArray[Any]) -> None:
        assert values.dtype == np.uint8
        assert values.ndim == 3
        assert values.shape[2] == 3
        self.values = values

    @property
    def width(self) -> int:
        return int(self.values.shape[1])

    @property
    def height(self) -> int:
        return int(self.values.shape[0])

    def pixels(self, *, max_side: int | None = None) -> Pixels:
        return _pixels(self._fitted(max_side))

    def stretched(self, width: int, height: int) -> Pixels:
        return _pixels(cv2.resize(self.values, (width, height), interpolation=cv2.INTER_AREA))

    def encoded(self, *, format: str = "jpeg", max_side: int | None = None) -> bytes:
        _, file = cv2.imencode(f".{format}", self._fitted(max_side)[:, :, ::-1])
        return file.tobytes()

    def _fitted(self, max_side: int | None) -> NDArray[Any]:
        longest = max(self.width, self.height)
        if max_side is None or longest <= max_side:
            return self.values
        size = (
            max(1, round(self.width * max_side / longest)),
            max(1, round(self.height * max_side / longest)),
        )
        return cv2.resize(self.values, size, interpolation=cv2.INTER_AREA)


def _pixels(values: NDArray[Any]) -> Pixels:
    height, width = values.shape[:2]
    return Pixels(data=values.tobytes(), width=width, height=height, bands=3)


def flat(width: int, height: int, colour: tuple[int, int, int] = (128, 128, 128)) -> NDArray[Any]:
    """Make rows of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def values_of(pixels: Pixels) -> NDArray[Any]:
    """Give the array that pixels are of; fails where their size does not fit their data."""
    return np.frombuffer(pixels.data, np.uint8).reshape(pixels.height, pixels.width, pixels.bands)


def draw_face(values: NDArray[Any], *, left: int, top: int, side: int) -> None:
    """Draw a face of light and shade into a square: what cascades look for, not what people would take for one."""
    scale = 4
    canvas = cv2.resize(values[top : top + side, left : left + side], (100 * scale, 100 * scale))

    def oval(x: float, y: float, wide: float, high: float, grey: int) -> None:
        middle, axes = (round(x * scale), round(y * scale)), (round(wide * scale), round(high * scale))
        cv2.ellipse(canvas, middle, axes, 0, 0, 360, (grey, grey, grey), -1, cv2.LINE_AA)

    oval(50, 48, 37, 47, 60)  # hair
    oval(50, 55, 31, 41, 205)  # skin
    oval(50, 30, 25, 13, 222)  # forehead
    for x in (36, 64):
        oval(x, 43, 10, 2.5, 70)  # brow
        oval(x, 50, 9, 5.5, 120)  # socket
        oval(x, 50, 6, 3.5, 225)
        oval(x, 50, 3.5, 3.5, 35)
        oval(x, 65, 8, 6, 222)  # cheek
    oval(50, 57, 4, 12, 228)  # nose
    oval(50, 69, 7, 2.5, 130)
    oval(50, 79, 13, 3.5, 95)  # mouth
    oval(50, 88, 8, 3, 218)  # chin
    soft = cv2.GaussianBlur(canvas, (0, 0), 2.0 * scale / 2)
    values[top : top + side, left : left + side] = cv2.resize(soft, (side, side), interpolation=cv2.INTER_AREA)
