from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from imgserve.adapters.providers.backdrop import as_lab
from imgserve.adapters.providers.segment import segment
from imgserve.adapters.providers.shadows import shaded

Array = npt.NDArray[Any]

PAPER = (240, 238, 234)
#: An object's foot, and how far it may be off: in a black shadow's soft rim nobody sees it.
FOOT, OFF = 400, 4


def standing(colour: tuple[int, int, int], *, core: float = 0.9) -> Array:
    """Draw a box on paper, with a wide soft shadow and, where it stands, a dark one."""
    grain = np.random.default_rng(4).normal(0, 0.6, (600, 600, 3))
    picture = np.clip(np.full((600, 600, 3), PAPER) + grain, 0, 255)
    for opacity, (aside, wide, high), blur in ((0.35, (340, 170, 30), 18), (core, (303, 122, 10), 2.5)):
        shadow: Array = np.zeros((600, 600), np.float32)
        cv2.ellipse(shadow, (aside, FOOT + 2), (wide, high), 0, 0, 360, opacity, -1)
        picture *= 1 - cv2.GaussianBlur(shadow, (0, 0), blur)[..., None]
    box: Array = np.zeros((600, 600), np.float32)
    cv2.rectangle(box, (190, 120), (410, FOOT), 1, -1)
    box = cv2.GaussianBlur(box, (0, 0), 0.7)[..., None]
    shot: Array = (picture * (1 - box) + np.array(colour) * box).astype(np.uint8)
    return shot


def mask_of(picture: Array) -> Array:
    rough = segment(picture, as_lab(picture))
    assert rough is not None
    return rough.mask > 0.5


@pytest.mark.parametrize(
    "colour",
    [(120, 60, 40), (30, 60, 150), (110, 111, 112), (205, 200, 194), (60, 50, 20)],
    ids=["clay", "blue", "grey", "pale", "olive"],
)
def test_a_contact_shadow_is_background_and_the_objects_foot_is_not(colour: tuple[int, int, int]) -> None:
    mask = mask_of(standing(colour))
    assert not mask[FOOT + OFF :].any()
    assert not mask[:, 410 + OFF :].any()
    assert mask[130 : FOOT - OFF, 199:401].all()


def test_a_black_object_keeps_its_foot_though_its_shadow_is_as_black() -> None:
    mask = mask_of(standing((12, 12, 13)))
    assert mask[130 : FOOT - OFF, 199:401].all()
    assert not mask[:, 470:].any()


@pytest.mark.parametrize("level", [12, 60, 110, 190])
def test_a_grey_object_with_a_shadow_of_its_own_grey_stays_whole(level: int) -> None:
    mask = mask_of(standing((level, level, level), core=1 - level / 240))
    assert mask[130 : FOOT - OFF, 199:401].all()


def test_a_coloured_background_in_half_its_light_is_shaded() -> None:
    light, dark = (np.full((4, 4, 3), (60 * share, 110 * share, 220 * share), np.uint8) for share in (1, 0.5))
    assert shaded(as_lab(dark), as_lab(light)).all()
    assert not shaded(as_lab(np.full((4, 4, 3), 90, np.uint8)), as_lab(light)).any()
