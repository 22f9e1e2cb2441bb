"""How many image requests a process takes in at a time, so that a flood is told at once instead of waited out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imgserve.errors import QueueFull

#: A request takes tens of milliseconds, so a place is free long before this.
_RETRY_AFTER_S = 1


class Admission:
    """Counts requests between their parsing and their answer; `limit` 0 = no bound."""

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self.inside = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the time of the block; raises QueueFull where none is left."""
        if self._limit and self.inside >= self._limit:
            raise QueueFull(
                f"This server works on {self.inside} images already; try again in a moment.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
