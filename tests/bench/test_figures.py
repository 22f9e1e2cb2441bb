"""The arithmetic of the figures."""

from __future__ import annotations

import pytest

from bench.figures import Slice, Spread, percentile, ratios, spread


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([4.0, 3.0, 2.0, 1.0], 50, 2.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([float(n) for n in range(1, 201)], 99, 198.0),
        ([float(n) for n in range(1, 101)], 100, 100.0),
        ([7.0], 99, 7.0),
        ([1.0, 2.0], 0, 1.0),
    ],
)
def test_a_percentile_is_the_nearest_rank(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 50)


def test_a_spread_has_the_median_and_the_ends() -> None:
    assert spread([5.0, 1.0, 2.0, 10.0]) == Spread(median=3.5, low=1.0, high=10.0)


def test_ratios_are_taken_within_a_round_before_the_median() -> None:
    # Round 2 was twice as slow for both: the ratio of the medians would be 0.5, of the rounds it is 0.8 each time.
    assert ratios({1: 80.0, 2: 40.0, 3: 40.0}, {1: 100.0, 2: 50.0, 3: 50.0}) == Spread(0.8, 0.8, 0.8)


def test_a_round_that_one_side_lacks_does_not_count() -> None:
    assert ratios({1: 1.0, 2: 9.0}, {1: 2.0, 3: 1.0}) == Spread(0.5, 0.5, 0.5)


def test_ratios_without_a_common_round_are_refused() -> None:
    with pytest.raises(ValueError, match="no round"):
        ratios({1: 1.0}, {2: 1.0})


def test_a_slice_tells_requests_per_second_and_cpu_time_for_one() -> None:
    turn = Slice(
        contender="x",
        format="jpeg",
        concurrency=1,
        round=1,
        seconds=0.5,
        cpu_s=0.2,
        foreign=0.0,
        latencies_ms=(100.0,) * 4,
        answer_bytes=1,
    )
    assert turn.rps == 8.0
    assert turn.cpu_ms == pytest.approx(50.0)
