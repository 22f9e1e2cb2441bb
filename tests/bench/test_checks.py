"""Checks of answers: a server that does another job must not get figures."""

from __future__ import annotations

import dataclasses

import pytest
import pyvips

from bench.cases import CASES
from bench.checks import WrongAnswer, check_answer, compare
from bench.load import Answer

JPEG = CASES[0]


def picture(width: int = 600, height: int = 400, *, light: int = 90) -> bytes:
    image = (pyvips.Image.black(width, height, bands=3) + light).cast("uchar").copy(interpretation="srgb")
    data: bytes = image.jpegsave_buffer()
    return data


RIGHT = Answer(200, "image/jpeg", picture())


def test_the_picture_asked_for_passes() -> None:
    check_answer(RIGHT, JPEG)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"status": 404}, "status 404"),
        ({"content_type": "image/webp"}, "content type 'image/webp'"),
        ({"body": picture(400, 600)}, "400x600"),
    ],
)
def test_another_answer_is_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(WrongAnswer, match=sentence):
        check_answer(dataclasses.replace(RIGHT, **wrong), JPEG)  # type: ignore[arg-type]


def test_a_picture_cut_short_is_refused() -> None:
    data = picture()
    with pytest.raises(pyvips.Error):
        check_answer(dataclasses.replace(RIGHT, body=data[: len(data) // 2]), JPEG)


def test_pictures_are_compared_by_their_pixels() -> None:
    assert compare(picture(), picture()).equal
    likeness = compare(picture(light=90), picture(light=93))
    assert (likeness.equal, likeness.largest, likeness.mean) == (False, 3.0, 3.0)
