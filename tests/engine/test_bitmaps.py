"""BMP and ICO: what their many kinds become, and that broken ones are refused."""

from __future__ import annotations

import io
import struct

import pytest
import pyvips
from PIL import Image

from imgserve.engine.bitmaps import load_bmp, load_ico
from imgserve.engine.intent import Limits
from imgserve.errors import ImageRefused
from tests.engine.pictures import decoded, digest, grey, make, photo, pixel, png, with_alpha

LIMITS = Limits()


def saved(mode: str, kind: str = "BMP", **options: object) -> bytes:
    out = io.BytesIO()
    colours = photo(33, 17)
    picture = Image.frombytes("RGB", (33, 17), colours.write_to_memory()).convert(mode)
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(("mode", "depth"), [("1", 1), ("L", 8), ("P", 8)])
def test_palettes_become_three_bands_that_remember_their_depth(mode: str, depth: int) -> None:
    image = load_bmp(saved(mode), LIMITS)
    assert (image.bands, image.interpretation, image.get("palette")) == (3, "srgb", 1)
    assert image.get("bits-per-sample") == depth


def test_24_bits_are_exact() -> None:
    image = load_bmp(saved("RGB"), LIMITS)
    assert digest(image) == digest(photo(33, 17))
    assert not image.get_typeof("palette")


def test_32_bits_of_the_oldest_header_have_alpha() -> None:
    image = load_bmp(saved("RGBA"), LIMITS)
    assert digest(image) == digest(photo(33, 17).addalpha())
    assert image.bands == 4


def test_alpha_of_newer_headers_needs_its_mask() -> None:
    source = with_alpha(photo(9, 5))
    data = bytearray(make(png(source), format="bmp").data)
    assert digest(load_bmp(bytes(data), LIMITS)) == digest(source)
    # Uncompressed instead of by masks, and no mask for alpha.
    data[30:34] = struct.pack("<I", 0)
    data[66:70] = bytes(4)
    assert load_bmp(bytes(data), LIMITS).bands == 3


def test_grey_is_saved_as_colour() -> None:
    assert digest(load_bmp(make(png(grey(20, 10)), format="bmp").data, LIMITS)) == digest(grey(20, 10))


@pytest.mark.parametrize("sizes", [[(16, 16), (32, 32), (24, 24)]])
@pytest.mark.parametrize("inner", ["png", "bmp"])
def test_the_largest_icon_is_taken(sizes: list[tuple[int, int]], inner: str) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (64, 64), (10, 20, 30, 40)).save(out, "ICO", sizes=sizes, bitmap_format=inner)
    image = load_ico(out.getvalue(), LIMITS)
    assert (image.width, image.height) == (32, 32)
    # Pillow's resize moves the colour a little.
    assert pixel(image, 3, 3) == pytest.approx([10, 20, 30, 40], abs=2)


def test_grey_icons_stay_grey() -> None:
    made = make(png(grey(32, 32)), format="ico")
    assert load_ico(made.data, LIMITS).bands == 1


def test_256_is_written_as_0() -> None:
    made = make(png(photo(256, 256)), format="ico")
    assert made.data[6:8] == b"\x00\x00"
    assert decoded(make(made.data, format="png").data).width == 256


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    huge = bytearray(saved("RGB"))
    huge[18:26] = struct.pack("<ii", 30_000, 30_000)
    with pytest.raises(ImageRefused, match="30000x30000"):
        load_bmp(bytes(huge), LIMITS)


@pytest.mark.parametrize("cut", [2, 10, 30, 54, 60, 200])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_truncated_bitmaps_are_refused(cut: int, mode: str) -> None:
    with pytest.raises(ImageRefused, match="broken"):
        load_bmp(saved(mode)[:cut], LIMITS)


@pytest.mark.parametrize("cut", [4, 10, 22, 30, 60])
def test_truncated_icons_are_refused(cut: int) -> None:
    with pytest.raises((ImageRefused, pyvips.Error)):
        load_ico(saved("RGBA", "ICO", bitmap_format="bmp")[:cut], LIMITS)


def test_an_icon_file_without_pictures_is_refused() -> None:
    with pytest.raises(ImageRefused, match="broken"):
        load_ico(struct.pack("<HHH", 0, 1, 0), LIMITS)


def test_icons_that_claim_to_be_huge_are_refused() -> None:
    entry = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, 2**31, 22)
    with pytest.raises(ImageRefused, match="broken"):
        load_ico(entry + bytes(100), LIMITS)
