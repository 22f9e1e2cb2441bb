"""CPUs: what the scheduler gives and the container's quota leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imgserve.app.cpus import cpu_count

USABLE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("max 100000\n", USABLE),
        ("100000 100000\n", 1),
        ("50000 100000\n", 1),
        ("150000 100000\n", min(2, USABLE)),
        ("99900000 100000\n", USABLE),
        ("nonsense", USABLE),
    ],
)
def test_the_quota_bounds_the_cpus(text: str, count: int, tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(text)
    assert cpu_count(file) == count


def test_no_quota_is_no_bound(tmp_path: Path) -> None:
    assert cpu_count(tmp_path / "nothing") == USABLE
