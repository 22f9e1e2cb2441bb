"""Processor cores: who runs on which, what a process tree used, what others took meanwhile."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: include/linux/posix-timers.h: CPUCLOCK_SCHED, the clock of a whole process in nanoseconds.
_CPUCLOCK_SCHED = 2


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the server under test, and that of the load and the origin."""

    server: int
    load: int


def choose_cores() -> Cores:
    """Take the first and the last core this process may use; on a machine with one core they are the same."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(server=usable[0], load=usable[-1])


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run the calling thread, and whatever process it starts, on `core` only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def process_tree(pid: int) -> tuple[int, ...]:
    """List `pid` and all its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between the listing and the reading
        children[int(after_name[1])].append(int(stat.parent.name))
    tree = [pid]
    for member in tree:
        tree.extend(children[member])
    return tuple(tree)


def cpu_seconds(pids: tuple[int, ...]) -> float:
    """Add up the CPU time of processes, ended threads included, to the nanosecond (the ticks of /proc are 10 ms)."""
    return sum(time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED) for pid in pids)


def busy_seconds(core: int) -> float:
    """CPU time that all processes, interrupts and a hypervisor took of `core` since the machine started."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = (int(tick) for tick in ticks[:8])
            return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    raise LookupError(f"core {core} is not in /proc/stat")
