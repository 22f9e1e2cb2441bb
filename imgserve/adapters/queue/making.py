"""The process in which jobs are made: one order after the other, from a pipe.

It knows nothing of the queue. What it imports it pays for at each start, so this module imports little.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final, Protocol

from imgserve.errors import ImgserveError, LoadError, ProviderUnavailable, SourceTimeout, SourceUnreachable
from imgserve.lifeline import watch_parent
from imgserve.ports.jobs import JobOrder

#: The kernel gives such a process a tenth of what one that is not nice gets: requests come first.
NICE: Final = 10
#: Progress is passed on no more often: a heartbeat takes the last that it finds.
REPORT_S: Final = 0.1
#: What may be better the next time.
MENDED_BY_TIME: Final = (LoadError, ProviderUnavailable, SourceUnreachable, SourceTimeout)

Facts = Mapping[str, str | int | float]
#: Told the task and the share (0 to 1) of it that is done.
Report = Callable[[str, float], None]


class Maker(Protocol):
    """What makes the artefacts; lives in the child process, and is asked one order at a time."""

    def make(self, order: JobOrder, progress: Report) -> Facts:
        """Make it and keep it; give facts for the job's record.

        Doing it twice, or at the same time as another worker, must do no harm. Raises ImgserveError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    task: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    facts: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It raised an ImgserveError, which does not travel itself: its constructor wants keywords."""

    code: str
    message: str
    mended_by_time: bool
    retry_after_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broke:
    """It raised what no maker should: a bug."""

    traceback: str


Word = Progress | Made | Refused | Broke


def child_target(line: Connection, build: Callable[[], Maker]) -> None:
    """Serve orders until the other end is closed; `build` is called with the first."""
    # A group of its own: the programs that providers start (Tesseract) end with it.
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGHUP):  # they go to the whole terminal; the parent says when to end
        signal.signal(number, signal.SIG_IGN)
    watch_parent(lambda: os.killpg(0, signal.SIGKILL))
    with contextlib.suppress(OSError):
        os.nice(NICE)
    maker: Maker | None = None
    while True:
        try:
            order: JobOrder = line.recv()
            try:
                maker = maker or build()
                word: Word = Made(facts=dict(maker.make(order, _reporting(line))))
            except ImgserveError as exc:
                word = Refused(
                    code=exc.code,
                    message=exc.message,
                    mended_by_time=isinstance(exc, MENDED_BY_TIME),
                    retry_after_s=exc.retry_after_s or 0,
                )
            except Exception:  # noqa: BLE001 - a bug, or MemoryError; the parent logs it, and the process goes on
                word = Broke(traceback=traceback.format_exc())
            line.send(word)
        except (EOFError, ConnectionError):
            return


def _reporting(line: Connection) -> Report:
    said: tuple[str, float] = ("", 0.0)

    def report(task: str, share: float) -> None:
        nonlocal said
        now = time.monotonic()
        if task == said[0] and now < said[1] + REPORT_S:
            return
        said = task, now
        line.send(Progress(task=task, share=min(1.0, max(0.0, share))))

    return report
