"""The files of the disk store, in 256 folders by the first two digits of their keys: how they come and go."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from imgserve.adapters.stores.disk_database import DiskFull, is_full
from imgserve.adapters.stores.disk_file import KEY, TEMPORARY, write_temporary
from imgserve.ports import StoreError

#: What a file takes of a disk, in pieces of this many bytes: the block of ext4, xfs and APFS.
BLOCK_BYTES = 4096
#: A temporary file this old is nobody's: a process died while it wrote.
ABANDONED_S = 3600.0

FOLDERS = tuple(f"{number:02x}" for number in range(256))


class DiskFolder:
    """Knows nothing of the index; its caller sees that the two agree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: str) -> str:
        return f"{self._folder}/{key[:2]}/{key}"

    def write(self, path: str, pieces: tuple[bytes, ...]) -> str:
        """Write a temporary file beside an entry's path, and give its own. Raises DiskFull, StoreError."""
        try:
            try:
                return write_temporary(path, pieces)
            except FileNotFoundError:
                Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                return write_temporary(path, pieces)
        except OSError as exc:
            error = DiskFull if is_full(exc) else StoreError
            raise error(f"The disk store could not write: {exc}") from exc

    def unlink(self, key: str) -> bool:
        """Remove an entry's file; True when there is none any more."""
        try:
            Path(self.path(key)).unlink()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return True

    def unlink_surely(self, key: str) -> bool:
        """Remove what a purge names; what cannot be removed must not pass for purged."""
        if not self.unlink(key):
            raise StoreError("The disk store could not delete a file.")
        return True

    def unlink_sized(self, key: str) -> int:
        """Remove an entry's file, and give what it took of the disk. Raises OSError."""
        length = Path(self.path(key)).stat().st_size
        return on_disk(length) if self.unlink(key) else 0

    def listed(self, name: str) -> tuple[set[str], list[str]]:
        """Give the entries and the temporary files of one folder; all other names are not ours. Raises OSError."""
        try:
            names = [one.name for one in os.scandir(self._folder / name)]
        except (FileNotFoundError, NotADirectoryError):
            return set(), []
        ours = [one for one in names if one.startswith(name)]
        return set(filter(KEY.fullmatch, ours)), list(filter(TEMPORARY.fullmatch, ours))

    def entries(self, name: str) -> set[str]:
        """Give the entries of one folder. Raises StoreError."""
        try:
            return self.listed(name)[0]
        except OSError as exc:
            raise StoreError(f"The disk store could not be searched: {exc}") from exc

    def clean(self, name: str, temporary: list[str], clock: Callable[[], float]) -> None:
        """Remove those temporary files of one folder that dead processes left."""
        for one in temporary:
            path = self._folder / name / one
            with contextlib.suppress(OSError):
                # In either direction: with the clock set back, a file from the future would stay until it catches up.
                if abs(clock() - path.stat().st_mtime) > ABANDONED_S:
                    path.unlink()


def on_disk(length: int) -> int:
    """Give what a file of this length takes of a disk."""
    return -(-length // BLOCK_BYTES) * BLOCK_BYTES
