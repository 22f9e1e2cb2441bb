"""All variants of a source, made in a process beside this one and handed over one by one: for work ahead of requests.

Unlike engine.idle, somebody waits for it. So it is nice, not idle: behind requests, which get nine tenths of a CPU that
both want, but never at a standstill, as work of the idle class is for as long as the server is busy.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from collections.abc import AsyncGenerator, Sequence
from multiprocessing.connection import Connection
from typing import Any, Final

from imgserve.engine.deadline import Deadline
from imgserve.engine.idle import step_behind
from imgserve.engine.intent import EngineConfig
from imgserve.engine.libvips import configure_libvips
from imgserve.engine.sharing import Variant
from imgserve.engine.variants import Outcome, render_variants
from imgserve.errors import RenderTimeout

#: The kernel gives such a process a tenth of what one that is not nice gets.
_NICE: Final = 10
#: A fresh process after so many sources: what leaks, leaks no further.
_SOURCES_A_PROCESS: Final = 100
#: A render that is inside of an encoder ends itself this much late; then its process is ended.
_GRACE_S: Final = 30.0

Task = tuple[bytes, Sequence[Variant], EngineConfig, float]


class BesideProcess:
    """One process, started with its first source; `timeout_s` bounds all variants of one source together."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._process: Any = None
        self._line: Connection | None = None
        self._sources = 0

    async def render(
        self, source: bytes, variants: Sequence[Variant], *, config: EngineConfig
    ) -> AsyncGenerator[Outcome, None]:
        """Give what `render_variants` gives, as it is made; one source at a time, and close the iterator (aclosing).

        Whoever leaves early ends the process, and its work with it. Raises RenderTimeout where it hung or died.
        """
        line = self._line or self._started()
        self._sources += 1
        ends_at = time.monotonic() + self._timeout_s + _GRACE_S
        left = len(variants)
        task: Task = source, tuple(variants), config, self._timeout_s
        try:
            await asyncio.wait_for(asyncio.to_thread(line.send, task), ends_at - time.monotonic())
            while left:
                got: Outcome = await asyncio.wait_for(asyncio.to_thread(line.recv), ends_at - time.monotonic())
                left -= 1
                yield got
        except (EOFError, OSError) as gone:  # TimeoutError is one
            raise RenderTimeout("The variants took too long to make, or ended their process.") from gone
        finally:
            if left or self._sources >= _SOURCES_A_PROCESS:
                await self.end()

    def _started(self) -> Connection:
        spawning = multiprocessing.get_context("spawn")
        ours, theirs = spawning.Pipe()
        self._process = spawning.Process(target=_work, args=(theirs,), name="imgserve-beside", daemon=True)
        self._process.start()
        theirs.close()  # so that its end is seen here
        self._line, self._sources = ours, 0
        return ours

    async def end(self) -> None:
        """End the process at once, if there is one; the next render starts another."""
        process, self._process, self._line = self._process, None, None
        if process is not None:
            process.kill()
            await asyncio.to_thread(process.join)


def _work(line: Connection) -> None:
    """Serve sources until the other end is closed, by the death of its process too."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    step_behind(nice=_NICE)
    configure_libvips()
    while True:
        try:
            source, variants, config, timeout_s = line.recv()
            for outcome in render_variants(source, variants, config=config, deadline=Deadline(timeout_s)):
                line.send(outcome)
        except (EOFError, ConnectionError):
            return
