"""The SQLite index of the disk store: sizes, order of use, expiry and labels of what is in its files.

Every file has a row here or a line in the journal, and with it all labels of the file; a row or a line may lack its
file. So a purge or an eviction that goes by rows misses no file, wherever a process died. Each use of the index begins
by taking the journal over, which is some ten microseconds for a line, where a transaction for each put was two hundred
and more.

The index can be thrown away: all it holds is in the files too. Then `State.generation` is new, and it is not complete
until a sweep has looked at every file; the same where the journal is not the one that belongs to it. After a crash of
the machine it is not complete either, since the last lines and transactions may be lost: completeness is noted together
with the kernel's boot id.

Used by one thread. Other processes use the same files.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from imgserve.adapters.stores.disk_database import DiskDatabase, DiskFull, broken, is_full
from imgserve.adapters.stores.disk_journal import DiskJournal, Row, append, read, restart, rows_in
from imgserve.ports import EVERYTHING, Selector, StoreError

T = TypeVar("T")

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class State:
    """Sum of all sizes, which index this is, and whether every file has a row in it."""

    total: int
    generation: str
    complete: bool


class DiskIndex:
    """All methods but `put` are one transaction each; all raise StoreError. A broken index is replaced by an empty one.

    `labels_of` reads an entry's labels from its file, None where there is no whole one.
    """

    def __init__(self, folder: Path, labels_of: Callable[[str], tuple[str, ...] | None]) -> None:
        self._labels_of = labels_of
        self._journal = DiskJournal(folder)
        self._database = DiskDatabase(folder)
        self._boot = _boot_id()

    def put(self, row: Row, unless: Callable[[], bool], move: Callable[[], None]) -> int | None:
        """Note an entry and have it moved into place; gives the length of the journal, None where `unless` forbids it.

        A purge comes before, and `unless` can know of it, or after, and finds the line.
        """
        try:
            handle = self._journal.shared()
            try:
                if unless():
                    return None
                length = append(handle, row)
                move()
                return length
            finally:
                os.close(handle)
        except OSError as exc:
            error = DiskFull if is_full(exc) else StoreError
            raise error(f"The disk store could not write: {exc}") from exc

    def adopt(self, rows: Iterable[Row]) -> None:
        """Note files that were found without a row; they count as used longest ago."""

        def step(db: sqlite3.Connection) -> None:
            for row in rows:
                added = db.execute(
                    "INSERT OR IGNORE INTO entries VALUES(?, ?, 0, ?)", (_blob(row.key), row.size, row.expires_at)
                )
                if added.rowcount:  # else a put was faster, and its labels hold
                    _add_labels(db, row.key, row.labels)

        self._run(step)

    def remove(self, keys: Collection[str], unlink: Callable[[str], bool]) -> int:
        """Unlink files and forget their rows, and give how many rows; a row whose file would not go is kept."""

        def step(db: sqlite3.Connection) -> int:
            return sum(_drop(db, key) for key in keys if unlink(key))

        return self._run(step)

    def shrink(
        self, excess_of: Callable[[int], int], now: float, limit: int, unlink: Callable[[str], bool]
    ) -> tuple[int, int]:
        """Unlink at most `limit` entries, expired ones first, then oldest used, until the excess of the total is gone.

        Gives how many went, and how many bytes are still too many.
        """

        def step(db: sqlite3.Connection) -> tuple[int, int]:
            excess = excess_of(self._state(db).total)
            gone = 0
            for key, size in _victims(db, now, limit):
                if excess <= 0:
                    break
                if unlink(key):
                    _drop(db, key)
                    gone += 1
                    excess -= size
            return gone, excess

        return self._run(step)

    def touch(self, keys: Collection[str]) -> None:
        """Note uses, the latest last."""

        def step(db: sqlite3.Connection) -> None:
            first = _advance(db, len(keys)) - len(keys) + 1
            db.executemany("UPDATE entries SET used = ? WHERE key = ?", enumerate(map(_blob, keys), first))

        self._run(step)

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
            return [key.hex() for (key,) in rows]

        return self._run(step)

    def keys_under(self, prefix: str) -> set[str]:
        """Find the keys that begin with an even number of hex digits."""

        def step(db: sqlite3.Connection) -> set[str]:
            low = _blob(prefix)
            rows = db.execute("SELECT key FROM entries WHERE key >= ? AND key <= ?", (low, low + b"\xff" * KEY_BYTES))
            return {key.hex() for (key,) in rows}

        return self._run(step)

    def state(self) -> State:
        return self._run(self._state)

    def check(self) -> None:
        """Have SQLite look at all its pages; what is not sound is thrown away."""

        def step(db: sqlite3.Connection) -> None:
            if db.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
                raise broken("quick_check")

        self._run(step)

    def complete(self, generation: str) -> None:
        """Note that all files have rows, if it is still the index that the sweep began with."""

        def step(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE state SET complete = ?, total = (SELECT coalesce(sum(size), 0) FROM entries)"
                " WHERE generation = ?",
                (self._boot, generation),
            )

        self._run(step)

    def close(self) -> None:
        self._database.close()

    def _state(self, db: sqlite3.Connection) -> State:
        found = db.execute("SELECT total, generation, complete FROM state").fetchone()
        if found is None:
            raise broken("state")
        total, generation, complete = found
        return State(total, generation, complete == self._boot)

    def _run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Take over the journal and do a step, in one transaction; dying after it, the journal is taken over again."""

        def steps(db: sqlite3.Connection) -> tuple[T, str]:
            generation = self._take_over(db, text)
            return step(db), generation

        try:
            handle = self._journal.alone()
            try:
                text = read(handle)
                result, generation = self._database.run(steps)
                restart(handle, text, generation)
            finally:
                os.close(handle)
        except OSError as exc:
            error = DiskFull if is_full(exc) else StoreError
            raise error(f"The journal of the disk store: {exc}") from exc
        return result

    def _take_over(self, db: sqlite3.Connection, text: bytes) -> str:
        """Give every line a row, and tell the generation that the index has then."""
        generation = self._state(db).generation
        rows, is_whole = rows_in(text, generation)
        if not is_whole:  # one of the two was deleted or damaged: there may be files that neither names
            generation = secrets.token_hex(8)
            db.execute("UPDATE state SET generation = ?, complete = ''", (generation,))
        if not rows:
            return generation
        first = _advance(db, len(rows)) - len(rows) + 1
        db.executemany(
            "INSERT INTO entries VALUES(?, ?, ?, ?) ON CONFLICT(key) DO UPDATE"
            " SET size = excluded.size, used = excluded.used, expires_at = excluded.expires_at",
            [(_blob(row.key), row.size, used, row.expires_at) for used, row in enumerate(rows, first)],
        )
        replaced = set()
        for row in rows:
            if _has_other_labels(db, row):
                replaced.add(row.key)
            _add_labels(db, row.key, row.labels)
        for key in replaced:
            # Whoever put it may have died before the newer file was in place.
            labels = self._labels_of(key)
            if labels is not None:
                db.execute("DELETE FROM labels WHERE key = ?", (_blob(key),))
                _add_labels(db, key, labels)
        return generation


def _victims(db: sqlite3.Connection, now: float, limit: int) -> list[tuple[str, int]]:
    expired = db.execute(
        "SELECT key, size FROM entries WHERE expires_at > 0 AND expires_at <= ? LIMIT ?", (now, limit)
    ).fetchall()
    oldest = db.execute(
        "SELECT key, size FROM entries WHERE NOT (expires_at > 0 AND expires_at <= ?) ORDER BY used LIMIT ?",
        (now, limit - len(expired)),
    ).fetchall()
    return [(key.hex(), size) for key, size in expired + oldest]


def _drop(db: sqlite3.Connection, key: str) -> int:
    return db.execute("DELETE FROM entries WHERE key = ?", (_blob(key),)).rowcount


def _advance(db: sqlite3.Connection, steps: int) -> int:
    (used,) = db.execute("UPDATE state SET used = used + ? RETURNING used", (steps,)).fetchone()
    return int(used)


def _add_labels(db: sqlite3.Connection, key: str, labels: tuple[str, ...]) -> None:
    db.executemany("INSERT OR IGNORE INTO labels VALUES(?, ?)", [(_bytes(label), _blob(key)) for label in labels])


def _has_other_labels(db: sqlite3.Connection, row: Row) -> bool:
    had = {label for (label,) in db.execute("SELECT label FROM labels WHERE key = ?", (_blob(row.key),))}
    return not had.issubset(map(_bytes, row.labels))


def _blob(key: str) -> bytes:
    """Give a key as SQLite has it: of half the size, there are twice as many on a page that is written."""
    return bytes.fromhex(key)


def _bytes(label: str) -> bytes:
    # As bytes, whose order SQLite cannot see in another way; half a surrogate pair, cut out of JSON, is a label too.
    return label.encode("utf-8", "surrogatepass")


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux: a crash of the machine is then not noticed before the next sweep, at start
        return "unknown"
