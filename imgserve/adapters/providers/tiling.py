"""Tiles of a picture that a net enlarges one by one: where they lie, and how they are joined without seams."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Side of a tile, where the net leaves it open: the largest nets (Real-ESRGAN x4, 23 blocks) need 0.6 GB for it, and
#: 15 s on one processor, after which a job can say how far it is.
TILE: Final = 256

#: What a tile sees of its neighbours on each side, and does not keep; more than the reach of most nets that matters.
CONTEXT: Final = 16

#: How far on each side of a seam two tiles are mixed: it hides what CONTEXT was too small for.
FEATHER: Final = 8

#: Sides that are left open are multiples of this, as SwinIR's windows (8) and U-nets of four levels (16) want it.
GRAIN: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """How tiles lie along one direction, in pixels of the source: each one begins `step` after the one before."""

    length: int
    side: int
    context: int
    feather: int

    @property
    def step(self) -> int:
        return self.side - 2 * self.context

    @property
    def tiles(self) -> int:
        return math.ceil(self.length / self.step)

    @property
    def padding(self) -> tuple[int, int]:
        """Pixels that are added before and after, so that all tiles are full."""
        return self.context, self.tiles * self.step + self.context - self.length

    @property
    def laid(self) -> int:
        """Length of all tiles together, with the mixed rim at both ends."""
        return self.tiles * self.step + 2 * self.feather


def lane_of(length: int, *, fixed: int | None) -> Lane:
    """Lay tiles along `length` pixels; `fixed` is their side where the net has only one."""
    side = fixed or min(TILE, math.ceil((length + 2 * CONTEXT) / GRAIN) * GRAIN)
    context = min(CONTEXT, side // 4)
    return Lane(length=length, side=side, context=context, feather=context // 2 if context < CONTEXT else FEATHER)


def by_tiles(
    values: NDArray[Any],
    enlarge: Callable[[NDArray[Any]], NDArray[Any]],
    *,
    across: Lane,
    down: Lane,
    factor: int,
    told: Callable[[], None],
) -> NDArray[Any]:
    """Enlarge rows x columns x 3 of 8 bits `factor` times by what `enlarge` makes of each tile; `told` after each.

    Tiles are joined to rows, and rows to the whole: mixing each tile with what is there leaves a step at its corners.
    """
    # Here: servers make providers without running them, and both are of the extra.
    import cv2
    import numpy as np

    # Mirrored beyond the edges: nets answer a black frame with a dark rim.
    padded = cv2.copyMakeBorder(values, *down.padding, *across.padding, cv2.BORDER_REFLECT)
    whole = np.empty((down.laid * factor, across.length * factor, 3), np.uint8)
    row = np.empty((across.laid * factor, (down.step + 2 * down.feather) * factor, 3), np.uint8)
    inside = slice(across.feather * factor, (across.feather + across.length) * factor)
    for y in range(down.tiles):
        for x in range(across.tiles):
            tile = padded[y * down.step :, x * across.step :][: down.side, : across.side]
            large = _without_context(enlarge(tile), across=across, down=down, factor=factor)
            _join(row, large.swapaxes(0, 1), place=x, lane=across, factor=factor)
            told()
        _join(whole, row[inside].swapaxes(0, 1), place=y, lane=down, factor=factor)
    return whole[down.feather * factor :][: down.length * factor]


def _without_context(large: NDArray[Any], *, across: Lane, down: Lane, factor: int) -> NDArray[Any]:
    """Cut the context away, except what is mixed with the neighbours."""
    x, y = (across.context - across.feather) * factor, (down.context - down.feather) * factor
    return large[y : large.shape[0] - y, x : large.shape[1] - x]


def _join(whole: NDArray[Any], part: NDArray[Any], *, place: int, lane: Lane, factor: int) -> None:
    """Put a part at its place along the first direction, mixed with the end of the one before."""
    import numpy as np

    start = place * lane.step * factor
    mixed = 2 * lane.feather * factor if place else 0
    if mixed:
        share = ((np.arange(mixed, dtype=np.float32) + 0.5) / mixed)[:, None, None]
        before = whole[start : start + mixed].astype(np.float32)
        whole[start : start + mixed] = np.rint(before + (part[:mixed] - before) * share).astype(np.uint8)
    whole[start + mixed : start + part.shape[0]] = part[mixed:]
