"""Savers: formats, qualities, palettes, sizes in bytes."""

from __future__ import annotations

import pytest
import pyvips

from imgserve.engine.formats import FORMATS, sniff
from imgserve.engine.intent import EngineConfig
from tests.engine.pictures import animated, decoded, digest, digest_of, grey, make, photo, pixel, png, with_alpha

NOISE = pyvips.Image.gaussnoise(128, 128, mean=128, sigma=60, seed=7).cast("uchar")
NOISY = png(NOISE.bandjoin(NOISE.rot90()).bandjoin(NOISE.rot180()).copy(interpretation="srgb"))
SAVED = [kind.name for kind in FORMATS.values() if kind.save]


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("source", [photo(40, 30), with_alpha(photo(40, 30)), grey(40, 30), with_alpha(grey(40, 30))])
def test_every_format_can_be_made_of_every_picture(name: str, source: pyvips.Image) -> None:
    got = make(png(source), format=name)
    assert (got.format, sniff(got.data), got.width, got.height) == (name, name, 40, 30)
    again = make(got.data, format="png")
    assert pyvips.Image.new_from_buffer(again.data, "").hasalpha() == (source.hasalpha() and FORMATS[name].alpha)


@pytest.mark.parametrize("name", ["png", "tiff", "bmp", "ico"])
@pytest.mark.parametrize("source", [photo(40, 30), with_alpha(photo(40, 30)), grey(40, 30)])
def test_lossless_formats_lose_nothing(name: str, source: pyvips.Image) -> None:
    got = make(png(source), format=name)
    assert digest_of(make(got.data, format="png").data) == digest(source)


def test_jpegs_have_the_bytes_that_libvips_makes_with_these_parameters() -> None:
    source = photo(64, 64)
    resolution = 72 / 25.4
    expected = source.copy(xres=resolution, yres=resolution).jpegsave_buffer(
        Q=71, optimize_coding=True, interlace=True, keep=pyvips.ForeignKeep.ICC
    )
    config = EngineConfig(jpeg_progressive=True)
    assert make(png(source), config=config, format="jpeg", quality=71).data == expected


@pytest.mark.parametrize(
    ("wanted", "config", "quality"),
    [
        ({"quality": 33, "format_quality": {"jpeg": 44}}, EngineConfig(), 33),
        ({"format_quality": {"jpeg": 44}}, EngineConfig(format_quality={"jpeg": 55}), 44),
        ({"format_quality": {"webp": 44}}, EngineConfig(format_quality={"jpeg": 55}), 55),
        ({}, EngineConfig(quality=66), 66),
        ({}, EngineConfig(), 80),
    ],
)
def test_the_nearest_quality_wins(wanted: dict[str, object], config: EngineConfig, quality: int) -> None:
    got = make(NOISY, config=config, format="jpeg", **wanted)
    assert got.data == make(NOISY, format="jpeg", quality=quality).data


def test_webp_and_avif_have_qualities_of_their_own() -> None:
    assert make(NOISY, format="webp").data == make(NOISY, format="webp", quality=79).data
    assert make(NOISY, format="avif").data == make(NOISY, format="avif", quality=63).data


def test_quality_goes_down_until_the_result_is_small_enough() -> None:
    full = len(make(NOISY, format="jpeg").data)
    got = make(NOISY, format="jpeg", max_bytes=full // 2)
    assert 0 < len(got.data) <= full // 2
    assert got.data in [make(NOISY, format="jpeg", quality=quality).data for quality in (40, 30, 20)]


def test_an_impossible_size_ends_at_the_lowest_quality() -> None:
    # 80 -> 20 -> 5, and nothing below 10 is followed by another try.
    assert make(NOISY, format="jpeg", max_bytes=10).data == make(NOISY, format="jpeg", quality=5).data


def test_lossless_formats_ignore_the_wanted_size() -> None:
    assert make(NOISY, format="png", max_bytes=10).data == make(NOISY, format="png").data


@pytest.mark.parametrize(("depth", "kept"), [(1, 1), (2, 2), (4, 4), (8, 8)])
def test_palettes_stay_palettes(depth: int, kept: int) -> None:
    source = png(decoded(NOISY), palette=True, bitdepth=depth)
    got = make(source, format="png")
    loaded = pyvips.Image.new_from_buffer(got.data, "")
    assert (loaded.get("palette"), loaded.get("bits-per-sample")) == (1, kept)
    assert len(got.data) < len(make(NOISY, format="png").data)


def test_pngs_can_be_reduced_to_palettes() -> None:
    config = EngineConfig(png_quantize=True, png_quantization_colors=16)
    loaded = pyvips.Image.new_from_buffer(make(png(photo(32, 32)), config=config).data, "")
    assert (loaded.get("palette"), loaded.get("bits-per-sample")) == (1, 4)


def test_tiny_avifs_become_something_else() -> None:
    assert make(png(photo(15, 40)), format="avif").format == "jpeg"
    assert make(png(with_alpha(photo(40, 15))), format="avif").format == "png"
    assert make(png(photo(16, 16)), format="avif").mime == "image/avif"


def test_gifs_are_saved_with_the_depth_of_their_palette() -> None:
    two = (photo(16, 16)[0] > 128).copy(interpretation="b-w")
    got = make(two.gifsave_buffer(bitdepth=1))
    assert got.format == "gif"
    assert {tuple(pixel(decoded(got.data), x, 5)) for x in range(16)} <= {(0, 0, 0, 255), (255, 255, 255, 255)}


def test_animated_results_are_measured_by_the_frame() -> None:
    source = animated([photo(20, 10), grey(20, 10).colourspace("srgb")], delays=[50, 60]).gifsave_buffer()
    got = make(source, format="png")
    assert (got.width, got.height, got.source_width, got.source_height) == (20, 10, 20, 10)
