"""BlurHash, ThumbHash and the perceptual hash: known texts, and that what they say is the picture."""

from __future__ import annotations

import math
from typing import Final

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine.blurhash import blurhash
from imgserve.engine.cosines import cosine_terms
from imgserve.engine.phash import SIDE, perceptual_hash
from imgserve.engine.small import Small
from imgserve.engine.thumbhash import thumbhash
from imgserve.engine.upright import pixels_of
from imgserve.ports.models import Pixels
from tests.engine.decoded_hashes import blurhash_at, ratio_of, thumbhash_at
from tests.engine.pictures import photo, with_alpha

#: A colour that is written in few bits may be off by this.
CLOSE: Final = 40


def drawn(width: int, height: int, bands: int = 3) -> Pixels:
    """Give a picture by a formula that other programs' hashes were made of."""
    data = bytes(
        value
        for y in range(height)
        for x in range(width)
        for value in (
            x * 255 // max(1, width - 1),
            y * 255 // max(1, height - 1),
            (x * 7 + y * 13) % 256,
            (x * 3 + y * 5) * 9 % 256,
        )[:bands]
    )
    return Pixels(data=data, width=width, height=height, bands=bands)


def plain(red: int, green: int, blue: int, *alpha: int, width: int = 20, height: int = 10) -> Pixels:
    colour = bytes((red, green, blue, *alpha))
    return Pixels(data=colour * (width * height), width=width, height=height, bands=len(colour))


def quarters() -> Pixels:
    """Four colours: red and green above, blue and white below."""
    top = bytes((220, 20, 20)) * 16 + bytes((20, 200, 20)) * 16
    bottom = bytes((20, 20, 220)) * 16 + bytes((240, 240, 240)) * 16
    return Pixels(data=top * 12 + bottom * 12, width=32, height=24, bands=3)


@pytest.mark.parametrize(
    ("size", "terms", "text"),
    [
        ((32, 24), (4, 3), "L$Hewc2nwyX8l~WBjpe;gIfdfSfm"),
        ((24, 32), (3, 4), "T$HoE}2nwul_WCjugLfefNnfWljx"),
        (
            (16, 16),
            (9, 9),
            "|$Hx$#2-wuoySKt7SKxaN@qIW9jwe:a{jGa{jGa{gFfnfOfhfSfifRfhfSs=WmjufSa_jua{jua{emf9fSf5fSf6fPf6fRt7W;jrfla{j?a}j@a}eof5fSf5fPf9fPf8fPtPW=jrfka~j=a}j@a}eVf5fRf8fOf9fPf6fQ",
        ),
        ((40, 5), (1, 9), "=uHf05z5eF%ydd%{dd%yeF"),
        ((1, 1), (2, 2), "A00000fQfQfQ"),
        ((3, 64), (1, 1), "00Jj;="),
    ],
)
def test_blurhashes_are_those_of_the_reference_program(
    size: tuple[int, int], terms: tuple[int, int], text: str
) -> None:
    # Made by the format's own C program of the same pixels.
    assert blurhash(drawn(*size), *terms) == text


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.integers(1, 12))
def test_a_blurhash_has_the_terms_that_were_asked_for(across: int, down: int, width: int, height: int) -> None:
    text = blurhash(drawn(width, height), across, down)
    assert len(text) == 4 + 2 * across * down
    assert all(0 <= value <= 255 for value in blurhash_at(text, 0.5, 0.5))


def test_a_blurhash_shows_the_picture() -> None:
    text = blurhash(quarters(), 4, 3)
    for place, colour in (((0.15, 0.15), (220, 20, 20)), ((0.85, 0.85), (240, 240, 240))):
        assert blurhash_at(text, *place) == pytest.approx(colour, abs=CLOSE)
    assert blurhash_at(blurhash(plain(12, 100, 200), 1, 1), 0.5, 0.5) == pytest.approx((12, 100, 200), abs=1)


@pytest.mark.parametrize(
    ("size", "bands", "digits"),
    [
        ((40, 5), 3, "5ff80d41a040698760788787f5a117f878"),
        ((24, 32), 4, "e0f7851c0e07701788977665170958708f6766014847657504"),
        ((32, 24), 4, "1ff885248e07808781865867370777808f3755046849458504"),
        ((16, 16), 4, "e0f7891d0e0772776088968887a0d60df77887424404875682"),
        ((1, 1), 3, "000802070000000000000000000000000000000000000000"),
    ],
)
def test_thumbhashes_are_those_of_the_reference_program(size: tuple[int, int], bands: int, digits: str) -> None:
    # Made by the format's own program of the same pixels.
    assert thumbhash(drawn(*size, bands)).hex() == digits


def test_a_thumbhash_shows_the_picture_its_shape_and_its_alpha() -> None:
    data = thumbhash(quarters())
    for place, colour in (((0.15, 0.15), (220, 20, 20)), ((0.85, 0.15), (20, 200, 20)), ((0.15, 0.85), (20, 20, 220))):
        assert thumbhash_at(data, *place)[:3] == pytest.approx(colour, abs=60)
    assert thumbhash_at(data, 0.5, 0.5)[3] == 255
    assert ratio_of(data) == pytest.approx(4 / 3, abs=0.1)
    assert ratio_of(thumbhash(plain(1, 2, 3, width=10, height=40))) == pytest.approx(0.25, abs=0.1)
    half = thumbhash(pixels_of(with_alpha(photo(64, 48))))
    assert thumbhash_at(half, 0.05, 0.5)[3] < 60 < 200 < thumbhash_at(half, 0.95, 0.5)[3]


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from((3, 4)), st.data())
def test_no_pixels_break_a_thumbhash(width: int, height: int, bands: int, data: st.DataObject) -> None:
    count = width * height * bands
    pixels = data.draw(st.binary(min_size=count, max_size=count))
    found = thumbhash(Pixels(data=pixels, width=width, height=height, bands=bands))
    assert 5 < len(found) < 40
    assert all(0 <= value <= 255 for value in thumbhash_at(found, 0.5, 0.5))


def test_terms_are_those_of_the_definition() -> None:
    rows = [[math.sin(3 * x + y * y) for x in range(7)] for y in range(5)]
    found = cosine_terms(rows, 4, 3)
    for j in range(3):
        for i in range(4):
            wanted = sum(
                value * math.cos(math.pi * i * (x + 0.5) / 7) * math.cos(math.pi * j * (y + 0.5) / 5)
                for y, row in enumerate(rows)
                for x, value in enumerate(row)
            )
            assert found[j][i] == pytest.approx(wanted / 35)


def scene() -> pyvips.Image:
    """A picture with things in it: a ramp would have no slow terms but noise."""
    image = photo(400, 300)
    for shade, (left, top, width, height) in (
        (20, (30, 40, 120, 70)),
        (230, (200, 20, 90, 160)),
        (120, (60, 180, 250, 50)),
        (200, (320, 210, 60, 80)),
    ):
        image = image.draw_rect([shade, 255 - shade, shade], left, top, width, height, fill=True)
    return image.gaussblur(3).cast("uchar")


def hashed(image: pyvips.Image) -> int:
    return int(perceptual_hash(Small.of(image).stretched(SIDE, SIDE).pixels()), 16)


def far(one: pyvips.Image, other: pyvips.Image) -> int:
    return (hashed(one) ^ hashed(other)).bit_count()


def test_alike_pictures_have_alike_perceptual_hashes() -> None:
    picture = scene()
    assert far(picture, picture.resize(0.4)) <= 4
    assert far(picture, (picture * 0.8 + 20).cast("uchar")) <= 4
    assert far(picture, pyvips.Image.jpegload_buffer(picture.jpegsave_buffer(Q=40))) <= 4
    assert far(picture, picture.rot90()) >= 20
    assert far(picture, picture.fliphor()) >= 20


def test_a_perceptual_hash_is_the_median_cut_of_the_slow_terms() -> None:
    pixels = drawn(SIDE, SIDE)
    grey = [
        0.299 * pixels.data[at] + 0.587 * pixels.data[at + 1] + 0.114 * pixels.data[at + 2]
        for at in range(0, len(pixels.data), 3)
    ]
    terms = [
        term for row in cosine_terms([grey[at : at + SIDE] for at in range(0, SIDE * SIDE, SIDE)], 8, 8) for term in row
    ]
    middle = sum(sorted(terms)[31:33]) / 2
    bits = "".join("1" if term > middle else "0" for term in terms)
    assert perceptual_hash(pixels) == f"{int(bits, 2):016x}"
    assert len(perceptual_hash(plain(9, 9, 9, width=SIDE, height=SIDE))) == 16
