from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from imgserve.adapters.providers.backdrop import as_lab
from imgserve.adapters.providers.segment import segment

Array = npt.NDArray[Any]

PAPER = (240, 238, 234)
CLAY = (120, 60, 40)


def paper(*, side: int = 480) -> Array:
    grain = np.random.default_rng(4).normal(0, 0.6, (side, side, 3))
    return np.clip(np.full((side, side, 3), PAPER) + grain, 0, 255).astype(np.uint8)


def mask_of(picture: Array) -> Array:
    rough = segment(picture, as_lab(picture))
    assert rough is not None
    return rough.mask > 0.5


def test_an_object_on_paper_is_found_with_its_hole() -> None:
    picture = paper()
    cv2.circle(picture, (240, 240), 120, CLAY, 60)
    mask = mask_of(picture)
    assert mask[240, 120]
    assert not mask[240, 240]
    assert not mask[10, 10]


def test_a_highlight_as_white_as_the_paper_is_no_hole() -> None:
    picture = paper()
    cv2.circle(picture, (240, 240), 150, CLAY, -1)
    shine = np.zeros((480, 480), np.float32)
    cv2.circle(shine, (210, 200), 22, 1, -1)
    shine = np.minimum(cv2.GaussianBlur(shine, (0, 0), 16) * 2, 1)[..., None]
    lit = (picture * (1 - shine) + np.array(PAPER) * shine).astype(np.uint8)
    assert np.linalg.norm(as_lab(lit)[200, 210] - as_lab(paper())[0, 0]) < 3
    assert mask_of(lit)[200, 210]


def test_a_soft_shadow_is_background() -> None:
    picture = paper()
    shadow: Array = np.zeros((480, 480), np.float32)
    cv2.ellipse(shadow, (250, 380), (120, 20), 0, 0, 360, 0.45, -1)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 14)
    picture = (picture * (1 - shadow[..., None])).astype(np.uint8)
    cv2.rectangle(picture, (160, 120), (320, 370), CLAY, -1)
    mask = mask_of(picture)
    assert shadow[390, 250] > 0.2
    assert not mask[380:].any()
    assert mask[130:360, 170:310].all()


def test_an_object_may_stand_on_the_border() -> None:
    picture = paper()
    cv2.rectangle(picture, (180, 200), (300, 479), CLAY, -1)
    mask = mask_of(picture)
    assert mask[470:, 190:290].all()
    assert not mask[:, :170].any()


def test_dust_is_left_out_and_a_second_object_is_not() -> None:
    picture = paper()
    cv2.circle(picture, (150, 240), 80, CLAY, -1)
    cv2.circle(picture, (360, 240), 40, (20, 90, 120), -1)
    cv2.circle(picture, (60, 60), 3, (30, 30, 30), -1)
    mask = mask_of(picture)
    assert mask[240, 150]
    assert mask[240, 360]
    assert not mask[60, 60]


def test_nothing_on_paper_is_nothing() -> None:
    picture = paper()
    assert segment(picture, as_lab(picture)) is None


def test_a_pale_object_on_pale_paper_is_found() -> None:
    picture = paper()
    cv2.rectangle(picture, (120, 120), (360, 360), (226, 223, 218), -1)
    mask = mask_of(picture)
    assert mask[130:350, 130:350].all()
    assert not mask[:110].any()
