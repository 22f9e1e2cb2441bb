"""The measures of likeness, against values that can be worked out by hand."""

from __future__ import annotations

import math

import pytest
import pyvips

from bench.quality import decode, psnr, seen, ssim


def plain(*channels: int, size: int = 64) -> pyvips.Image:
    bands = pyvips.Image.black(size, size, bands=len(channels)).linear([1.0], [float(value) for value in channels])
    return bands.cast("uchar").copy(interpretation="srgb")


def noise() -> pyvips.Image:
    return seen(pyvips.Image.gaussnoise(96, 96, mean=128, sigma=30, seed=1).cast("uchar").copy(interpretation="b-w"))


def test_equal_pictures_are_as_near_as_can_be() -> None:
    assert psnr(noise(), noise()) == math.inf
    assert ssim(noise(), noise()) == pytest.approx(1)


def test_psnr_is_that_of_the_mean_square_error() -> None:
    assert psnr(plain(100, 100, 100), plain(105, 105, 105)) == pytest.approx(10 * math.log10(255**2 / 25))
    assert psnr(plain(100, 100, 100), plain(100, 100, 103)) == pytest.approx(10 * math.log10(255**2 / 3))


def test_ssim_of_two_plain_pictures_is_the_term_of_their_luminance() -> None:
    constant = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + constant) / (100**2 + 120**2 + constant)
    assert ssim(plain(100, 100, 100), plain(120, 120, 120)) == pytest.approx(expected, abs=1e-6)


def test_ssim_minds_structure_and_not_only_differences() -> None:
    light, blurred = (noise() + 8).cast("uchar"), noise().gaussblur(1).cast("uchar")
    assert ssim(noise(), light) > 0.98
    assert ssim(noise(), blurred) < 0.9


def test_what_transparency_hides_does_not_count() -> None:
    hidden = plain(10, 20, 30, 0)
    assert seen(hidden).getpoint(3, 3) == [255, 255, 255]
    assert decode(hidden.pngsave_buffer()).getpoint(3, 3) == [255, 255, 255]
