"""Checks of answers: that they are the picture asked for, and that the server's pixels are the raw loop's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyvips

from bench.cases import HEIGHT, WIDTH, Case
from bench.load import Answer


class WrongAnswer(Exception):
    """A server under test did not do the job; its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far two encoded pictures are from each other; `largest` is of 255."""

    equal: bool
    largest: float
    mean: float


def check_answer(answer: Answer, case: Case) -> None:
    """Raise WrongAnswer unless it is a 600x400 picture of the case's format that decodes to its last row."""
    if answer.status != 200:
        raise WrongAnswer(f"got status {answer.status}, expected 200: {answer.body[:300]!r}")
    if answer.content_type != case.content_type:
        raise WrongAnswer(f"got content type {answer.content_type!r}, expected {case.content_type!r}")
    image = pyvips.Image.new_from_buffer(answer.body, "", fail_on="warning")
    if (image.width, image.height) != (WIDTH, HEIGHT):
        raise WrongAnswer(f"got {image.width}x{image.height}, expected {WIDTH}x{HEIGHT}")
    image.copy_memory()


def check_answers(answers: Iterable[Answer], case: Case) -> None:
    """Check each answer; equal ones are decoded once."""
    for answer in set(answers):
        check_answer(answer, case)


def compare(ours: bytes, bar: bytes) -> Likeness:
    """Compare the decoded pixels of two pictures of one size."""
    first, second = (pyvips.Image.new_from_buffer(data, "").colourspace("srgb") for data in (ours, bar))
    difference = (first - second).abs()
    whole = difference.stats()  # row 0 is of all bands: minimum, maximum, sum, sum of squares, mean
    largest = whole(1, 0)[0]
    return Likeness(equal=largest == 0, largest=largest, mean=whole(4, 0)[0])
