"""The queue as the server asks it: the ledger in a thread of its own, away from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from imgserve.adapters.queue.calls import schedule
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.listing import counts, listed
from imgserve.adapters.queue.rates import take
from imgserve.adapters.queue.records import Limits
from imgserve.adapters.queue.storage import open_storage
from imgserve.ports.jobs import Allowance, Job, JobOrder, JobPage, JobState

Answer = TypeVar("Answer")


class HueyQueue:
    """See ports.jobs.Queue. Neither a file nor a host is touched, nor a thread begun, before the first question."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        #: One, as a file has one connection, behind a lock; a question takes a millisecond or less.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="imgserve-queue")

    async def submit(self, orders: Sequence[JobOrder], *, again: bool = False) -> list[Job]:
        return await self._ask(partial(self.ledger.submit, orders, again=again))

    async def get(self, ids: Sequence[str]) -> list[Job | None]:
        return await self._ask(partial(self.ledger.get, ids))

    async def listed(self, *, state: JobState | None = None, limit: int = 50, after: str = "") -> JobPage:
        return await self._ask(partial(listed, self.ledger, state=state, limit=limit, after=after))

    async def counts(self) -> Mapping[JobState, int]:
        return await self._ask(partial(counts, self.ledger))

    async def cancel(self, id: str) -> Job | None:
        return await self._ask(partial(self.ledger.cancel, id))

    async def retry(self, id: str) -> Job | None:
        return await self._ask(partial(self.ledger.retry, id))

    async def take(self, name: str, *, limit: int, window_s: int) -> Allowance:
        return await self._ask(partial(take, self.ledger.storage, name, limit=limit, window_s=window_s))

    async def schedule(self, kind: str, payload: bytes, *, delay_s: float = 0.0, id: str = "") -> None:
        """Have a runner's handler of that kind called; see calls."""
        await self._ask(partial(schedule, self.ledger.storage, kind, payload, delay_s=delay_s, id=id))

    async def close(self) -> None:
        await self._ask(self.ledger.storage.close)
        self._thread.shutdown()

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question)


def open_ledger(*, redis_url: str, file: Path, max_attempts: int, lease_s: float, ttl_s: int, max_jobs: int) -> Ledger:
    """Open the ledger in Redis where there is a URL, else in the file; for runners, which block.

    `lease_s` without a sign of life give a job to another worker; `ttl_s` is how long the record of an ended job is
    kept; `max_jobs` may wait. Raises ValueError for a URL that cannot be read.
    """
    limits = Limits(max_attempts=max_attempts, lease_s=lease_s, ttl_s=ttl_s, max_jobs=max_jobs)
    return Ledger(open_storage(redis_url=redis_url, file=file), limits)
