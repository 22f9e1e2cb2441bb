"""Give up a process whose render threads do not come back: its supervisor starts another."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Final, Protocol

from imgserve.app.exits import EXIT_STUCK
from imgserve.service.readiness import Readiness

logger = logging.getLogger(__name__)

#: Time for answers that need no render; those that do have nobody left to make them.
DRAIN_S: Final = 5.0
_LOOK_EVERY_S: Final = 1.0


class Pool(Protocol):
    """The part of the render pool that is looked at."""

    threads: int
    stuck: int

    @property
    def pending(self) -> int: ...


def leave() -> None:
    """End the process at once: a normal exit would wait for the stuck threads' libraries."""
    logging.shutdown()
    os._exit(EXIT_STUCK)


async def recycle_when_stuck(
    pool: Pool,
    readiness: Readiness,
    *,
    end: Callable[[], None] = leave,
    drain_s: float = DRAIN_S,
    look_every_s: float = _LOOK_EVERY_S,
) -> None:
    """Wait until no render thread is left, then say so, let the rest drain, and end the process."""
    while pool.stuck < pool.threads:  # noqa: ASYNC110 - once a second is soon enough, and costs the pool nothing
        await asyncio.sleep(look_every_s)
    readiness.fail()
    logger.critical("all %d render threads are stuck; this process ends and wants to be started again", pool.threads)
    until = time.monotonic() + drain_s
    while pool.pending > pool.stuck and time.monotonic() < until:  # noqa: ASYNC110 - the same
        await asyncio.sleep(min(look_every_s, drain_s))
    end()
