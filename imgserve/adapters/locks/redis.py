"""Exclusion in a fleet: a key of Redis with a token and a lease, renewed while it is held.

aiocache's RedLock does not lock across processes. This is a lock for efficiency: with a lease that ran out, or a Redis
that was restarted empty, two may render the same, which costs time and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final

from imgserve.adapters.redis_client import RedisLink
from imgserve.ports import StoreError

#: Waiters ask first after so long, then after half as long again each time: a hit of the holder is soon seen, and a
#: long render costs Redis 20 questions a second for each process that waits.
FIRST_PAUSE_S: Final = 0.005
LONGEST_PAUSE_S: Final = 0.05
PAUSE_GROWTH: Final = 1.5
#: Renewals per lease: one may fail.
RENEWALS: Final = 3

#: Only the holder may touch a lock: it may have run out and be another's by now. KEYS lock; ARGV token, milliseconds.
RENEW: Final = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2]) or 0"
RELEASE: Final = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"


class RedisLocks:
    """Locks in Redis; see ports.Locks. Who holds one in this process excludes this process too."""

    def __init__(self, url: str, *, timeout_s: float = 0.05, lease_s: float = 5.0, prefix: str = "imgserve") -> None:
        self._link = RedisLink(url)
        self._timeout_s = timeout_s
        self._lease_s = lease_s
        self._prefix = prefix
        self._releases: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def hold(self, key: str, *, wait_s: float) -> AsyncIterator[bool]:
        lock, token = f"{self._prefix}:lock:{key}", secrets.token_hex(16)
        try:
            held = await self._acquire(lock, token, wait_s)
        except (StoreError, asyncio.CancelledError) as exc:
            # It may have been locked, unheard. Not asked while Redis counts as broken: then the lease ends it.
            self._in_background(self._release(lock, token))
            if isinstance(exc, asyncio.CancelledError):
                raise
            held = False
        if not held:
            yield False
            return
        renewal = asyncio.create_task(self._renew(lock, token))
        try:
            yield True
        finally:
            renewal.cancel()
            # Shielded: who is cancelled a second time must not leave the others to wait for the end of the lease.
            await asyncio.shield(self._in_background(self._release(lock, token)))

    async def close(self) -> None:
        if self._releases:
            await asyncio.wait(self._releases)
        await self._link.close()

    async def _acquire(self, lock: str, token: str, wait_s: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline, pause_s = loop.time() + wait_s, FIRST_PAUSE_S
        while True:
            async with self._link.asking(self._timeout_s):
                if await self._link.client.set(lock, token, nx=True, px=self._lease_ms):
                    return True
            left_s = deadline - loop.time()
            if left_s <= 0:
                return False
            # Spread: those who began to wait together would ask together.
            await asyncio.sleep(min(left_s, pause_s * random.uniform(0.8, 1.2)))  # noqa: S311 - no secret
            pause_s = min(LONGEST_PAUSE_S, pause_s * PAUSE_GROWTH)

    async def _renew(self, lock: str, token: str) -> None:
        """Prolong the lease until cancelled, or until the lock is another's."""
        while True:
            await asyncio.sleep(self._lease_s / RENEWALS)
            with contextlib.suppress(StoreError):  # the next may do
                async with self._link.asking(self._timeout_s):
                    if not await self._link.client.eval(RENEW, 1, lock, token, self._lease_ms):
                        return

    async def _release(self, lock: str, token: str) -> None:
        with contextlib.suppress(StoreError):  # the lease ends it
            async with self._link.asking(self._timeout_s):
                await self._link.client.eval(RELEASE, 1, lock, token)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)
        return task

    @property
    def _lease_ms(self) -> int:
        return max(1, round(self._lease_s * 1000))
