"""Requests of clients counted in windows of time, across all processes that share the queue."""

from __future__ import annotations

import math
import time

from imgserve.adapters.queue.storage import Storage
from imgserve.ports.jobs import Allowance


def take(storage: Storage, name: str, *, limit: int, window_s: int) -> Allowance:
    """Count one request; see ports.jobs.Queue. Who counts the first of a window forgets the one before."""
    now = time.time()
    window = int(now // window_s)
    key = f"{name}:{window_s}"
    count = storage.rates.count(f"{key}:{window}")
    if count == 1:
        before = storage.rates.peek(key)
        storage.rates.put(key, str(window).encode())
        if before is not None and int(before) != window:
            storage.rates.uncount(f"{key}:{int(before)}")
    return Allowance(
        allowed=count <= limit,
        limit=limit,
        remaining=max(0, limit - count),
        reset_s=max(1, math.ceil((window + 1) * window_s - now)),
    )


def forget_old_windows(storage: Storage) -> None:
    """Drop the counters of clients that have not come for a whole window."""
    now = time.time()
    for key, last in storage.rates.items().items():
        window_s = int(key.rpartition(":")[2])
        if int(last) + 1 < int(now // window_s):
            storage.rates.uncount(f"{key}:{int(last)}")
            storage.rates.remove(key)
