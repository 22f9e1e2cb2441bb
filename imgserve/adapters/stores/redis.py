"""The tier of a fleet: entries in Redis through aiocache, with an index per label for purges.

Keys: `<prefix>:entry:<key>` is an envelope, `<prefix>:labels:<label>` the index of a label (see redis_scripts), and
`<prefix>:revoked:<ticket>` says for a while that a put was given up. One server (or its fail-over pair), no cluster: a
script touches an entry and its labels at once. A server that evicts may evict indexes, and a purge by label then misses
their entries; one of everything does not.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from aiocache.backends.redis import RedisCache  # type: ignore[import-untyped]
from aiocache.serializers import BaseSerializer  # type: ignore[import-untyped]
from redis.exceptions import ResponseError

from imgserve.adapters.redis_client import UNHURRIED_S, RedisLink, RedisRefusesError
from imgserve.adapters.stores.redis_doubts import Doubts
from imgserve.adapters.stores.redis_envelope import BROKEN, Envelope, label_bytes, pack, unpack
from imgserve.adapters.stores.redis_scripts import DELETE, PURGE, PUT, REVOKE
from imgserve.ports import EVERYTHING, Selector, Stored, StoreError, never

#: A whole purge. Round trips of it are bounded by UNHURRIED_S, so a hung server is noticed long before.
PURGE_TIMEOUT_S: Final = 30.0
#: Keys that one round trip of a purge may look at: about 2 ms in which Redis answers nobody else.
CHUNK_KEYS: Final = 500
#: Keys that one SCAN looks through.
SCAN_KEYS: Final = 1000
#: For so long a put that was given up may be under way, in the buffers of a hung server or of a network.
REVOKED_S: Final = 600


class Heard(Protocol):
    """How far a process has heard of purges, see bulletins.redis."""

    stream: str

    def heard(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Put:
    """An entry on its way, with the name by which it can be revoked."""

    envelope: Envelope
    ticket: str


class _EnvelopeSerializer(BaseSerializer):  # type: ignore[misc]
    """Between aiocache and the envelope; its own serializers decode as UTF-8 or trust pickle."""

    DEFAULT_ENCODING = None

    def dumps(self, value: _Put) -> tuple[_Put, bytes]:
        return value, pack(value.envelope)

    def loads(self, value: bytes | None) -> Envelope | None:
        return None if value is None else unpack(value)


class _EntryCache(RedisCache):  # type: ignore[misc]
    """aiocache's Redis backend whose `set` writes the labels of an entry with it."""

    def __init__(self, link: RedisLink, prefix: str, heard: Heard | None) -> None:
        # It would build a pool of its own from host and port, so no TLS, user or socket; this one is given it ready.
        # No time-out here: its wait_for makes a task for every operation, and `asking` bounds the whole.
        super().__init__(
            serializer=_EnvelopeSerializer(),
            namespace=f"{prefix}:entry",
            timeout=None,
            connection_pool_class=lambda **_: link.pool,
        )
        self._names = _Names(prefix)
        self._heard = heard

    async def _set(self, key: str, value: tuple[_Put, bytes], ttl: float | None = None, **_: Any) -> bool:
        put, packed = value
        labels = dict.fromkeys(put.envelope.stored.labels)
        stream, heard = ("", "") if self._heard is None else (self._heard.stream, self._heard.heard())
        names = [key, self._names.revoked(put.ticket), stream, *map(self._names.index, labels)]
        lease_ms = 0 if ttl is None else max(1, int(ttl * 1000))
        begin = self._names.indexes
        return bool(await self.client.eval(PUT, len(names), *names, packed, put.envelope.key, lease_ms, begin, heard))


class _Names:
    """The names of keys in Redis."""

    def __init__(self, prefix: str) -> None:
        self.entries = f"{prefix}:entry:".encode()
        self.indexes = f"{prefix}:labels:".encode()
        self._revoked = f"{prefix}:revoked:".encode()

    def entry(self, key: str) -> bytes:
        return self.entries + key.encode()

    def index(self, label: str) -> bytes:
        return self.indexes + label_bytes(label)

    def revoked(self, ticket: str) -> bytes:
        return self._revoked + ticket.encode()


class RedisStore:
    """Entries in Redis; see ports.Store. A broken, hung or slow server is a StoreError within `timeout_s`."""

    name = "redis"

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 0.05,
        max_entry_bytes: int,
        prefix: str = "imgserve",
        purge_timeout_s: float = PURGE_TIMEOUT_S,
        heard: Heard | None = None,
    ) -> None:
        """With `heard`, nothing is put by a process that has not heard of the last purge."""
        self._link = RedisLink(url)
        self._entries = _EntryCache(self._link, prefix, heard)
        self._names = _Names(prefix)
        self._doubts = Doubts(self._take_back)
        self._puts: set[asyncio.Task[bool]] = set()
        self._closing = False
        self._timeout_s = timeout_s
        self._purge_timeout_s = purge_timeout_s
        self._max_entry_bytes = max_entry_bytes

    async def get(self, key: str) -> Stored | None:
        async with self._link.asking(self._timeout_s):
            try:
                found = cast("Envelope | None", await self._entries.get(key))
            except ResponseError:  # a value of another kind, a list say; were it anything else, deleting fails too
                found = BROKEN
            if found is not None and found.key != key:
                await self._entries.delete(key)
                return None
        return found.stored if found else None

    async def put(self, key: str, stored: Stored, *, unless: Callable[[], bool] = never) -> bool:
        if stored.size > self._max_entry_bytes or unless():
            return False
        ttl_s = stored.expires_at - time.time() if stored.expires_at else None
        if ttl_s is not None and ttl_s <= 0:
            await self.delete(key)
            return True
        if self._closing:
            raise StoreError("The Redis store is closed.")
        # In a task of its own: whoever leaves, what was written is looked at again.
        writing = asyncio.create_task(self._put(key, stored, ttl_s, unless))
        self._puts.add(writing)
        writing.add_done_callback(self._written)
        return await asyncio.shield(writing)

    async def delete(self, key: str) -> None:
        try:
            async with self._link.asking(self._timeout_s):
                await self._forget(key)
        except RedisRefusesError:
            raise
        except StoreError:
            self._doubts.add(key)
            raise

    async def purge(self, selector: Selector) -> int:
        try:
            async with asyncio.timeout(self._purge_timeout_s):
                return await self._purge(selector)
        except TimeoutError as exc:
            raise StoreError(f"The purge in Redis took longer than {self._purge_timeout_s} s.") from exc

    async def close(self) -> None:
        self._closing = True
        if self._puts:
            await asyncio.wait(self._puts)
        await self._doubts.close()
        await self._link.close()

    async def _put(self, key: str, stored: Stored, ttl_s: float | None, unless: Callable[[], bool]) -> bool:
        ticket, sent = secrets.token_hex(8), False
        try:
            # Not while Redis counts as broken: what a hung server does not read, this process would keep in memory.
            async with self._link.asking(max(UNHURRIED_S, self._timeout_s), when_broken="refuse"):
                sent = True
                if not await self._entries.set(key, _Put(Envelope(key, stored), ticket), ttl=ttl_s):
                    return False
        except RedisRefusesError:
            raise
        except StoreError:
            if sent:
                self._doubts.add(key, ticket)
            raise
        if not unless():
            return True
        # A purge was told of while it was written, and may have gone through Redis before it.
        try:
            await self._take_back(key, ticket)
        except StoreError:
            self._doubts.add(key, ticket)
            raise
        return False

    def _written(self, writing: asyncio.Task[bool]) -> None:
        self._puts.discard(writing)
        if not writing.cancelled():
            writing.exception()  # else asyncio logs it where nobody waits any more

    async def _take_back(self, key: str, ticket: str | None) -> None:
        async with self._link.asking(max(UNHURRIED_S, self._timeout_s), when_broken="insist"):
            await (self._forget(key) if ticket is None else self._revoke(key, ticket))

    async def _forget(self, key: str) -> None:
        await self._link.client.eval(DELETE, 1, self._names.entry(key), key, self._names.indexes)

    async def _revoke(self, key: str, ticket: str) -> None:
        names = self._names.entry(key), self._names.revoked(ticket)
        await self._link.client.eval(REVOKE, len(names), *names, key, self._names.indexes, REVOKED_S * 1000)

    async def _purge(self, selector: Selector) -> int:
        wanted = self._names.index(selector.label)
        if not selector.prefix:
            return await self._empty([wanted])
        gone = 0
        if selector == EVERYTHING:
            async for entries in self._scan(self._names.entries):
                async with self._link.asking(UNHURRIED_S, when_broken="insist"):
                    gone += int(await self._link.client.unlink(*entries))
        # Indexes last, and through the script: it deletes, with its membership, what was put in the meantime.
        async for indexes in self._scan(wanted):
            gone += await self._empty(indexes)
        return gone

    async def _empty(self, indexes: Sequence[bytes]) -> int:
        gone = 0
        while indexes:
            async with self._link.asking(UNHURRIED_S, when_broken="insist"):
                went, done = await self._link.client.eval(
                    PURGE, len(indexes), *indexes, self._names.entries, self._names.indexes, CHUNK_KEYS
                )
            gone += went
            indexes = indexes[done:]
        return gone

    async def _scan(self, start: bytes) -> AsyncIterator[list[bytes]]:
        """Yield, in chunks, the names that begin with `start`."""
        cursor = 0
        while True:
            async with self._link.asking(UNHURRIED_S, when_broken="insist"):
                answer: Any = await self._link.client.scan(cursor, match=_escaped(start) + b"*", count=SCAN_KEYS)
            cursor, names = answer
            if found := [name for name in names if name.startswith(start)]:
                yield found
            if not cursor:
                return


def _escaped(text: bytes) -> bytes:
    """Take from a glob's characters their meaning; URLs have ? and may have the others."""
    return re.sub(rb"[\\*?\[\]]", rb"\\\g<0>", text)
