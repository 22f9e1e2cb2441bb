"""Finding objects by an ONNX file of the YOLO family."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from imgserve.adapters.providers.labels import COCO, Labels
from imgserve.adapters.providers.onnx_file import OnnxFile, OnnxModel
from imgserve.adapters.providers.opencv import use_one_thread
from imgserve.adapters.providers.pixel_arrays import array_of
from imgserve.adapters.providers.yolo_layouts import STRIDES, Boxes, Layout, boxes_of, layout_of
from imgserve.errors import ProviderUnavailable
from imgserve.ports.models import Capability, Detection, Picture, Progress, Reading, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Side of the input where neither the file nor the settings have one; imgproxy's.
DEFAULT_SIDE: Final = 416

#: The grey around a picture of another shape, that all of the family are trained with.
GREY: Final = 114

#: Detections of an answer; what YOLOv5 and its successors stop at.
MAX_DETECTIONS: Final = 300

#: Boxes that are compared with each other, surest first: with all 25,200 of a threshold of 0 it takes seconds.
MAX_CANDIDATES: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """Where the picture lies in the net's input, in pixels of the input."""

    width: int
    height: int
    left: int
    top: int
    inner_width: int
    inner_height: int


class YoloObjects:
    """Finds objects of the classes that the net was trained for.

    `side` 0 = as the file says, which is heeded anyway where it leaves no choice.
    """

    def __init__(
        self,
        file: OnnxFile,
        *,
        labels: Labels | None = None,
        layout: Layout = Layout.AUTO,
        side: int = 0,
        min_confidence: float = 0.2,
        max_overlap: float = 0.4,
        max_pixels: int = 50_000_000,
        timeout_s: float = 60.0,
        licence: str = "that of the model file",
    ) -> None:
        self._file = file
        self._labels = labels or Labels(built_in=COCO)
        self._layout = layout
        self._side = side
        self._min_confidence = min_confidence
        self._max_overlap = max_overlap
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._licence = licence

    @property
    def capability(self) -> Capability:
        parameters = f"{self._layout}-{self._side}-{self._min_confidence:g}-{self._max_overlap:g}"
        return Capability(
            task=Task.OBJECTS,
            name="yolo",
            identity=f"yolo-{self._file.fingerprint}-{self._labels.fingerprint}-{parameters}",
            licence=self._licence,
            max_pixels=self._max_pixels,
            timeout_s=self._timeout_s,
        )

    def trouble(self) -> str | None:
        return self._file.trouble() or self._labels.trouble()

    def close(self) -> None:
        self._file.close()

    def run(self, picture: Picture, argument: str, progress: Progress) -> Reading:
        """Find objects, surest first; of boxes of one class that overlap only the surest.

        Raises ProviderUnavailable for a file that is not of the family.
        """
        model = self._file.load()
        width, height = self._input_size(model)
        output, layout = self._seen(model, picture, width=width, height=height)
        try:
            boxes = boxes_of(output, layout, width=width, height=height)
        except ValueError as exc:
            raise ProviderUnavailable(f"The model {self._file.name} is not of the layout {layout}: {exc}.") from exc
        names = self._labels.names(boxes.classes)
        box = letterbox_of(picture, layout, width=width, height=height)
        chosen = chosen_of(boxes, min_confidence=self._min_confidence, max_overlap=self._max_overlap)
        return Reading(detections=tuple(_detections(boxes, chosen, box=box, names=names)))

    def _input_size(self, model: OnnxModel) -> tuple[int, int]:
        """Give width and height: those of the file, else of the settings in whole cells of the coarsest grid."""
        sides = model.input.sides
        if len(sides) != 4 or sides[1] not in (None, 3):
            raise ProviderUnavailable(f"The model {self._file.name} is no YOLO: its input must be 1 x 3 x H x W.")
        asked = math.ceil((self._side or DEFAULT_SIDE) / max(STRIDES)) * max(STRIDES)
        return sides[3] or asked, sides[2] or asked

    def _seen(self, model: OnnxModel, picture: Picture, *, width: int, height: int) -> tuple[NDArray[Any], Layout]:
        """Give the output and its layout, which decides about the input, and may be told by the output only."""
        layout: Layout | None = self._layout
        if layout is Layout.AUTO:
            layout = _layout_by(model.outputs[0].sides, width=width, height=height)
        output = self._computed(model, input_of(picture, layout, width=width, height=height))
        if layout is not None:
            return output, layout
        layout = _layout_by(output.shape, width=width, height=height)
        if layout is None:
            rows, columns = output.shape
            raise ProviderUnavailable(
                f"The model {self._file.name} gives {rows} x {columns}, which no known YOLO does."
            )
        if layout is Layout.YOLOX:
            output = self._computed(model, input_of(picture, layout, width=width, height=height))
        return output, layout

    def _computed(self, model: OnnxModel, values: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        output = model.run(values)[0]
        if output.ndim == 3:
            output = output[0]
        if output.ndim != 2:
            raise ProviderUnavailable(f"The model {self._file.name} is no YOLO: its first output must be a table.")
        return output.astype(np.float32)


def letterbox_of(picture: Picture, layout: Layout | None, *, width: int, height: int) -> Letterbox:
    """Fit a picture into the input: YOLOX has it in the corner, all others in the middle."""
    scale = min(width / picture.width, height / picture.height)
    inner_width = min(width, max(1, round(picture.width * scale)))
    inner_height = min(height, max(1, round(picture.height * scale)))
    corner = layout is Layout.YOLOX
    return Letterbox(
        width=width,
        height=height,
        left=0 if corner else (width - inner_width) // 2,
        top=0 if corner else (height - inner_height) // 2,
        inner_width=inner_width,
        inner_height=inner_height,
    )


def input_of(picture: Picture, layout: Layout | None, *, width: int, height: int) -> NDArray[Any]:
    """Make 1 x 3 x H x W: BGR of 0 to 255 for YOLOX, RGB of 0 to 1 for all others."""
    # Here: servers make providers without running them, and numpy is of the extra.
    import numpy as np

    box = letterbox_of(picture, layout, width=width, height=height)
    values = np.full((height, width, 3), GREY, np.float32)
    inner = array_of(picture.stretched(box.inner_width, box.inner_height))
    values[box.top : box.top + box.inner_height, box.left : box.left + box.inner_width] = inner
    planes = values[:, :, ::-1] if layout is Layout.YOLOX else values / np.float32(255)
    return np.ascontiguousarray(planes.transpose(2, 0, 1)[None])


def chosen_of(boxes: Boxes, *, min_confidence: float, max_overlap: float) -> list[int]:
    """Choose boxes, surest first: sure enough, and of each class none that overlaps a surer one too much."""
    import cv2
    import numpy as np

    use_one_thread()
    sure = (boxes.scores >= min_confidence) & np.isfinite(boxes.corners).all(axis=1)
    candidates = np.flatnonzero(sure)
    candidates = candidates[np.argsort(-boxes.scores[candidates], kind="stable")][:MAX_CANDIDATES]
    if not len(candidates):
        return []
    corners = boxes.corners[candidates]
    rectangles = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        rectangles.tolist(), boxes.scores[candidates].tolist(), boxes.kinds[candidates].tolist(), 0.0, max_overlap
    )
    return [int(candidates[number]) for number in sorted(kept)][:MAX_DETECTIONS]


def _layout_by(sides: Sequence[int | None], *, width: int, height: int) -> Layout | None:
    rows, columns = sides[-2:] if len(sides) > 1 else (None, None)
    if rows is None or columns is None:
        return None
    return layout_of(rows, columns, width=width, height=height)


def _detections(boxes: Boxes, chosen: Sequence[int], *, box: Letterbox, names: Sequence[str]) -> list[Detection]:
    """Tell boxes in shares of the picture, cut at its edges; those that lie beside it are left out."""
    import numpy as np

    origin, size = np.array([box.left, box.top] * 2), np.array([box.inner_width, box.inner_height] * 2)
    shares = np.clip((boxes.corners[chosen] - origin) / size, 0, 1).tolist()
    return [
        Detection(
            label=names[boxes.kinds[number]],
            confidence=min(1.0, float(boxes.scores[number])),
            left=left,
            top=top,
            width=right - left,
            height=bottom - top,
        )
        for number, (left, top, right, bottom) in zip(chosen, shares, strict=True)
        if right > left and bottom > top
    ]
