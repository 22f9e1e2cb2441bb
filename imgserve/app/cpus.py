"""How many CPUs this process may use, the quota of a container included."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

#: "max 100000" or "150000 100000": microseconds of CPU time in each period (Linux, cgroup v2).
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def cpu_count(quota: Path = _QUOTA) -> int:
    """Count the CPUs: those the process may run on, and no more than its quota fills, rounded up."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        runtime, period = quota.read_text().split()
    except (OSError, ValueError):
        return usable
    if runtime == "max":
        return usable
    return max(1, min(usable, -(-int(runtime) // int(period))))
