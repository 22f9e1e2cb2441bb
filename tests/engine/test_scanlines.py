"""How a PNG is filtered, told by looking at the picture."""

from __future__ import annotations

import pytest
import pyvips

from imgserve.engine.scanlines import can_choose, choose, flatness
from tests.engine.pictures import deep, plain, png, with_alpha


def noisy(width: int, height: int) -> pyvips.Image:
    """As a photograph is: neighbours are alike, and hardly ever equal."""
    light = pyvips.Image.perlin(width, height, cell_size=64, seed=3) * 90 + 128
    grain = [pyvips.Image.gaussnoise(width, height, mean=0, sigma=3, seed=seed) for seed in (1, 2, 3)]
    image = (light + grain[0]).bandjoin(light + grain[1]).bandjoin(light + grain[2])
    return image.cast("uchar").copy(interpretation="srgb").copy_memory()


def soft(width: int, height: int) -> pyvips.Image:
    """As a blurred background is: smooth, and half of the neighbours equal."""
    light = pyvips.Image.perlin(width, height, cell_size=256, seed=4) * 60 + 128
    return light.bandjoin(light + 5).bandjoin(light - 9).cast("uchar").copy(interpretation="srgb").copy_memory()


def screen(width: int, height: int) -> pyvips.Image:
    """As a screenshot is: one colour, and lines of marks that come again at other places."""
    marks = (pyvips.Image.gaussnoise(96, 12, mean=0, sigma=1, seed=8) > 0).replicate(width // 96 + 2, 1)
    blank = pyvips.Image.black(width, 8)
    lines = [marks.crop(n * 29 % 96, 0, width, 12).join(blank, "vertical") for n in range(height // 20 + 1)]
    page = pyvips.Image.arrayjoin(lines, across=1).crop(0, 0, width, height)
    margin = pyvips.Image.black(width - width // 3, height)
    page = 240 - page.crop(0, 0, width // 3, height).join(margin, "horizontal") / 255 * 210
    return page.bandjoin(page).bandjoin(page).cast("uchar").copy(interpretation="srgb").copy_memory()


def size(image: pyvips.Image, name: str, level: int) -> int:
    return len(png(image, filter=name, compression=level))


def test_flatness_is_the_share_of_equal_neighbours() -> None:
    assert flatness(plain(100, 50, [1, 2, 3])) > 0.99
    assert flatness(noisy(300, 200)) < 0.25
    striped = ((pyvips.Image.xyz(100, 40)[0] / 2).floor() % 2 * 255).cast("uchar")
    assert flatness(striped) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "source", [plain(1, 1, [5]), plain(1, 90, [5, 6, 7, 8]), plain(90, 1, [7]), plain(3, 3, [9, 9])]
)
def test_the_smallest_pictures_have_a_choice_too(source: pyvips.Image) -> None:
    name, level = choose(source, level=6)
    assert png(source, filter=name, compression=level)


def test_photographs_take_avg_at_a_quick_level() -> None:
    assert choose(noisy(300, 200), level=6) == ("avg", 3)
    assert choose(with_alpha(noisy(300, 200)), level=6) == ("avg", 3)
    assert choose(deep(noisy(300, 200)), level=6) != ("none", 6)


def test_a_lower_level_stays_lower() -> None:
    assert choose(noisy(300, 200), level=1) == ("avg", 1)
    assert choose(soft(300, 200), level=1) == ("all", 1)


def test_levels_above_six_mean_bytes() -> None:
    assert choose(noisy(300, 200), level=9) == ("all", 9)


def test_soft_pictures_are_left_to_imgproxys_choice() -> None:
    assert choose(soft(300, 200), level=6) == ("all", 6)


def test_screenshots_take_no_filter() -> None:
    image = screen(700, 500)
    assert choose(image, level=6) == ("none", 6)
    assert size(image, "none", 6) < size(image, "all", 6)


def test_small_screenshots_are_not_worth_a_trial_unless_bytes_are_all_that_counts() -> None:
    assert choose(screen(300, 200), level=6) == ("all", 6)
    assert choose(screen(300, 200), level=9) == ("none", 9)


def test_cut_outs_keep_their_filters() -> None:
    inside = noisy(700, 500)
    at = pyvips.Image.xyz(700, 500)
    alpha = ((at[0] - 350) ** 2 + (at[1] - 250) ** 2 < 150**2).ifthenelse(255, 0).cast("uchar")
    cut = (inside * (alpha / 255)).cast("uchar").bandjoin(alpha).copy(interpretation="srgb").copy_memory()
    assert flatness(cut) > 0.7
    assert choose(cut, level=6) == ("all", 6)


@pytest.mark.parametrize("image", [noisy(640, 480), soft(640, 480), screen(640, 480)])
def test_the_choice_costs_few_bytes_whatever_the_picture(image: pyvips.Image) -> None:
    name, level = choose(image, level=6)
    assert size(image, name, level) <= 1.04 * size(image, "all", 6)


def test_the_largest_pictures_are_not_looked_at() -> None:
    assert can_choose(pyvips.Image.black(5000, 5000))
    assert not can_choose(pyvips.Image.black(5000, 5001))
