"""Trim and autocrop: what is cut, and that sizes follow from what is left."""

from __future__ import annotations

import pytest
import pyvips

from imgserve.ops.trim import AutoCrop, Trim
from imgserve.spec.values import Colour, ResizingType
from tests.engine.pictures import (
    FILL,
    decoded,
    deep,
    digest,
    digest_of,
    jpeg,
    make,
    photo,
    pixel,
    plain,
    png,
    turned,
    with_alpha,
)

INNER = photo(60, 40)


def framed(colour: list[float], *, left: int = 20, top: int = 10, right: int = 40, bottom: int = 30) -> pyvips.Image:
    return INNER.embed(left, top, 60 + left + right, 40 + top + bottom, extend="background", background=colour)


GREEN = [0.0, 200.0, 0.0]


def size(data: bytes) -> tuple[int, int]:
    image = decoded(data)
    return image.width, image.height


def test_edges_of_the_corners_colour_go() -> None:
    assert digest_of(make(png(framed(GREEN)), Trim(threshold=10)).data) == digest(INNER)


def test_edges_of_another_colour_stay() -> None:
    source = png(framed(GREEN))
    assert size(make(source, Trim(threshold=10, color=Colour(255, 0, 0))).data) == (120, 80)
    assert size(make(source, Trim(threshold=10, color=Colour(0, 200, 0))).data) == (60, 40)


@pytest.mark.parametrize(
    ("hor", "ver", "wanted"), [(True, False, (80, 40)), (False, True, (60, 60)), (True, True, (80, 60))]
)
def test_equal_margins_are_cut_when_wanted(*, hor: bool, ver: bool, wanted: tuple[int, int]) -> None:
    got = make(png(framed(GREEN)), Trim(threshold=10, equal_hor=hor, equal_ver=ver))
    assert size(got.data) == wanted
    # The margins on the left and above are the smaller ones, so both begin where the subject does.
    assert digest_of(got.data) == digest(framed(GREEN).crop(20, 10, *wanted))


def test_the_smaller_margin_counts_on_either_side() -> None:
    got = make(png(framed(GREEN, left=40, right=20)), Trim(threshold=10, equal_hor=True))
    assert digest_of(got.data) == digest(framed(GREEN, left=40, right=20).crop(20, 10, 80, 40))


def test_transparent_edges_count_as_one_colour() -> None:
    source = INNER.addalpha().embed(9, 8, 100, 90, extend="black")
    assert size(make(png(source), Trim(threshold=10)).data) == (60, 40)


def test_a_picture_of_one_colour_is_left_alone() -> None:
    even = plain(30, 20, [90] * 3)
    assert size(make(png(even), Trim(threshold=10)).data) == (30, 20)
    assert size(make(png(even), AutoCrop()).data) == (30, 20)


@pytest.mark.parametrize("sides", [(1, 1), (2, 9), (9, 2)])
def test_a_picture_too_small_for_edges_is_left_alone(sides: tuple[int, int]) -> None:
    line = INNER.crop(0, 0, *sides)
    for one in (Trim(threshold=10), AutoCrop()):
        assert digest_of(make(png(line), one).data) == digest(line)
        assert size(make(png(line.addalpha() * [1, 1, 1, 0.5]), one).data) == sides


def test_sizes_are_solved_again_after_the_cut() -> None:
    got = make(png(framed(GREEN)), Trim(threshold=10), width=30)
    assert (got.width, got.height, got.source_width) == (30, 20, 120)
    assert digest_of(got.data) == digest(INNER.resize(0.5, vscale=0.5))
    filled = make(png(framed(GREEN)), Trim(threshold=10), resizing_type=FILL, width=20, height=20)
    assert (filled.width, filled.height) == (20, 20)


def test_what_was_cut_is_not_loaded_again_at_another_size() -> None:
    source = jpeg(framed(GREEN), Q=100, subsample_mode="off")
    assert size(make(source, Trim(threshold=40), width=15, format="png").data) == (15, 10)


def test_the_cut_is_turned_like_the_picture() -> None:
    got = make(png(turned(framed(GREEN), 6)), Trim(threshold=10))
    assert digest_of(got.data) == digest(INNER.copy_memory().rot("d90"))


def test_deep_pictures_are_trimmed_too() -> None:
    assert size(make(png(deep(framed(GREEN))), Trim(threshold=10), preserve_hdr=True).data) == (60, 40)


def test_without_a_threshold_nothing_is_cut() -> None:
    assert size(make(png(framed(GREEN)), Trim(color=Colour(0, 200, 0))).data) == (120, 80)


@pytest.mark.parametrize(("margin", "wanted"), [(0, (60, 40)), (5, (70, 50)), (500, (120, 80))])
def test_autocrop_leaves_a_margin_inside_the_picture(margin: int, wanted: tuple[int, int]) -> None:
    assert size(make(png(framed(GREEN)), AutoCrop(margin=margin)).data) == wanted


def test_autocrop_goes_by_alpha_where_there_is_some() -> None:
    # The subject has the colour that the transparent background would show.
    subject = plain(20, 20, [0, 0, 0, 255])
    source = subject.embed(30, 10, 90, 50, extend="black")
    got = make(png(source), AutoCrop(margin=3))
    assert digest_of(got.data) == digest(source.crop(27, 7, 26, 26))


def test_autocrop_ignores_shadows_below_the_threshold() -> None:
    subject = plain(20, 20, [9, 9, 9, 255])
    faint = plain(60, 60, [9, 9, 9, 8])
    source = faint.insert(subject, 20, 20)
    assert size(make(png(source), AutoCrop(threshold=10)).data) == (20, 20)
    assert size(make(png(source), AutoCrop(threshold=2)).data) == (60, 60)


def test_a_subject_in_the_top_left_corner_is_not_taken_for_the_background() -> None:
    red = plain(20, 20, [255, 0, 0])
    source = red.embed(0, 0, 80, 60, extend="background", background=[255, 255, 255])
    got = decoded(make(png(source), AutoCrop()).data)
    assert (got.width, got.height, pixel(got, 10, 10)[:3]) == (20, 20, [255, 0, 0])


def test_autocrop_with_fill_shows_the_whole_subject_and_more_of_what_surrounds_it() -> None:
    source = png(framed(GREEN, left=100, right=100))
    got = decoded(make(source, AutoCrop(), width=120, height=40, resizing_type=ResizingType.FILL).data)
    assert digest(got) == digest(framed(GREEN, left=30, right=30, top=0, bottom=0))


def test_autocrop_with_fill_is_filled_up_where_the_source_ends() -> None:
    source = framed(GREEN, left=2, right=2, top=2, bottom=2)
    got = decoded(make(png(source), AutoCrop(), width=120, height=40, resizing_type=ResizingType.FILL).data)
    assert (got.width, got.height) == (120, 40)
    assert pixel(got, 0, 20) == [0, 200, 0, 255]


@pytest.mark.parametrize("width", [119, 120, 121, 122, 123])
def test_autocrop_with_fill_leaves_no_line_at_the_edges(width: int) -> None:
    source = framed(GREEN, left=200, right=200, top=200, bottom=200)
    got = decoded(make(png(source), AutoCrop(), width=width, height=39, resizing_type=ResizingType.FILL).data)
    assert (got.width, got.height) == (width, 39)
    assert got[3].min() == 255


def test_autocrop_with_fill_is_filled_up_with_nothing_where_the_subject_was_cut_out() -> None:
    source = with_alpha(INNER).embed(2, 2, 64, 44)
    got = decoded(make(png(source), AutoCrop(), width=120, height=40, resizing_type=ResizingType.FILL).data)
    assert (got.width, got.height) == (120, 40)
    assert pixel(got, 0, 20)[3] == 0
