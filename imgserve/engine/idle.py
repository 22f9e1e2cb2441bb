"""Renders that nobody waits for: in a process of their own, which gets the CPU only when nothing else wants it.

A thread would not do: libvips shares its threads between all renders of a process, so that those of a render with
little priority would do the work of others next.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from imgserve.engine.deadline import Deadline
from imgserve.engine.frame import Transform
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.libvips import configure_libvips
from imgserve.engine.pipeline import Rendered, render
from imgserve.errors import RenderTimeout

#: A fresh process after so many renders: what leaks, leaks no further.
_RENDERS_A_PROCESS: Final = 500


class IdlePool:
    """One process, started with its first render; `timeout_s` bounds a render, and the process with it."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._pool: ProcessPoolExecutor | None = None

    async def render(
        self, source: bytes, *, intent: Intent, transforms: Sequence[Transform], config: EngineConfig
    ) -> Rendered:
        """Make a picture when the CPU is idle; raises as `engine.pipeline.render` does.

        RenderTimeout where the process died as well: it is started anew for the next.
        """
        pool = self._pool = self._pool or _started()
        work = asyncio.get_running_loop().run_in_executor(
            pool, _render, source, intent, tuple(transforms), config, self._timeout_s
        )
        try:
            # Twice: the render ends itself in time, unless it is inside of an encoder.
            return await asyncio.wait_for(work, 2 * self._timeout_s)
        except (TimeoutError, BrokenProcessPool) as gone:
            self._end()
            raise RenderTimeout("The image took too long to make, or ended its process.") from gone
        except asyncio.CancelledError:
            self._end()
            raise

    def close(self) -> None:
        self._end()

    def _end(self) -> None:
        """End the process at once; what it makes is not worth waiting for."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())  # noqa: SLF001 - it has no public way to end them
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            with contextlib.suppress(OSError, AttributeError):
                process.kill()


def _started() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        max_tasks_per_child=_RENDERS_A_PROCESS,
    )


def _begin() -> None:
    """Step behind everybody else, and leave signals to the process that serves."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    step_behind(nice=19)  # where there is no idle class
    configure_libvips()


def step_behind(*, nice: int) -> None:
    """Let other processes have the CPU first."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(nice)


def _render(
    source: bytes, intent: Intent, transforms: tuple[Transform, ...], config: EngineConfig, timeout_s: float
) -> Rendered:
    return render(source, intent=intent, transforms=transforms, config=config, deadline=Deadline(timeout_s))
