"""Locks of all kinds as one: held by the one process that makes something, until it is where the others find it."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from imgserve.ports import Locks
from imgserve.service.flights import Background


class Holding:
    """`async with Holding(...)`: locks that are had in time are held, what cannot be had is gone without."""

    def __init__(self, locks: Sequence[Locks], key: str, *, wait_s: float) -> None:
        self._locks = locks
        self._key = key
        self._wait_s = wait_s
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        ends_at = time.monotonic() + self._wait_s
        async with AsyncExitStack() as entering:
            # Those of this machine first: of its processes, one at most asks the fleet's.
            for one in self._locks:
                await entering.enter_async_context(one.hold(self._key, wait_s=max(0.0, ends_at - time.monotonic())))
            self._stack = entering.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def until(self, background: Background, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Hold on until `work` is done in the background; the block may end before. Dropped where there is too much."""
        stack = self._stack.pop_all()

        async def finish() -> None:
            async with stack:
                await work()

        if not background.start(finish):
            self._stack = stack
