"""A pause after repeated failures, so that a dead S3 does not slow every miss."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from imgserve.ports import StoreError

#: One may be an accident: a connection that was closed, a deploy of the storage.
MAX_FAILURES: Final = 3
PAUSE_S: Final = 5.0


class Breaker:
    """Refuses after MAX_FAILURES in a row, but for one attempt after every pause. For one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_until = 0.0

    def enter(self) -> None:
        """Let an attempt pass; raises StoreError while there is a pause."""
        if self._failures < MAX_FAILURES:
            return
        now = self._clock()
        if now < self._closed_until:
            raise StoreError("S3 has failed repeatedly, and is left alone for a few seconds.")
        self._closed_until = now + PAUSE_S  # for all others, until this attempt has succeeded

    def failed(self) -> None:
        self._failures += 1
        self._closed_until = self._clock() + PAUSE_S

    def succeeded(self) -> None:
        self._failures = 0
