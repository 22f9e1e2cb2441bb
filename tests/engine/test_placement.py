"""Boxes that models gave in the upright source lie on the same pixels in the result, whatever is done to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from imgserve.engine.deadline import Deadline
from imgserve.engine.frame import Frame
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.layout import exif_turn
from imgserve.engine.pipeline import render
from imgserve.engine.placement import Box, Placement
from imgserve.ops.behaviour import Transform
from imgserve.ops.detections import CropObjects, DrawDetections
from imgserve.ops.trim import AutoCrop, Trim
from imgserve.ports.models import Detection, Reading, Task
from imgserve.spec.op import OpSpec, Stage
from imgserve.spec.values import Gravity, GravityType, ResizingType
from tests.engine.pictures import jpeg, plain, png, turned

SIZE = (240, 160)


class Probe:
    """Remembers where the frame says that things are, and what the picture is then."""

    spec: OpSpec = dataclasses.replace(DrawDetections.spec, stage=Stage.MASK)

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.image = pyvips.Image.black(1, 1)

    def apply(self, frame: Frame) -> Frame:
        self.boxes = [one.box for one in frame.things(())]
        frame = frame.in_memory()
        self.image = frame.image
        return frame


def source(box: tuple[int, int, int, int], *, border: int = 0) -> pyvips.Image:
    """A grey picture of SIZE with a red box in it, and perhaps white edges that trimming finds."""
    width, height = SIZE
    picture = plain(width, height, [255, 255, 255])
    picture = picture.insert(plain(width - 2 * border, height - 2 * border, [90, 90, 90]), border, border)
    left, top, right, bottom = box
    return picture.insert(plain(right - left, bottom - top, [255, 0, 0]), left, top)


def seen(box: tuple[int, int, int, int], orientation: int) -> dict[Task, Reading]:
    """What a detector says that was shown the picture upright; the turn is done by hand here."""
    width, height = SIZE
    left, top, right, bottom = box
    angle, mirror = exif_turn(orientation, auto_rotate=True)
    for _ in range(angle // 90):
        left, top, right, bottom = height - bottom, left, height - top, right
        width, height = height, width
    if mirror:
        left, right = width - right, width - left
    one = Detection(
        label="box",
        confidence=0.9,
        left=left / width,
        top=top / height,
        width=(right - left) / width,
        height=(bottom - top) / height,
    )
    return {Task.OBJECTS: Reading(detections=(one,))}


def red_box(image: pyvips.Image) -> Box | None:
    """Where red pixels are that are more red than grey by half."""
    if min(image.width, image.height) < 3:
        return None  # find_trim looks at neighbours
    rgb = image[:3]
    mask = ((rgb[0] - rgb[1]) > 127).ifthenelse(255, 0).cast("uchar")
    left, top, width, height = mask.find_trim(threshold=100, background=[0.0])
    return Box(left, top, left + width, top + height) if width and height else None


def probed(
    picture: bytes, readings: dict[Task, Reading], ops: Sequence[Transform], wanted: dict[str, Any]
) -> tuple[Box | None, Box | None]:
    probe, intent = Probe(), Intent(**wanted)
    for one in ops:
        intent = one.configure(intent)
    render(
        picture,
        intent=intent,
        transforms=[*ops, probe],
        config=EngineConfig(),
        deadline=Deadline(30),
        readings=readings,
    )
    return (probe.boxes[0] if probe.boxes else None), red_box(probe.image)


def check(got: tuple[Box | None, Box | None], *, within: float = 2.0) -> None:
    placed, red = got
    if placed is None or red is None or min(red.width, red.height) <= 2 * within:
        # What is a sliver in one of them is nothing in the other.
        sizes = [min(box.width, box.height) for box in got if box is not None]
        assert all(size <= 3 * within for size in sizes)
        return
    assert max(abs(one - other) for one, other in zip(placed, red, strict=True)) <= within


BOXES = st.tuples(st.integers(10, 200), st.integers(10, 130), st.integers(12, 120), st.integers(12, 100)).map(
    lambda box: (box[0], box[1], min(230, box[0] + box[2]), min(150, box[1] + box[3]))
)
GRAVITIES = st.one_of(
    st.sampled_from([Gravity(kind, 5, 0.1) for kind in (GravityType.NORTH, GravityType.SOUTH_EAST, GravityType.WEST)]),
    st.sampled_from([Gravity(), Gravity(GravityType.SMART), Gravity(GravityType.FOCUS_POINT, 0.8, 0.3)]),
    st.just(Gravity(GravityType.OBJECTS)),
)
WANTED = st.fixed_dictionaries(
    {},
    optional={
        "resizing_type": st.sampled_from(list(ResizingType)),
        "width": st.integers(40, 300),
        "height": st.integers(40, 300),
        "enlarge": st.booleans(),
        "dpr": st.sampled_from([1.0, 1.5]),
        "zoom_x": st.sampled_from([0.7, 1.0]),
        "crop_width": st.sampled_from([0.0, 0.6, 100.0]),
        "crop_height": st.sampled_from([0.0, 0.5, 90.0]),
        "gravity": GRAVITIES,
        "crop_gravity": GRAVITIES,
        "objects_position": st.sampled_from(
            [Gravity(), Gravity(GravityType.NORTH_WEST), Gravity(GravityType.PROPORTIONAL)]
        ),
        "rotate": st.sampled_from([0, 90, 180, 270]),
        "flip_horizontal": st.booleans(),
        "flip_vertical": st.booleans(),
        "auto_rotate": st.booleans(),
        "extend": st.booleans(),
        "padding_left": st.integers(0, 9),
    },
)
OPS = st.lists(
    st.sampled_from([Trim(threshold=10), AutoCrop(margin=3), CropObjects(scale=1.5)]), max_size=2, unique_by=type
)


@given(box=BOXES, orientation=st.integers(1, 8), wanted=WANTED, ops=OPS)
@settings(max_examples=250, deadline=None)
def test_the_placed_box_is_where_the_pixels_are(
    box: tuple[int, int, int, int], orientation: int, wanted: dict[str, Any], ops: list[Transform]
) -> None:
    picture = png(turned(source(box, border=8), orientation))
    check(probed(picture, seen(box, orientation), ops, wanted))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("width", [31, 64, 100])
def test_the_box_keeps_its_place_where_the_decoder_shrinks(orientation: int, width: int) -> None:
    box = (60, 40, 150, 110)
    picture = jpeg(turned(source(box), orientation), Q=100, subsample_mode="off")
    wanted = {"width": width, "height": width, "resizing_type": ResizingType.FILL, "rotate": 90}
    placed, red = probed(picture, seen(box, orientation), (), wanted)
    assert placed is not None
    assert red is not None
    check((placed, red))


def test_turns_of_a_placement_are_those_of_a_picture() -> None:
    box = Box(0.1, 0.2, 0.4, 0.9)
    placed = Placement.stored(200, 100, orientation=1)
    assert placed.box(box) == pytest.approx((20, 20, 80, 90))
    assert placed.turned(90, 200, 100).box(box) == pytest.approx((10, 20, 80, 80))
    assert placed.turned(180, 200, 100).box(box) == pytest.approx((120, 10, 180, 80))
    assert placed.turned(270, 200, 100).box(box) == pytest.approx((20, 120, 90, 180))
    # The stored picture of orientation 6 is turned clockwise to be upright.
    assert Placement.stored(200, 100, orientation=6).box(Box(0.9, 0, 1, 0.1)) == pytest.approx((0, 0, 20, 10))
