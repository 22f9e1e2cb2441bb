"""A runner that stops: jobs that run may go on for a while."""

from __future__ import annotations

import threading
import time


class Stopping:
    """Set once, by any thread; seen by all threads of the runner."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._late = 0.0

    @property
    def begun(self) -> bool:
        return self.event.is_set()

    @property
    def late(self) -> bool:
        """Whether the time is over that jobs had to end."""
        return self.begun and time.monotonic() >= self._late

    @property
    def left_s(self) -> float:
        return max(0.0, self._late - time.monotonic())

    def begin(self, grace_s: float) -> None:
        """Stop after `grace_s` at most."""
        self._late = time.monotonic() + grace_s
        self.event.set()

    def hurry(self) -> None:
        """End the time that jobs have; takes no lock, so a signal's handler may call it."""
        self._late = 0.0
