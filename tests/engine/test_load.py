"""What is opened, what is refused, and that broken files end in an error of the tree."""

from __future__ import annotations

import io
import random

import pytest
import pyvips
from PIL import Image

from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.engine.load import Opened, check_size, detect, open_source
from imgserve.engine.pipeline import render
from imgserve.errors import ImageError, ImageRefused, UnsupportedImage
from imgserve.ops.overlay import Watermark
from imgserve.spec.values import ResizingType
from tests.engine.pictures import animated, decoded, digest, jpeg, make, photo, pixel, plain, png, turned, with_alpha


def opened(data: bytes, intent: Intent = Intent()) -> Opened:  # noqa: B008 - frozen
    return open_source(data, intent=intent, config=EngineConfig(), deadline=Deadline())


def pillow(name: str, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (40, 30), photo(40, 30).write_to_memory()).convert(mode).save(out, name, **options)
    return out.getvalue()


SOURCES = {
    "jpeg": jpeg(photo(60, 40)),
    "progressive": jpeg(photo(60, 40), interlace=True),
    "png": png(with_alpha(photo(60, 40))),
    "palette": png(photo(60, 40), palette=True, bitdepth=4),
    "webp": photo(60, 40).webpsave_buffer(),
    "gif": animated([photo(20, 20), photo(20, 20).invert()], delays=[50, 50]).gifsave_buffer(),
    "awebp": animated([photo(20, 20), photo(20, 20).invert()], delays=[50, 50]).webpsave_buffer(),
    "avif": photo(60, 40).heifsave_buffer(compression="av1"),
    "tiff": photo(60, 40).tiffsave_buffer(compression="lzw"),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="5" height="5"/></svg>',
    "bmp": pillow("BMP"),
    "bmp8": pillow("BMP", "P"),
    "ico": pillow("ICO", "RGBA", bitmap_format="bmp"),
    "icopng": pillow("ICO", "RGBA"),
}


@pytest.mark.parametrize("data", [b"", b"\x00" * 40, b"%PDF-1.7", b"<html></html>", b"\xff\xd9\xff"])
def test_what_is_no_picture_is_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedImage):
        detect(data)


@pytest.mark.parametrize(
    ("data", "name"), [(b"\xff\x0a12", "JXL"), (b"\x00\x00\x00\x14ftypheic\x00\x00\x00\x00", "HEIC")]
)
def test_formats_without_a_decoder_are_named(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedImage, match=name):
        detect(data)


def test_other_loaders_of_libvips_stay_blocked() -> None:
    with pytest.raises(pyvips.Error):
        pyvips.Image.new_from_buffer(b"P6 1 1 255\n\x00\x00\x00", "")


def test_a_picture_is_refused_by_its_header() -> None:
    # No pixels at all follow, and none are asked for.
    huge = png(photo(8, 8))[:16] + (50_000).to_bytes(4, "big") * 2 + png(photo(8, 8))[24:33]
    with pytest.raises(ImageRefused):
        make(huge + b"\x00" * 4)
    with pytest.raises(ImageRefused, match="pixels"):
        make(png(photo(80, 40)), limits=Limits(max_src_pixels=3199))
    assert make(png(photo(80, 40)), limits=Limits(max_src_pixels=3200)).width == 80
    assert make(png(photo(80, 40)), limits=Limits(max_src_pixels=0)).width == 80


@pytest.mark.parametrize("bands", [4, 5])
def test_ink_is_read_with_and_without_alpha(bands: int) -> None:
    inks = plain(20, 10, [40] * bands).copy(interpretation="cmyk")
    assert make(inks.tiffsave_buffer(), format="png").width == 20


@pytest.mark.parametrize("bands", [6, 60])
def test_more_channels_than_pictures_have_are_refused_by_the_header(bands: int) -> None:
    data = plain(20, 10, [40] * bands).tiffsave_buffer()
    with pytest.raises(ImageRefused, match=f"{bands} channels"):
        opened(data)
    with pytest.raises(ImageRefused, match="channels"):
        make(png(photo(20, 20)), Watermark(opacity=1), config=EngineConfig(watermark=data))


def test_limits_of_frames() -> None:
    check_size(100, 100, pages=5, limits=Limits(max_src_pixels=50_000))
    with pytest.raises(ImageRefused, match="50000 pixels"):
        check_size(100, 100, pages=5, limits=Limits(max_src_pixels=49_999))
    check_size(100, 100, pages=5, limits=Limits(max_src_pixels=1, max_animation_frame_pixels=10_000))


def test_large_drawings_are_drawn_smaller_instead_of_refused() -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200"><rect width="400" height="200"/></svg>'
    got = make(drawing, format="png", limits=Limits(max_src_pixels=20_000))
    assert (got.source_width, got.source_height) == (400, 200)
    assert (got.width, got.height) == (200, 100)


def test_drawings_may_be_large_where_results_may() -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"><rect width="4" height="2"/></svg>'
    assert make(drawing, format="png", width=800).width == 800
    with pytest.raises(ImageRefused):
        make(drawing, format="png", width=20_000)


@pytest.mark.parametrize("name", ["avif"])
def test_pictures_without_a_thumbnail_are_used_themselves(name: str) -> None:
    source = photo(200, 100).heifsave_buffer(compression="av1", lossless=True)
    assert opened(source, Intent(enforce_thumbnail=True)).thumbnail
    got = make(source, width=50, format="png")
    expected = pyvips.Image.heifload_buffer(source).resize(0.25, vscale=0.25)
    assert digest(decoded(got.data)) == digest(expected)
    assert make(source, enforce_thumbnail=True, format="png").width == 200


def test_animations_are_known_by_their_pages_and_timing() -> None:
    assert opened(SOURCES["gif"]).animated
    assert opened(SOURCES["awebp"]).animated
    assert not opened(SOURCES["png"]).animated
    assert not opened(animated([photo(8, 8)], delays=[9]).gifsave_buffer()).animated


def test_sources_served_as_they_are_are_still_measured() -> None:
    source = jpeg(turned(photo(60, 40), 6))
    got = make(source, skip_processing=("jpeg",))
    assert (got.data, got.passthrough, got.mime) == (source, True, "image/jpeg")
    assert (got.width, got.height) == (40, 60)
    with pytest.raises(ImageRefused):
        make(source, skip_processing=("jpeg",), limits=Limits(max_src_pixels=2399))


def test_the_lower_part_of_a_truncated_jpeg_is_grey_but_there() -> None:
    source = jpeg(photo(200, 200), restart_interval=4)
    got = decoded(make(source[: len(source) // 2], format="png").data)
    assert (got.width, got.height) == (200, 200)
    assert pixel(got, 20, 5) == pixel(decoded(source), 20, 5)


@pytest.mark.parametrize("name", SOURCES)
def test_broken_files_end_in_errors_of_the_tree(name: str) -> None:
    source = SOURCES[name]
    rng = random.Random(name)
    made, refusals = 0, []
    for _ in range(60):
        data = bytearray(source[: rng.randrange(1, len(source) + 1)] if rng.random() < 0.4 else source)
        for _ in range(rng.choice((1, 2, 8))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        intent = Intent(
            width=rng.choice((0, 16)),
            resizing_type=rng.choice(list(ResizingType)),
            rotate=rng.choice((0, 90)),
            limits=Limits(max_src_pixels=1_000_000, max_animation_frames=rng.choice((1, 4))),
            strip_metadata=rng.random() < 0.5,
            strip_color_profile=rng.random() < 0.5,
        )
        try:
            made += len(render(bytes(data), intent=intent, config=EngineConfig(), deadline=Deadline(20)).data) > 0
        except ImageError as error:
            refusals.append(error.message)
    assert made < 60
    assert not [message for message in refusals if "/" in message or "vips" in message]
