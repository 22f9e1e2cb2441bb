"""The load against the origin: every request is answered, counted and timed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from bench.load import Answer, drive
from tests.bench.conftest import BODY


@pytest.mark.parametrize("concurrency", [1, 3])
def test_answers_are_whole_and_warm_ones_are_not_timed(port: int, concurrency: int) -> None:
    targets = (f"/{n}" for n in itertools.count())
    loaded = drive(port, targets, concurrency=concurrency, seconds=0.0, at_least=6)
    assert set(loaded.answers) == {Answer(200, "image/jpeg", BODY)}
    assert len(loaded.answers) == len(loaded.latencies_ms) + concurrency
    assert 6 <= len(loaded.latencies_ms) < 6 + concurrency
    assert sum(loaded.latencies_ms) / 1000 <= loaded.seconds * concurrency


def test_no_target_is_asked_twice(port: int) -> None:
    asked: list[str] = []

    def targets() -> Iterator[str]:
        for n in itertools.count():
            asked.append(f"/{n}")
            yield asked[-1]

    loaded = drive(port, targets(), concurrency=3, seconds=0.0, at_least=9)
    assert len(asked) == len(set(asked)) == len(loaded.answers)
