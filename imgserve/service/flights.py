"""One flight for each key: requests for the same thing wait for the one that makes it already."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from imgserve.errors import ImgserveError

T = TypeVar("T")


class Since(Protocol):
    """A point in time, see `purges.Mark`."""

    def passed(self, labels: Sequence[str]) -> bool: ...

    def doubted(self, labels: Sequence[str]) -> bool: ...

    def hidden(self, labels: Sequence[str]) -> bool: ...

    async def purged(self, labels: Sequence[str]) -> bool: ...


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    since: Since | None
    waiters: int = 0


class Flights(Generic[T]):
    """Coalesces work inside a process.

    The work is a task of its own: whoever leaves leaves the others waiting, and when nobody waits it is cancelled.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    async def join(
        self,
        key: str,
        make: Callable[[], Coroutine[Any, Any, T]],
        *,
        since: Since | None = None,
        labels: Sequence[str] = (),
    ) -> tuple[T, bool]:
        """Wait for the work under `key`, which `make` begins if nobody has; also tell whether somebody had.

        Work on what was purged since it began is for those who wait for it already; who comes now begins anew.
        """
        flight = self._flights.get(key)
        if flight is not None and flight.since is not None and flight.since.passed(labels):
            flight = None
        joined = flight is not None
        if flight is None:
            flight = _Flight(asyncio.create_task(make()), since)
            self._flights[key] = flight
            flight.task.add_done_callback(lambda _: self._land(key, flight))
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task), joined
        except ImgserveError as error:
            if not joined:
                raise
            # One exception raised in many tasks would grow a traceback through all of them.
            raise copy.copy(error) from None
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                self._land(key, flight)
                flight.task.cancel()

    def _land(self, key: str, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


class Background:
    """Work that nobody waits for: bounded, and finished or dropped when the process ends."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Begin it; False when there is too much of it already."""
        if len(self._tasks) >= self._limit:
            return False
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def close(self, *, timeout_s: float) -> None:
        """Wait for what was begun, then cancel the rest."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(tuple(self._tasks), timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
