"""The SQLite file of the disk store's index: opened, shared, and replaced by an empty one when it is broken.

Replacing is safe with other processes that have the old file open: they find before their next transaction that the
path is another file, and open that. Only one process at a time is in here: it has the journal's lock (disk_index).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from imgserve.ports import StoreError

#: Of the schema below. Another one found is thrown away and built again from the files.
VERSION = 2
#: How long somebody is waited for who looks into the index from outside, such as the command `sqlite3`.
BUSY_S = 5.0
CORRUPT = 11
#: SQLite's primary result codes for a file that is not, or no longer, this index: ERROR (a table is missing), INTERNAL,
#: IOERR (among others: shorter than its header says), CORRUPT, CANTOPEN (folder gone), FORMAT, NOTADB.
BROKEN = frozenset({1, 2, 10, CORRUPT, 14, 24, 26})

# `used` counts up with every put and use in any process: an order that no change of the clock can upset.
SCHEMA = """
CREATE TABLE entries(key BLOB PRIMARY KEY, size INTEGER NOT NULL, used INTEGER NOT NULL, expires_at REAL NOT NULL)
    WITHOUT ROWID;
CREATE INDEX entries_by_use ON entries(used);
CREATE INDEX entries_by_expiry ON entries(expires_at) WHERE expires_at > 0;
CREATE TABLE labels(label BLOB NOT NULL, key BLOB NOT NULL, PRIMARY KEY(label, key)) WITHOUT ROWID;
CREATE INDEX labels_by_key ON labels(key);
CREATE TABLE state(total INTEGER NOT NULL, used INTEGER NOT NULL, generation TEXT NOT NULL, complete TEXT NOT NULL);
CREATE TRIGGER entry_in AFTER INSERT ON entries BEGIN UPDATE state SET total = total + NEW.size; END;
CREATE TRIGGER entry_out AFTER DELETE ON entries BEGIN
    UPDATE state SET total = total - OLD.size;
    DELETE FROM labels WHERE key = OLD.key;
END;
CREATE TRIGGER entry_changed AFTER UPDATE OF size ON entries BEGIN
    UPDATE state SET total = total + NEW.size - OLD.size;
END;
"""

#: What the WAL is cut to when a large purge has made it long; the usual size of one is 4 MB.
WAL_BYTES = 8 << 20
#: Primary result code FULL.
FULL = 13

T = TypeVar("T")


class DiskFull(StoreError):
    """There is no room; once something is evicted, there may be."""


class DiskDatabase:
    """Not safe for threads: one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "index.sqlite"
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Do a step in a transaction, on a new index when this one turns out to be broken."""
        try:
            try:
                return _transaction(self._opened(), step)
            except sqlite3.Error as exc:
                if not _is_broken(exc):
                    raise
            self._throw_away()
            return _transaction(self._opened(), step)
        except (sqlite3.Error, OSError) as exc:
            error = DiskFull if _code(exc) == FULL or is_full(exc) else StoreError
            raise error(f"The index of the disk store: {exc}") from exc

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._identity = None

    def _opened(self) -> sqlite3.Connection:
        # Somebody may have deleted or replaced the file: what this process has open would be its alone.
        if self._db is not None and self._identity == _identity(self._path):
            return self._db
        self.close()
        try:
            self._db = self._open()
        except sqlite3.Error as exc:
            if not _is_broken(exc):
                raise
            self._throw_away()
            self._db = self._open()
        self._identity = _identity(self._path)
        return self._db

    def _open(self) -> sqlite3.Connection:
        if not self._path.exists():
            # Not opened and closed when it exists: POSIX would drop the locks that another store of this process has.
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._unlink("-wal", "-shm")
        db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                db.executescript("BEGIN IMMEDIATE;" + SCHEMA)
                db.execute(f"PRAGMA user_version = {VERSION}")
                db.execute("INSERT INTO state VALUES(0, 0, ?, '')", (secrets.token_hex(8),))
                db.execute("COMMIT")
            elif version != VERSION:
                raise broken(f"version {version}")
        except BaseException:
            db.close()
            raise
        return db

    def _throw_away(self) -> None:
        # Unlinked before it is closed: SQLite, closing a file that is still in place, would write to it once more. One
        # that has moved it leaves alone, and the new one's WAL too (databaseIsUnmoved in its pager.c).
        self._unlink("", "-wal", "-shm")
        self.close()

    def _unlink(self, *endings: str) -> None:
        for ending in endings:
            Path(f"{self._path}{ending}").unlink(missing_ok=True)


def _transaction(db: sqlite3.Connection, step: Callable[[sqlite3.Connection], T]) -> T:
    # IMMEDIATE: one that reads first and writes later cannot wait for its turn, SQLite refuses it.
    db.execute("BEGIN IMMEDIATE")
    try:
        result = step(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
        raise
    return result


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino


def is_full(exc: Exception) -> bool:
    return isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)


def _is_broken(exc: sqlite3.Error) -> bool:
    return _code(exc) in BROKEN


def _code(exc: Exception) -> int:
    """Give SQLite's primary result code; errors raised by Python or by `broken` have none, and count as CORRUPT."""
    if not isinstance(exc, sqlite3.DatabaseError):
        return 0
    return int(getattr(exc, "sqlite_errorcode", CORRUPT)) & 0xFF


def broken(what: str) -> sqlite3.DatabaseError:
    return sqlite3.DatabaseError(f"not this store's index: {what}")
