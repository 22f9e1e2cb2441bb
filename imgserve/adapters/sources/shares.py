"""How much of the connection pool one origin may have: a slow one must not take what the others need."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

#: Scheme, host and port; None for the scheme's own port.
OriginKey = tuple[str, str, int | None]


@dataclass(slots=True)
class _Share:
    free: asyncio.Semaphore
    #: Requests that hold a part of it or wait for one.
    users: int = 0


class OriginShares:
    """Let `each` requests of an origin through at once; origins that nobody asks are forgotten."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._shares: dict[OriginKey, _Share] = {}

    def __len__(self) -> int:
        return len(self._shares)

    async def take(self, origin: OriginKey, *, timeout_s: float | None) -> None:
        """Wait for a part of the origin's share, to be given back; raises TimeoutError."""
        share = self._shares.setdefault(origin, _Share(asyncio.Semaphore(self._each)))
        share.users += 1
        try:
            async with asyncio.timeout(timeout_s):
                await share.free.acquire()
        except (TimeoutError, asyncio.CancelledError):
            self._leave(origin, share)
            raise

    def give_back(self, origin: OriginKey) -> None:
        share = self._shares[origin]
        share.free.release()
        self._leave(origin, share)

    def _leave(self, origin: OriginKey, share: _Share) -> None:
        share.users -= 1
        if not share.users:
            del self._shares[origin]
