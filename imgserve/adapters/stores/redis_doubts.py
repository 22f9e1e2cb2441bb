"""Entries that Redis may hold against our will: what it was told to forget, or to keep, and has not confirmed.

A put that was given up may still be carried out when a hung server goes on, after a purge has gone through. So it is
taken back, and that is tried until Redis confirms it, or this process ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from imgserve.adapters.redis_client import PAUSE_S, RedisRefusesError
from imgserve.ports import StoreError

#: Puts are refused while Redis is broken, so there are few; these are two megabytes.
MAX_DOUBTS: Final = 10_000

_LOG = logging.getLogger(__name__)


class Doubts:
    """Takes back one after the other by `take_back(key, ticket)`, which raises StoreError."""

    def __init__(self, take_back: Callable[[str, str | None], Awaitable[None]]) -> None:
        self._take_back = take_back
        self._open: dict[tuple[str, str | None], None] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def add(self, key: str, ticket: str | None = None) -> None:
        """Have it forgotten in the background; `ticket` is that of the put which is in doubt."""
        if self._closed:
            return
        self._open[key, ticket] = None
        if len(self._open) > MAX_DOUBTS:
            self._open.pop(next(iter(self._open)))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="redis-doubts")

    async def close(self) -> None:
        """Try once more what is open, as far as Redis answers."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            while self._open:
                await self._settle()
        except StoreError as wrong:
            _LOG.warning("%d entries may be left in Redis that it was to forget: %s", len(self._open), wrong)

    async def _work(self) -> None:
        while self._open:
            try:
                await self._settle()
            except StoreError:
                await asyncio.sleep(PAUSE_S)

    async def _settle(self) -> None:
        doubt = next(iter(self._open))
        try:
            await self._take_back(*doubt)
        except RedisRefusesError as wrong:  # now as later
            _LOG.warning("an entry may be left in Redis that it was to forget: %s", wrong)
        self._open.pop(doubt, None)
