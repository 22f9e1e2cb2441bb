"""Objects by YOLO files: each layout written by hand, on pictures whose shape shows mistakes of place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imgserve.adapters.providers.labels import Labels
from imgserve.adapters.providers.onnx_file import OnnxFile
from imgserve.adapters.providers.yolo_layouts import Layout, layout_of
from imgserve.adapters.providers.yolo_objects import YoloObjects, input_of
from imgserve.errors import ProviderUnavailable
from imgserve.ports.models import Detection, Task
from tests.adapters.providers.onnx_models import Side, node, written
from tests.adapters.providers.pictures import ArrayPicture, flat

#: Input of the test nets; not square, so that directions that are taken for each other show.
WIDTH, HEIGHT = 96, 64
STRIDES = (8, 16, 32)
CELLS = sum((WIDTH // stride) * (HEIGHT // stride) for stride in STRIDES)
CLASSES = 4

Row = tuple[float, float, float, float, float, int]
"""Middle and size in pixels of the input, score, class."""


def fixed(path: Path, table: NDArray[Any], *, sides: Sequence[Side] = (HEIGHT, WIDTH), told: bool = True) -> OnnxFile:
    """Write a net that always gives this table; `told` says whether the file tells the shape of it."""
    return OnnxFile(
        written(
            path,
            [
                node("ReduceMean", ["x"], "mean", axes=[1, 2, 3], keepdims=0),
                node("Mul", ["mean", "nought"], "none"),
                node("Add", ["none", "table"], "y"),
            ],
            takes=[1, 3, *sides],
            gives=[1, *(table.shape if told else ("rows", "columns"))],
            constants={"nought": np.zeros(1, np.float32), "table": table[None].astype(np.float32)},
        )
    )


def yolov8(rows: Sequence[Row]) -> NDArray[Any]:
    table = np.zeros((4 + CLASSES, CELLS), np.float32)
    for number, (x, y, wide, high, score, kind) in enumerate(rows):
        table[:4, number] = x, y, wide, high
        table[4 + kind, number] = score
    return table


def yolov5(rows: Sequence[Row], *, boxes: int = 3 * CELLS) -> NDArray[Any]:
    table = np.zeros((boxes, 5 + CLASSES), np.float32)
    for number, (x, y, wide, high, score, kind) in enumerate(rows):
        # Half sure of the thing and not quite of its kind: the score is their product.
        table[number, :5] = x, y, wide, high, 0.9
        table[number, 5 + kind] = score / 0.9
    return table


def yolox(rows: Sequence[Row]) -> NDArray[Any]:
    """Write each row in the cell that its middle is in, on the grid of 16."""
    table = yolov5([], boxes=CELLS)
    start = (WIDTH // 8) * (HEIGHT // 8)
    for x, y, wide, high, score, kind in rows:
        column, line = int(x // 16), int(y // 16)
        number = start + line * (WIDTH // 16) + column
        table[number, :5] = x / 16 - column, y / 16 - line, np.log(wide / 16), np.log(high / 16), 0.9
        table[number, 5 + kind] = score / 0.9
    return table


def yolov10(rows: Sequence[Row]) -> NDArray[Any]:
    table = np.zeros((300, 6), np.float32)
    for number, (x, y, wide, high, score, kind) in enumerate(rows):
        table[number] = x - wide / 2, y - high / 2, x + wide / 2, y + high / 2, score, kind
    return table


WRITERS = {Layout.YOLOV8: yolov8, Layout.YOLOV5: yolov5, Layout.YOLOX: yolox, Layout.YOLOV10: yolov10}


def seen(file: OnnxFile, picture: NDArray[Any] | None = None, **parameters: Any) -> tuple[Detection, ...]:
    # 3 to 1: 96 x 32 of the input, with 16 rows of grey above and below, or 32 below.
    values = flat(300, 100) if picture is None else picture
    return YoloObjects(file, **parameters).run(ArrayPicture(values), "", lambda share: None).detections


def box(detection: Detection) -> tuple[float, float, float, float]:
    return (detection.left, detection.top, detection.width, detection.height)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("layout", list(WRITERS))
def test_boxes_of_each_layout_lie_where_the_net_saw_them(tmp_path: Path, layout: Layout, told: bool) -> None:
    above = 0 if layout is Layout.YOLOX else 16
    file = fixed(tmp_path / "net.onnx", WRITERS[layout]([(24, above + 8, 12, 4, 0.72, 2)]), told=told)
    (detection,) = seen(file)
    assert detection.label == "car"
    assert detection.confidence == pytest.approx(0.72, abs=1e-4)
    assert box(detection) == pytest.approx((18 / 96, 6 / 32, 12 / 96, 4 / 32), abs=1e-4)


@pytest.mark.parametrize("layout", list(WRITERS))
def test_a_tall_picture_has_its_grey_at_the_sides(tmp_path: Path, layout: Layout) -> None:
    # 1 to 4: 16 x 64 of the input, from 40 or from 0.
    left = 0 if layout is Layout.YOLOX else 40
    file = fixed(tmp_path / "net.onnx", WRITERS[layout]([(left + 8, 48, 8, 16, 0.9, 0)]))
    (detection,) = seen(file, flat(100, 400), layout=layout)
    assert box(detection) == pytest.approx((0.25, 40 / 64, 0.5, 0.25), abs=1e-4)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2000, 3), (30, 20)])
def test_small_and_extreme_pictures_fill_the_input_too(tmp_path: Path, width: int, height: int) -> None:
    file = fixed(tmp_path / "net.onnx", yolov8([(48, 32, 200, 200, 0.9, 0)]))
    (detection,) = seen(file, flat(width, height))
    assert box(detection) == (0, 0, 1, 1)


def test_a_net_that_looks_finds_the_bright_spot(tmp_path: Path) -> None:
    # One detection whose middle is the brightest place of the input, from its index.
    file = OnnxFile(
        written(
            tmp_path / "net.onnx",
            [
                node("ReduceMean", ["x"], "grey", axes=[1], keepdims=0),
                node("Reshape", ["grey", "line"], "row"),
                node("ArgMax", ["row"], "index", axis=1, keepdims=1),
                node("Cast", ["index"], "number", to=1),
                node("Div", ["number", "width"], "lines"),
                node("Floor", ["lines"], "y0"),
                node("Mul", ["y0", "width"], "before"),
                node("Sub", ["number", "before"], "x0"),
                node("Concat", ["x0", "y0", "rest"], "column", axis=1),
                node("Reshape", ["column", "upright"], "first"),
                node("Concat", ["first", "others"], "y", axis=2),
            ],
            takes=[1, 3, HEIGHT, WIDTH],
            gives=[1, 4 + CLASSES, CELLS],
            constants={
                "line": np.array([1, -1]),
                "width": np.array([[WIDTH]], np.float32),
                "rest": np.array([[4, 4, 0, 0.8, 0, 0]], np.float32),
                "upright": np.array([1, 8, 1]),
                "others": np.zeros((1, 4 + CLASSES, CELLS - 1), np.float32),
            },
        )
    )
    values = flat(600, 200, (20, 20, 20))
    values[140:152, 450:462] = 255
    (detection,) = seen(file, values)
    assert detection.label == "bicycle"
    assert detection.left + detection.width / 2 == pytest.approx(456 / 600, abs=0.012)
    assert detection.top + detection.height / 2 == pytest.approx(146 / 200, abs=0.036)


def test_the_input_is_as_each_layout_was_trained() -> None:
    picture = ArrayPicture(flat(300, 100, (250, 100, 10)))
    middle = input_of(picture, Layout.YOLOV8, width=WIDTH, height=HEIGHT)
    assert middle.shape == (1, 3, HEIGHT, WIDTH)
    assert middle[0, :, 32, 48] == pytest.approx(np.array([250, 100, 10]) / 255)
    assert middle[0, :, [0, 15, 48, 63], 48] == pytest.approx(114 / 255)
    corner = input_of(picture, Layout.YOLOX, width=WIDTH, height=HEIGHT)
    assert corner[0, :, 0, 0].tolist() == [10, 100, 250]
    assert corner[0, :, 32, 0].tolist() == [114, 114, 114]


def test_of_boxes_of_one_class_that_overlap_the_surest_is_kept(tmp_path: Path) -> None:
    rows: list[Row] = [
        (30, 32, 20, 10, 0.6, 1),
        (31, 32, 20, 10, 0.9, 1),
        (30, 32, 20, 10, 0.5, 3),
        (70, 32, 20, 10, 0.4, 1),
    ]
    file = fixed(tmp_path / "net.onnx", yolov8(rows))
    assert [(d.label, round(d.confidence, 2)) for d in seen(file)] == [
        ("bicycle", 0.9),
        ("motorcycle", 0.5),
        ("bicycle", 0.4),
    ]
    assert len(seen(file, max_overlap=0.99)) == 4


def test_less_sure_ones_are_left_out(tmp_path: Path) -> None:
    file = fixed(tmp_path / "net.onnx", yolov8([(20, 32, 9, 9, 0.19, 0), (60, 32, 9, 9, 0.21, 0)]))
    assert len(seen(file)) == 1
    assert len(seen(file, min_confidence=0.1)) == 2
    assert seen(file, min_confidence=0.5) == ()


def test_boxes_are_cut_at_the_edges_and_left_out_beyond(tmp_path: Path) -> None:
    file = fixed(tmp_path / "net.onnx", yolov8([(0, 16, 24, 16, 0.9, 0), (48, 8, 10, 10, 0.9, 1)]))
    (detection,) = seen(file)
    assert box(detection) == pytest.approx((0, 0, 12 / 96, 8 / 32), abs=1e-6)


def test_numbers_that_are_none_are_left_out(tmp_path: Path) -> None:
    file = fixed(tmp_path / "net.onnx", yolov8([(float("nan"), 32, 9, 9, 0.9, 0), (60, 32, 9, 9, 0.8, 0)]))
    assert [round(d.confidence, 2) for d in seen(file)] == [0.8]


def test_at_most_300_are_told_surest_first(tmp_path: Path) -> None:
    rows: list[Row] = [
        (2 + number % 90, 18 + number // 90 * 7, 0.5, 0.5, 0.5 + number / 1000, 0) for number in range(400)
    ]
    table = np.zeros((4 + CLASSES, 1008), np.float32)
    for number, (x, y, wide, high, score, _) in enumerate(rows):
        table[:5, number] = x, y, wide, high, score
    file = fixed(tmp_path / "net.onnx", table, sides=(HEIGHT * 2, WIDTH * 2 + 64))
    detections = seen(file, flat(256, 128), layout=Layout.YOLOV8)
    assert len(detections) == 300
    confidences = [d.confidence for d in detections]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] == pytest.approx(0.899, abs=1e-4)


def test_classes_have_the_names_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("bolt\nnut\n")
    file = fixed(tmp_path / "net.onnx", yolov8([(20, 32, 9, 9, 0.9, 1), (60, 32, 9, 9, 0.8, 3)]))
    assert [d.label for d in seen(file, labels=Labels(tmp_path / "names"))] == ["nut", "class_3"]


def test_the_asked_side_is_used_in_whole_cells_where_the_file_leaves_it_open(tmp_path: Path) -> None:
    path = written(
        tmp_path / "net.onnx",
        [
            node("Shape", ["x"], "shape"),
            node("Cast", ["shape"], "numbers", to=1),
            node("Gather", ["numbers", "two"], "side", axis=0),
            node("Mul", ["row", "scale"], "scaled"),
            node("Mul", ["scaled", "side"], "y"),
        ],
        takes=[1, 3, "h", "w"],
        gives=[1, 300, 6],
        constants={
            "two": np.array([2]),
            # A box of the whole input, whatever its side; the score is divided out for sides of 320.
            "row": np.tile(np.array([[[0, 0, 1, 1, 0.9 / 320, 0]]], np.float32), (1, 300, 1)),
            "scale": np.array(1, np.float32),
        },
    )
    (detection,) = seen(OnnxFile(path), flat(50, 50), side=300)
    assert detection.confidence == pytest.approx(0.9, abs=1e-4)
    assert box(detection) == pytest.approx((0, 0, 1, 1))


@pytest.mark.parametrize(
    ("rows", "columns", "side", "layout"),
    [
        (84, 8400, 640, Layout.YOLOV8),
        (84, 3549, 416, Layout.YOLOV8),
        (25200, 85, 640, Layout.YOLOV5),
        (8400, 85, 640, Layout.YOLOX),
        (3549, 85, 416, Layout.YOLOX),
        (102000, 85, 1280, Layout.YOLOV5),
        (300, 6, 640, Layout.YOLOV10),
        (7, 7, 640, None),
    ],
)
def test_layouts_are_told_by_the_shapes_of_published_nets(
    rows: int, columns: int, side: int, layout: Layout | None
) -> None:
    assert layout_of(rows, columns, width=side, height=side) is layout


@pytest.mark.parametrize(
    ("table", "layout", "sentence"),
    [
        (np.zeros((7, 9)), Layout.AUTO, "gives 7 x 9, which no known YOLO does"),
        (np.zeros((7, 9)), Layout.YOLOX, "not of the layout yolox: another number of cells"),
        (np.zeros((4, CELLS)), Layout.YOLOV8, "not of the layout yolov8: 4 columns"),
        (np.zeros((300, 7)), Layout.YOLOV10, "not of the layout yolov10: 7 columns"),
    ],
)
def test_a_file_of_another_kind_is_unavailable(
    tmp_path: Path, table: NDArray[Any], layout: Layout, sentence: str
) -> None:
    with pytest.raises(ProviderUnavailable, match=sentence):
        seen(fixed(tmp_path / "net.onnx", table), layout=layout)


def test_the_identity_changes_with_each_parameter(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("bolt\n")
    file = fixed(tmp_path / "net.onnx", yolov8([]))
    asked: list[dict[str, Any]] = [
        {},
        {"layout": Layout.YOLOV8},
        {"side": 640},
        {"min_confidence": 0.5},
        {"max_overlap": 0.5},
        {"labels": Labels(tmp_path / "names")},
    ]
    capabilities = [YoloObjects(file, **parameters).capability for parameters in asked]
    assert len({capability.identity for capability in capabilities}) == len(asked)
    assert (capabilities[0].task, capabilities[0].name) == (Task.OBJECTS, "yolo")
