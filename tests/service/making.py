"""A renderer over sources in memory, stores in memory, and clocks that a test sets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from imgserve.adapters.stores.memory import MemoryStore
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.libvips import configure_libvips
from imgserve.engine.pool import RenderPool
from imgserve.errors import ImgserveError
from imgserve.ops.catalog import CATALOG
from imgserve.plan.model import Plan
from imgserve.plan.sources import AllowedSources
from imgserve.plan.url import Grammar, parse
from imgserve.ports import (
    Announce,
    Blob,
    Bulletin,
    Locks,
    Origin,
    Selector,
    SourceStream,
    Store,
    Stored,
    StoreError,
    never,
    unannounced,
)
from imgserve.service.admission import ByteBudget
from imgserve.service.freshness import KeepingRules
from imgserve.service.intents import Intents
from imgserve.service.negatives import Negatives
from imgserve.service.purges import Purges
from imgserve.service.render import Renderer
from imgserve.service.results import ResultCache
from imgserve.service.source_cache import SourceCache
from imgserve.service.tiers import Tiers


@dataclass(frozen=True)
class MemoryStream:
    """A blob that is read in pieces."""

    blob: Blob

    @property
    def origin(self) -> Origin:
        return self.blob.origin

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.blob.data), 1000):
            yield self.blob.data[at : at + 1000]


@dataclass
class MemorySource:
    """Gives one blob for every URL, and remembers what it was asked; answers 304 to its own ETag."""

    blob: Blob
    schemes: tuple[str, ...] = ("mem",)
    asked: list[tuple[str, int, Mapping[str, str]]] = field(default_factory=list)
    #: Raised in place of an answer.
    error: ImgserveError | None = None
    #: Waited for before each answer.
    gate: asyncio.Event | None = None

    async def fetch(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str], announce: Announce = unannounced
    ) -> Blob:
        self.asked.append((url, max_bytes, headers))
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        announce(len(self.blob.data))
        origin = self.blob.origin
        if origin.etag and headers.get("If-None-Match") == origin.etag:
            return Blob(data=b"", origin=Origin(status=304, etag=origin.etag, cache_control=origin.cache_control))
        return self.blob

    @asynccontextmanager
    async def open(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> AsyncIterator[SourceStream]:
        """As `fetch`; ranges mean nothing to it."""
        conditions = {name: value for name, value in headers.items() if name != "Range"}
        yield MemoryStream(await self.fetch(url, max_bytes=max_bytes, headers=conditions))

    async def close(self) -> None:
        pass


class SlowStore:
    """A store below memory, in a dictionary; it can be broken."""

    def __init__(self, name: str = "disk") -> None:
        self.name = name
        self.entries: dict[str, Stored] = {}
        self.broken = False
        self.puts = 0

    def _check(self) -> None:
        if self.broken:
            raise StoreError("broken by the test")

    async def get(self, key: str) -> Stored | None:
        self._check()
        return self.entries.get(key)

    async def put(self, key: str, stored: Stored, *, unless: Callable[[], bool] = never) -> bool:
        self._check()
        self.puts += 1
        self.entries[key] = stored
        return True

    async def delete(self, key: str) -> None:
        self._check()
        self.entries.pop(key, None)

    async def purge(self, selector: Selector) -> int:
        self._check()
        found = [key for key, stored in self.entries.items() if selector.matches(stored.labels)]
        for key in found:
            del self.entries[key]
        return len(found)

    async def close(self) -> None:
        pass


class Clock:
    """Unix time as a test wants it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Made:
    """A renderer and all that is around it."""

    renderer: Renderer
    source: MemorySource
    clock: Clock
    memory: MemoryStore | None
    below: list[SlowStore]
    sources: SlowStore | None
    purges: Purges

    async def settle(self) -> None:
        """Let what no request waits for be done."""
        for _ in range(3):
            await self.renderer.results.close(timeout_s=5)
            await self.renderer.results.tiers.background.close(timeout_s=5)
            await self.renderer.downloads.close(timeout_s=5)


def make(
    source: MemorySource,
    *,
    memory: bool = True,
    below: Sequence[SlowStore] = (),
    sources: SlowStore | None = None,
    near: tuple[str, ...] = (),
    rules: KeepingRules | None = None,
    queue_size: int = 8,
    max_bytes_in_flight: int = 0,
    shared: tuple[str, ...] = (),
    slow: tuple[str, ...] = (),
    fleet: Bulletin | None = None,
    locks: Sequence[Locks] = (),
) -> Made:
    """Make a renderer for mem:// sources.

    `below` are its tiers below memory, `shared` the names of those that a fleet shares, `sources` its source cache.
    """
    configure_libvips()
    clock = Clock()
    rules = rules or KeepingRules(ttl_s=100, stale_while_revalidate_s=100, stale_if_error_s=1000)
    store = MemoryStore(1 << 24, clock=clock) if memory else None
    stores: list[Store] = [*below]
    results = Tiers(stores, memory=store, fleet=shared, slow=slow)
    kept = Tiers([sources] if sources is not None else [])
    negatives = Negatives(ttl_s=10)
    purges = Purges(results=results, sources=kept, negatives=negatives, fleet=fleet, clock=clock)
    renderer = Renderer(
        sources={"mem": source},
        allowed=AllowedSources(),
        pool=RenderPool(threads=1, queue_size=queue_size),
        intents=Intents(Intent(quality=80)),
        config=EngineConfig(),
        epoch="1",
        results=ResultCache(
            tiers=results, purges=purges, rules=rules, negatives=negatives, near=near, clock=clock, locks=locks
        ),
        downloads=SourceCache(tiers=kept, purges=purges, rules=rules, negatives=negatives, unkept=near, clock=clock),
        bytes_in_flight=ByteBudget(max_bytes_in_flight),
    )
    return Made(renderer, source, clock, store, [*below], sources, purges)


def plan(text: str, source: str = "mem://a.jpg") -> Plan:
    return parse(f"{text}/plain/{source}", Grammar(catalog=CATALOG, allow_security_options=True))


def soon() -> float:
    return time.monotonic() + 10


@dataclass(frozen=True)
class Has:
    """A client that has what was made of one version of the source."""

    validator: str = ""

    @property
    def given(self) -> bool:
        return bool(self.validator)

    def origin_headers(self) -> Mapping[str, str]:
        return {"If-None-Match": self.validator.removeprefix("e")} if self.validator else {}

    def holds(self, validator: str, origin: Origin, *, draft: bool = False) -> bool:
        return bool(self.validator) and validator == self.validator


NOTHING = Has()
