"""Savers: formats, qualities, palettes, sizes in bytes."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest
import pyvips

from imgserve.engine.formats import FORMATS, sniff
from imgserve.engine.intent import EngineConfig
from tests.engine.pictures import (
    animated,
    decoded,
    deep,
    digest,
    digest_of,
    grey,
    make,
    photo,
    pixel,
    plain,
    png,
    with_alpha,
)

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


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG by type, those of one type joined."""
    found: dict[bytes, bytes] = {}
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        found[kind] = found.get(kind, b"") + data[at + 8 : at + 8 + length]
        at += 12 + length
    return found


def filters_of(data: bytes) -> set[int]:
    """The filter types of a PNG's scanlines: 0 none, 1 sub, 2 up, 3 avg, 4 paeth."""
    parts = chunks(data)
    width, height, depth, colour = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    row = 1 + (width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] + 7) // 8
    rows = zlib.decompress(parts[b"IDAT"])
    assert len(rows) == row * height
    return set(rows[::row])


@pytest.mark.parametrize(
    ("name", "used"), [("none", {0}), ("sub", {1}), ("up", {2}), ("avg", {3}), ("paeth", {4}), ("all", {1, 2, 3, 4})]
)
@pytest.mark.parametrize("source", [decoded(NOISY)[:3], with_alpha(photo(128, 128)), deep(photo(128, 128))])
def test_the_png_filter_reaches_every_scanline(name: str, used: set[int], source: pyvips.Image) -> None:
    got = make(png(source), config=EngineConfig(png_filter=name), preserve_hdr=True).data
    assert filters_of(got) <= used
    assert digest_of(got) == digest_of(png(source))


def test_by_default_the_picture_decides_on_the_filter() -> None:
    tile = (pyvips.Image.gaussnoise(96, 20, mean=0, sigma=1, seed=8) > 1).replicate(7, 25)
    marks = png(tile.bandjoin(tile).bandjoin(tile).copy(interpretation="srgb"))
    assert filters_of(make(NOISY).data) == {3}
    assert make(marks).data == make(marks, config=EngineConfig(png_filter="none")).data
    assert make(png(plain(60, 50, [1, 2, 3]))).data == (
        make(png(plain(60, 50, [1, 2, 3])), config=EngineConfig(png_filter="all")).data
    )


def test_the_png_compression_reaches_the_file() -> None:
    source = png(photo(128, 128))
    sizes = [len(make(source, config=EngineConfig(png_compression=level)).data) for level in (0, 1, 6)]
    assert sizes[0] > 128 * 128 * 3
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


def test_palettes_take_no_filter_and_imgproxys_level() -> None:
    source = png(decoded(NOISY), palette=True, bitdepth=4)
    plain = make(source, format="png").data
    assert filters_of(plain) == {0}
    assert plain == make(source, format="png", config=EngineConfig(png_filter="all", png_compression=6)).data
    assert plain != make(source, format="png", config=EngineConfig(png_compression=1)).data


def test_with_imgproxys_settings_the_bytes_are_those_of_its_calls() -> None:
    source = photo(64, 64)
    resolution = 72 / 25.4
    stripped = source.copy(xres=resolution, yres=resolution)
    config = EngineConfig(png_filter="all", webp_effort=4, avif_speed=8)
    calls = {
        "png": png(stripped, filter="all", keep="none"),
        "webp": stripped.write_to_buffer(".webp", Q=79, effort=4, preset="default", keep="none"),
        "avif": stripped.write_to_buffer(".avif", Q=63, compression="av1", effort=1, keep="none"),
    }
    for name, expected in calls.items():
        assert decoded(make(png(source), config=config, format=name).data).write_to_memory() == (
            decoded(expected).write_to_memory()
        )
        assert len(make(png(source), config=config, format=name).data) == len(expected)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("webp", {"webp_effort": 6}),
        ("webp", {"webp_smart_subsample": True}),
        ("avif", {"avif_speed": 7}),
        ("avif", {"avif_tune": "ssim"}),
        ("avif", {"avif_tune": "psnr"}),
        ("jpeg", {"jpeg_trellis_quant": True}),
        ("jpeg", {"jpeg_quant_table": 3}),
    ],
)
def test_encoder_settings_change_the_bytes_and_not_the_picture(name: str, changed: dict[str, Any]) -> None:
    plain, other = make(NOISY, format=name), make(NOISY, format=name, config=EngineConfig(**changed))
    assert other.data != plain.data
    assert (other.width, other.height) == (plain.width, plain.height)
    error = (decoded(plain.data) - decoded(other.data)).abs().avg()
    assert error < 12


def test_avif_is_tuned_as_libvips_does_unless_told_otherwise() -> None:
    assert make(NOISY, format="avif").data == make(NOISY, format="avif", config=EngineConfig(avif_tune="iq")).data


def sampling(data: bytes) -> list[int]:
    """Horizontal and vertical sampling factors of a JPEG's components, as its frame header has them."""
    start = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return [data[start + 11 + 3 * n] for n in range(data[start + 9])]


def test_colour_is_subsampled_unless_told_otherwise() -> None:
    assert sampling(make(NOISY, format="jpeg").data) == [0x22, 0x11, 0x11]
    assert sampling(make(NOISY, format="jpeg", config=EngineConfig(jpeg_no_subsample=True)).data) == [0x11, 0x11, 0x11]


def test_scans_are_optimized_in_progressive_jpegs_only() -> None:
    progressive = make(NOISY, format="jpeg", config=EngineConfig(jpeg_progressive=True))
    optimized = make(NOISY, format="jpeg", config=EngineConfig(jpeg_progressive=True, jpeg_optimize_scans=True))
    assert len(optimized.data) < len(progressive.data)
    assert digest_of(optimized.data) == digest_of(progressive.data)
    alone = make(NOISY, format="jpeg", config=EngineConfig(jpeg_optimize_scans=True))
    assert alone.data == make(NOISY, format="jpeg").data


def test_deringing_changes_black_on_white() -> None:
    image = ((photo(64, 64)[2] > 200) * 255).cast("uchar").copy(interpretation="b-w")
    config = EngineConfig(jpeg_overshoot_deringing=True)
    assert make(png(image), format="jpeg", config=config).data != make(png(image), format="jpeg").data
