"""How the nets of the YOLO family write down what they see: their outputs, made into boxes and scores."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Pixels of the input per cell of the three grids; the fourth is that of nets for large inputs (P6).
STRIDES: Final = (8, 16, 32)
STRIDES_P6: Final = (8, 16, 32, 64)

#: Boxes that a YOLOv5 gives per cell.
ANCHORS: Final = 3

#: Left, top, right, bottom, score, class: what a net gives that has chosen between boxes itself.
CHOSEN_COLUMNS: Final = 6

#: More than nets that choose themselves give (300), and less than any that do not (3,549 at 416).
MAX_CHOSEN: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """What an output says, one row a box."""

    #: Left, top, right, bottom in pixels of the input.
    corners: NDArray[Any]
    #: 0 to 1.
    scores: NDArray[Any]
    #: Numbers of classes.
    kinds: NDArray[Any]
    #: How many classes there are.
    classes: int


class Layout(StrEnum):
    """What the rows of an output are, by the first net that had it."""

    #: By the shape of the output.
    AUTO = "auto"
    #: cells x (place in the cell, logarithm of the size, objectness, classes); input BGR of 0 to 255.
    YOLOX = "yolox"
    #: boxes x (middle, size, objectness, classes), in pixels; also YOLOv6 and v7.
    YOLOV5 = "yolov5"
    #: (middle, size, classes) x cells, in pixels; also v9, 11 and 12.
    YOLOV8 = "yolov8"
    #: boxes x (corners, score, class): already chosen; also others that are exported with their own choice.
    YOLOV10 = "yolov10"


def layout_of(rows: int, columns: int, *, width: int, height: int) -> Layout | None:
    """Tell a layout by the shape of an output for an input of this size; None for none that is known."""
    if columns == CHOSEN_COLUMNS and rows <= MAX_CHOSEN:
        return Layout.YOLOV10
    for strides in (STRIDES, STRIDES_P6):
        cells = _cells(width, height, strides)
        if columns == cells and rows > 4:
            return Layout.YOLOV8
        if rows == cells and columns > 5:
            return Layout.YOLOX
        if rows == ANCHORS * cells and columns > 5:
            return Layout.YOLOV5
    return None


def boxes_of(output: NDArray[Any], layout: Layout, *, width: int, height: int) -> Boxes:
    """Read an output of two directions for an input of this size.

    Raises ValueError where it cannot be of this layout.
    """
    import numpy as np

    if layout is Layout.YOLOV10:
        if output.shape[1] != CHOSEN_COLUMNS:
            raise ValueError(f"{output.shape[1]} columns instead of {CHOSEN_COLUMNS}")
        kinds = output[:, 5].astype(np.int64)
        return Boxes(corners=output[:, :4], scores=output[:, 4], kinds=kinds, classes=int(kinds.max(initial=-1)) + 1)
    rows = output.T if layout is Layout.YOLOV8 else output
    if rows.shape[1] <= (4 if layout is Layout.YOLOV8 else 5):
        raise ValueError(f"{rows.shape[1]} columns, and so no class")
    if layout is Layout.YOLOX:
        rows = _out_of_cells(rows, width, height)
    scores = rows[:, 4:] if layout is Layout.YOLOV8 else rows[:, 5:] * rows[:, 4:5]
    best = scores.argmax(axis=1)
    middles, halves = rows[:, :2], rows[:, 2:4] / 2
    return Boxes(
        corners=np.concatenate([middles - halves, middles + halves], axis=1),
        scores=scores[np.arange(len(best)), best],
        kinds=best,
        classes=scores.shape[1],
    )


def _cells(width: int, height: int, strides: tuple[int, ...]) -> int:
    return sum((width // stride) * (height // stride) for stride in strides)


def _out_of_cells(rows: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Make pixels of what a YOLOX says in cells: the place counts from the cell, the size is a logarithm."""
    import numpy as np

    strides = STRIDES if len(rows) == _cells(width, height, STRIDES) else STRIDES_P6
    if len(rows) != _cells(width, height, strides):
        raise ValueError("another number of cells")
    corners, sizes = [], []
    for stride in strides:
        down, across = np.mgrid[: height // stride, : width // stride]
        corners.append(np.stack([across.ravel(), down.ravel()], axis=1))
        sizes.append(np.full((down.size, 1), stride))
    size = np.concatenate(sizes)
    middles = (rows[:, :2] + np.concatenate(corners)) * size
    return np.concatenate([middles, np.exp(rows[:, 2:4]) * size, rows[:, 4:]], axis=1)
