"""huey's storage, opened on a file or on Redis; its errors translated.

A file is SQLite with a write-ahead log and `synchronous=normal`: what is committed is in the kernel, so that a killed
process loses nothing, and the disk is waited for at checkpoints only. A power loss can cost the last commits (jobs
taken or ended in the seconds before it) and never the file. Waiting for the disk at every commit costs 1 to 20 ms for
each of the five commits of a submission.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from huey.api import Task  # type: ignore[import-untyped]
from huey.storage import PriorityRedisStorage, SqliteStorage  # type: ignore[import-untyped]
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from imgserve.adapters.queue.shelves import Asking, CallMessage, JobMessage, JobsHuey, JsonSerializer, Line, Shelf
from imgserve.adapters.redis_client import explain, make_pool
from imgserve.ports.jobs import JobState, QueueError

#: A Redis that hangs is given up after so long; longer than READ_S, for which a worker waits in vain.
REDIS_TIMEOUT_S: Final = 3.0
READ_S: Final = 1
#: After it was given up nobody asks it for so long: all questions of a server go through one thread.
PAUSE_S: Final = 1.0
#: Who writes holds the file for about 0.1 ms; so long only where the disk is in trouble.
LOCKED_S: Final = 5.0
#: Pages of the write-ahead log before a commit also moves them into the file, which waits for the disk (SQLite: 1000).
#: A log of 16 MB, so that it is one commit in thousands.
CHECKPOINT_PAGES: Final = 4000


class _RedisStorage(PriorityRedisStorage):  # type: ignore[misc]
    def convert_ts(self, ts: datetime) -> float:
        return ts.timestamp()


class _FileStorage(SqliteStorage):  # type: ignore[misc]
    """Opened by the first question, not by its maker; takes no lock to open where the tables are there."""

    def _create_connection(self) -> sqlite3.Connection:
        Path(self.filename).parent.mkdir(parents=True, exist_ok=True)
        connection: sqlite3.Connection = super()._create_connection()
        connection.execute("pragma synchronous=normal")
        connection.execute(f"pragma wal_autocheckpoint={CHECKPOINT_PAGES}")
        for statement in self.ddl:
            connection.execute(statement)
        return connection

    _within: int | None = None  # the thread that writes together

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write what the block writes in one transaction: one wait for other processes, all or nothing.

        A block within a block belongs to the outer one: both are written with its end, or neither.
        """
        if self._within == threading.get_ident():
            yield
            return
        with self.db(commit=True):
            self._within = threading.get_ident()
            try:
                yield
            finally:
                self._within = None

    @contextlib.contextmanager
    def db(self, commit: bool = False, close: bool = False) -> Iterator[Any]:
        if self._within != threading.get_ident():
            with super().db(commit, close) as cursor:
                yield cursor
            return
        cursor = self.conn.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


class _BesideStorage(SqliteStorage):  # type: ignore[misc]
    """Another name in the same file, through the same connection."""

    def __init__(self, name: str, *, main: SqliteStorage) -> None:
        self.name = name
        self.to_blob = memoryview
        self._main = main

    def db(self, commit: bool = False, close: bool = False) -> Any:
        return self._main.db(commit, close)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """All that the queue keeps.

    The ledger takes no locks. Each record has one kind of writer, or is put by whoever comes first.
    """

    #: The file, or the host of Redis; never with a password.
    where: str
    #: id -> Record: put by the first submission; then by who has popped the end, and by who adds to a job that waits.
    orders: Shelf
    #: id.generation -> number and time: what is not ended, or whose end nobody has been told. For sweeps and lists.
    open: Shelf
    #: id -> Lease: put by the holder of the last ticket.
    leases: Shelf
    #: id.generation.turn -> time: put by the first who claims that turn.
    tickets: Shelf
    #: id -> End: put by the first.
    ends: Shelf
    #: For each end: number -> id.generation. For lists and counts; follows from `ends`, by which sweeps put it right.
    ended: Mapping[JobState, Shelf]
    #: number -> id.generation: jobs in the order in which they came, and the counter of them.
    numbers: Shelf
    #: name:seconds -> the last window, and counters of windows.
    rates: Shelf
    #: id -> Call.
    calls: Shelf
    job_line: Line
    call_line: Line
    #: Around writes that belong together: on a file they are one transaction, on Redis nothing more than before, so
    #: their order must do. Raises QueueError.
    together: Asking
    close: Callable[[], None]


def open_storage(*, redis_url: str, file: Path, name: str = "imgserve") -> Storage:
    """Open Redis where there is a URL, else the file; neither is touched before the first question.

    Raises ValueError for a URL that cannot be read.
    """
    return _on_redis(redis_url, name) if redis_url else _on_file(file, name)


def _on_redis(url: str, name: str) -> Storage:
    address = make_pool(url).address
    # Not tried again unseen: a `put_new` that was done and not heard would say that another was first.
    pool: ConnectionPool = ConnectionPool.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        protocol=2,
    )

    left_alone_until = 0.0

    @contextlib.contextmanager
    def asking() -> Iterator[None]:
        nonlocal left_alone_until
        if time.monotonic() < left_alone_until:
            raise QueueError(f"The queue of jobs: Redis at {address} is left alone for a second, as it did not answer.")
        try:
            yield
        except (RedisError, OSError) as exc:
            if isinstance(exc, RedisTimeoutError | TimeoutError):
                left_alone_until = time.monotonic() + PAUSE_S
            raise QueueError(f"The queue of jobs: {explain(address, exc)}") from exc

    def shelf(kind: str) -> Shelf:
        return Shelf(_RedisStorage(f"{name}_{kind}", connection_pool=pool), asking)

    def line(kind: str, message: type[Task]) -> Line:
        return Line(_huey(f"{name}_{kind}", _RedisStorage, connection_pool=pool, read_timeout=READ_S), message, asking)

    return _storage(address, shelf, line, contextlib.nullcontext, pool.disconnect)


def _on_file(file: Path, name: str) -> Storage:
    main = _FileStorage(f"{name}_main", filename=str(file), timeout=LOCKED_S, create_tables=False)

    @contextlib.contextmanager
    def asking() -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            raise QueueError(f"The queue of jobs in {file} cannot be used ({exc}).") from exc

    def shelf(kind: str) -> Shelf:
        return Shelf(_BesideStorage(f"{name}_{kind}", main=main), asking)

    def line(kind: str, message: type[Task]) -> Line:
        return Line(_huey(f"{name}_{kind}", _BesideStorage, main=main), message, asking)

    @contextlib.contextmanager
    def together() -> Iterator[None]:
        with asking(), main.together():
            yield

    return _storage(str(file), shelf, line, together, main.close)


def _huey(name: str, storage: type[Any], **options: Any) -> JobsHuey:
    return JobsHuey(name, results=False, serializer=JsonSerializer(), storage_class=storage, **options)


def _storage(
    where: str,
    shelf: Callable[[str], Shelf],
    line: Callable[[str, type[Task]], Line],
    together: Asking,
    close: Callable[[], object],
) -> Storage:
    return Storage(
        where=where,
        orders=shelf("orders"),
        open=shelf("open"),
        leases=shelf("leases"),
        tickets=shelf("tickets"),
        ends=shelf("ends"),
        ended={state: shelf(f"ended_{state.value}") for state in JobState if state.ended},
        numbers=shelf("numbers"),
        rates=shelf("rates"),
        calls=shelf("calls"),
        job_line=line("jobs", JobMessage),
        call_line=line("calls_due", CallMessage),
        together=together,
        close=lambda: (close(), None)[1],
    )
