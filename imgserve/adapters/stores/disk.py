"""Store in a folder of this machine, shared by its worker processes and kept over restarts.

A hit is one file read, checked and used: no index, no lock. A small one that the kernel has in memory, and a miss, are
found in the caller's thread, as long as the disk is prompt; what has to wait for the disk, in threads. Everything that
changes the folder runs in one writer thread per process (disk_keeper). Uses are collected here and written to the index
in batches.

The caller's thread is the event loop's, and only the read in it refuses to wait (RWF_NOWAIT). To look up the path, open
and fstat have no such way: a lookup that the kernel has to fetch from a slow disk stops the loop for that time, once in
WARY_S, and a file system that hangs (a dead NFS server) stops it until it answers. The folder belongs on a local disk.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import TypeVar

from imgserve.adapters.stores.disk_file import KEY, Broken, Read, Stamp, load, open_entry, read_cached, stamp
from imgserve.adapters.stores.disk_keeper import DiskKeeper
from imgserve.adapters.stores.disk_threads import DiskThreads
from imgserve.ports import Selector, Stored, StoreError, never

#: Reads wait for the disk, not for a processor; more would only wait in the kernel.
READ_THREADS = 4
#: A disk that takes longer hangs, and the caller is better off rendering.
PATIENCE_S = 5.0
#: A purge may have to read the tail of every file.
PURGE_PATIENCE_S = 600.0
#: Bodies that may wait for the writer; beyond, the disk is too slow for what is put.
MAX_WAITING_BYTES = 128 << 20
#: Uses are written to the index after so many, or with the first one after so long.
TOUCHES = 1000
TOUCHES_S = 5.0
#: Uses kept while the writer is stuck.
MAX_TOUCHES = 20_000
#: Files whose digest this process remembers to have checked; about 300 bytes each.
MAX_VERIFIED = 20_000
#: Two edits within one tick of the file system's clock (4 or 10 ms) have one ctime, so a file younger than this is
#: checked again; git calls such entries racily clean.
SETTLED_NS = 100_000_000

#: What is read in the event loop at most: copying and checking that takes a tenth of a millisecond.
DIRECT_BYTES = 128 << 10
#: Finding a file the kernel knows takes some ten microseconds. After a look in the event loop that took longer than
#: this, only the threads look for a while; so they do while they have been waiting for the disk for so long.
PROMPT_S = 0.05
WARY_S = 1.0

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class DiskStore:
    """See ports.Store; `max_bytes` bounds the files in `folder`, counted in whole blocks.

    Several stores, in one process or many, may share a folder; they should be given the same `max_bytes`. Files in it
    that are not entries are never touched. `clock` gives the Unix time that `expires_at` is compared with.
    """

    def __init__(
        self, folder: Path, max_bytes: int, *, name: str = "disk", clock: Callable[[], float] = time.time
    ) -> None:
        self.name = name
        self._folder = str(folder.absolute())
        self._clock = clock
        self._keeper = DiskKeeper(name, Path(self._folder), max_bytes, clock, self._uses)
        self._verified: dict[str, Stamp] = {}
        self._touched: dict[str, None] = {}
        self._touches_since = time.monotonic()
        # Two sums, each of one thread's: their difference waits to be written.
        self._given_bytes = 0
        self._written_bytes = 0
        self._wary_until = 0.0
        self._is_closed = False
        # Own threads: a disk that hangs must not take those that resolve names or read sources.
        self._readers = DiskThreads(READ_THREADS, "store-disk-read")
        self._writer = DiskThreads(1, "store-disk-write")
        self._is_working = False
        self._work()

    async def get(self, key: str) -> Stored | None:
        path = self._path(key)
        if self._is_closed:
            raise _closed()
        began = time.monotonic()
        if self._is_prompt(began):
            try:
                return self._read(key, path, read_cached)
            except BlockingIOError:
                pass
            finally:
                if time.monotonic() - began > PROMPT_S:
                    self._wary_until = began + WARY_S
        return await self._readers.run(partial(self._read, key, path, os.pread), PATIENCE_S)

    def _is_prompt(self, now: float) -> bool:
        return now >= self._wary_until and max(self._readers.stuck_s(), self._writer.stuck_s()) < PROMPT_S

    def _read(self, key: str, path: str, read: Read) -> Stored | None:
        """Do what `get` does. Raises StoreError; BlockingIOError for what `read_cached` is not to do."""
        try:
            handle = open_entry(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise StoreError(f"The disk store could not read: {exc}") from exc
        try:
            stored = self._checked(handle, key, read)
        except BlockingIOError:
            raise
        except Broken as exc:
            if read is read_cached:
                raise BlockingIOError from exc  # removing it is for the threads
            self._drop_broken(handle, path, key)
            return None
        except OSError as exc:
            raise StoreError(f"The disk store could not read: {exc}") from exc
        finally:
            os.close(handle)
        if stored.expires_at and stored.expires_at <= self._clock():
            return None  # its file is overwritten by the next put, or the first to be evicted
        self._touch(key)
        return stored

    async def put(self, key: str, stored: Stored, *, unless: Callable[[], bool] = never) -> bool:
        """Keep an entry; done when its file is in place. Cancelling it leaves the entry written whole or not at all."""
        self._path(key)
        waiting = self._given_bytes - self._written_bytes
        if waiting and waiting + stored.size > MAX_WAITING_BYTES:
            raise StoreError("The disk store is too slow: too much waits to be written.")
        if self._is_closed:
            raise _closed()
        self._given_bytes += stored.size
        return await self._writer.run(partial(self._put, key, stored, unless), PATIENCE_S)

    async def delete(self, key: str) -> None:
        self._path(key)
        await self._write(partial(self._keeper.delete, key), PATIENCE_S)

    async def purge(self, selector: Selector) -> int:
        return await self._write(partial(self._purge, selector), PURGE_PATIENCE_S)

    async def close(self) -> None:
        """Finish what waits to be written; a disk that hangs is given up after a while."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._writer.run(self._keeper.close, PATIENCE_S)
        except StoreError as exc:
            _logger.warning("closed in the middle: %s", exc)
        finally:
            self._writer.close()
            self._readers.close()

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):  # it becomes a path
            raise ValueError(f"not a key: {key!r}")
        return f"{self._folder}/{key[:2]}/{key}"

    def _checked(self, handle: int, key: str, read: Read) -> Stored:
        """Read an entry; the digest is skipped for the very file it was computed of before. Raises Broken, OSError."""
        before = os.fstat(handle)
        if read is read_cached and before.st_size > DIRECT_BYTES:
            raise BlockingIOError
        seen = stamp(before)
        if self._verified.get(key) == seen:
            stored = load(handle, key, before, read, verify=False)
            if stamp(os.fstat(handle)) == seen:
                return stored
            before = os.fstat(handle)  # edited while it was read
            seen = stamp(before)
        stored = load(handle, key, before, read, verify=True)
        if before.st_ctime_ns < time.time_ns() - SETTLED_NS:
            if len(self._verified) >= MAX_VERIFIED:
                self._verified.clear()
            self._verified[key] = seen
        return stored

    def _drop_broken(self, handle: int, path: str, key: str) -> None:
        try:
            # Another process may have put a good one in its place already.
            if Path(path).lstat().st_ino == os.fstat(handle).st_ino:
                Path(path).unlink()
        except OSError:
            return
        self._writer.later(partial(self._keeper.forget_lost, key))

    def _touch(self, key: str) -> None:
        touched = self._touched
        touched.pop(key, None)  # the latest use is the last
        if len(touched) < MAX_TOUCHES:
            touched[key] = None
        if len(touched) >= TOUCHES or time.monotonic() - self._touches_since > TOUCHES_S:
            self._touches_since = time.monotonic()
            self._writer.later(self._keeper.note_uses)

    def _uses(self) -> Collection[str]:
        touched, self._touched = self._touched, {}
        return touched.copy()  # a reader may still hold the old dict

    def _put(self, key: str, stored: Stored, unless: Callable[[], bool]) -> bool:
        try:
            return self._keeper.put(key, stored, unless)
        finally:
            self._written_bytes += stored.size
            self._work()

    def _purge(self, selector: Selector) -> int:
        try:
            return self._keeper.purge(selector)
        finally:
            self._work()

    def _work(self) -> None:
        """See that background work goes on, step by step between the puts."""
        if not self._is_working and self._keeper.has_work:
            self._is_working = True
            self._writer.later(self._step)

    def _step(self) -> None:
        is_more = False
        try:
            if not self._is_closed:
                self._keeper.step()
                is_more = self._keeper.has_work
        finally:
            self._is_working = is_more
        if is_more:
            self._writer.later(self._step)

    async def _write(self, job: Callable[[], T], patience_s: float) -> T:
        if self._is_closed:
            raise _closed()
        return await self._writer.run(job, patience_s)


def _closed() -> StoreError:
    return StoreError("The disk store is closed.")
