"""What went wrong a moment ago, so that the next request for it is told at once: missing sources, broken pictures."""

from __future__ import annotations

import copy
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from imgserve.errors import ImgserveError

#: Errors are small, and soon forgotten.
_MAX_ENTRIES: Final = 4096


class Negatives:
    """Errors that depend on the source alone, for `ttl_s` seconds (0 = none); in this process only."""

    def __init__(self, *, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, ImgserveError]] = OrderedDict()

    def get(self, key: str) -> ImgserveError | None:
        """Give an error to raise, None where nothing is known to be wrong."""
        found = self._entries.get(key)
        if found is None:
            return None
        ends_at, error = found
        if self._clock() >= ends_at:
            del self._entries[key]
            return None
        return copy.copy(error)

    def put(self, key: str, error: ImgserveError) -> None:
        """Remember an error, if it is one that depends on the source alone."""
        if not self._ttl_s or not error.cacheable:
            return
        # Without its traceback, which would hold the frames of the request.
        kept = copy.copy(error)
        self._entries[key] = (self._clock() + self._ttl_s, kept)
        self._entries.move_to_end(key)
        if len(self._entries) > _MAX_ENTRIES:
            self._entries.popitem(last=False)

    def forget(self) -> None:
        """Forget all."""
        self._entries.clear()
