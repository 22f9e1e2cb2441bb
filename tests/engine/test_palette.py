"""Palettes, averages and dominant colours of drawn pictures."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine.dominant import COLOURS, ROLES, dominant_colours
from imgserve.engine.palette import Swatch, average, palette
from imgserve.ports.models import Pixels

RED, GREEN, BLUE, WHITE = (200, 30, 20), (30, 140, 60), (20, 40, 180), (255, 255, 255)


def stripes(*colours: tuple[tuple[int, ...], int]) -> Pixels:
    """Give a picture of one row with so many pixels of each colour."""
    data = b"".join(bytes(colour) * count for colour, count in colours)
    bands = len(colours[0][0])
    return Pixels(data=data, width=len(data) // bands, height=1, bands=bands)


def rgb(swatch: Swatch) -> tuple[int, int, int]:
    return swatch.red, swatch.green, swatch.blue


def test_a_palette_has_the_colours_of_a_picture_most_frequent_first() -> None:
    found = palette(stripes((BLUE, 100), (RED, 500), (GREEN, 300)), 3)
    assert [(rgb(one), one.alpha, one.count) for one in found] == [
        (RED, 255, 500), (GREEN, 255, 300), (BLUE, 255, 100)
    ]  # fmt: skip
    assert [rgb(one) for one in palette(stripes((RED, 9)), 256)] == [RED]


def test_what_is_seen_through_is_no_colour_of_a_palette() -> None:
    picture = stripes(((*RED, 255), 60), ((*GREEN, 200), 40), ((0, 0, 0, 0), 800), ((*BLUE, 20), 100))
    assert [(rgb(one), one.alpha, one.count) for one in palette(picture, 8)] == [(RED, 255, 60), (GREEN, 200, 40)]
    faint = stripes(((*BLUE, 20), 10), ((0, 0, 0, 0), 80))
    assert [(rgb(one), one.alpha) for one in palette(faint, 8)] == [(BLUE, 20)]
    assert palette(stripes(((0, 0, 0, 0), 10)), 8) == []


@given(st.integers(2, 256), st.integers(1, 200), st.sampled_from((3, 4)), st.integers())
def test_a_palette_has_no_more_colours_than_asked_for_and_is_always_the_same(
    colours: int, count: int, bands: int, seed: int
) -> None:
    pixels = Pixels(data=random.Random(seed).randbytes(count * bands), width=count, height=1, bands=bands)
    found = palette(pixels, colours)
    assert len(found) <= colours
    assert len({rgb(one) for one in found}) == len(found)
    assert [one.count for one in found] == sorted((one.count for one in found), reverse=True)
    assert palette(pixels, colours) == found


def test_the_average_counts_pixels_as_far_as_they_are_opaque() -> None:
    assert average(stripes((RED, 10), (BLUE, 10)), ignore_transparent=True) == Swatch(110, 35, 100, 255, 20)
    picture = stripes(((200, 0, 0, 255), 10), ((0, 200, 0, 0), 30))
    assert average(picture, ignore_transparent=True) == Swatch(200, 0, 0, 255, 10)
    assert average(picture, ignore_transparent=False) == Swatch(200, 0, 0, 64, 40)
    mixed = stripes(((200, 0, 0, 255), 10), ((0, 100, 0, 85), 30))
    assert average(mixed, ignore_transparent=True) == Swatch(100, 50, 0, 128, 40)
    assert average(stripes(((9, 9, 9, 0), 4)), ignore_transparent=True) == Swatch(0, 0, 0, 0, 0)


def roles(*colours: tuple[tuple[int, int, int], int], build_missed: bool = False) -> dict[str, tuple[int, int, int]]:
    swatches = [Swatch(*colour, count=count) for colour, count in colours]
    return {name: rgb(one) for name, one in dominant_colours(swatches, build_missed=build_missed).items()}


def test_each_role_takes_the_colour_that_is_most_like_it() -> None:
    wanted = {
        "vibrant": (220, 40, 40),
        "light_vibrant": (140, 230, 150),
        "dark_vibrant": (10, 20, 120),
        "muted": (150, 120, 110),
        "light_muted": (200, 190, 180),
        "dark_muted": (70, 60, 55),
    }
    found = roles(*((colour, 10) for colour in reversed(wanted.values())), (WHITE, 500), ((251, 252, 253), 500))
    assert (found, list(found)) == (wanted, list(ROLES))


def test_a_frequent_colour_wins_over_one_that_is_as_good() -> None:
    assert roles(((230, 26, 26), 5), ((26, 26, 230), 50))["vibrant"] == (26, 26, 230)


def test_roles_that_a_picture_does_not_have_are_left_out_or_built() -> None:
    assert roles(((150, 120, 110), 10)) == {"muted": (150, 120, 110)}
    assert roles() == roles(build_missed=True) == {}
    built = roles(((220, 40, 40), 10), build_missed=True)
    assert list(built) == list(ROLES)
    assert built["vibrant"] == (220, 40, 40)
    # Of its hue all of them: red stays the strongest channel.
    assert all(red > max(green, blue) for red, green, blue in built.values())
    assert sum(built["dark_vibrant"]) < sum(built["vibrant"]) < sum(built["light_vibrant"])
    greys = roles(((128, 128, 128), 10), build_missed=True)
    assert all(red == green == blue for red, green, blue in greys.values())


@given(st.binary(min_size=3, max_size=600), st.booleans())
def test_no_pixels_break_the_roles(data: bytes, build_missed: bool) -> None:
    pixels = Pixels(data=data[: len(data) // 3 * 3], width=len(data) // 3, height=1, bands=3)
    found = dominant_colours(palette(pixels, COLOURS), build_missed=build_missed)
    assert all(0 <= channel <= 255 for one in found.values() for channel in rgb(one))
    assert not build_missed or len(found) in (0, 6)


def test_the_colours_of_a_drawn_landscape() -> None:
    # Sky, a meadow, a red roof and its shadow, with some noise so that they are no few plain colours.
    rnd = random.Random(3)

    def noisy(colour: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(max(0, min(255, value + rnd.randint(-6, 6))) for value in colour)

    areas = (((120, 180, 230), 400), ((90, 140, 60), 300), ((190, 50, 40), 60), ((50, 45, 48), 40))
    picture = stripes(*((noisy(colour), 1) for colour, count in areas for _ in range(count)))
    four = palette(picture, 4)
    for one, (colour, _) in zip(four, areas, strict=True):
        assert rgb(one) == pytest.approx(colour, abs=8)
    found = {name: rgb(one) for name, one in dominant_colours(palette(picture, COLOURS), build_missed=False).items()}
    assert found["vibrant"] == pytest.approx((190, 50, 40), abs=14)
    assert found["light_vibrant"] == pytest.approx((120, 180, 230), abs=14)
