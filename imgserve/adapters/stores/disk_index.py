"""The SQLite index of the disk store: sizes, order of use, expiry and labels of what is in its files.

Every file has a row, and the row all labels of the file; a row may lack its file. So a purge or an eviction that goes
by rows misses no file. `intend` before and `settle` after a file is moved into place keep it so wherever a process
dies.

The index can be thrown away: all it holds is in the files too. Then `State.generation` is new, and it is not complete
until a sweep has looked at every file. After a crash of the machine it is not complete either, since SQLite may have
lost its last transactions (synchronous=NORMAL): completeness is noted together with the kernel's boot id.

Used by one thread. Other processes use the same file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from imgserve.adapters.stores.disk_database import DiskDatabase, broken
from imgserve.ports import EVERYTHING, Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    key: str
    size: int
    expires_at: float
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Sum of all sizes, which index this is, and whether every file has a row in it."""

    total: int
    generation: str
    complete: bool


class DiskIndex:
    """All methods are one transaction each, and raise StoreError; a broken index is replaced by an empty one."""

    def __init__(self, folder: Path) -> None:
        self._database = DiskDatabase(folder)
        self._boot = _boot_id()

    def intend(self, row: Row) -> None:
        """Note an entry that is about to be moved into place; an older file of the key still has its labels here."""

        def step(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO entries VALUES(?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET size = max(size, excluded.size)",
                (row.key, row.size, _advance(db, 1), row.expires_at),
            )
            _add_labels(db, row)

        self._database.run(step)

    def settle(self, row: Row) -> State:
        """Note what is in place now; also where a purge in another process has taken the row of `intend`."""

        def step(db: sqlite3.Connection) -> State:
            db.execute(
                "INSERT INTO entries VALUES(?, ?, ?, ?) ON CONFLICT(key) DO UPDATE"
                " SET size = excluded.size, used = excluded.used, expires_at = excluded.expires_at",
                (row.key, row.size, _advance(db, 1), row.expires_at),
            )
            had = {label for (label,) in db.execute("SELECT label FROM labels WHERE key = ?", (row.key,))}
            if had != {_bytes(label) for label in row.labels}:
                db.execute("DELETE FROM labels WHERE key = ?", (row.key,))
                _add_labels(db, row)
            return self._state(db)

        return self._database.run(step)

    def adopt(self, rows: Iterable[Row]) -> None:
        """Note files that were found without a row; they count as used longest ago."""

        def step(db: sqlite3.Connection) -> None:
            for row in rows:
                added = db.execute(
                    "INSERT OR IGNORE INTO entries VALUES(?, ?, 0, ?)", (row.key, row.size, row.expires_at)
                )
                if added.rowcount:  # else a put was faster, and its labels hold
                    _add_labels(db, row)

        self._database.run(step)

    def remove(self, keys: Collection[str], unlink: Callable[[str], bool]) -> int:
        """Unlink files and forget their rows, and give how many rows; a row whose file would not go is kept."""

        def step(db: sqlite3.Connection) -> int:
            return sum(_drop(db, key) for key in keys if unlink(key))

        return self._database.run(step)

    def shrink(self, max_total: int, now: float, limit: int, unlink: Callable[[str], bool]) -> tuple[int, int]:
        """Unlink at most `limit` entries, expired ones first, then oldest used, until `max_total` is kept.

        Gives how many went, and how many bytes are still too many.
        """

        def step(db: sqlite3.Connection) -> tuple[int, int]:
            excess = self._state(db).total - max_total
            gone = 0
            for key, size in _victims(db, now, limit):
                if excess <= 0:
                    break
                if unlink(key):
                    _drop(db, key)
                    gone += 1
                    excess -= size
            return gone, excess

        return self._database.run(step)

    def touch(self, keys: Collection[str]) -> None:
        """Note uses, the latest last."""

        def step(db: sqlite3.Connection) -> None:
            first = _advance(db, len(keys)) - len(keys) + 1
            db.executemany("UPDATE entries SET used = ? WHERE key = ?", enumerate(keys, first))

        self._database.run(step)

    def labelled(self, selector: Selector) -> list[str]:
        """Find the keys that a selector names. Raises StoreError."""

        def step(db: sqlite3.Connection) -> list[str]:
            low = _bytes(selector.label)
            if selector == EVERYTHING:
                rows = db.execute("SELECT key FROM entries")
            elif selector.prefix:
                # No UTF-8 text has the byte FF, so what begins with `low` is from it up to `low` FF.
                rows = db.execute(
                    "SELECT DISTINCT key FROM labels WHERE label >= ? AND label < ?", (low, low + b"\xff")
                )
            else:
                rows = db.execute("SELECT key FROM labels WHERE label = ?", (low,))
            return [key for (key,) in rows]

        return self._database.run(step)

    def keys_under(self, prefix: str) -> set[str]:
        def step(db: sqlite3.Connection) -> set[str]:
            rows = db.execute("SELECT key FROM entries WHERE key >= ? AND key < ?", (prefix, prefix + "g"))
            return {key for (key,) in rows}

        return self._database.run(step)

    def state(self) -> State:
        return self._database.run(self._state)

    def check(self) -> None:
        """Have SQLite look at all its pages; what is not sound is thrown away."""

        def step(db: sqlite3.Connection) -> None:
            if db.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
                raise broken("quick_check")

        self._database.run(step)

    def complete(self, generation: str) -> None:
        """Note that all files have rows, if it is still the index that the sweep began with."""

        def step(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE state SET complete = ?, total = (SELECT coalesce(sum(size), 0) FROM entries)"
                " WHERE generation = ?",
                (self._boot, generation),
            )

        self._database.run(step)

    def close(self) -> None:
        self._database.close()

    def _state(self, db: sqlite3.Connection) -> State:
        found = db.execute("SELECT total, generation, complete FROM state").fetchone()
        if found is None:
            raise broken("state")
        total, generation, complete = found
        return State(total, generation, complete == self._boot)


def _victims(db: sqlite3.Connection, now: float, limit: int) -> list[tuple[str, int]]:
    expired = db.execute(
        "SELECT key, size FROM entries WHERE expires_at > 0 AND expires_at <= ? LIMIT ?", (now, limit)
    ).fetchall()
    oldest = db.execute(
        "SELECT key, size FROM entries WHERE NOT (expires_at > 0 AND expires_at <= ?) ORDER BY used LIMIT ?",
        (now, limit - len(expired)),
    ).fetchall()
    return expired + oldest


def _drop(db: sqlite3.Connection, key: str) -> int:
    return db.execute("DELETE FROM entries WHERE key = ?", (key,)).rowcount


def _advance(db: sqlite3.Connection, steps: int) -> int:
    (used,) = db.execute("UPDATE state SET used = used + ? RETURNING used", (steps,)).fetchone()
    return int(used)


def _add_labels(db: sqlite3.Connection, row: Row) -> None:
    db.executemany("INSERT OR IGNORE INTO labels VALUES(?, ?)", [(_bytes(label), row.key) for label in row.labels])


def _bytes(label: str) -> bytes:
    # As bytes, whose order SQLite cannot see in another way; half a surrogate pair, cut out of JSON, is a label too.
    return label.encode("utf-8", "surrogatepass")


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux: a crash of the machine is then not noticed before the next sweep, at start
        return "unknown"
