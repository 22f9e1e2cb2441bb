"""Store in the memory of this process: what was used last stays, as far as its bytes fit.

Everything here is done at once and never waits, so a coroutine may use the `_now` methods in the middle of a request.
One thread only, the event loop's: there are no locks.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Callable

from imgserve import metrics
from imgserve.ports import EVERYTHING, Selector, Stored, never

#: What an entry costs beside its bytes and labels: objects and dict slots. Measured with tracemalloc: 320 to 360 bytes.
OVERHEAD_BYTES = 512
#: What a label costs beside its text: a dict of its keys, and a slot in that of all labels. Measured with tracemalloc:
#: 230 to 250 bytes for a label of one entry, be it one of two or of 200,000; 70 for one that all entries have.
LABEL_BYTES = 250
#: One entry above this share of the budget would throw out too much for one picture.
LARGEST_SHARE = 4


class MemoryStore:
    """See ports.Store; `max_bytes` bounds bodies, metas, labels and an overhead per entry and label."""

    name = "memory"

    def __init__(self, max_bytes: int, *, clock: Callable[[], float] = time.time) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[str, Stored] = OrderedDict()
        # A dict for its order of insertion: purges are the same in every run.
        self._labelled: dict[str, dict[str, None]] = {}
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes counted against the budget."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> Stored | None:
        return self.get_now(key)

    async def put(self, key: str, stored: Stored, *, unless: Callable[[], bool] = never) -> bool:
        return not unless() and self.put_now(key, stored)

    async def delete(self, key: str) -> None:
        self.delete_now(key)

    async def purge(self, selector: Selector) -> int:
        return self.purge_now(selector)

    async def close(self) -> None:
        self._clear()

    def get_now(self, key: str) -> Stored | None:
        """Find an entry and count it as used."""
        stored = self._entries.get(key)
        if stored is None:
            return None
        if stored.expires_at and stored.expires_at <= self._clock():
            self.delete_now(key)
            return None
        self._entries.move_to_end(key)
        return stored

    def peek(self, key: str) -> Stored | None:
        """Find an entry without counting it as used."""
        stored = self._entries.get(key)
        if stored is None or (stored.expires_at and stored.expires_at <= self._clock()):
            return None
        return stored

    def put_now(self, key: str, stored: Stored) -> bool:
        # First of all, so that an entry too large to keep does not leave an older one to be served in its place.
        self.delete_now(key)
        size = _size(stored)
        if size * LARGEST_SHARE > self._max_bytes:
            return False
        self._entries[key] = stored
        self._bytes += size
        for label in stored.labels:
            self._labelled.setdefault(label, {})[key] = None
        while self._bytes > self._max_bytes:
            self.delete_now(next(iter(self._entries)))
            metrics.cache_evicted(self.name)
        return True

    def delete_now(self, key: str) -> None:
        stored = self._entries.pop(key, None)
        if stored is None:
            return
        self._bytes -= _size(stored)
        for label in stored.labels:
            keys = self._labelled.get(label, {})
            keys.pop(key, None)
            if not keys:
                self._labelled.pop(label, None)

    def purge_now(self, selector: Selector) -> int:
        """Forget what the selector names; only a prefix looks at more than it removes."""
        if selector == EVERYTHING:
            count = len(self._entries)
            self._clear()
            return count
        if selector.prefix:
            labels = [label for label in self._labelled if label.startswith(selector.label)]
        else:
            labels = [selector.label]
        keys = {key for label in labels for key in self._labelled.get(label, ())}
        for key in keys:
            self.delete_now(key)
        return len(keys)

    def _clear(self) -> None:
        self._entries.clear()
        self._labelled.clear()
        self._bytes = 0


def _size(stored: Stored) -> int:
    labels = sum(map(sys.getsizeof, stored.labels)) + LABEL_BYTES * len(stored.labels)
    return stored.size + OVERHEAD_BYTES + labels
