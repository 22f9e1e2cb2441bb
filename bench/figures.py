"""The arithmetic of the figures: percentiles, spreads over rounds, ratios of rounds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Values of several rounds, told by their median and their ends."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slice:
    """One contender's uninterrupted turn on one case in one round."""

    contender: str
    format: str
    concurrency: int
    round: int
    seconds: float
    #: CPU time of the contender's processes, all threads.
    cpu_s: float
    #: Share of the server's core that other processes of the machine took meanwhile.
    foreign: float
    latencies_ms: tuple[float, ...]
    #: Size of an answer, median.
    answer_bytes: int

    @property
    def rps(self) -> float:
        return len(self.latencies_ms) / self.seconds

    @property
    def cpu_ms(self) -> float:
        return self.cpu_s * 1000 / len(self.latencies_ms)


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the smallest value that at least `percent` per cent of the values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("percentile: got no values, expected at least one")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def ratios(numerators: Mapping[int, float], denominators: Mapping[int, float]) -> Spread:
    """Spread of the ratio taken within each round, so that a slow minute of the machine divides out.

    Both map a round to its value; rounds that only one side has do not count.
    """
    shared = sorted(numerators.keys() & denominators.keys())
    if not shared:
        raise ValueError("ratios: got no round that both sides have")
    return spread([numerators[n] / denominators[n] for n in shared])
