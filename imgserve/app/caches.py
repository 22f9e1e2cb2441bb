"""From settings to caches: stores in their order, locks and bulletins between processes, and the rules of time."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imgserve.adapters.bulletins.file import FileBulletin
from imgserve.adapters.locks.file import FileLocks
from imgserve.adapters.stores.disk import DiskStore
from imgserve.adapters.stores.memory import MemoryStore
from imgserve.errors import ConfigError
from imgserve.ports import Bulletin, FleetBulletin, Locks, Store
from imgserve.service.freshness import KeepingRules
from imgserve.service.negatives import Negatives
from imgserve.service.purges import Purges
from imgserve.service.results import ResultCache
from imgserve.service.source_cache import SourceCache
from imgserve.service.tiers import Tiers
from imgserve.service.uploads import SCHEME as UPLOAD_SCHEME
from imgserve.service.uploads import Uploads
from imgserve.settings import Settings

if TYPE_CHECKING:
    from imgserve.adapters.bulletins.redis import RedisBulletin

#: Schemes whose sources are as near as a cache would be.
NEAR: Final = ("local",)

#: What is being written when the server stops has this long.
_CLOSE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """All that is kept, and what keeps processes from making it twice."""

    results: ResultCache
    downloads: SourceCache
    purges: Purges
    sources: Tiers
    locks: tuple[Locks, ...] = ()
    fleet: FleetBulletin | None = None

    async def start(self) -> None:
        if self.fleet is not None:
            await self.fleet.start()
        self.purges.start()

    async def close(self) -> None:
        """Finish what is being written, and give everything back."""
        await self.results.close(timeout_s=_CLOSE_S)
        await self.results.tiers.close(timeout_s=_CLOSE_S)
        await self.sources.close(timeout_s=_CLOSE_S)
        for lock in self.locks:
            await lock.close()
        await self.purges.close()


def build_caches(settings: Settings, *, slow: Collection[str] = ("s3",)) -> Caches:
    """Make every tier of the settings; for puts into `slow` ones nobody waits. Raises ConfigError."""
    cache = settings.cache
    rules = keeping_rules(settings)
    negatives = Negatives(ttl_s=0 if cache.cache == ("off",) else settings.caching.source_error_ttl)
    if cache.cache == ("off",):
        return _caches(rules, negatives, results=Tiers(), sources=Tiers())
    try:
        folder = cache_folder(settings)
    except ConfigError as wrong:
        raise ConfigError(cache_problems(settings)) from wrong
    fleet = _bulletin(settings)
    results = Tiers(
        _stores(settings, folder, fleet),
        memory=MemoryStore(cache.memory_cache_size) if "memory" in cache.cache else None,
        fleet=("redis", "s3"),
        slow=slow,
    )
    sources = Tiers(
        [DiskStore(folder / "sources", cache.source_cache_size, name="sources")] if cache.source_cache_size else []
    )
    locks: list[Locks] = [FileLocks(folder / "locks")]
    if "redis" in cache.cache:
        from imgserve.adapters.locks.redis import RedisLocks

        locks.append(RedisLocks(cache.redis_url, timeout_s=cache.redis_timeout, lease_s=cache.lock_lease))
    return _caches(
        rules,
        negatives,
        results=results,
        sources=sources,
        locks=tuple(locks),
        lease_s=cache.lock_lease,
        machine=FileBulletin(folder / "bulletin"),
        fleet=fleet,
    )


def build_uploads(caches: Caches, settings: Settings) -> Uploads:
    """Make what keeps pictures that were sent here: in the tiers of results, past the memory of processes."""
    return Uploads(tiers=caches.results.below_memory().tiers, purges=caches.purges, ttl_s=settings.jobs.upload_ttl)


def keeping_rules(settings: Settings) -> KeepingRules:
    cache = settings.cache
    return KeepingRules(
        ttl_s=cache.cache_ttl,
        stale_while_revalidate_s=cache.stale_while_revalidate,
        stale_if_error_s=cache.stale_if_error,
    )


def _caches(
    rules: KeepingRules,
    negatives: Negatives,
    *,
    results: Tiers,
    sources: Tiers,
    locks: tuple[Locks, ...] = (),
    lease_s: float = 0.0,
    machine: Bulletin | None = None,
    fleet: FleetBulletin | None = None,
) -> Caches:
    purges = Purges(results=results, sources=sources, negatives=negatives, machine=machine, fleet=fleet)
    return Caches(
        results=ResultCache(
            tiers=results, purges=purges, rules=rules, negatives=negatives, locks=locks, lease_s=lease_s, near=NEAR
        ),
        downloads=SourceCache(
            tiers=sources,
            purges=purges,
            rules=rules,
            negatives=negatives,
            # The sources of a machine are its own: the fleet's locks would only slow it down.
            locks=locks[:1],
            lease_s=lease_s,
            unkept=(*NEAR, UPLOAD_SCHEME),
        ),
        purges=purges,
        sources=sources,
        locks=locks,
        fleet=fleet,
    )


def _bulletin(settings: Settings) -> RedisBulletin | None:
    """Make what tells a fleet of purges; raises ConfigError."""
    cache = settings.cache
    if "redis" not in cache.cache:
        return None
    from imgserve.adapters.bulletins.redis import RedisBulletin

    try:
        return RedisBulletin(cache.redis_url, timeout_s=cache.redis_timeout)
    except ValueError as wrong:
        raise ConfigError([f"IMGSERVE_REDIS_URL: {wrong}"]) from wrong


def _stores(settings: Settings, folder: Path, bulletin: RedisBulletin | None = None) -> list[Store]:
    """Make the tiers below memory; raises ConfigError with every mistake."""
    made: list[Store] = []
    problems: list[str] = []
    for tier in settings.cache.cache:
        if tier != "memory":
            try:
                made.append(make_store(tier, settings, folder, bulletin))
            except ConfigError as wrong:
                problems += wrong.problems
    if problems:
        raise ConfigError(problems)
    return made


def make_store(tier: str, settings: Settings, folder: Path, bulletin: RedisBulletin | None = None) -> Store:
    """Make one of the tiers below memory; what needs a library of its own loads it only then. Raises ConfigError.

    With `bulletin`, Redis is given nothing before the last purge was heard of.
    """
    cache = settings.cache
    if tier == "disk":
        return DiskStore(folder / "results", cache.disk_cache_size)
    if tier == "s3":
        return _s3_store(settings)
    from imgserve.adapters.stores.redis import RedisStore

    try:
        return RedisStore(
            cache.redis_url,
            timeout_s=cache.redis_timeout,
            max_entry_bytes=cache.redis_max_entry_size,
            heard=bulletin,
        )
    except ValueError as wrong:
        raise ConfigError([f"IMGSERVE_REDIS_URL: {wrong}"]) from wrong


def cache_problems(settings: Settings) -> list[str]:
    """Try what the caches need without opening them; gives the mistakes."""
    if settings.cache.cache == ("off",):
        return []
    problems: list[str] = []
    remote = replace(settings, cache=replace(settings.cache, cache=_remote(settings)))
    for attempt in (lambda: cache_folder(settings), lambda: _stores(remote, Path())):
        try:
            attempt()
        except ConfigError as wrong:
            problems += wrong.problems
    return problems


def _remote(settings: Settings) -> tuple[str, ...]:
    return tuple(tier for tier in settings.cache.cache if tier in ("redis", "s3"))


def _s3_store(settings: Settings) -> Store:
    from imgserve.adapters.s3_client import S3Account
    from imgserve.adapters.stores.s3 import S3Store

    cache = settings.cache
    try:
        account = S3Account(
            region=cache.cache_s3_region or None,
            endpoint=cache.cache_s3_endpoint or None,
            path_style=cache.cache_s3_endpoint_use_path_style,
        )
    except ValueError as wrong:
        raise ConfigError([f"IMGSERVE_CACHE_S3_ENDPOINT: {wrong}"]) from wrong
    try:
        return S3Store(account, bucket=cache.cache_s3_bucket, prefix=cache.cache_s3_prefix)
    except ValueError as wrong:
        raise ConfigError([f"IMGSERVE_CACHE_S3_PREFIX: {wrong}"]) from wrong


def cache_folder(settings: Settings) -> Path:
    """Give the folder of this machine's caches, made if need be; raises ConfigError."""
    try:
        folder = settings.cache.folder
    except RuntimeError as wrong:
        raise ConfigError([f"IMGSERVE_CACHE_PATH: expected a folder, as there is no home for one ({wrong})"]) from wrong
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as wrong:
        raise ConfigError([f"IMGSERVE_CACHE_PATH: the folder {folder} cannot be made ({wrong})"]) from wrong
    if not writable:
        raise ConfigError(
            [f"IMGSERVE_CACHE_PATH: the folder {folder} cannot be written; IMGSERVE_CACHE=off needs none"]
        )
    return folder
