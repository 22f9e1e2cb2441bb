"""Prometheus' objects for METRICS, with their labelled children at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from imgserve.metrics.table import METRICS, Across, Kind, Metric

#: Of this process alone; with several, `exposition` reads their files instead.
REGISTRY: Final = CollectorRegistry()


class Times(Histogram):
    """A histogram that also takes many observations at a time."""

    def observe_sums(self, total: float, counts: Sequence[int]) -> None:
        """Add observations that were summed elsewhere, `counts` by bound with one more for what is above them all."""
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


M = TypeVar("M", bound=MetricWrapperBase)


class Labelled(dict[object, M]):
    """The children of a metric by label value, or by a tuple of them: 0.04 us for one, 0.7 in the client."""

    def __init__(self, parent: M) -> None:
        super().__init__()
        self._parent = parent

    def __missing__(self, key: object) -> M:
        values = key if isinstance(key, tuple) else (key,)
        child = self[key] = self._parent.labels(*values)
        return child


_ROWS: Final = {row.name: row for row in METRICS}


def _row(name: str, kind: Kind) -> Metric:
    row = _ROWS[name]
    if row.kind is not kind:
        raise TypeError(f"{name} is a {row.kind.value}, not a {kind.value}")
    return row


def counter(name: str) -> Counter:
    row = _row(name, Kind.COUNTER)
    return Counter(row.name, row.doc, tuple(row.labels), registry=REGISTRY)


def gauge(name: str) -> Gauge:
    row = _row(name, Kind.GAUGE)
    # The client knows exactly these words; DERIVED is never made.
    mode = cast("Literal['livesum', 'liveall', 'mostrecent']", row.across.value)
    if row.across is Across.DERIVED:
        raise TypeError(f"{name} is computed when it is shown")
    return Gauge(row.name, row.doc, tuple(row.labels), registry=REGISTRY, multiprocess_mode=mode)


def times(name: str) -> Times:
    row = _row(name, Kind.HISTOGRAM)
    return Times(row.name, row.doc, tuple(row.labels), registry=REGISTRY, buckets=row.bounds)
