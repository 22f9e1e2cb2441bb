"""All variants of a source, made in a process beside this one and handed over one by one: for work ahead of requests.

Unlike engine.idle, somebody waits for it. So it is nice, not idle: behind requests, which get nine tenths of a CPU that
both want, but never at a standstill, as work of the idle class is for as long as the server is busy.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final

from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig
from imgserve.engine.libvips import configure_libvips
from imgserve.engine.sharing import Variant
from imgserve.engine.variants import Outcome, render_variants
from imgserve.errors import RenderTimeout, Unavailable
from imgserve.lifeline import watch_parent

#: The kernel gives such a process a tenth of what one that is not nice gets.
_NICE: Final = 10
#: A fresh process after so many sources: what leaks, leaks no further.
_SOURCES_A_PROCESS: Final = 100
#: A render that is inside of an encoder ends itself this much late; then its process is ended.
_GRACE_S: Final = 30.0

Task = tuple[bytes, Sequence[Variant], EngineConfig, float]


def step_behind(*, nice: int = _NICE) -> None:
    """Let other processes have the CPU first."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(nice)


class BesideProcess:
    """One process, started with its first source; `timeout_s` bounds all variants of one source together.

    It calls `step_back`, a module's function, before its first source. It ends with the process that started it,
    however that ends and whatever it is at itself.
    """

    def __init__(self, *, timeout_s: float, step_back: Callable[[], None] = step_behind) -> None:
        self._timeout_s = timeout_s
        self._step_back = step_back
        self._process: SpawnProcess | None = None
        self._line: Connection | None = None
        self._sources = 0

    async def render(
        self, source: bytes, variants: Sequence[Variant], *, config: EngineConfig
    ) -> AsyncGenerator[Outcome, None]:
        """Give what `render_variants` gives, as it is made; one source at a time, and close the iterator (aclosing).

        Whoever leaves early ends the process, and its work with it. Raises RenderTimeout where it hung or died over
        this source, and Unavailable where none can be started; the next source has another process.
        """
        line = self._living()
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

    def _living(self) -> Connection:
        """Give the line to the process; one that died since its last source is replaced."""
        if self._line is not None and self._process is not None and self._process.is_alive():
            return self._line
        spawning = multiprocessing.get_context("spawn")
        try:
            ours, theirs = spawning.Pipe()
            with theirs:  # closed here, so that its end is seen
                process = spawning.Process(
                    target=_work, args=(theirs, self._step_back), name="imgserve-beside", daemon=True
                )
                process.start()
        except OSError as error:
            raise Unavailable("The server cannot start a process now; try again later.") from error
        self._process, self._line, self._sources = process, ours, 0
        return ours

    def kill(self) -> SpawnProcess | None:
        """End the process at once, if there is one, and give it to be waited for; the next render starts another."""
        process, self._process, self._line = self._process, None, None
        if process is not None:
            process.kill()
        return process

    async def end(self) -> None:
        """End the process at once, and wait until it is gone."""
        if (process := self.kill()) is not None:
            await asyncio.to_thread(process.join)


def _work(line: Connection, step_back: Callable[[], None]) -> None:
    """Serve sources until the other end is closed."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Before stepping back, which holds for this thread and those that it starts: looking does not wait for an idle CPU.
    watch_parent(lambda: os._exit(0))
    step_back()
    configure_libvips()
    while True:
        try:
            source, variants, config, timeout_s = line.recv()
            for outcome in render_variants(source, variants, config=config, deadline=Deadline(timeout_s)):
                line.send(outcome)
        except (EOFError, ConnectionError):
            return
