"""Icons: which picture is taken, and what is known of it."""

from __future__ import annotations

import io
import struct

import pytest
import pyvips
from PIL import Image

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.icons import load_ico
from imgserve.engine.intent import Limits
from imgserve.errors import ImageRefused
from tests.engine.pictures import bmp, decoded, digest, digest_of, grey, make, photo, pixel, pixels, png

LIMITS = Limits()


def loaded(data: bytes) -> pyvips.Image:
    return load_ico(data, LIMITS, deadline=Deadline())


@pytest.mark.parametrize("sizes", [[(16, 16), (32, 32), (24, 24)]])
@pytest.mark.parametrize("inner", ["png", "bmp"])
def test_the_largest_icon_is_taken(sizes: list[tuple[int, int]], inner: str) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (64, 64), (10, 20, 30, 40)).save(out, "ICO", sizes=sizes, bitmap_format=inner)
    image = loaded(out.getvalue())
    assert (image.width, image.height) == (32, 32)
    # Pillow's resize moves the colour a little.
    assert pixel(image, 3, 3) == pytest.approx([10, 20, 30, 40], abs=2)


def test_grey_icons_stay_grey() -> None:
    made = make(png(grey(32, 32)), format="ico")
    assert loaded(made.data).bands == 1


def icon(inner: bytes, width: int, height: int) -> bytes:
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, width, height, 0, 0, 1, 24, len(inner), 22) + inner


def test_the_mask_of_a_bitmap_in_an_icon_is_not_read() -> None:
    mask = bytes((0b10000000, 0, 0, 0))
    rows = bytes((1, 2, 3, 4, 5, 6, 0, 0))
    inner = bmp(24, 0, b"", rows, size=(2, 2))[14:] + mask
    image = loaded(icon(inner, 2, 1))
    assert pixels(image) == [[3, 2, 1], [6, 5, 4]]


def test_alpha_of_a_bitmap_in_an_icon_is_that_of_its_pixels() -> None:
    inner = bmp(32, 0, b"", bytes((1, 2, 3, 0, 4, 5, 6, 99)), size=(2, 2))[14:] + bytes(4)
    assert pixels(loaded(icon(inner, 2, 1))) == [[3, 2, 1, 0], [6, 5, 4, 99]]


def test_of_a_png_in_an_icon_only_the_pixels_are_known() -> None:
    source = photo(20, 10).icc_transform("p3", input_profile="srgb").copy()
    tags.put_integer(source, "orientation", 6)
    inner = png(source, palette=True)
    image = loaded(icon(inner, 20, 10))
    assert (image.width, image.height) == (20, 10)
    assert not any(image.get_typeof(name) for name in ("palette", "orientation", "icc-profile-data"))
    expected = pyvips.Image.new_from_buffer(inner, "")
    assert digest_of(make(icon(inner, 20, 10), format="png").data) == digest(expected)


def test_256_is_written_as_0() -> None:
    made = make(png(photo(256, 256)), format="ico")
    assert made.data[6:8] == b"\x00\x00"
    assert decoded(make(made.data, format="png").data).width == 256


@pytest.mark.parametrize("cut", [4, 10, 22, 30, 60])
def test_truncated_icons_are_refused(cut: int) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (32, 16), (10, 20, 30, 40)).save(out, "ICO", bitmap_format="bmp")
    with pytest.raises((ImageRefused, pyvips.Error)):
        loaded(out.getvalue()[:cut])


def test_an_icon_file_without_pictures_is_refused() -> None:
    with pytest.raises(ImageRefused, match="broken"):
        loaded(struct.pack("<HHH", 0, 1, 0))


def test_icons_that_claim_to_be_huge_are_refused() -> None:
    entry = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, 2**31, 22)
    with pytest.raises(ImageRefused, match="broken"):
        loaded(entry + bytes(100))
