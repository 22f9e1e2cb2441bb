"""Sources that facts are measured in: the small picture of each format, transparency, crops, placeholders."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pyvips
from PIL import Image

from imgserve.engine.deadline import Deadline
from imgserve.engine.header import open_header
from imgserve.engine.intent import EngineConfig, Limits
from imgserve.engine.placeholder import placeholder
from imgserve.engine.placement import Box
from imgserve.engine.small import Small
from imgserve.engine.subject import SMALL_SIDE, Subject
from imgserve.errors import ImageRefused, RenderTimeout
from imgserve.spec.values import Gravity, GravityType
from tests.engine.pictures import (
    SMART,
    animated,
    decoded,
    deep,
    grey,
    jpeg,
    make,
    photo,
    pixel,
    plain,
    png,
    turned,
    with_alpha,
)

RED = [220, 30, 40]


@contextmanager
def subject(data: bytes, *, timeout_s: float = 30.0, **limits: int) -> Iterator[Subject]:
    bounds, config, deadline = Limits(**limits), EngineConfig(), Deadline(timeout_s)
    with open_header(data, limits=bounds, config=config, deadline=deadline) as opened:
        yield Subject(data, opened, limits=bounds, config=config, deadline=deadline)


def pillow(format: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), tuple(RED)).save(out, format)
    return out.getvalue()


def red(width: int = 640, height: int = 480) -> pyvips.Image:
    return plain(width, height, RED)


SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300">'
    b'<rect width="400" height="300" fill="#dc1e28"/></svg>'
)
FORMATS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: jpeg(red()),
    "png": lambda: png(red()),
    "webp": lambda: bytes(red().webpsave_buffer(lossless=True)),
    "avif": lambda: bytes(red(320, 240).heifsave_buffer(compression="av1", Q=90)),
    "gif": lambda: bytes(animated([red(), plain(640, 480, [0, 0, 0])]).gifsave_buffer()),
    "tiff": lambda: bytes(red().tiffsave_buffer()),
    "svg": lambda: SVG,
    "bmp": lambda: pillow("BMP"),
    "ico": lambda: pillow("ICO"),
    "png of 16 bits": lambda: png(deep(red())),
    "cmyk": lambda: bytes(red().icc_export(output_profile="cmyk").jpegsave_buffer(Q=95)),
}


@pytest.mark.parametrize("format", FORMATS)
def test_the_small_picture_is_srgb_whatever_the_source_is(format: str) -> None:
    with subject(FORMATS[format]()) as found:
        small = found.small
        assert (small.image.bands, small.image.interpretation, small.image.format) == (3, "srgb", "uchar")
        assert max(small.image.width, small.image.height) <= SMALL_SIDE
        assert small.image.width / small.image.height == pytest.approx(4 / 3, abs=0.35)  # an icon is square
        # A profile for print does not hold this red.
        close = 40 if format == "cmyk" else 12
        assert pixel(small.image, small.image.width // 2, small.image.height // 2) == pytest.approx(RED, abs=close)
        assert (found.has_alpha and found.is_transparent(), small.has_alpha) == (False, False)


def test_grey_and_turned_pictures_are_as_people_see_them() -> None:
    with subject(png(grey())) as found:
        assert (found.small.image.bands, found.small.image.interpretation) == (3, "srgb")
    with subject(jpeg(turned(photo(), 6))) as found:
        small = found.small.image
        assert (small.width, small.height) == (100, 200)
        # Stored left above, seen right above.
        assert pixel(small, 95, 5)[0] < 20 < 230 < pixel(small, 95, 195)[0]


def test_colours_are_measured_after_the_profile() -> None:
    wide = red().icc_export(output_profile="p3")
    with subject(png(wide)) as found:
        assert pixel(found.small.image, 9, 9) == pytest.approx(RED, abs=3)
    assert pixel(wide, 9, 9) != pytest.approx(RED, abs=3)


@pytest.mark.parametrize("format", ["png", "webp", "gif", "tiff", "avif", "svg"])
def test_transparency_is_kept(format: str) -> None:
    image = with_alpha(photo(400, 200))
    make_it: dict[str, Callable[[], Any]] = {
        "png": image.pngsave_buffer,
        "webp": image.webpsave_buffer,
        "gif": image.gifsave_buffer,
        "tiff": image.tiffsave_buffer,
        "avif": lambda: image.heifsave_buffer(compression="av1"),
        "svg": lambda: SVG.replace(b'height="300" fill', b'height="99" fill'),
    }
    with subject(bytes(make_it[format]())) as found:
        assert (found.has_alpha, found.is_transparent(), found.small.has_alpha) == (True, True, True)


@pytest.mark.parametrize("bits", [8, 16])
def test_one_pixel_that_is_not_opaque_is_found(bits: int) -> None:
    image = red(1500, 1000).addalpha()
    faint = image.draw_rect([*RED, 254], 700, 300, 1, 1)
    if bits == 16:
        image, faint = deep(image), deep(faint)
        opaque = pyvips.Image.black(1500, 1000) + 65535
        image = image.extract_band(0, n=3).bandjoin(opaque.cast("ushort")).copy(interpretation="rgb16")
    with subject(png(image)) as found:
        assert (found.has_alpha, found.is_transparent(), found.small.has_alpha) == (True, False, False)
    with subject(png(faint)) as found:
        assert (found.has_alpha, found.is_transparent()) == (True, True)


def shares(box: Box) -> list[float]:
    return [box.left, box.top, box.width, box.height]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "gravity", [Gravity(), Gravity(GravityType.NORTH_EAST, 3, 4), Gravity(GravityType.FOCUS_POINT, 0.2, 0.9)]
)
def test_a_crop_takes_what_the_option_of_pictures_takes(orientation: int, gravity: Gravity) -> None:
    source = png(turned(photo(200, 100), orientation))
    with subject(source) as found:
        box = found.cut(60, 0.5, gravity)
        seen = found.small.image
    wanted = decoded(make(source, format="png", crop_width=60.0, crop_height=0.5, crop_gravity=gravity).data)
    assert (round(box.width * seen.width), round(box.height * seen.height)) == (wanted.width, wanted.height)
    left, top = round(box.left * seen.width), round(box.top * seen.height)
    assert pixel(seen, left, top) == pixel(wanted, 0, 0)[:3]


def test_a_smart_crop_takes_what_stands_out() -> None:
    image = plain(1200, 800, [120, 130, 120]).draw_rect([250, 60, 20], 900, 500, 120, 90, fill=True)
    with subject(png(image)) as found:
        box = found.cut(0.4, 0.4, SMART)
    assert box.left < 900 / 1200 < 1020 / 1200 < box.right
    assert box.top < 500 / 800 < 590 / 800 < box.bottom
    assert shares(box)[2:] == pytest.approx([0.4, 0.4], abs=0.001)
    with subject(png(photo())) as found:
        assert shares(found.cut(0, 0.0, SMART)) == [0, 0, 1, 1]
        assert shares(found.cut(5000, 0.0, Gravity())) == [0, 0, 1, 1]


def test_shrinking_keeps_the_ratio_and_enlarges_nothing() -> None:
    small = Small.of(photo(200, 100))
    assert small.within(500, 500) is small
    assert [(one.image.width, one.image.height) for one in (small.within(64, 64), small.within(16, 64))] == [
        (64, 32), (16, 8)
    ]  # fmt: skip
    line = Small.of(plain(200, 1, RED)).within(10, 10).image
    assert (line.width, line.height) == (10, 1)


def shown(url: str) -> pyvips.Image:
    head, _, text = url.partition(",")
    assert head == "data:image/webp;base64"
    return pyvips.Image.webpload_buffer(base64.b64decode(text, validate=True))


def test_a_placeholder_is_a_tiny_webp_that_looks_like_the_picture() -> None:
    url = placeholder(Small.of(photo(256, 128).gaussblur(4)), 16)
    image = shown(url)
    assert (image.width, image.height, image.bands) == (16, 8, 3)
    assert len(url) < 400
    for x, y in ((1, 1), (14, 1), (1, 6), (14, 6)):
        assert pixel(image, x, y)[:2] == pytest.approx([x * 17, y * 34], abs=45)
    clear = shown(placeholder(Small.of(with_alpha(photo(256, 128))), 32))
    assert (clear.width, clear.bands) == (32, 4)
    assert pixel(clear, 1, 8)[3] < 60 < 200 < pixel(clear, 30, 8)[3]
    tall = shown(placeholder(Small.of(plain(2, 256, RED)), 16))
    assert (tall.width, tall.height) == (1, 64)


def test_what_is_refused_as_a_picture_is_refused_here() -> None:
    with pytest.raises(ImageRefused, match="pixels"), subject(png(photo()), max_src_pixels=100):
        pass
    whole = bytes(photo(400, 300).webpsave_buffer())
    with pytest.raises(ImageRefused, match="broken"), subject(whole[: len(whole) // 2]) as found:
        found.small  # noqa: B018 - it decodes
    with pytest.raises(RenderTimeout), subject(whole, timeout_s=0):
        pass


def test_the_small_picture_is_always_the_same() -> None:
    data = jpeg(photo(3000, 2000))
    seen = set()
    for _ in range(2):
        with subject(data) as found:
            seen.add(bytes(found.small.image.write_to_memory()))
    assert len(seen) == 1
