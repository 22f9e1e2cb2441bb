"""Sources as models see them: whatever a file holds, upright sRGB of 8 bits in the sizes that are wanted."""

from __future__ import annotations

import pytest
import pyvips

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Limits
from imgserve.engine.upright import PictureOf, Upright, image_of, open_upright, pixels_of
from imgserve.errors import ImageRefused, RenderTimeout, UnsupportedImage
from imgserve.ports.models import Pixels
from tests.engine.pictures import animated, deep, grey, jpeg, photo, pixel, plain, png, turned, with_alpha

RED, BLUE = [255, 0, 0], [0, 0, 255]


def opened(data: bytes, *, limits: Limits | None = None, timeout_s: float = 30) -> Upright:
    return open_upright(data, limits=limits or Limits(), config=EngineConfig(), deadline=Deadline(timeout_s))


def halves(first: list[int], second: list[int]) -> pyvips.Image:
    """A picture of 60 x 40, of two colours side by side."""
    return plain(30, 40, first).join(plain(30, 40, second), "horizontal")


def band(pixels: Pixels, x: int, y: int) -> list[int]:
    at = (y * pixels.width + x) * pixels.bands
    return list(pixels.data[at : at + pixels.bands])


def differ(one: pyvips.Image, other: pyvips.Image) -> float:
    assert (one.width, one.height, one.bands) == (other.width, other.height, other.bands)
    most = (one.cast("short") - other).abs().max()
    assert isinstance(most, float)
    return most


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_source_stands_upright_and_says_so_no_more(orientation: int) -> None:
    source = turned(halves(RED, BLUE), orientation)
    upright = opened(png(source))
    assert differ(upright.image, source.autorot()) == 0
    assert tags.orientation(upright.image) in (0, 1)
    # What hands out sizes must not turn it again.
    pixels = PictureOf(upright.image).pixels(max_side=20)
    assert (pixels.width, pixels.height) == ((20, 13) if orientation < 5 else (13, 20))


@pytest.mark.parametrize(
    "source",
    [photo(), grey(), deep(photo()), deep(grey()), with_alpha(photo()), with_alpha(grey()), deep(with_alpha(photo()))],
    ids=["rgb", "grey", "16 bits", "grey 16 bits", "alpha", "grey and alpha", "16 bits and alpha"],
)
def test_whatever_the_source_has_becomes_srgb_of_8_bits(source: pyvips.Image) -> None:
    image = opened(png(source)).image
    assert (image.format, image.interpretation) == ("uchar", "srgb")
    assert image.bands == (4 if source.hasalpha() else 3)
    shown = source.colourspace("srgb") if source.interpretation != "srgb" else source
    assert differ(image, shown.cast("uchar")) <= 1
    assert PictureOf(image).pixels().bands == 3


def test_cmyk_is_shown_as_it_looks() -> None:
    # Made by the profile that libvips has for such files; without one they are all the same read as that.
    source = plain(40, 30, [200, 30, 40]).colourspace("cmyk")
    image = opened(jpeg(source)).image
    assert (image.bands, image.interpretation) == (3, "srgb")
    red, green, blue = pixel(image, 20, 15)
    assert red > 150
    assert green < 90
    assert blue < 90


def test_a_profile_is_applied_not_ignored() -> None:
    wide = plain(20, 20, [200, 30, 40]).icc_transform("p3", input_profile="srgb")
    assert pixel(wide, 5, 5) != [200, 30, 40]
    image = opened(png(wide)).image
    assert max(abs(a - b) for a, b in zip(pixel(image, 5, 5), [200, 30, 40], strict=True)) <= 2
    assert not image.get_typeof("icc-profile-data")


def test_authors_and_other_metadata_stay() -> None:
    source = photo(60, 40).copy()
    tags.put_blob(source, "xmp-data", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    source.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Copyright", "somebody (somebody, ASCII, 9 components, 9 bytes)")
    image = opened(jpeg(source)).image
    assert str(image.get("exif-ifd0-Copyright")).startswith("somebody")
    assert image.get_typeof("xmp-data")


def test_a_drawing_is_drawn_in_its_own_size() -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><circle cx="15" cy="10" r="8"/></svg>'
    upright = opened(drawing)
    assert (upright.format, upright.image.width, upright.image.height, upright.image.bands) == ("svg", 30, 20, 4)
    pixels = PictureOf(upright.image).pixels()
    assert (band(pixels, 0, 0), band(pixels, 15, 10)) == ([255, 255, 255], [0, 0, 0])


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_of_an_animation_the_first_picture_is_seen(format: str) -> None:
    strip = animated([plain(20, 10, RED), plain(20, 10, BLUE)], delays=[100, 100])
    saved = strip.write_to_buffer(f".{format}", **({"lossless": True} if format == "webp" else {}))
    # The operator may allow animations; models see one picture all the same.
    image = opened(bytes(saved), limits=Limits(max_animation_frames=10)).image
    assert (image.width, image.height) == (20, 10)
    assert pixel(image, 10, 5)[:3] == RED


def test_bounds_on_results_are_not_bounds_on_what_models_see() -> None:
    limits = Limits(max_result_dimension=50, max_result_side=100, max_result_pixels=1000)
    image = opened(png(photo(200, 100)), limits=limits).image
    assert (image.width, image.height) == (200, 100)


def test_what_is_not_served_is_not_looked_at_either() -> None:
    with pytest.raises(UnsupportedImage):
        opened(b"no picture at all")
    with pytest.raises(ImageRefused):
        opened(png(photo())[:20])
    with pytest.raises(ImageRefused):
        opened(png(photo(200, 100)), limits=Limits(max_src_pixels=19_999))
    with pytest.raises(RenderTimeout):
        opened(png(photo()), timeout_s=-1)


def test_transparent_parts_lie_on_white() -> None:
    glass = plain(4, 4, RED).bandjoin(0).cast("uchar").copy(interpretation="srgb")
    assert band(PictureOf(glass).pixels(), 1, 1) == [255, 255, 255]
    half = plain(4, 4, RED).bandjoin(128).cast("uchar").copy(interpretation="srgb")
    red, green, blue = band(PictureOf(half).pixels(), 1, 1)
    assert red == 255
    assert 126 <= green == blue <= 128


def test_pixels_are_never_enlarged_and_keep_the_shape() -> None:
    picture = PictureOf(photo(200, 100))
    for most, size in (
        (None, (200, 100)),
        (500, (200, 100)),
        (200, (200, 100)),
        (50, (50, 25)),
        (3, (3, 2)),
        (1, (1, 1)),
    ):
        pixels = picture.pixels(max_side=most)
        assert (pixels.width, pixels.height) == size
        assert len(pixels.data) == size[0] * size[1] * 3
    assert PictureOf(photo(100, 200)).pixels(max_side=50).height == 50
    assert PictureOf(photo(1000, 1)).pixels(max_side=10).height == 1


def test_pixels_stand_where_they_stood() -> None:
    source = photo(30, 20)
    pixels = PictureOf(source).pixels()
    assert all(band(pixels, x, y) == pixel(source, x, y) for x, y in ((0, 0), (29, 0), (0, 19), (17, 11)))
    assert differ(image_of(pixels), source) == 0
    assert pixels_of(image_of(pixels)) == pixels


@pytest.mark.parametrize("size", [(224, 224), (10, 300), (200, 100), (1, 1), (777, 3)])
def test_stretched_is_exactly_of_the_size_that_is_asked_for(size: tuple[int, int]) -> None:
    pixels = PictureOf(photo(200, 100)).stretched(*size)
    assert (pixels.width, pixels.height, pixels.bands) == (*size, 3)
    assert len(pixels.data) == size[0] * size[1] * 3


def test_stretched_shows_all_of_the_picture() -> None:
    pixels = PictureOf(halves(RED, BLUE)).stretched(10, 90)
    assert (band(pixels, 0, 0), band(pixels, 9, 89)) == (RED, BLUE)


@pytest.mark.parametrize(("format", "loader"), [("jpeg", "jpegload_buffer"), ("png", "pngload_buffer")])
def test_a_file_for_far_away_has_the_pixels_and_nothing_else(format: str, loader: str) -> None:
    source = opened(_told_about()).image
    picture = PictureOf(source)
    whole, small = [picture.encoded(format=format, max_side=side) for side in (None, 30)]
    read = getattr(pyvips.Image, loader)
    image = read(whole)
    assert (image.width, image.height, image.bands) == (60, 40, 3)
    assert (image.cast("short") - source).abs().avg() <= (0 if format == "png" else 4)
    assert (read(small).width, read(small).height) == (30, 20)
    assert b"secret" not in whole
    assert not [name for name in image.get_fields() if name.startswith(("exif", "xmp", "icc"))]


def _told_about() -> bytes:
    source = photo(60, 40).copy()
    tags.put_blob(source, "xmp-data", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>secret</x:xmpmeta>")
    return png(source)


@pytest.mark.parametrize(("width", "length"), [(4, 11), (4, 13), (0, 0), (3, 12)])
def test_pixels_that_are_not_as_many_as_they_say_are_refused(width: int, length: int) -> None:
    with pytest.raises(ImageRefused):
        image_of(Pixels(data=bytes(length), width=width, height=1, bands=3))
