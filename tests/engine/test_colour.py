"""Colour spaces and profiles: where pixels end, and which profile says so."""

from __future__ import annotations

import pytest
import pyvips

from imgserve.engine import tags
from imgserve.engine.colour import PROFILE, profile_of, space_of
from tests.engine.pictures import deep, digest, digest_of, grey, jpeg, make, photo, pixel, png, with_alpha


def p3(image: pyvips.Image) -> pyvips.Image:
    """The picture with a Display P3 profile attached, its pixels as they were."""
    return image.icc_transform("p3", input_profile="srgb").copy()


def test_profiles_are_applied_at_the_end_and_dropped() -> None:
    source = p3(photo(80, 40))
    profile = profile_of(source)
    assert profile is not None
    got = make(png(source), width=40)
    small = source.resize(0.5, vscale=0.5)
    expected = small.icc_transform("sRGB", embedded=True, pcs="xyz", depth=8)
    assert digest_of(got.data) == digest(expected)
    assert not pyvips.Image.new_from_buffer(got.data, "").get_typeof(PROFILE)


def test_profiles_stay_with_their_pixels_when_wanted() -> None:
    source = p3(photo(80, 40))
    got = pyvips.Image.new_from_buffer(make(png(source), strip_color_profile=False).data, "")
    assert digest(got) == digest(source)
    assert profile_of(got) == profile_of(source)


def test_formats_without_profiles_get_converted_pixels() -> None:
    source = p3(photo(80, 40))
    got = make(png(source), strip_color_profile=False, format="bmp")
    expected = source.icc_transform("sRGB", embedded=True, pcs="xyz", depth=8)
    assert digest_of(make(got.data, format="png").data) == digest(expected)


def test_the_common_srgb_profile_costs_no_conversion() -> None:
    header = bytearray(200)
    for at, mark in ((8, b"\x02\x10\x00\x00"), (16, b"RGB "), (24, bytes((7, 206, 0, 2, 0, 9)))):
        header[at : at + len(mark)] = mark
    header[48:56], header[80:84] = b"IEC sRGB", b"HP  "
    source = photo(40, 20).copy()
    tags.put_blob(source, PROFILE, bytes(header))
    # It is no profile beyond its header, so a conversion would fail or change pixels.
    got = make(jpeg(source, Q=100, subsample_mode="off"), format="png")
    assert digest_of(got.data) == digest(pyvips.Image.new_from_buffer(jpeg(source, Q=100, subsample_mode="off"), ""))


def test_a_broken_profile_is_as_good_as_none() -> None:
    source = photo(40, 20).copy()
    tags.put_blob(source, PROFILE, b"\x00" * 300)
    assert digest_of(make(source.tiffsave_buffer(), format="png").data) == digest(photo(40, 20))


def test_a_profile_for_another_number_of_channels_is_dropped() -> None:
    source = grey(40, 20).copy()
    rgb = profile_of(p3(photo(8, 8)))
    assert rgb is not None
    tags.put_blob(source, PROFILE, rgb)
    assert digest_of(make(source.tiffsave_buffer(), format="png").data) == digest(grey(40, 20))


def test_cmyk_is_imported_before_anything_else() -> None:
    source = photo(80, 40).colourspace("cmyk")
    data = jpeg(source)
    got = make(data, width=40, format="png")
    loaded = pyvips.Image.jpegload_buffer(data, shrink=2)
    profile = profile_of(loaded)
    working = loaded.icc_import(embedded=True, pcs="lab") if profile else loaded
    assert digest_of(got.data) == digest(working.colourspace("srgb"))
    assert pyvips.Image.new_from_buffer(got.data, "").bands == 3


def test_cmyk_can_go_back_to_its_profile() -> None:
    data = jpeg(photo(80, 40).icc_transform("cmyk", input_profile="srgb"))
    got = pyvips.Image.new_from_buffer(make(data, strip_color_profile=False, format="tiff").data, "")
    assert (got.bands, got.interpretation) == (4, "cmyk")
    assert profile_of(got) == profile_of(pyvips.Image.new_from_buffer(data, ""))


def test_deep_profiles_are_applied_with_16_bits() -> None:
    source = deep(photo(40, 20)).icc_transform("p3", input_profile="srgb", depth=16)
    got = pyvips.Image.new_from_buffer(make(png(source), preserve_hdr=True).data, "")
    expected = source.icc_transform("sRGB", embedded=True, pcs="xyz", depth=16)
    assert got.format == "ushort"
    assert pixel(got, 11, 7) == pixel(expected, 11, 7)


def test_deep_pictures_keep_their_profile_on_the_way_to_8_bits() -> None:
    source = deep(photo(40, 20)).icc_transform("p3", input_profile="srgb", depth=16)
    got = make(png(source))
    eight = source.colourspace("srgb").copy()
    profile = profile_of(source)
    assert profile is not None
    tags.put_blob(eight, PROFILE, profile)
    expected = eight.icc_transform("sRGB", embedded=True, pcs="xyz", depth=8)
    assert digest_of(got.data) == digest(expected)


@pytest.mark.parametrize(
    ("image", "space"),
    [
        (photo(8, 8), "srgb"),
        (grey(8, 8), "b-w"),
        (with_alpha(grey(8, 8)), "b-w"),
        (deep(photo(8, 8)), "rgb16"),
        (photo(8, 8).copy(interpretation="multiband"), "srgb"),
        (grey(8, 8).copy(interpretation="srgb"), "b-w"),
        (deep(grey(8, 8)).copy(interpretation="multiband"), "grey16"),
        (photo(8, 8).colourspace("lab"), "lab"),
        (photo(8, 8).colourspace("cmyk"), "cmyk"),
        (photo(8, 8).colourspace("scrgb"), "scrgb"),
    ],
)
def test_spaces_are_known_even_where_the_tag_lies(image: pyvips.Image, space: str) -> None:
    assert space_of(image) == space


@pytest.mark.parametrize("space", ["lab", "scrgb"])
def test_float_pictures_come_out_as_srgb(space: str) -> None:
    source = photo(40, 20).colourspace(space).tiffsave_buffer()
    got = pyvips.Image.new_from_buffer(make(source, format="png").data, "")
    assert (got.format, got.bands) == ("uchar", 3)
    assert max(abs(a - b) for a, b in zip(pixel(got, 20, 10), pixel(photo(40, 20), 20, 10), strict=True)) <= 1


def test_linear_grey_tiff_is_not_taken_for_gamma_coded() -> None:
    half = (pyvips.Image.black(8, 8) + 0.5).cast("float").copy(interpretation="b-w").tiffsave_buffer()
    got = pyvips.Image.new_from_buffer(make(half, format="png").data, "")
    # Half the light is 188 of 255 on the gamma curve of sRGB.
    assert pixel(got, 4, 4)[0] == pytest.approx(188, abs=1)
