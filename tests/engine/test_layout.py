"""Sizes: imgproxy's known answers, and what holds for every request."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine.intent import Intent, Limits
from imgserve.engine.layout import Layout, crop_size, exif_turn, solve
from imgserve.engine.preshrink import jpeg_shrink, preshrink, preshrunk
from imgserve.engine.rounding import half_away
from imgserve.errors import ImageRefused
from imgserve.ops.behaviour import Setting
from imgserve.ops.catalog import CATALOG
from imgserve.plan.model import arrange
from imgserve.spec.values import Gravity, GravityType, ResizingType

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "sizes.json").read_text())


def intent_of(options: str) -> Intent:
    ops = [CATALOG.parse(name, pieces) for name, *pieces in (segment.split(":") for segment in options.split("/"))]
    intent = Intent()
    for one in arrange("", ops, CATALOG).ops:
        assert isinstance(one, Setting)
        intent = one.configure(intent)
    return intent


def size_of(layout: Layout) -> list[int]:
    return [layout.result_width, layout.result_height]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["options"])
def test_results_have_the_sizes_that_imgproxy_gives(case: dict[str, Any]) -> None:
    width, height = VECTORS["source"]
    assert size_of(solve(intent_of(case["options"]), width=width, height=height)) == case["size"]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("rs:fit:80:40/pd:20:30:40:10/dpr:0.5/el:1", [60, 50]),
        ("rs:fit:80:40/pd:20:30:40:10/dpr:2/el:1", [240, 200]),
        ("rs:fit:500:500/ex:1/dpr:0.5", [250, 250]),
        ("rs:fit:500:500/ex:1/dpr:2", [500, 500]),
        ("rs:force:33:77", [33, 77]),
        ("rs:force:0:77/el:1", [200, 77]),
        ("rs:auto:100:50", [100, 50]),
        ("rs:auto:50:100", [50, 25]),
        ("w:100/z:2", [200, 100]),
        ("w:50/z:2:3", [100, 75]),
        ("w:10/h:10/mw:50", [10, 10]),
        ("c:0.5:0.5/w:50", [50, 25]),
        ("c:40:40", [40, 40]),
        ("rs:fit:50:100/rot:90", [50, 100]),
        ("mrd:200/rs:fit:100:100/pd:100:200:300:400", [200, 129]),
    ],
)
def test_other_known_sizes(options: str, size: list[int]) -> None:
    assert size_of(solve(intent_of(options), width=200, height=100)) == size


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_exif_turns_swap_the_sides(orientation: int) -> None:
    layout = solve(Intent(width=50), width=200, height=100, orientation=orientation)
    assert (layout.width, layout.height, *size_of(layout)) == (100, 200, 50, 100)
    unturned = solve(Intent(width=50, auto_rotate=False), width=200, height=100, orientation=orientation)
    assert size_of(unturned) == [50, 25]


def test_a_turn_by_exif_and_one_by_request_make_a_half_turn() -> None:
    layout = solve(Intent(rotate=270), width=200, height=100, orientation=6)
    assert size_of(layout) == [200, 100]


def test_vector_pictures_may_grow_without_being_asked() -> None:
    assert size_of(solve(Intent(width=400), width=200, height=100, vector=True)) == [400, 200]
    assert size_of(solve(Intent(width=400), width=200, height=100)) == [200, 100]


def test_margins_are_part_of_the_wanted_size() -> None:
    layout = solve(
        Intent(resizing_type=ResizingType.FILL, width=600, height=400, margins=(5, 30, 45, 20)), width=900, height=900
    )
    assert (layout.fit_width, layout.fit_height) == (550, 350)
    assert size_of(layout) == [600, 400]
    assert layout.margins == (5, 30, 45, 20)


@given(st.integers(50, 700), st.floats(0.5, 3), st.tuples(*[st.integers(0, 20)] * 4).filter(any))
def test_margins_never_move_the_wanted_size_by_a_pixel(
    width: int, dpr: float, margins: tuple[int, int, int, int]
) -> None:
    intent = Intent(resizing_type=ResizingType.FILL, width=width, height=width, dpr=dpr, enlarge=True, margins=margins)
    assert size_of(solve(intent, width=500, height=400)) == [half_away(width * dpr)] * 2


def test_room_is_added_where_no_size_is_wanted() -> None:
    assert size_of(solve(Intent(margins=(1, 2, 3, 4)), width=200, height=100)) == [206, 104]


@pytest.mark.parametrize(
    ("intent", "limits"),
    [
        (Intent(resizing_type=ResizingType.FORCE, width=20_000, height=10, enlarge=True), Limits()),
        (Intent(width=300, height=300, extend=True), Limits(max_result_side=299)),
        (Intent(padding_left=2000), Limits(max_result_side=1000)),
        (Intent(width=5000, height=5000, enlarge=True), Limits(max_result_pixels=1_000_000)),
        # The result is small, but on the way to it there would be 2,000,000 x 100 pixels.
        (
            Intent(resizing_type=ResizingType.FILL, width=100, height=1_000_000, enlarge=True),
            Limits(max_result_side=0),
        ),
        (Intent(margins=(0, 900, 0, 0)), Limits(max_result_side=1000)),
    ],
)
def test_results_beyond_the_limits_are_refused(intent: Intent, limits: Limits) -> None:
    with pytest.raises(ImageRefused):
        solve(dataclasses.replace(intent, limits=limits), width=200, height=100)


SIDES = st.one_of(st.just(0), st.integers(1, 40_000))
FACTORS = st.floats(1e-6, 1e6, allow_nan=False)
INTENTS = st.builds(
    Intent,
    resizing_type=st.sampled_from(ResizingType),
    width=SIDES,
    height=SIDES,
    min_width=SIDES,
    min_height=SIDES,
    zoom_x=FACTORS,
    zoom_y=FACTORS,
    dpr=FACTORS,
    enlarge=st.booleans(),
    extend=st.booleans(),
    extend_aspect_ratio=st.booleans(),
    crop_width=st.one_of(st.floats(0, 1), st.floats(1, 1e9)),
    crop_height=st.one_of(st.floats(0, 1), st.floats(1, 1e9)),
    padding_top=st.integers(0, 1000),
    padding_left=st.integers(0, 1000),
    rotate=st.sampled_from((0, 90, 180, 270)),
    margins=st.tuples(*[st.integers(0, 100)] * 4),
    limits=st.builds(Limits, max_result_dimension=st.one_of(st.just(0), st.integers(1, 5000))),
)


@given(INTENTS, st.integers(1, 30_000), st.integers(1, 30_000), st.integers(0, 9))
def test_no_request_has_an_impossible_layout(intent: Intent, width: int, height: int, orientation: int) -> None:
    try:
        layout = solve(intent, width=width, height=height, orientation=orientation)
    except ImageRefused:
        return
    limits = intent.limits
    assert 1 <= layout.result_width <= limits.max_result_side
    assert 1 <= layout.result_height <= limits.max_result_side
    assert layout.result_width * layout.result_height <= limits.max_result_pixels
    assert min(layout.scaled_width, layout.scaled_height) >= 1
    assert min(layout.scale_x, layout.scale_y) > 0
    assert min(layout.margins + layout.padding) >= 0


@given(INTENTS, st.integers(1, 10_000), st.integers(1, 10_000), st.sampled_from((2, 4, 8)))
def test_shrinking_on_load_keeps_the_scaled_size(intent: Intent, width: int, height: int, factor: int) -> None:
    try:
        layout = solve(intent, width=width, height=height)
    except ImageRefused:
        return
    smaller = -(-layout.width // factor), -(-layout.height // factor)
    if preshrink(layout) < factor or intent.crop_width or intent.crop_height:
        return
    after = preshrunk(layout, width=smaller[0], height=smaller[1])
    assert abs(smaller[0] * after.scale_x - layout.scaled_width) < 1
    assert abs(smaller[1] * after.scale_y - layout.scaled_height) < 1


@pytest.mark.parametrize(("factor", "shrink"), [(1.0, 1), (1.99, 1), (2, 2), (3.9, 2), (4, 4), (7.9, 4), (100, 8)])
def test_jpeg_shrinks_are_the_largest_that_the_decoder_has(factor: float, shrink: int) -> None:
    assert jpeg_shrink(factor) == shrink


def test_crops_follow_a_picture_that_was_loaded_smaller() -> None:
    intent = Intent(width=50, crop_width=400, crop_height=3, crop_gravity=Gravity(GravityType.NORTH_WEST, 9, 0.25))
    after = preshrunk(solve(intent, width=800, height=400), width=200, height=100)
    assert (after.crop_width, after.crop_height) == (100, 1)
    assert after.crop_gravity == Gravity(GravityType.NORTH_WEST, 2, 0.25)


@pytest.mark.parametrize(("wanted", "size"), [(0, 0), (0.5, 100), (0.0001, 1), (1, 1), (33.9, 33)])
def test_crop_sides_are_shares_below_one_and_pixels_from_one(wanted: float, size: int) -> None:
    assert crop_size(200, wanted) == size


def test_exif_orientations_turn_and_mirror() -> None:
    turns = [exif_turn(orientation, auto_rotate=True) for orientation in range(1, 9)]
    assert turns == [
        (0, False),
        (0, True),
        (180, False),
        (180, True),
        (90, True),
        (90, False),
        (270, True),
        (270, False),
    ]
