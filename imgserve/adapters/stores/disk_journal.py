"""The journal of the disk store: what was put since the index was last brought up to date, a line for each put.

One file for all processes. A put writes its line before it moves its file into place, and makes no transaction; the
next that needs the index takes the lines over into it (disk_index). Puts share the journal's lock from their line until
their file is in place; whoever uses the index has the lock alone. So index and journal together name every file.

The first line is the generation of the index that the journal belongs to. A line begins with its line break: what a
killed process wrote half stays a line by itself.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from imgserve.adapters.stores.disk_file import KEY

#: How long the lock is waited for: an eviction in another process has it for about ten milliseconds.
BUSY_S = 5.0
RETRY_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the index has of an entry."""

    key: str
    size: int
    expires_at: float
    labels: tuple[str, ...]


class DiskJournal:
    """Opened anew for each use: a few microseconds, and nobody writes to one that was deleted. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = str(folder / "index.journal")

    def shared(self) -> int:
        """Open it as one of those who write, and move their files into place; closing the handle ends that."""
        return self._locked(fcntl.LOCK_SH)

    def alone(self) -> int:
        """Open it, and keep all others from it, from moving files into place, and from the index."""
        return self._locked(fcntl.LOCK_EX)

    def _locked(self, how: int) -> int:
        until = time.monotonic() + BUSY_S
        while True:
            handle = self._open()
            try:
                fcntl.flock(handle, how | fcntl.LOCK_NB)
                if os.fstat(handle).st_nlink:  # else somebody has deleted it in between
                    return handle
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(handle)
                    raise
                time.sleep(RETRY_S)
            os.close(handle)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, flags, 0o600)


def append(handle: int, row: Row) -> int:
    """Write a line, and give the length of all. Raises OSError."""
    line = b"\n" + json.dumps((row.key, row.size, row.expires_at, row.labels)).encode()
    if os.write(handle, line) != len(line):
        raise OSError(errno.ENOSPC, "a line of the journal was cut")
    return os.lseek(handle, 0, os.SEEK_CUR)


def read(handle: int) -> bytes:
    return os.pread(handle, os.fstat(handle).st_size, 0)


def restart(handle: int, text: bytes, generation: str) -> None:
    """Empty a journal that has been taken over into the index of this generation; `text` is what is in it now."""
    head = generation.encode()
    if text == head:
        return
    if text.startswith(head + b"\n"):
        os.ftruncate(handle, len(head))
        return
    os.ftruncate(handle, 0)
    os.write(handle, head)


def rows_in(text: bytes, generation: str) -> tuple[list[Row], bool]:
    """Give the lines that can be read, and whether they are all there were since that index was made."""
    head, *lines = text.split(b"\n")
    is_whole = head == generation.encode()
    rows = []
    for line in lines:
        try:
            rows.append(_row(line))
        except (ValueError, TypeError):
            is_whole = False
    return rows, is_whole


def _row(line: bytes) -> Row:
    key, size, expires_at, labels = json.loads(line)
    if not KEY.fullmatch(key):
        raise ValueError(key)
    return Row(key=key, size=int(size), expires_at=float(expires_at), labels=tuple(map(str, labels)))
