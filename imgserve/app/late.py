"""Routes that are made when they are first asked for: a server's first picture does not wait for its API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send


class LateRoutes:
    """An ASGI app over routes that take a while to import and make: 50 ms of a start of 900."""

    def __init__(self, make: Callable[[], Sequence[BaseRoute]]) -> None:
        self._make = make
        self._making: asyncio.Task[Router] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._making is None or _has_failed(self._making):
            # In a thread: pictures in memory must not wait for it.
            self._making = asyncio.create_task(asyncio.to_thread(self._router))
        router = await asyncio.shield(self._making)
        await router(scope, receive, send)

    def _router(self) -> Router:
        return Router(routes=self._make(), redirect_slashes=False)


def _has_failed(making: asyncio.Task[Router]) -> bool:
    """Tell whether it is to be tried again: a disk that was full for a moment must not cost the API for ever."""
    return making.done() and (making.cancelled() or making.exception() is not None)
