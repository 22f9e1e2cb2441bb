from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from imgserve.adapters.providers.matte import refine, rough_of, spread

Array = npt.NDArray[Any]

RED = np.array([170, 40, 30], np.float32)
PAPER = np.array([235, 233, 228], np.float32)


def soft_disc(size: int, *, blur: float) -> Array:
    alpha = np.zeros((size, size), np.float32)
    cv2.circle(alpha, (size // 2, size // 2), size // 3, 1, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(alpha, (0, 0), blur)


def mixed(alpha: Array, front: Array) -> Array:
    grain = np.random.default_rng(3).normal(0, 1.5, (*alpha.shape, 3))
    return np.clip(alpha[..., None] * front + (1 - alpha[..., None]) * PAPER + grain, 0, 255).astype(np.uint8)


def matte_of(picture: Array, side: int) -> Array:
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    distance = np.linalg.norm(small.astype(np.float32) - PAPER, axis=2) / 2.55
    mask = (distance > 30).astype(np.float32)
    return refine(picture, rough_of(small, mask, distance=distance, band_px=3))


@pytest.mark.parametrize("blur", [0.7, 3.0, 5.0], ids=["sharp", "soft", "out of focus"])
def test_alpha_of_a_large_picture_comes_from_a_mask_of_a_fifth_of_its_size(blur: float) -> None:
    alpha = soft_disc(800, blur=blur)
    error = np.abs(matte_of(mixed(alpha, RED), 160) / 255 - alpha)
    assert error.mean() < 0.005
    assert error[(alpha > 0.02) & (alpha < 0.98)].mean() < 0.08


def test_what_is_far_from_the_outline_is_all_or_nothing() -> None:
    matte = matte_of(mixed(soft_disc(800, blur=1), RED), 160)
    assert (matte[300:500, 300:500] == 255).all()
    assert not matte[:60].any()


def test_an_object_of_nearly_the_backgrounds_colour_keeps_the_rough_outline() -> None:
    alpha = soft_disc(800, blur=1)
    picture = mixed(alpha, PAPER - 6)
    rough_mask = cv2.resize((alpha > 0.5).astype(np.float32), (160, 160), interpolation=cv2.INTER_AREA)
    small = cv2.resize(picture, (160, 160), interpolation=cv2.INTER_AREA)
    distance = np.full((160, 160), 2.0, np.float32)
    matte = refine(picture, rough_of(small, rough_mask, distance=distance, band_px=3))
    assert np.abs(matte / 255 - alpha).mean() < 0.02


def test_spread_takes_each_pixel_from_the_nearest_known_ones() -> None:
    values = np.zeros((64, 64, 3), np.float32)
    weights = np.zeros((64, 64), np.float32)
    values[:, :8], weights[:, :8] = 200, 1
    values[:, 56:], weights[:, 56:] = 20, 1
    values[:, 30] = 99999  # of no weight
    filled = spread(values, weights)
    assert np.array_equal(filled[:, :8], values[:, :8])
    assert filled[:, 12].min() > filled[:, 32].max() > filled[:, 52].max() >= 20
    assert filled.max() <= 200


def test_spread_of_nothing_known_is_still_finite() -> None:
    assert np.isfinite(spread(np.ones((9, 7, 3), np.float32), np.zeros((9, 7), np.float32))).all()
