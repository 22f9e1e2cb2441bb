"""BMP: what its many kinds become, and that broken ones are refused."""

from __future__ import annotations

import io
import struct

import pytest
import pyvips
from PIL import Image

from imgserve.engine.bitmaps import load_bmp
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import Limits
from imgserve.errors import ImageRefused, RenderTimeout
from tests.engine.pictures import bmp, digest, grey, make, photo, pixels, png, with_alpha

LIMITS = Limits()


def loaded(data: bytes) -> pyvips.Image:
    return load_bmp(data, LIMITS, deadline=Deadline())


def saved(mode: str) -> bytes:
    out = io.BytesIO()
    colours = photo(33, 17)
    picture = Image.frombytes("RGB", (33, 17), colours.write_to_memory()).convert(mode)
    picture.save(out, "BMP")
    return out.getvalue()


@pytest.mark.parametrize(("mode", "depth"), [("1", 1), ("L", 8), ("P", 8)])
def test_palettes_become_three_bands_that_remember_their_depth(mode: str, depth: int) -> None:
    image = loaded(saved(mode))
    assert (image.bands, image.interpretation, image.get("palette")) == (3, "srgb", 1)
    assert image.get("bits-per-sample") == depth


def test_5_and_6_bits_are_shifted_and_not_spread() -> None:
    values = [0xFFFF, 0x0000, 1 << 11 | 1 << 5 | 1, 30 << 11 | 62 << 5 | 30]
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    image = loaded(bmp(16, 3, masks, struct.pack("<4H", *values), size=(4, 1)))
    assert pixels(image) == [[248, 252, 248], [0, 0, 0], [8, 4, 8], [240, 248, 240]]


def test_5_bits_of_a_kind_are_read_as_pillow_reads_them() -> None:
    image = loaded(bmp(16, 0, b"", struct.pack("<2H", 0x7FFF, 0x001F), size=(2, 1)))
    assert pixels(image) == [[255, 255, 255], [0, 0, 255]]


REDS = bytes((0, 0, 200, 0)) + bytes((0, 200, 0, 0)) + bytes((9, 8, 7, 0)) * 254


def test_what_run_lengths_leave_out_is_black() -> None:
    # Two pixels of colour 1, two to the right, one of colour 0; then a line of nothing; then the end.
    rows = bytes((2, 1, 0, 2, 2, 0, 1, 0, 0, 0)) + bytes((0, 1))
    image = loaded(bmp(8, 1, REDS, rows, size=(5, 2)))
    black, green, red = [0, 0, 0], [0, 200, 0], [200, 0, 0]
    # The first row of the file is the lowest.
    assert pixels(image) == [black] * 5 + [green, green, black, black, red]


def test_run_lengths_do_not_leave_their_row() -> None:
    rows = bytes((255, 1, 0, 0, 0, 3, 0, 1, 0, 0, 0, 0, 0, 1))
    image = loaded(bmp(8, 1, REDS, rows, size=(3, -2)))
    green, red = [0, 200, 0], [200, 0, 0]
    assert pixels(image) == [green] * 3 + [red, green, red]


def test_run_lengths_of_4_bits_alternate() -> None:
    palette = b"".join(bytes((value, value, value, 0)) for value in range(100, 116))
    rows = bytes((3, 0x1F, 0, 0)) + bytes((0, 3, 0x12, 0x30, 0, 0))
    image = loaded(bmp(4, 2, palette, rows, size=(3, -2)))
    assert [one[0] for one in pixels(image)] == [101, 115, 101, 101, 102, 103]


def test_a_jump_down_leaves_black_rows() -> None:
    rows = bytes((1, 1, 0, 2, 0, 2, 1, 1, 0, 0, 0, 0))
    image = loaded(bmp(8, 1, REDS, rows, size=(2, -3)))
    black, green = [0, 0, 0], [0, 200, 0]
    assert pixels(image) == [green, black, black, black, black, green]


@pytest.mark.parametrize(
    ("bits", "colours", "depth"), [(8, 0, 8), (8, 16, 4), (8, 4, 2), (4, 0, 4), (2, 0, 2), (1, 0, 1)]
)
def test_the_depth_is_that_of_the_header(bits: int, colours: int, depth: int) -> None:
    # All entries are one grey, so that counting different ones would say another depth.
    palette = bytes((50, 50, 50, 0)) * (colours or 1 << bits)
    image = loaded(bmp(bits, 0, palette, bytes(4), size=(3, 1), colours=colours))
    assert image.get("bits-per-sample") == depth
    assert pixels(image) == [[50, 50, 50]] * 3


def test_a_ramp_of_16_greys_is_read_by_its_bits() -> None:
    palette = b"".join(bytes((value, value, value, 0)) for value in range(16))
    image = loaded(bmp(4, 0, palette, bytes((0x0F, 0x5A, 0, 0)), size=(4, 1)))
    assert [one[0] for one in pixels(image)] == [0, 15, 5, 10]


def test_bitfields_of_the_oldest_header_have_alpha_when_masked() -> None:
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    assert pixels(loaded(bmp(32, 3, masks, bytes((1, 2, 3, 4)), size=(1, 1)))) == [[3, 2, 1, 4]]
    masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    assert pixels(loaded(bmp(32, 3, masks, bytes((1, 2, 3, 0)), size=(1, 1)))) == [[3, 2, 1]]


def test_24_bits_are_exact() -> None:
    image = loaded(saved("RGB"))
    assert digest(image) == digest(photo(33, 17))
    assert not image.get_typeof("palette")


def test_32_bits_of_the_oldest_header_have_alpha() -> None:
    image = loaded(saved("RGBA"))
    assert digest(image) == digest(photo(33, 17).addalpha())
    assert image.bands == 4


def test_alpha_of_newer_headers_needs_its_mask() -> None:
    source = with_alpha(photo(9, 5))
    data = bytearray(make(png(source), format="bmp").data)
    assert digest(loaded(bytes(data))) == digest(source)
    # Uncompressed instead of by masks, and no mask for alpha.
    data[30:34] = struct.pack("<I", 0)
    data[66:70] = bytes(4)
    assert loaded(bytes(data)).bands == 3


def test_grey_is_saved_as_colour() -> None:
    assert digest(loaded(make(png(grey(20, 10)), format="bmp").data)) == digest(grey(20, 10))


def test_reading_run_lengths_ends_at_the_deadline() -> None:
    over = Deadline()
    over.kill()
    with pytest.raises(RenderTimeout):
        load_bmp(bmp(8, 1, REDS, bytes((1, 1, 0, 1)), size=(5, 2)), LIMITS, deadline=over)


@pytest.mark.parametrize("idle", [bytes((0, 2, 0, 0)), bytes((0, 2, 255, 0)), bytes((9, 1))])
def test_run_lengths_that_paint_nothing_do_not_go_on_for_ever(idle: bytes) -> None:
    # The file ends without an end of the picture, which would be an error if it were ever read to there.
    image = loaded(bmp(8, 1, REDS, bytes((2, 1)) + idle * 5000, size=(2, 2)))
    assert pixels(image) == [[0, 0, 0]] * 2 + [[0, 200, 0]] * 2


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    huge = bytearray(saved("RGB"))
    huge[18:26] = struct.pack("<ii", 30_000, 30_000)
    with pytest.raises(ImageRefused, match="30000x30000"):
        loaded(bytes(huge))


@pytest.mark.parametrize("cut", [2, 10, 30, 54, 60, 200])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_truncated_bitmaps_are_refused(cut: int, mode: str) -> None:
    with pytest.raises(ImageRefused, match="broken"):
        loaded(saved(mode)[:cut])
