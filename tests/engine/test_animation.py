"""Animations: every frame by itself, all of them together again."""

from __future__ import annotations

from typing import Any

import pytest
import pyvips

from imgserve.engine import tags
from imgserve.engine.animation import Timing
from imgserve.engine.intent import EngineConfig, Limits
from imgserve.engine.pipeline import Rendered
from imgserve.errors import ImageRefused
from imgserve.ops.filters import Blur
from imgserve.ops.overlay import Watermark
from imgserve.ops.trim import AutoCrop, Trim
from tests.engine.pictures import FILL, animated, decoded, digest, digest_of, make, photo, pixel, plain, png, rgba

MANY = Limits(max_animation_frames=100)


def frames(count: int = 4, width: int = 40, height: int = 20) -> list[pyvips.Image]:
    """Frames of one colour each: no encoder changes them."""
    colours = ([250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0])
    black = pyvips.Image.black(width, height, bands=3).cast("uchar").copy(interpretation="srgb")
    return [(black + colours[index % 4]).cast("uchar").copy(interpretation="srgb") for index in range(count)]


def source(name: str = "gif", delays: tuple[int, ...] = (50, 60, 70, 80)) -> bytes:
    strip = animated(frames(len(delays)), delays=list(delays))
    return bytes(strip.gifsave_buffer() if name == "gif" else strip.webpsave_buffer(lossless=True))


def loaded(data: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(data, "", n=-1)


@pytest.mark.parametrize("name", ["gif", "webp"])
@pytest.mark.parametrize("result", ["gif", "webp"])
def test_frames_delays_and_loops_survive(name: str, result: str) -> None:
    got = make(source(name), format=result, width=20, limits=MANY)
    image = loaded(got.data)
    assert (got.width, got.height, got.source_width, got.source_height) == (20, 10, 40, 20)
    assert (image.get_n_pages(), image.get_page_height(), image.get("loop")) == (4, 10, 3)
    assert image.get("delay") == [50, 60, 70, 80]
    middles = [pixel(rgba(image), 10, 10 * index + 5)[:3] for index in range(4)]
    near = [[round(value / 250) for value in middle] for middle in middles]
    assert near == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]


def test_every_frame_is_turned_upright() -> None:
    strip = animated(frames(3), delays=[50, 60, 70])
    tags.put_integer(strip, "orientation", 6)
    got = make(strip.webpsave_buffer(lossless=True), width=10, limits=MANY)
    image = loaded(got.data)
    assert (got.width, got.height, got.source_width, got.source_height) == (10, 20, 20, 40)
    assert (image.get_n_pages(), image.get_page_height()) == (3, 20)


def test_frames_beyond_the_limit_are_left_out() -> None:
    image = loaded(make(source(), limits=Limits(max_animation_frames=3)).data)
    assert (image.get_n_pages(), image.get("delay")) == (3, [50, 60, 70])


def test_one_frame_is_a_still_picture() -> None:
    image = loaded(make(source()).data)
    assert (image.height, image.get_n_pages()) == (20, 1)


def test_formats_that_stand_still_show_the_first_frame() -> None:
    image = decoded(make(source(), format="png", limits=MANY).data)
    assert (image.height, pixel(image, 3, 3)[:3]) == (20, [250, 0, 0])


def test_every_frame_is_cut_turned_and_extended_alike() -> None:
    got = make(source(), resizing_type=FILL, width=10, height=10, rotate=90, padding_top=2, limits=MANY)
    image = loaded(got.data)
    assert (got.width, got.height, image.get_page_height(), image.get_n_pages()) == (10, 12, 12, 4)
    assert [pixel(rgba(image), 5, 12 * index)[3] for index in range(4)] == [0] * 4


def test_pixels_are_limited_over_all_frames_or_a_frame() -> None:
    with pytest.raises(ImageRefused):
        make(source(), limits=Limits(max_animation_frames=4, max_src_pixels=4 * 800 - 1))
    assert make(source(), limits=Limits(max_animation_frames=4, max_src_pixels=4 * 800)).format == "gif"
    per_frame = Limits(max_animation_frames=4, max_src_pixels=1, max_animation_frame_pixels=800)
    assert make(source(), limits=per_frame).format == "gif"
    with pytest.raises(ImageRefused):
        make(source(), limits=Limits(max_animation_frames=4, max_animation_frame_pixels=799))


def test_pixels_of_a_result_are_counted_over_all_frames() -> None:
    def larger(most: int, **wanted: Any) -> Rendered:
        limits = Limits(max_animation_frames=100, max_result_pixels=most)
        return make(source(), width=80, enlarge=True, limits=limits, **wanted)

    # Four frames of 80x40.
    assert larger(12_800).width == 80
    with pytest.raises(ImageRefused, match="too many pixels") as refused:
        larger(12_799)
    assert refused.value.got == "80x40, 4 frames"
    # One frame is made where the format holds no more.
    assert larger(3200, format="png").width == 80


def test_trimming_leaves_animations_alone() -> None:
    for cut in (Trim(threshold=10), AutoCrop()):
        assert (make(source(), cut, limits=MANY).width, make(source(), cut, limits=MANY).height) == (40, 20)


def test_filters_do_not_reach_into_the_next_frame() -> None:
    got = loaded(make(source("webp"), Blur(sigma=3), format="webp", quality=100, limits=MANY).data)
    # The last row of a red frame lies on the first of a green one.
    assert pixel(rgba(got), 20, 19)[1] < 40


def test_watermarks_are_on_every_frame_and_end_with_it() -> None:
    mark = png(plain(10, 10, [255] * 3))
    config = EngineConfig(watermark=mark)
    got = make(source("webp"), Watermark(opacity=1, position="so", y=-5), config=config, format="webp", limits=MANY)
    image = rgba(loaded(got.data))
    for index in range(4):
        assert min(pixel(image, 20, 20 * index + 18)[:3]) > 200
        assert min(pixel(image, 20, 20 * index + 2)[:3]) < 60


def test_tiled_watermarks_cover_every_frame() -> None:
    mark = png(plain(4, 4, [255] * 3))
    config = EngineConfig(watermark=mark)
    got = make(source("webp"), Watermark(opacity=1, position="re"), config=config, format="webp", limits=MANY)
    assert rgba(loaded(got.data)).extract_band(0, n=3).minpos()[0] > 240


def test_a_missing_delay_is_a_25th_of_a_second() -> None:
    assert Timing.of(photo(8, 8)) == Timing((), 0)


def test_several_pages_of_a_document_are_no_animation() -> None:
    pages = pyvips.Image.arrayjoin(frames(3), across=1).copy()
    pages.set_type(pyvips.GValue.gint_type, "page-height", 20)
    data = pages.tiffsave_buffer()
    got = make(data, format="webp", limits=MANY, strip_metadata=False)
    assert (got.width, got.height) == (40, 20)
    assert digest_of(make(data, format="png").data) == digest(frames(1)[0])
