"""What no request tells the metrics: the memory and the threads of this process, once a second."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from imgserve import metrics
from imgserve.engine.libvips import tracked
from imgserve.errors import ConfigError
from imgserve.settings import Settings

#: It costs 20 microseconds, and no scraper asks more often.
_EVERY_S: Final = 1.0


class Pool(Protocol):
    """The part of the render pool that is looked at."""

    threads: int


def check_namespace(settings: Settings) -> None:
    """Raise ConfigError where the names of metrics could not begin as the operator wants it."""
    if problem := metrics.namespace_problem(settings.monitoring.prometheus_namespace):
        raise ConfigError([f"IMGSERVE_PROMETHEUS_NAMESPACE: {problem}"])


@contextlib.contextmanager
def measuring(pool: Pool, *, flush: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Sample this process for the time of the block, and `flush` sums that are counted elsewhere, also at the end."""
    _sample(pool)
    timer = asyncio.create_task(_keep_measuring(pool, flush))
    try:
        yield
    finally:
        timer.cancel()
        flush()


async def _keep_measuring(pool: Pool, flush: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_EVERY_S)
        _sample(pool)
        flush()


def _sample(pool: Pool) -> None:
    taken = tracked()
    metrics.sample_process(
        threads=pool.threads,
        vips_bytes=taken.bytes,
        vips_max_bytes=taken.most_bytes,
        vips_allocs=taken.allocations,
    )
