"""From settings to the queue of jobs, opened by the first request that needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgserve.app.caches import cache_folder
from imgserve.errors import ConfigError
from imgserve.ports.jobs import Allowance, Job, JobOrder, JobPage, JobState, Queue, QueueError
from imgserve.settings import Settings

if TYPE_CHECKING:
    from imgserve.adapters.queue.ledger import Ledger


class LateQueue:
    """A queue that is opened when it is first used: its libraries cost a start 0.15 s, and few requests need it."""

    def __init__(self, opened: Callable[[], Queue]) -> None:
        self._open = opened
        self._opening: asyncio.Task[Queue] | None = None

    async def _queue(self) -> Queue:
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(asyncio.to_thread(self._open))
        return await asyncio.shield(self._opening)

    async def submit(self, orders: Sequence[JobOrder], *, again: bool = False) -> list[Job]:
        return await (await self._queue()).submit(orders, again=again)

    async def get(self, ids: Sequence[str]) -> list[Job | None]:
        return await (await self._queue()).get(ids)

    async def listed(self, *, state: JobState | None = None, limit: int = 50, after: str = "") -> JobPage:
        return await (await self._queue()).listed(state=state, limit=limit, after=after)

    async def counts(self) -> Mapping[JobState, int]:
        return await (await self._queue()).counts()

    async def cancel(self, id: str) -> Job | None:
        return await (await self._queue()).cancel(id)

    async def retry(self, id: str) -> Job | None:
        return await (await self._queue()).retry(id)

    async def take(self, name: str, *, limit: int, window_s: int) -> Allowance:
        return await (await self._queue()).take(name, limit=limit, window_s=window_s)

    async def close(self) -> None:
        if self._opening is not None:
            queues = await asyncio.gather(self._opening, return_exceptions=True)
            for queue in queues:
                if not isinstance(queue, BaseException):
                    await queue.close()


def queue_name(settings: Settings) -> str:
    """Say where the queue is, without what may be a password."""
    url = _redis_url(settings)
    return f"Redis at {url.rpartition('@')[2].removeprefix('redis://')}" if url else str(_file(settings))


def queue_kind(settings: Settings) -> str:
    """Say in a word what the queue is kept in."""
    return "redis" if _redis_url(settings) else "sqlite"


def check_queue(settings: Settings) -> None:
    """Raise ConfigError for a URL that cannot be read; nothing is opened."""
    if not settings.jobs.queue_redis_url:
        return
    # Late on purpose: most servers have none.
    from imgserve.adapters.redis_client import make_pool

    try:
        make_pool(settings.jobs.queue_redis_url)
    except ValueError as wrong:
        raise ConfigError([f"IMGSERVE_QUEUE_REDIS_URL: {wrong}"]) from wrong


def queue_trouble(settings: Settings) -> str:
    """Say why the queue's Redis cannot be used now, "" where it can; a file is in a folder that is tried elsewhere."""
    if not _redis_url(settings):
        return ""
    from imgserve.adapters.queue.listing import counts

    try:
        ledger = ledger_of(settings)
        try:
            counts(ledger)
        finally:
            ledger.storage.close()
    except ConfigError as wrong:
        return "; ".join(wrong.problems)
    except QueueError as broken:
        return str(broken)
    return ""


def late_queue(settings: Settings) -> LateQueue:
    def opened() -> Queue:
        # Late on purpose: see LateQueue.
        from imgserve.adapters.queue.client import HueyQueue

        return HueyQueue(ledger_of(settings))

    return LateQueue(opened)


def ledger_of(settings: Settings) -> Ledger:
    """Open the ledger of the settings; raises ConfigError."""
    from imgserve.adapters.queue.client import open_ledger

    jobs = settings.jobs
    try:
        return open_ledger(
            redis_url=_redis_url(settings),
            file=_file(settings),
            max_attempts=jobs.job_attempts,
            lease_s=jobs.job_lease,
            ttl_s=jobs.job_ttl,
            max_jobs=jobs.max_jobs,
        )
    except ValueError as wrong:
        raise ConfigError([f"IMGSERVE_QUEUE_REDIS_URL: {wrong}"]) from wrong


def _redis_url(settings: Settings) -> str:
    return settings.jobs.queue_redis_url or settings.cache.redis_url


def _file(settings: Settings) -> Path:
    return cache_folder(settings) / "jobs.sqlite3"
