"""The tier of a fleet: entries in Redis through aiocache, with a set per label for purges.

Keys: `<prefix>:entry:<key>` is an envelope, `<prefix>:label:<label>` the set of keys that have the label. One server
(or its fail-over pair), no cluster: a script touches an entry and its labels at once. A server that evicts may evict
label sets, and a purge by label then misses their entries; one of everything does not.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, cast

from aiocache.backends.redis import RedisCache  # type: ignore[import-untyped]
from aiocache.serializers import BaseSerializer  # type: ignore[import-untyped]
from redis.exceptions import ResponseError

from imgserve.adapters.redis_client import UNHURRIED_S, RedisLink
from imgserve.adapters.stores.redis_envelope import BROKEN, Envelope, label_bytes, pack, unpack
from imgserve.ports import EVERYTHING, Selector, Stored, StoreError, never

#: A whole purge. Round trips of it are bounded by UNHURRIED_S, so a hung server is noticed long before.
PURGE_TIMEOUT_S: Final = 30.0
#: Keys that one round trip of a purge may look at: about 2 ms in which Redis answers nobody else.
CHUNK_KEYS: Final = 500
#: Keys that one SCAN looks through.
SCAN_KEYS: Final = 1000

#: Write an entry and its labels at once: in two steps, a purge between them would leave an entry that no label knows.
#: A set lives as long as the longest of its entries; its life only gets longer.
#: KEYS entry, label sets; ARGV envelope, key, milliseconds (0 = for ever).
PUT: Final = """
local lease = tonumber(ARGV[3])
for i = 2, #KEYS do
  local left = redis.call('PTTL', KEYS[i])
  redis.call('SADD', KEYS[i], ARGV[2])
  if lease == 0 then
    redis.call('PERSIST', KEYS[i])
  elseif left == -2 or (left >= 0 and left < lease) then
    redis.call('PEXPIRE', KEYS[i], lease)
  end
end
if lease == 0 then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', lease)
end
return 1
"""

#: Empty label sets: an entry that still has the label goes, one that was replaced by another without it stays. Reads
#: the head of an envelope as redis_envelope writes it. Gives how many entries went, and how many sets are done.
#: KEYS label sets; ARGV what entries begin with, length of what sets begin with, keys to look at.
PURGE: Final = """
local left, gone = tonumber(ARGV[3]), 0
local function has(entry, label)
  local start = redis.pcall('GETRANGE', entry, 0, 11)
  if type(start) ~= 'string' or #start < 12 then return false end
  local head = redis.call('GETRANGE', entry, 12, 11 + struct.unpack('>I4', start, 9))
  local place, field = 13, nil
  while place + 3 <= #head do
    local bytes = struct.unpack('>I4', head, place)
    field, place = string.sub(head, place + 4, place + 3 + bytes), place + 4 + bytes
    if field == label then return true end
  end
  return false
end
for i, set in ipairs(KEYS) do
  if left <= 0 then return {gone, i - 1} end
  local label = string.sub(set, tonumber(ARGV[2]) + 1)
  for _, key in ipairs(redis.call('SPOP', set, left)) do
    left = left - 1
    if has(ARGV[1] .. key, label) then gone = gone + redis.call('UNLINK', ARGV[1] .. key) end
  end
  if redis.call('EXISTS', set) == 1 then return {gone, i - 1} end
end
return {gone, #KEYS}
"""


class _EnvelopeSerializer(BaseSerializer):  # type: ignore[misc]
    """Between aiocache and the envelope; its own serializers decode as UTF-8 or trust pickle."""

    DEFAULT_ENCODING = None

    def dumps(self, value: Envelope) -> tuple[Envelope, bytes]:
        return value, pack(value)

    def loads(self, value: bytes | None) -> Envelope | None:
        return None if value is None else unpack(value)


class _EntryCache(RedisCache):  # type: ignore[misc]
    """aiocache's Redis backend whose `set` writes the labels of an entry with it."""

    def __init__(self, link: RedisLink, prefix: str) -> None:
        # It would build a pool of its own from host and port, so no TLS, user or socket; this one is given it ready.
        # No time-out here: its wait_for makes a task for every operation, and `asking` bounds the whole.
        super().__init__(
            serializer=_EnvelopeSerializer(),
            namespace=f"{prefix}:entry",
            timeout=None,
            connection_pool_class=lambda **_: link.pool,
        )
        self._label_start = f"{prefix}:label:".encode()

    async def _set(self, key: str, value: tuple[Envelope, bytes], ttl: float | None = None, **_: Any) -> bool:
        envelope, packed = value
        sets = [self._label_start + label_bytes(label) for label in dict.fromkeys(envelope.stored.labels)]
        lease_ms = 0 if ttl is None else max(1, int(ttl * 1000))
        await self.client.eval(PUT, 1 + len(sets), key, *sets, packed, envelope.key, lease_ms)
        return True


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
    ) -> None:
        self._link = RedisLink(url)
        self._entries = _EntryCache(self._link, prefix)
        self._entry_start = f"{prefix}:entry:".encode()
        self._label_start = f"{prefix}:label:".encode()
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
        # Not tried while Redis counts as broken: what a hung server does not read, this process would keep in memory.
        async with self._link.asking(max(UNHURRIED_S, self._timeout_s), when_broken="refuse"):
            await self._entries.set(key, Envelope(key, stored), ttl=ttl_s)
        return True

    async def delete(self, key: str) -> None:
        async with self._link.asking(self._timeout_s):
            await self._entries.delete(key)

    async def purge(self, selector: Selector) -> int:
        try:
            async with asyncio.timeout(self._purge_timeout_s):
                return await self._purge(selector)
        except TimeoutError as exc:
            raise StoreError(f"The purge in Redis took longer than {self._purge_timeout_s} s.") from exc

    async def close(self) -> None:
        await self._link.close()

    async def _purge(self, selector: Selector) -> int:
        wanted = self._label_start + label_bytes(selector.label)
        if not selector.prefix:
            return await self._empty([wanted])
        gone = 0
        if selector == EVERYTHING:
            async for entries in self._scan(self._entry_start):
                async with self._link.asking(UNHURRIED_S, when_broken="insist"):
                    gone += int(await self._link.client.unlink(*entries))
        # Sets last, and through the script: it deletes, with its membership, what was put in the meantime.
        async for sets in self._scan(wanted):
            gone += await self._empty(sets)
        return gone

    async def _empty(self, sets: Sequence[bytes]) -> int:
        gone = 0
        while sets:
            async with self._link.asking(UNHURRIED_S, when_broken="insist"):
                went, done = await self._link.client.eval(
                    PURGE, len(sets), *sets, self._entry_start, len(self._label_start), CHUNK_KEYS
                )
            gone += went
            sets = sets[done:]
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
