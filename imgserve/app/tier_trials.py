"""Each tier of the cache asked once, for `imgserve doctor`: where it is, and whether it works."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from imgserve.app.caches import cache_folder, make_store
from imgserve.errors import ConfigError
from imgserve.ports import Store, Stored, StoreError
from imgserve.settings import Settings

#: Nobody waits for a page here, and a first connection takes longer than any later question.
_REDIS_S: Final = 2.0
_KEY: Final = "0" * 64
_MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TierTrial:
    """One tier; `problem` says why it does not work, "" where it does."""

    tier: str
    place: str
    problem: str = ""


def try_tiers(settings: Settings) -> Iterator[TierTrial]:
    """Ask each tier of these settings for an entry that it does not have."""
    for tier in settings.cache.cache:
        if tier != "off":
            yield TierTrial(tier=tier, place=_place(tier, settings), problem=_problem(tier, settings))


def _place(tier: str, settings: Settings) -> str:
    cache = settings.cache
    if tier == "memory":
        return f"{_size(cache.memory_cache_size)} in each process"
    if tier == "disk":
        return f"{cache.folder}, {_size(cache.disk_cache_size)}"
    if tier == "redis":
        scheme, marker, rest = cache.redis_url.partition("://")
        # Neither user nor password, nor options that may have them.
        return scheme + marker + rest.rpartition("@")[2].partition("?")[0]
    return f"{cache.cache_s3_bucket}/{cache.cache_s3_prefix} at {cache.cache_s3_endpoint or 'AWS'}"


def _size(count: int) -> str:
    return f"{count / _MEBIBYTE:g} MiB" if count % _MEBIBYTE == 0 else f"{count} bytes"


def _problem(tier: str, settings: Settings) -> str:
    if tier == "memory":
        return ""
    cache = replace(settings.cache, redis_timeout=max(settings.cache.redis_timeout, _REDIS_S))
    settings = replace(settings, cache=cache)
    try:
        if tier != "disk":
            asyncio.run(_ask(make_store(tier, settings, Path())))
            return ""
        # A folder of its own: one of root's making would be closed to the server that runs as somebody else.
        with tempfile.TemporaryDirectory(prefix="doctor-", dir=cache_folder(settings)) as folder:
            asyncio.run(_write(make_store(tier, settings, Path(folder))))
    except ConfigError as wrong:
        return "; ".join(wrong.problems)
    except (StoreError, OSError) as broken:
        return str(broken)
    return ""


async def _ask(store: Store) -> None:
    try:
        await store.get(_KEY)
    finally:
        await store.close()


async def _write(store: Store) -> None:
    entry = Stored(meta=b"{}", body=b"a result", labels=(), expires_at=time.time() + 60)
    try:
        if await store.put(_KEY, entry) and await store.get(_KEY) is None:
            raise StoreError("What is written there cannot be read again.")
    finally:
        await store.close()
