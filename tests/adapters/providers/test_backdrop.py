from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from imgserve.adapters.providers.backdrop import as_lab, fit_backdrop


def studio(height: int = 240, width: int = 320) -> npt.NDArray[Any]:
    """A wall that is darker towards its corners and its foot."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 225 - 25 * (x * x + y * y) - 15 * y
    grain = np.random.default_rng(1).normal(0, 1, (height, width, 3))
    wall: npt.NDArray[Any] = np.clip(light[..., None] * [1, 0.98, 0.95] + grain, 0, 255).astype(np.uint8)
    return wall


def test_a_curved_light_is_explained_in_the_middle_too() -> None:
    wall = studio()
    backdrop = fit_backdrop(as_lab(wall))
    assert backdrop.plain
    assert np.linalg.norm(as_lab(wall) - backdrop.colours, axis=2).max() < 5


def test_an_object_that_covers_a_third_of_the_border_does_not_bend_the_surface() -> None:
    wall = studio()
    lab = as_lab(wall)
    wall[60:, :140] = (150, 40, 30)
    backdrop = fit_backdrop(as_lab(wall))
    assert backdrop.plain
    assert backdrop.share < 0.8
    assert np.linalg.norm(lab - backdrop.colours, axis=2)[:, 140:].max() < 5
    assert not backdrop.ring[60:, :140].any()


def test_a_border_of_many_colours_is_not_plain() -> None:
    colours = np.random.default_rng(2).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    assert not fit_backdrop(as_lab(colours.repeat(20, axis=0).repeat(20, axis=1))).plain


def test_the_same_picture_gets_the_same_surface() -> None:
    lab = as_lab(studio())
    assert np.array_equal(fit_backdrop(lab).colours, fit_backdrop(lab).colours)
