"""Store in a folder of this machine, shared by its worker processes and kept over restarts.

A hit is one file read, checked and used: no index, no lock. Everything that changes the folder runs in one writer
thread per process (disk_keeper). Uses are collected here and written to the index in batches.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from imgserve.adapters.stores.disk_file import KEY, Broken, Stamp, load, open_entry, stamp
from imgserve.adapters.stores.disk_keeper import DiskKeeper
from imgserve.ports import Selector, Stored, StoreError

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
        self._keeper = DiskKeeper(Path(self._folder), max_bytes, clock)
        self._verified: dict[str, Stamp] = {}
        self._touched: dict[str, None] = {}
        self._touches_since = time.monotonic()
        self._waiting_bytes = 0
        self._waiting_lock = threading.Lock()
        self._is_closed = False
        # Own threads: a disk that hangs must not take those that resolve names or read sources.
        self._readers = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="store-disk-read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-disk-write")
        self._is_working = False
        self._work()

    async def get(self, key: str) -> Stored | None:
        try:
            reading = self._readers.submit(self.read_now, key)
        except RuntimeError as exc:
            raise _closed() from exc
        return await self._patient(reading, PATIENCE_S)

    def read_now(self, key: str) -> Stored | None:
        """Do what `get` does, in the caller's thread. Raises StoreError."""
        path = self._path(key)
        try:
            handle = open_entry(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise StoreError(f"The disk store could not read: {exc}") from exc
        try:
            stored = self._checked(handle, key)
        except Broken:
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

    async def put(self, key: str, stored: Stored) -> bool:
        """Keep an entry; done when its file is in place. Cancelling it leaves the entry written whole or not at all."""
        self._path(key)
        with self._waiting_lock:
            if self._waiting_bytes + stored.size > MAX_WAITING_BYTES and self._waiting_bytes:
                raise StoreError("The disk store is too slow: too much waits to be written.")
            self._waiting_bytes += stored.size
        try:
            writing = self._writer.submit(self._put, key, stored)
        except RuntimeError as exc:
            self._waited(stored.size)
            raise _closed() from exc
        writing.add_done_callback(lambda _: self._waited(stored.size))
        return await self._patient(writing, PATIENCE_S)

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
        last = self._writer.submit(self._finish)
        self._writer.shutdown(wait=False)
        self._readers.shutdown(wait=False, cancel_futures=True)
        try:
            await self._patient(last, PATIENCE_S)
        except StoreError as exc:
            _logger.warning("closed in the middle: %s", exc)

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):  # it becomes a path
            raise ValueError(f"not a key: {key!r}")
        return f"{self._folder}/{key[:2]}/{key}"

    def _checked(self, handle: int, key: str) -> Stored:
        """Read an entry; the digest is skipped for the very file it was computed of before. Raises Broken, OSError."""
        before = os.fstat(handle)
        seen = stamp(before)
        if self._verified.get(key) == seen:
            stored = load(handle, key, before, verify=False)
            if stamp(os.fstat(handle)) == seen:
                return stored
            before = os.fstat(handle)  # edited while it was read
            seen = stamp(before)
        stored = load(handle, key, before, verify=True)
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
        self._later(partial(self._keeper.forget_lost, key))

    def _touch(self, key: str) -> None:
        touched = self._touched
        touched.pop(key, None)  # the latest use is the last
        if len(touched) < MAX_TOUCHES:
            touched[key] = None
        if len(touched) >= TOUCHES or time.monotonic() - self._touches_since > TOUCHES_S:
            self._touches_since = time.monotonic()
            self._later(self._flush)

    def _put(self, key: str, stored: Stored) -> bool:
        self._flush()  # so that an eviction knows what was used
        kept = self._keeper.put(key, stored)
        self._work()
        return kept

    def _purge(self, selector: Selector) -> int:
        try:
            return self._keeper.purge(selector)
        finally:
            self._work()

    def _flush(self) -> None:
        """Write the uses to the index; they are worth no failure, so an index that is busy loses them."""
        touched, self._touched = self._touched, {}
        if touched:
            try:
                self._keeper.touch(touched.copy())  # a reader may still hold the old dict
            except StoreError as exc:
                _logger.warning("uses of the disk store were lost: %s", exc)

    def _finish(self) -> None:
        self._flush()
        self._keeper.close()

    def _work(self) -> None:
        """See that background work goes on, step by step between the puts."""
        if not self._is_working:
            self._is_working = True
            self._later(self._step)

    def _step(self) -> None:
        is_more = False
        try:
            is_more = not self._is_closed and self._keeper.step()
        finally:
            self._is_working = is_more
        if is_more:
            self._later(self._step)

    def _later(self, job: Callable[[], None]) -> None:
        """Give the writer something that nobody waits for."""
        try:
            self._writer.submit(job).add_done_callback(_log_failure)
        except RuntimeError:  # closed: the next process finds it to do
            return

    async def _write(self, job: Callable[[], T], patience_s: float) -> T:
        try:
            writing = self._writer.submit(job)
        except RuntimeError as exc:
            raise _closed() from exc
        return await self._patient(writing, patience_s)

    async def _patient(self, running: Future[T], patience_s: float) -> T:
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.wrap_future(running)
        except TimeoutError as exc:
            raise StoreError(f"The disk store did not answer within {patience_s:g} s.") from exc

    def _waited(self, size: int) -> None:
        with self._waiting_lock:
            self._waiting_bytes -= size


def _closed() -> StoreError:
    return StoreError("The disk store is closed.")


def _log_failure(done: Future[None]) -> None:
    if not done.cancelled() and (exc := done.exception()) is not None:
        _logger.error("background work of the disk store failed: %s", exc, exc_info=exc)
