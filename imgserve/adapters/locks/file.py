"""Locks between the processes of one machine: one file, and in it one byte per key.

The bytes are not there; POSIX locks ranges beyond the end of a file. Nothing is to be cleaned up, and the kernel frees
what a killed process held. Two keys that fall on one byte (60 bits of a hash) would wait for each other, no more.

POSIX locks belong to the process: they do not exclude its own tasks, so these are excluded here, and closing any
handle of the file gives up all of them. So there must be one FileLocks per folder in a process, and nobody else opens
the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

#: How often a taken lock is tried again, in seconds: soon at first, then at a cost that is lost in the noise.
FIRST_WAIT_S = 0.002
LONGEST_WAIT_S = 0.025
WAIT_GROWS_BY = 1.5


class FileLocks:
    """See ports.Locks."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "locks"
        self._file: _LockFile | None = None
        self._held: set[int] = set()

    @contextlib.asynccontextmanager
    async def hold(self, key: str, *, wait_s: float) -> AsyncIterator[bool]:
        place = int.from_bytes(sha256(key.encode()).digest()[:8]) >> 4
        until = time.monotonic() + wait_s
        wait = FIRST_WAIT_S
        try:
            while (file := self._try(place)) is None:
                left = until - time.monotonic()
                if left <= 0:
                    break
                await asyncio.sleep(min(wait, left))
                wait = min(wait * WAIT_GROWS_BY, LONGEST_WAIT_S)
        except OSError:
            file = None
        if file is None:
            yield False
            return
        try:
            yield True
        finally:
            self._held.discard(place)
            file.unlock(place)

    async def close(self) -> None:
        """Give back the file; locks that are held keep it until the last is released."""
        if self._file is not None:
            self._file.retire()
            self._file = None

    def _try(self, place: int) -> _LockFile | None:
        """Take a lock at once, or give None. Raises OSError."""
        if place in self._held:
            return None
        file = self._current()
        if not file.lock(place):
            return None
        self._held.add(place)
        return file

    def _current(self) -> _LockFile:
        # A file that was deleted excludes only those who still have it open.
        if self._file is not None and self._file.is_at(self._path):
            return self._file
        if self._file is not None:
            self._file.retire()
            self._file = None
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = _LockFile(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        return self._file


class _LockFile:
    """An open file that is not closed while a lock in it is held."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        facts = os.fstat(handle)
        self._identity = facts.st_dev, facts.st_ino
        self._holders = 0
        self._is_retired = False

    def is_at(self, path: Path) -> bool:
        try:
            facts = path.stat()
        except OSError:
            return False
        return (facts.st_dev, facts.st_ino) == self._identity

    def lock(self, place: int) -> bool:
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, by POSIX: somebody has it
            return False
        self._holders += 1
        return True

    def unlock(self, place: int) -> None:
        self._holders -= 1
        with contextlib.suppress(OSError):
            fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, place)
        self._close_unused()

    def retire(self) -> None:
        self._is_retired = True
        self._close_unused()

    def _close_unused(self) -> None:
        if self._is_retired and not self._holders:
            os.close(self._handle)
