"""The page that Prometheus reads: of this process, or of all processes that write into one folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from imgserve.metrics.client import REGISTRY
from imgserve.metrics.table import METRICS

#: The client reads it when it is imported: from then on each process writes its counts into files of this folder.
FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"

_NAMESPACE: Final = re.compile(r"(?:[a-zA-Z_][a-zA-Z0-9_]*)?")


@dataclass(frozen=True, slots=True)
class Page:
    """What is sent to Prometheus."""

    body: bytes
    content_type: str


def namespace_problem(namespace: str) -> str:
    """Say what is wrong with what the names are to begin with, "" when nothing is."""
    if _NAMESPACE.fullmatch(namespace):
        return ""
    return f"expected letters, digits and _, no digit in front, got {namespace!r}"


def page(namespace: str, accept: str = "", *, folder: Path | None = None) -> Page:
    """Make the page of all processes of `folder` (that of the environment), of this one where there is none.

    The format is OpenMetrics for clients that accept it. Reads files, two milliseconds for each process: for a thread.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    folder = folder or (Path(given) if given else None)
    families = REGISTRY.collect() if folder is None else _of_folder(folder)
    named = _Named(families, namespace)
    # The client's own negotiation repeats what it was sent in a header, and stumbles over versions that are none.
    if "application/openmetrics-text" in accept:
        return Page(openmetrics.generate_latest(named), openmetrics.CONTENT_TYPE_LATEST)  # type: ignore[no-untyped-call]
    return Page(generate_latest(named), CONTENT_TYPE_PLAIN_0_0_4)


def forget_process(pid: int, folder: Path) -> None:
    """Drop the gauges of a process that has ended; what it counted stays in the sums."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _of_folder(folder: Path) -> Iterable[Metric]:
    # Not MultiProcessCollector.collect: a file that a new process has just made is empty, and it stumbles over that.
    files = [str(path) for path in folder.glob("*.db") if _size(path)]
    merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return merged


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class _Named(Collector):
    """Families under the names and in the order of METRICS, with those that are computed of others."""

    def __init__(self, families: Iterable[Metric], namespace: str) -> None:
        self._families = {family.name: family for family in families}
        self._prefix = f"{namespace}_" if namespace else ""

    def collect(self) -> Iterator[Metric]:
        families = {**self._families, "workers_utilization": self._utilization()}
        for row in METRICS:
            family = families.get(row.name.removesuffix("_total"))
            if family is None or row.shown_as:
                continue
            samples = list(family.samples)
            for other in METRICS:
                if other.shown_as == row.name and other.name in families:
                    samples += [one._replace(name=row.name) for one in families[other.name].samples]
            if not samples:
                continue
            shown = Metric(self._prefix + family.name, row.doc, family.type)
            shown.samples = [
                one._replace(name=self._prefix + one.name) for one in samples if not one.name.endswith("_created")
            ]
            yield shown

    def _utilization(self) -> Metric:
        busy, all_of_them = (self._sum(name) for name in ("images_in_progress", "workers"))
        doc = next(row.doc for row in METRICS if row.name == "workers_utilization")
        return GaugeMetricFamily("workers_utilization", doc, 100 * busy / all_of_them if all_of_them else 0.0)

    def _sum(self, name: str) -> float:
        family = self._families.get(name)
        return sum(sample.value for sample in family.samples) if family else 0.0
