"""A point in time after which a render stops: checked between stages, and able to stop libvips inside one."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator

import pyvips

from imgserve.errors import ImageRefused, RenderTimeout


class Deadline:
    """One per render; shared by the thread that works and the event loop that waits for it."""

    def __init__(self, timeout_s: float = math.inf) -> None:
        self.timeout_s = timeout_s
        self._ends_at = time.monotonic() + timeout_s
        self._lock = threading.Lock()
        self._images: list[pyvips.Image] = []
        self._killed = False

    @property
    def remaining_s(self) -> float:
        return self._ends_at - time.monotonic()

    @property
    def over(self) -> bool:
        return self._killed or self.remaining_s <= 0

    def check(self) -> None:
        """Raise RenderTimeout when the time is up or the work was killed."""
        if self.over:
            raise self.error()

    def error(self) -> RenderTimeout:
        return RenderTimeout("The image took too long to make; ask for a smaller one or try again later.")

    def watch(self, image: pyvips.Image) -> pyvips.Image:
        """Let `kill` reach the work on this picture and on all that is made of it lazily."""
        with self._lock:
            self._images.append(image)
            if self._killed:
                image.set_kill(True)
        return image

    def kill(self) -> None:
        """Stop the work as soon as libvips asks for the next pixels; for any thread."""
        with self._lock:
            self._killed = True
            for image in self._images:
                image.set_kill(True)

    def release(self) -> None:
        """Forget the pictures, so that their memory goes when the render ends."""
        with self._lock:
            self._images.clear()


@contextlib.contextmanager
def decoding(deadline: Deadline) -> Iterator[None]:
    """Turn what libvips raises over a source into ImageRefused or RenderTimeout; at the end its pictures are let go."""
    try:
        yield
    except pyvips.Error as error:
        if deadline.over:
            raise deadline.error() from error
        raise ImageRefused("The source is broken, or holds something that cannot be decoded.") from error
    finally:
        deadline.release()
