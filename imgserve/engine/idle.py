"""Renders that nobody waits for: in a process beside this one, which gets the CPU only when nothing else wants it.

A thread would not do: libvips shares its threads between all renders of a process, so that those of a render with
little priority would do the work of others next.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from contextlib import aclosing

from imgserve.engine.beside import BesideProcess, step_behind
from imgserve.engine.frame import Transform
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import Rendered
from imgserve.engine.sharing import Variant
from imgserve.errors import ImgserveError


class IdlePool:
    """One process, started with its first render; `timeout_s` bounds a render, and the process with it."""

    def __init__(self, *, timeout_s: float) -> None:
        self._process = BesideProcess(timeout_s=timeout_s, step_back=_only_when_idle)

    async def render(
        self, source: bytes, *, intent: Intent, transforms: Sequence[Transform], config: EngineConfig
    ) -> Rendered:
        """Make a picture when the CPU is idle; one at a time. Whoever leaves early ends the process.

        Raises as `engine.pipeline.render` does, and as `BesideProcess.render` where the process hung, died or could
        not be started: all of them are ImgserveErrors, and the next render has a process that lives.
        """
        variant = Variant(intent=intent, transforms=tuple(transforms))
        async with aclosing(self._process.render(source, [variant], config=config)) as outcomes:
            [(_, outcome)] = [one async for one in outcomes]
        if isinstance(outcome, ImgserveError):
            raise outcome
        return outcome

    def close(self) -> None:
        """End the process at once; what it makes is not worth waiting for."""
        self._process.kill()


def _only_when_idle() -> None:
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    step_behind(nice=19)  # where there is no idle class
