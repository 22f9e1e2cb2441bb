"""Pixels of crop, resize, orientation and canvas, against the same written as plain libvips calls."""

from __future__ import annotations

import itertools

import pytest
import pyvips

from imgserve.engine.intent import EngineConfig
from imgserve.engine.position import position
from imgserve.spec.shapes import COMPASS
from imgserve.spec.values import Colour, Gravity, GravityType, ResizingType
from tests.engine.pictures import (
    FILL,
    FORCE,
    SMART,
    decoded,
    deep,
    digest,
    digest_of,
    grey,
    jpeg,
    make,
    photo,
    pixel,
    png,
    rgba,
    turned,
    with_alpha,
)

TURNS = [0, 90, 180, 270]
PLACES = [*COMPASS, GravityType.FOCUS_POINT]


def upright(image: pyvips.Image, rotate: int, *, mirror: bool, upside: bool) -> pyvips.Image:
    out = image.copy_memory().autorot()
    if rotate:
        out = out.rot(f"d{rotate}")
    if mirror:
        out = out.flip("horizontal")
    return out.flip("vertical") if upside else out


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("rotate", TURNS)
@pytest.mark.parametrize(("mirror", "upside"), list(itertools.product((False, True), repeat=2)))
def test_orientation_is_exif_then_rotate_then_flip(
    orientation: int, rotate: int, *, mirror: bool, upside: bool
) -> None:
    source = turned(photo(24, 14), orientation)
    got = make(png(source), rotate=rotate, flip_horizontal=mirror, flip_vertical=upside)
    assert digest_of(got.data) == digest(upright(source, rotate, mirror=mirror, upside=upside))
    assert not pyvips.Image.new_from_buffer(got.data, "").get_typeof("orientation")


def test_exif_is_left_alone_when_told() -> None:
    source = turned(photo(24, 14), 6)
    got = make(png(source), auto_rotate=False, strip_metadata=False)
    assert digest_of(got.data) == digest(photo(24, 14))
    assert pyvips.Image.new_from_buffer(got.data, "").get("orientation") == 6
    assert (got.width, got.height, got.source_width, got.source_height) == (14, 24, 14, 24)


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("orientation", [1, 4, 5, 6, 7, 8])
@pytest.mark.parametrize(("rotate", "mirror"), [(0, False), (90, True), (180, False), (270, False)])
def test_the_crop_is_where_the_upright_picture_has_it(
    kind: GravityType, orientation: int, rotate: int, *, mirror: bool
) -> None:
    source = turned(photo(40, 24), orientation)
    whole = upright(source, rotate, mirror=mirror, upside=False)
    offsets = (0.2, 0.9) if kind is GravityType.FOCUS_POINT else (2.0, 4.0)
    gravity = Gravity(kind, *offsets)
    inner = (12, 8)
    left, top = position((whole.width, whole.height), inner, gravity=gravity)
    got = make(
        png(source),
        crop_width=12,
        crop_height=8,
        crop_gravity=gravity,
        gravity=Gravity(GravityType.SOUTH),
        rotate=rotate,
        flip_horizontal=mirror,
    )
    assert digest_of(got.data) == digest(whole.crop(left, top, *inner))


def test_the_general_gravity_also_crops() -> None:
    got = make(png(photo()), crop_width=0.5, gravity=Gravity(GravityType.EAST))
    assert digest_of(got.data) == digest(photo().crop(100, 0, 100, 100))


def test_smart_crops_are_libvips_own() -> None:
    source = photo(120, 80)
    got = make(png(source), resizing_type=FILL, width=40, height=40, gravity=SMART)
    whole = source.resize(0.5, vscale=0.5).copy_memory()
    assert digest_of(got.data) == digest(whole.smartcrop(40, 40))


@pytest.mark.parametrize(("width", "factor", "shrink"), [(150, 150 / 800, 4), (300, 300 / 800, 2), (90, 90 / 800, 8)])
def test_jpegs_are_shrunk_by_their_decoder_first(width: int, factor: float, shrink: int) -> None:
    source = jpeg(photo(800, 600))
    got = make(source, width=width, format="png")
    rest = factor * shrink
    expected = pyvips.Image.jpegload_buffer(source, shrink=shrink).resize(rest, vscale=rest)
    assert digest_of(got.data) == digest(expected)


def test_an_exact_shrink_is_not_resized_again() -> None:
    source = jpeg(photo(800, 600))
    expected = pyvips.Image.jpegload_buffer(source, shrink=4)
    assert digest_of(make(source, width=200, format="png").data) == digest(expected)


def test_shrinking_on_load_can_be_switched_off() -> None:
    source = jpeg(photo(800, 600))
    got = make(source, config=EngineConfig(disable_shrink_on_load=True), width=200, format="png")
    expected = pyvips.Image.jpegload_buffer(source).resize(0.25, vscale=0.25)
    assert digest_of(got.data) == digest(expected)


def test_turned_jpegs_are_shrunk_cropped_and_scaled_on_the_right_axes() -> None:
    source = jpeg(turned(photo(800, 600), 6))
    got = make(source, resizing_type=FORCE, width=100, height=200, crop_width=600, crop_height=400, format="png")
    # Upright it is 600x800; half of both sides are cut off below and above, in a picture that was loaded at half size.
    loaded = pyvips.Image.jpegload_buffer(source, shrink=2)
    cut = loaded.crop(100, 0, 200, 300)
    expected = cut.resize(1.0, vscale=1 / 3).copy_memory().rot("d90")
    assert digest_of(got.data) == digest(expected)


def test_webp_is_loaded_at_size() -> None:
    source = photo(400, 200).webpsave_buffer(lossless=True)
    expected = pyvips.Image.webpload_buffer(source, scale=1 / 4)
    assert digest_of(make(source, width=100, format="png").data) == digest(expected)


def test_colours_of_transparent_pixels_do_not_bleed() -> None:
    source = with_alpha(photo(160, 80))
    got = make(png(source), width=60)
    factor = 60 / 160
    small = source.premultiply().cast("uchar").resize(factor, vscale=factor)
    assert digest_of(got.data) == digest(small.unpremultiply().cast("uchar"))


def test_16_bits_stay_when_wanted_and_go_otherwise() -> None:
    source = png(deep(with_alpha(photo(60, 40))))
    kept = pyvips.Image.new_from_buffer(make(source, preserve_hdr=True).data, "")
    assert (kept.format, kept.interpretation) == ("ushort", "rgb16")
    assert kept.getpoint(5, 5) == pyvips.Image.new_from_buffer(source, "").getpoint(5, 5)
    gone = pyvips.Image.new_from_buffer(make(source).data, "")
    assert (gone.format, gone.interpretation) == ("uchar", "srgb")


def test_grey_stays_grey() -> None:
    got = pyvips.Image.new_from_buffer(make(png(grey(60, 40)), width=30).data, "")
    assert (got.bands, got.interpretation) == (1, "b-w")


def test_linear_resizing_keeps_what_light_adds_up_to() -> None:
    chequered = (((pyvips.Image.xyz(64, 64)[0] + pyvips.Image.xyz(64, 64)[1]) % 2) * 255).cast("uchar")
    source = png(chequered.bandjoin(chequered).bandjoin(chequered).copy(interpretation="srgb"))
    gamma = decoded(make(source, width=16).data)
    linear = decoded(make(source, config=EngineConfig(use_linear_colorspace=True), width=16).data)
    assert pixel(gamma, 8, 8)[0] == pytest.approx(128, abs=2)
    assert pixel(linear, 8, 8)[0] == pytest.approx(188, abs=2)


def test_extending_surrounds_with_nothing() -> None:
    gravity = Gravity(GravityType.NORTH_EAST, 5, 3)
    got = make(png(photo(40, 20)), width=60, height=30, extend=True, extend_gravity=gravity)
    expected = photo(40, 20).addalpha().embed(15, 3, 60, 30, extend="black")
    assert digest_of(got.data) == digest(expected)


def test_extending_to_an_aspect_ratio_grows_the_short_side_only() -> None:
    got = make(png(photo(40, 20)), width=60, height=60, extend_aspect_ratio=True)
    assert digest_of(got.data) == digest(photo(40, 20).addalpha().embed(0, 10, 40, 40, extend="black"))


def test_padding_grows_with_dpr_and_halves_go_to_even() -> None:
    got = make(png(photo(40, 20)), width=20, dpr=0.5, padding_top=5, padding_left=3)
    small = photo(40, 20).resize(0.25, vscale=0.25)
    assert digest_of(got.data) == digest(small.addalpha().embed(2, 2, 12, 7, extend="black"))


def test_formats_without_alpha_show_white_or_the_background() -> None:
    source = png(photo(40, 20))
    white = decoded(make(source, padding_left=20, format="jpeg", quality=100).data)
    assert pixel(white, 3, 10) == [255, 255, 255, 255]
    red = make(source, padding_left=20, background=Colour(255, 0, 0))
    assert pixel(decoded(red.data), 3, 10) == [255, 0, 0, 255]
    assert not pyvips.Image.new_from_buffer(red.data, "").hasalpha()


def test_a_grey_picture_takes_a_coloured_background() -> None:
    source = png(with_alpha(grey(40, 20)))
    got = pyvips.Image.new_from_buffer(make(source, background=Colour(0, 0, 255)).data, "")
    assert (got.bands, pixel(got, 0, 5)) == (3, [0, 0, 255])
    plain = pyvips.Image.new_from_buffer(make(source, background=Colour(9, 9, 9)).data, "")
    assert (plain.bands, pixel(plain, 0, 5)) == (1, [9])


def test_16_bit_backgrounds_are_as_bright_as_8_bit_ones() -> None:
    made = make(png(deep(photo(40, 20))), background=Colour(255, 128, 0), preserve_hdr=True, padding_left=9)
    assert pixel(pyvips.Image.new_from_buffer(made.data, ""), 0, 5) == [65535, 128 * 257, 0]


def test_icons_are_shrunk_to_what_they_can_hold() -> None:
    got = make(png(photo(600, 300)), format="ico")
    assert (got.width, got.height, got.mime) == (256, 128, "image/x-icon")


def test_vector_pictures_are_drawn_at_size_and_not_scaled() -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><circle cx="5" cy="5" r="4"/></svg>'
    got = make(drawing, width=200, format="png")
    expected = pyvips.Image.svgload_buffer(drawing, dpi=96, scale=7.5)
    assert (got.source_width, got.source_height) == (20, 10)
    assert digest_of(got.data) == digest(rgba(expected))


@pytest.mark.parametrize("kind", list(ResizingType))
def test_results_have_the_size_that_the_layout_promised(kind: ResizingType) -> None:
    got = make(png(photo(97, 61)), resizing_type=kind, width=37, height=41, padding_top=3, rotate=90)
    picture = decoded(got.data)
    assert (got.width, got.height) == (picture.width, picture.height)


def test_margins_without_an_effect_do_not_exist() -> None:
    got = make(png(photo(40, 20)), width=30)
    assert (got.width, got.height) == (30, 15)
