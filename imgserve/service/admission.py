"""What a process takes in at a time, so that a flood is told at once instead of waited out: requests, and bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from imgserve import metrics
from imgserve.errors import QueueFull

#: A request takes tens of milliseconds, so a place is free long before this.
_RETRY_AFTER_S: Final = 1

#: What a body of unknown length counts until it is there.
_UNKNOWN_BYTES: Final = 1 << 20


class Admission:
    """Counts requests between their parsing and their answer; `limit` 0 = no bound."""

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self.inside = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the time of the block; raises QueueFull where none is left."""
        if self._limit and self.inside >= self._limit:
            metrics.refused("clients")
            raise QueueFull(
                f"This server works on {self.inside} images already; try again in a moment.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


class Share:
    """What one request takes of a budget."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._ended = False
        self.bytes = 0

    def expect(self, length: int | None) -> None:
        """Take room for a body that is about to be read, or has grown to this; raises QueueFull where there is none."""
        if self._ended:  # who began the download has left; it goes on for others, who count it when they have it
            return
        wanted = length or _UNKNOWN_BYTES
        if wanted > self.bytes:
            self._budget.check(wanted, had=self.bytes)
        self.settle(wanted)

    def settle(self, size: int) -> None:
        """Count what the body really has."""
        self._budget.inside += size - self.bytes
        self.bytes = size

    def end(self) -> None:
        """Give all of it back, for good."""
        self.settle(0)
        self._ended = True


class ByteBudget:
    """Counts the bytes of sources between their download and the end of their render; `limit` 0 = no bound."""

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self.inside = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """Count for the time of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            share.end()

    def check(self, size: int, *, had: int = 0) -> None:
        """Refuse what is beyond the bound; one source always has room, however large. `had` is counted already."""
        others = self.inside - had
        if self._limit and others and others + size > self._limit:
            metrics.refused("bytes")
            raise QueueFull(
                "The sources of the images that are being made fill this server; try again in a moment.",
                retry_after_s=_RETRY_AFTER_S,
            )


class Place:
    """That of one job among those that are on their way to a render."""

    def __init__(self, ahead: Ahead, *, near: bool) -> None:
        self._ahead = ahead
        self._near = near
        self._taken = True
        ahead.count(1, near=near)

    def leave(self) -> None:
        """Give it up, once or more: the render counts the job from here on."""
        if self._taken:
            self._taken = False
            self._ahead.count(-1, near=self._near)


class Ahead:
    """Counts jobs between the check that there is room for their render and the render.

    Without it a burst passes the check as a whole, reads its sources, and most of it is refused after that. Downloads
    may take long, so that `free_downloads` of them do not count.
    """

    def __init__(self, *, free_downloads: int = 128) -> None:
        self._free = free_downloads
        self._near = 0
        self._far = 0

    @property
    def inside(self) -> int:
        """Jobs that will want a place in the queue in a moment."""
        return self._near + max(0, self._far - self._free)

    def count(self, change: int, *, near: bool) -> None:
        if near:
            self._near += change
        else:
            self._far += change

    @contextmanager
    def place(self, *, near: bool) -> Iterator[Place]:
        """Count a job for the time of the block, or until it leaves; `near` ones need no download."""
        place = Place(self, near=near)
        try:
            yield place
        finally:
            place.leave()
