"""Errors that are remembered for a moment."""

from __future__ import annotations

import pytest

from imgserve.errors import ImageRefused, ImgserveError, QueueFull, SourceNotFound, SourceUnreachable
from imgserve.service.negatives import Negatives


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_error_of_the_source_is_known_for_its_time() -> None:
    clock = Clock()
    negatives = Negatives(ttl_s=10, clock=clock)
    negatives.put("a", SourceNotFound("Gone.", got="410"))
    clock.now = 9.9
    first, second = negatives.get("a"), negatives.get("a")
    assert isinstance(first, SourceNotFound)
    assert (first.message, first.got) == ("Gone.", "410")
    assert first is not second
    clock.now = 10
    assert negatives.get("a") is None


@pytest.mark.parametrize("error", [SourceUnreachable("Down."), QueueFull("Full.")])
def test_what_may_be_over_in_a_moment_is_not_remembered(error: ImgserveError) -> None:
    negatives = Negatives(ttl_s=10)
    negatives.put("a", error)
    assert negatives.get("a") is None


def test_it_can_be_off_and_is_bounded_and_forgets() -> None:
    off = Negatives(ttl_s=0)
    off.put("a", ImageRefused("Broken."))
    assert off.get("a") is None
    negatives = Negatives(ttl_s=10)
    for number in range(5000):
        negatives.put(str(number), ImageRefused("Broken."))
    assert negatives.get("0") is None
    assert negatives.get("4999") is not None
    negatives.forget()
    assert negatives.get("4999") is None
