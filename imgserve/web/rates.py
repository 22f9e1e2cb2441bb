"""How often the holder of a key may ask: counted across all processes, told in headers of every answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Protocol

from imgserve.errors import QueueUnavailable, RateLimited
from imgserve.ports.jobs import Allowance
from imgserve.web.exchange import Exchange

logger = logging.getLogger(__name__)

#: IMGSERVE_API_RATE is about a minute.
WINDOW_S: Final = 60
#: Clients share one count with nothing else that the queue counts.
_NAME: Final = "api:"


class Take(Protocol):
    """Counts one request, as `service.jobs.Jobs.take`; raises QueueUnavailable."""

    async def __call__(self, name: str, *, limit: int, window_s: int) -> Allowance: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Counts requests by key; a `limit` of 0 counts nothing."""

    take: Take
    limit: int

    async def count(self, exchange: Exchange, key: str) -> None:
        """Count a request and put what is left into its answer, whatever that will be; raises RateLimited."""
        if not self.limit:
            return
        try:
            left = await self.take(_NAME + key, limit=self.limit, window_s=WINDOW_S)
        except QueueUnavailable as broken:
            # A purge must work on the day on which the queue does not.
            logger.warning("requests of API key %s are not counted: %s", key, broken.message)
            return
        exchange.also(
            ("x-ratelimit-limit", str(left.limit)),
            ("x-ratelimit-remaining", str(left.remaining)),
            ("x-ratelimit-reset", str(left.reset_s)),
        )
        if not left.allowed:
            raise RateLimited(
                f"The key {key} has used its {left.limit} requests a minute (IMGSERVE_API_RATE); "
                f"wait {left.reset_s} seconds.",
                where="Authorization",
                expected=f"at most {left.limit} requests a minute",
                retry_after_s=left.reset_s,
            )
