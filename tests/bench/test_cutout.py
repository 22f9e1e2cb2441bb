from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.cutout import BACKDROPS, OBJECTS, ArrayPicture, compare, compose, report_cutout, score, write_proof
from imgserve.adapters.providers.grabcut import GrabCut

SMALL = (160, 120)


def test_a_perfect_mask_scores_one_and_no_error() -> None:
    alpha = compose("mug", "white", SMALL).alpha
    assert compare(alpha, alpha) == (1.0, 0.0)


def test_half_a_mask_scores_half() -> None:
    truth = np.zeros((60, 80), np.uint8)
    truth[20:40, 20:60] = 255
    half = truth.copy()
    half[:, 40:] = 0
    iou, error = compare(half, truth)
    assert iou == 0.5
    assert 0.2 < error < 0.8


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_is_partly_there(name: str) -> None:
    alpha = compose(name, "white", SMALL).alpha
    assert 0.03 < (alpha > 127).mean() < 0.6


@pytest.mark.parametrize("backdrop", BACKDROPS)
def test_every_backdrop_fills_the_picture(backdrop: str) -> None:
    composite = compose("bottle", backdrop, SMALL)
    assert composite.picture.shape == (120, 160, 3)
    assert composite.alpha.shape == (120, 160)


def test_a_refusal_scores_nothing_and_the_report_has_a_line_for_each() -> None:
    composite = compose("pale box", "white", (12, 9))
    result, alpha = score(GrabCut(), composite)
    assert result.iou == 0
    assert not alpha.any()
    assert len(report_cutout([result, result]).splitlines()) == 2 + 2 + 2


def test_a_proof_shows_what_was_cut_away_in_magenta(tmp_path: Path) -> None:
    composite = compose("bottle", "white", SMALL)
    write_proof(tmp_path / "new" / "a.png", composite.picture, composite.alpha)
    proof = cv2.imread(str(tmp_path / "new" / "a.png"))
    assert proof is not None
    assert proof[0, 0].tolist() == [255, 0, 255]


def test_pictures_are_scaled_down_only() -> None:
    picture = ArrayPicture(np.zeros((30, 40, 3), np.uint8))
    assert (picture.pixels(max_side=20).width, picture.pixels(max_side=20).height) == (20, 15)
    assert picture.pixels(max_side=400).width == 40
    assert picture.stretched(7, 9).height == 9
    assert picture.encoded(max_side=20).startswith(b"\xff\xd8")
