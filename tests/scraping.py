"""The page of /metrics as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

#: Name, and labels in the order of their names.
Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Sums:
    """Values by series."""

    values: dict[Series, float]
    namespace: str = "imgserve"

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.values}

    def one(self, name: str, **labels: str) -> float:
        """Give one value, 0 for what has not been counted yet."""
        return self.values.get((f"{self.namespace}_{name}", tuple(sorted(labels.items()))), 0.0)

    def of(self, family: str) -> dict[Series, float]:
        """Give all series whose name begins like this."""
        return {series: value for series, value in self.values.items() if family in series[0]}

    def labels(self, name: str, label: str) -> set[str]:
        """Give the values that a label has."""
        return {dict(pairs)[label] for found, pairs in self.values if found == f"{self.namespace}_{name}"}

    def __sub__(self, before: Sums) -> Sums:
        """Give what has changed, without what floats add of their own."""
        grown = {series: round(value - before.values.get(series, 0.0), 9) for series, value in self.values.items()}
        return Sums({series: value for series, value in grown.items() if value}, self.namespace)


def sums(page: bytes, namespace: str = "imgserve") -> Sums:
    families = text_string_to_metric_families(page.decode())
    samples = [sample for family in families for sample in family.samples]
    values = {(one.name, tuple(sorted(one.labels.items()))): one.value for one in samples}
    assert len(values) == len(samples), "a series stands there twice"
    return Sums(values, namespace)
