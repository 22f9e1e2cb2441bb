"""What changes the disk store: puts, deletes, purges, eviction, and the sweep that brings files and index together.

All of it runs in one thread per process. Processes meet at the journal's lock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from imgserve import metrics
from imgserve.adapters.stores.disk_database import DiskFull
from imgserve.adapters.stores.disk_file import Broken, encode, look
from imgserve.adapters.stores.disk_folder import FOLDERS, DiskFolder, on_disk
from imgserve.adapters.stores.disk_index import DiskIndex
from imgserve.adapters.stores.disk_journal import Row
from imgserve.ports import EVERYTHING, Selector, Stored, StoreError, never

#: One entry above this share of the budget would throw out too much for one picture.
LARGEST_SHARE = 4
#: How far an eviction goes below the budget, in percent of it: every eviction sorts, so not one for each put.
EVICT_TO_PERCENT = 90
#: Bounds of one step between two puts; about ten milliseconds.
EVICT_STEP = 256
ADOPT_STEP = 128
#: After a sweep that failed.
RETRY_S = 30.0
#: A process puts this share of the budget before it looks again what all of them have put; about a percent of it is
#: what the total may be wrong by.
UNSEEN_SHARE = 128
#: What SQLite is given at a time to get on with, where it cannot even be opened on a full disk.
SPARE_BYTES = 1 << 20
#: The journal is taken over at this length, some 500 puts: 15 ms, for which a put or a purge waits.
JOURNAL_BYTES = 128 << 10

_logger = logging.getLogger(__name__)


class DiskKeeper:
    """Not safe for threads: one thread only. `uses` gives the keys used since it was last asked, the latest last."""

    def __init__(
        self, name: str, folder: Path, max_bytes: int, clock: Callable[[], float], uses: Callable[[], Collection[str]]
    ) -> None:
        self._name = name
        self._files = DiskFolder(folder)
        self._max_bytes = max_bytes
        self._goal = max_bytes * EVICT_TO_PERCENT // 100
        self._clock = clock
        self._uses = uses
        self._index = DiskIndex(folder, self._labels_of)
        self._unseen_left = 0
        self._sweep: Iterator[None] | None = self._sweeping()
        self._is_evicting = False
        self._retry_at = 0.0

    def put(self, key: str, stored: Stored, unless: Callable[[], bool] = never) -> bool:
        pieces = encode(key, stored)
        length = sum(map(len, pieces))
        path = self._files.path(key)
        if length * LARGEST_SHARE > self._max_bytes:
            self.delete(key)  # an older one must not be served in its place
            return False
        row = Row(key=key, size=on_disk(length), expires_at=stored.expires_at, labels=stored.labels)
        try:
            kept = self._place(path, pieces, row, unless)
        except DiskFull:
            self._make_room(row.size)
            kept = self._place(path, pieces, row, unless)
        if not kept:
            self.delete(key)  # an older one is purged, or was to be replaced
        return kept

    def delete(self, key: str) -> None:
        """Remove the file first: whatever becomes of the index, the entry is gone."""
        self._files.unlink_surely(key)
        self._removed([key])

    def forget_lost(self, key: str) -> None:
        """Forget the row of a file that a reader found broken and removed."""
        if not os.path.lexists(self._files.path(key)):
            self._index.remove([key], self._files.unlink)

    def purge(self, selector: Selector) -> int:
        try:
            return self._purge_by_index(selector)
        except DiskFull:
            # The index cannot even be read where there is no room to take over the journal. Its lock was held: a put
            # that did not know of the purge is in place by now.
            return self._purge_by_files(selector)

    def _purge_by_index(self, selector: Selector) -> int:
        if selector == EVERYTHING:
            return sum(map(self._empty, FOLDERS))
        if not self._index.state().complete:
            # Files without a row may be among those to go.
            self._sweep = None
            try:
                for _ in self._sweeping():
                    pass
            except OSError as exc:
                raise StoreError(f"The disk store could not be searched: {exc}") from exc
        return self._remove(self._index.labelled(selector))

    def _purge_by_files(self, selector: Selector) -> int:
        """Remove what says of itself that it is meant; rows and lines may lack their files."""
        gone = 0
        for name in FOLDERS:
            for key in self._files.entries(name):
                labels = self._labels_of(key)
                if labels is None or selector.matches(labels):  # without any it is broken, or gone
                    gone += self._files.unlink_surely(key)
        return gone

    def note_uses(self) -> None:
        """Write the uses to the index; they are worth no failure, so an index that is busy loses them."""
        used = self._uses()
        if used:
            try:
                self._index.touch(used)
            except StoreError as exc:
                _logger.warning("uses of the disk store were lost: %s", exc)

    @property
    def has_work(self) -> bool:
        return self._is_evicting or self._sweep is not None

    def step(self) -> None:
        """Do a bounded piece of what is left to do."""
        if self._is_evicting:
            self._evict()
        elif self._sweep is not None:
            try:
                next(self._sweep)
            except StopIteration:
                self._sweep = None
            except (StoreError, OSError):
                self._sweep = None
                self._retry_at = time.monotonic() + RETRY_S
                raise

    def close(self) -> None:
        self.note_uses()
        self._index.close()

    def _place(self, path: str, pieces: tuple[bytes, ...], row: Row, unless: Callable[[], bool]) -> bool:
        """Write an entry's file and note it, False where `unless` forbids it; a failure leaves no temporary file."""
        temporary = self._files.write(path, pieces)
        journal_bytes = None
        try:
            journal_bytes = self._index.put(row, unless, lambda: os.rename(temporary, path))  # noqa: PTH104
        finally:
            if journal_bytes is None:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink()
        if journal_bytes is None:
            return False
        self._unseen_left -= row.size
        if self._unseen_left < 0 or journal_bytes > JOURNAL_BYTES:
            self._look()
        return True

    def _look(self) -> None:
        """See what all processes have put, and evict what is too much."""
        state = self._index.state()
        self._unseen_left = min(self._max_bytes - state.total, self._max_bytes // UNSEEN_SHARE)
        metrics.set_cache_size(self._name, state.total, shared=True)
        if state.total > self._max_bytes:
            self._evict()
        if self._sweep is None and not state.complete and time.monotonic() >= self._retry_at:
            self._sweep = self._sweeping()

    def _make_room(self, size: int) -> None:
        """Evict the oldest where the disk is smaller than the budget, or others have filled it."""
        self.note_uses()
        for _ in range(2):
            # Twice: SQLite may lack room to note what went, and has it after that.
            with contextlib.suppress(DiskFull):
                self._index.shrink(lambda _: 2 * size, self._clock(), EVICT_STEP, self._files.unlink)
                return
            self._drop_any(2 * size + SPARE_BYTES)

    def _drop_any(self, wanted: int) -> None:
        """Remove files whichever they are: where the index has no room to be opened, it cannot say which are oldest."""
        for name in random.sample(FOLDERS, len(FOLDERS)):
            with contextlib.suppress(OSError):
                for key in self._files.listed(name)[0]:
                    wanted -= self._files.unlink_sized(key)
                    if wanted <= 0:
                        return

    def _evict(self) -> None:
        self._is_evicting = False  # an error ends it; the next look begins it again
        self.note_uses()
        gone, excess = self._index.shrink(
            lambda total: total - self._goal, self._clock(), EVICT_STEP, self._files.unlink
        )
        metrics.cache_evicted(self._name, gone)
        self._is_evicting = gone > 0 and excess > 0

    def _remove(self, keys: Collection[str]) -> int:
        waiting = sorted(keys)
        return sum(self._removed(waiting[at : at + EVICT_STEP]) for at in range(0, len(waiting), EVICT_STEP))

    def _removed(self, keys: Collection[str]) -> int:
        try:
            return self._index.remove(keys, self._files.unlink_surely)
        except DiskFull:
            # No room to note it. What counts is that the files go; evictions and sweeps find rows that have none.
            for key in keys:
                self._files.unlink_surely(key)
            return len(keys)

    def _empty(self, name: str) -> int:
        """Remove all entries of one folder, with or without a row."""
        keys = self._files.entries(name)
        strangers = sum(map(self._files.unlink_surely, keys - self._index.keys_under(name)))
        return strangers + self._remove(self._index.keys_under(name))

    def _sweeping(self) -> Iterator[None]:
        """Give every file a row, drop rows without a file, remove what dead processes left; a step at a time."""
        self._index.check()
        generation = self._index.state().generation
        yield
        # In an order of its own, so that several processes that begin at once share the work.
        for name in random.sample(FOLDERS, len(FOLDERS)):
            keys, temporary = self._files.listed(name)
            self._files.clean(name, temporary, self._clock)
            known = self._index.keys_under(name)
            strangers = sorted(keys - known)
            for at in range(0, len(strangers), ADOPT_STEP):
                self._adopt(strangers[at : at + ADOPT_STEP])
                yield
            for key in known - keys:
                self.forget_lost(key)
            yield
        self._index.complete(generation)
        self._is_evicting = self._index.state().total > self._max_bytes

    def _labels_of(self, key: str) -> tuple[str, ...] | None:
        try:
            return look(self._files.path(key), key).labels
        except (Broken, OSError):
            return None

    def _adopt(self, keys: list[str]) -> None:
        rows = []
        for key in keys:
            try:
                facts = look(self._files.path(key), key)
            except Broken:
                self._files.unlink(key)
            except OSError:  # evicted meanwhile, or a link or pipe put there: no reader gets anything from it
                continue
            else:
                size = on_disk(facts.length)
                rows.append(Row(key=key, size=size, expires_at=facts.expires_at, labels=facts.labels))
        self._index.adopt(rows)
