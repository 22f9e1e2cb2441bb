"""The last tier of a cache: results in a bucket, shared by all machines of a fleet.

Import this module only where S3 is enabled: boto3 takes about 0.2 s and 25 MB.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from imgserve.adapters.s3_client import S3Account, S3Limits
from imgserve.adapters.stores.s3_breaker import Breaker
from imgserve.adapters.stores.s3_bucket import NotDoneError, S3Bucket
from imgserve.adapters.stores.s3_envelope import pack, read_head, unpack
from imgserve.adapters.stores.s3_names import Names
from imgserve.ports import EVERYTHING, Selector, Stored, StoreError, never

T = TypeVar("T")

#: A cached image beyond this is a mistake rather than a result; an entry is held in memory two times.
MAX_BYTES: Final = 100 << 20
#: What an entry may take beside its body.
_HEAD_BYTES: Final = 1 << 20
#: Holds the head of all but the strangest entries.
_FIRST_BYTES: Final = 16 << 10
#: For what no request waits for: to put, to delete, one step of a purge.
_WORK_TIMEOUT_S: Final = 30.0
#: Between two bytes; S3 takes a second or two to delete a thousand objects.
_READ_TIMEOUT_S: Final = 5.0
_MAX_CONNECTIONS: Final = 16
#: Of the connections; the others are kept for requests that wait.
_MAX_PUTS: Final = 8
_MAX_PURGE_READS: Final = 4
#: No put takes so long, and no two clocks differ so much: the result of an older index object is written, if ever.
_PUT_SURELY_ENDED_S: Final = 600
#: After a put that failed, S3 may yet carry it out; it is looked at again so much later.
_DOUBT_S: Final = 1.0
#: Pauses before what was purged while it was put is removed, as often as that fails.
_TAKE_BACK_PAUSES_S: Final = (0.0, 1.0, 4.0)
_CLOSED: Final = "The S3 store is closed."

_LOG = logging.getLogger(__name__)


class S3Store:
    """Keep results as objects below `prefix`; see ports.Store. Raises ValueError for a prefix that cannot be one.

    S3 has no LRU, and what is purged, replaced or expired may leave small index objects: give the bucket lifecycle
    rules that expire `<prefix>/results/` after some days, and `<prefix>/index/` one day later. The credentials need
    GetObject, PutObject and DeleteObject below the prefix, and ListBucket: without it S3 answers 403 for what is
    merely absent. One purge costs one small read for each entry it finds.

    `timeout_s` bounds a get; `page_size` is that of listings and deletions, at most 1000; `now` gives Unix time.
    """

    name = "s3"

    def __init__(
        self,
        account: S3Account,
        *,
        bucket: str,
        prefix: str,
        timeout_s: float = 2.0,
        max_bytes: int = MAX_BYTES,
        page_size: int = 1000,
        now: Callable[[], float] = time.time,
    ) -> None:
        limits = S3Limits(
            connect_timeout_s=timeout_s / 2, read_timeout_s=_READ_TIMEOUT_S, max_connections=_MAX_CONNECTIONS
        )
        self._names = Names(prefix)
        self._bucket = S3Bucket(account, limits, bucket=bucket)
        self._where = account.where
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._page_size = page_size
        self._now = now
        self._breaker = Breaker()
        self._threads = ThreadPoolExecutor(_MAX_CONNECTIONS, thread_name_prefix="store-s3")
        self._puts = asyncio.Semaphore(_MAX_PUTS)
        self._closed = False

    async def get(self, key: str) -> Stored | None:
        self._refuse_if_closed()
        self._breaker.enter()
        job = partial(self._get, key, time.monotonic() + self._timeout_s)
        return await self._tried(self._run(job), self._timeout_s)

    async def put(self, key: str, stored: Stored, *, unless: Callable[[], bool] = never) -> bool:
        if stored.size > self._max_bytes:
            return False
        self._refuse_if_closed()
        await self._puts.acquire()  # to wait for other puts is no failure of S3
        try:
            self._breaker.enter()
            writing = self._run(partial(self._put, key, stored, unless))
        except StoreError:
            self._puts.release()
            raise
        writing.add_done_callback(self._written)
        return await self._tried(asyncio.shield(writing), _WORK_TIMEOUT_S)

    async def delete(self, key: str) -> None:
        """See ports.Store. Tried, as a purge, even while the breaker refuses others."""
        self._refuse_if_closed()
        job = partial(self._bucket.remove, [self._names.result(key)])  # purges know that index objects may lead nowhere
        await self._tried(self._run(job), _WORK_TIMEOUT_S)

    async def purge(self, selector: Selector) -> int:
        """See ports.Store. It is tried even while the breaker refuses others, since no later miss makes up for it."""
        if selector == EVERYTHING:
            return await self._purge_everything()
        count = 0
        async for names in self._pages(self._names.begin_of(selector)):
            keys = {entry.key for name in names if (entry := self._names.read_index(name))}
            verdicts = await self._judge_all(keys, selector)
            # Results first: an index object without its result is harmless, the reverse could never be purged.
            await self._step(partial(self._bucket.remove, [self._names.result(key) for key in verdicts]))
            await self._step(partial(self._bucket.remove, self._settled(names)))
            count += sum(verdicts.values())
        return count

    async def close(self) -> None:
        """Wait for the puts that have begun, for a while, and give back connections and threads."""
        if self._closed:
            return
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_WORK_TIMEOUT_S):
                for _ in range(_MAX_PUTS):
                    await self._puts.acquire()
        self._threads.shutdown(wait=False)
        self._bucket.close()

    # Below: in the event loop.

    async def _tried(self, attempt: Awaitable[T], timeout_s: float) -> T:
        """Await an attempt within its time, and let the breaker know how it ends."""
        try:
            result = await self._within(timeout_s, attempt)
        except StoreError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return result

    async def _step(self, job: Callable[[], T]) -> T:
        """Do one step of a purge."""
        self._refuse_if_closed()
        return await self._within(_WORK_TIMEOUT_S, self._run(job))

    async def _within(self, timeout_s: float, attempt: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(timeout_s):
                return await attempt
        except TimeoutError as exc:
            raise StoreError(f"S3 at {self._where} did not answer within {timeout_s:g} seconds.") from exc

    def _written(self, writing: asyncio.Future[bool]) -> None:
        """A put counts until its thread has ended, whoever still waits for it."""
        self._puts.release()
        if not writing.cancelled():
            writing.exception()  # else asyncio logs it where nobody waits any more

    def _run(self, job: Callable[[], T]) -> asyncio.Future[T]:
        try:
            return asyncio.get_running_loop().run_in_executor(self._threads, job)
        except RuntimeError as exc:  # the threads are given back
            raise StoreError(_CLOSED) from exc

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreError(_CLOSED)

    async def _pages(self, begin: str) -> AsyncIterator[tuple[str, ...]]:
        after: str | None = None
        while True:
            page = await self._step(partial(self._bucket.page, begin, after=after, size=self._page_size))
            yield page.names
            after = page.next
            if after is None:
                return

    async def _purge_everything(self) -> int:
        count = 0
        async for names in self._pages(self._names.results):
            await self._step(partial(self._bucket.remove, names))
            count += len(names)
        async for names in self._pages(self._names.index):
            await self._step(partial(self._bucket.remove, self._settled(names)))
        return count

    async def _judge_all(self, keys: Iterable[str], selector: Selector) -> dict[str, bool]:
        """Give the keys whose results are to go, and whether each was an entry."""
        pending = deque(keys)
        verdicts: dict[str, bool] = {}

        async def work() -> None:
            while pending:
                key = pending.popleft()
                try:
                    verdict = await self._step(partial(self._judge, key, selector))
                except StoreError:
                    pending.clear()  # the others need not try either
                    raise
                if verdict is not None:
                    verdicts[key] = verdict

        await asyncio.gather(*(work() for _ in range(_MAX_PURGE_READS)))
        return verdicts

    def _settled(self, names: Iterable[str]) -> list[str]:
        """Give the index objects that no running put relies on, and what is none."""
        entries = ((name, self._names.read_index(name)) for name in names)
        settled_at = self._now() - _PUT_SURELY_ENDED_S
        return [name for name, entry in entries if entry is None or entry.put_at < settled_at]

    # Below: in threads.

    def _get(self, key: str, deadline_s: float) -> Stored | None:
        name = self._names.result(key)
        data = self._bucket.read(name, max_bytes=self._max_bytes + _HEAD_BYTES, deadline_s=deadline_s)
        stored = unpack(key, data) if data is not None else None
        if stored is None or not 0 < stored.expires_at <= self._now():
            return stored
        with suppress(StoreError):  # a miss it is in any case
            self._bucket.remove([name])
        return None

    def _put(self, key: str, stored: Stored, unless: Callable[[], bool]) -> bool:
        """Write an entry. All of it is here, since whoever waits for it may have left when S3 is done."""
        data = pack(key, stored)
        if len(data) > len(stored.body) + _HEAD_BYTES:
            return False
        if unless():
            return False
        put_at = self._now()
        for label in dict.fromkeys(stored.labels):  # before the result, for the same reason as in a purge
            self._bucket.write(self._names.index_entry(label, key, put_at=put_at), b"")
        if unless():
            return False
        try:
            self._bucket.write(self._names.result(key), data)
        except NotDoneError:
            raise
        except StoreError:
            time.sleep(_DOUBT_S)
            if unless():
                self._take_back(key)
            raise
        if unless():
            self._take_back(key)
            return False
        return True

    def _take_back(self, key: str) -> None:
        """Remove what was purged while it was written; insists, as no purge will come again."""
        for pause_s in _TAKE_BACK_PAUSES_S:
            time.sleep(pause_s)
            try:
                self._bucket.remove([self._names.result(key)])
            except StoreError as exc:
                failure = exc
            else:
                return
        _LOG.warning("an entry that was purged may be left in S3: %s", failure)
        raise failure

    def _judge(self, key: str, selector: Selector) -> bool | None:
        """None to leave a result; else it is to go, True as an entry, False as something broken.

        The result is asked since index objects also lead to what was deleted, or put again with other labels.
        """
        name = self._names.result(key)
        for max_bytes in (_FIRST_BYTES, _HEAD_BYTES):
            deadline_s = time.monotonic() + _WORK_TIMEOUT_S
            data = self._bucket.read(name, max_bytes=max_bytes, deadline_s=deadline_s, only_first=True)
            if data is None:
                return None
            head = read_head(key, data)
            if head is not None:
                return True if selector.matches(head.labels) else None
            if len(data) < max_bytes:
                break
        return False
