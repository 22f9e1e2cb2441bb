"""A crowd of clients: each asks again when it has its answer, or, refused, after the time that it was told to wait."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import uvloop

from bench.load import ANSWER_TIMEOUT_S, Answer, Connection

REFUSED: Final = (429, 503)


@dataclass(slots=True)
class Seen:
    """What clients saw within the window that counts; `answers` are the distinct ones with status 200."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    good_ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
    answers: set[Answer] = field(default_factory=set)

    def add(self, answer: Answer, milliseconds: float) -> None:
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.good_ms.append(milliseconds)
            self.answers.add(answer)
        elif answer.status in REFUSED:
            self.refused_ms.append(milliseconds)

    @property
    def goodput(self) -> float:
        """Pictures a second."""
        return len(self.good_ms) / self.seconds


@dataclass(frozen=True, slots=True)
class Window:
    """When answers count, on the clock of time.perf_counter."""

    opens: float
    closes: float

    @classmethod
    def after(cls, settle_s: float, *, seconds: float) -> Window:
        now = time.perf_counter()
        return cls(now + settle_s, now + settle_s + seconds)

    def note(self, seen: Seen, answer: Answer, asked: float) -> None:
        now = time.perf_counter()
        if self.opens <= now < self.closes:
            seen.add(answer, (now - asked) * 1000)


def patience(answer: Answer, chance: random.Random) -> float:
    """Give the seconds until a refused client asks again: what it was told, and up to as much again by chance."""
    return float(answer.retry_after or 0) * (1 + chance.random())


async def client(
    port: int, targets: Iterator[str], seen: Seen, window: Window, *, wait: Callable[[Answer], float]
) -> None:
    """Ask over one connection until the window closes; `wait` is asked after a refusal."""
    connection = await Connection.open(port)
    try:
        while (asked := time.perf_counter()) < window.closes:
            answer = await asyncio.wait_for(connection.get(next(targets)), ANSWER_TIMEOUT_S)
            window.note(seen, answer, asked)
            if answer.status in REFUSED:
                await asyncio.sleep(wait(answer))
    finally:
        await connection.close()


def run_for(window_s: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the work, and drop what is still waited for a moment after its window."""

    async def main() -> None:
        task = asyncio.create_task(work())
        done, _ = await asyncio.wait([task], timeout=window_s)
        if done:
            task.result()
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def crowd(
    port: int, targets: Iterator[str], *, clients: int, settle_s: float, seconds: float, patient: bool, seed: int = 1
) -> Seen:
    """Let `clients` ask; answers count from `settle_s` on, for `seconds`."""
    seen, chance = Seen(seconds=seconds), random.Random(seed)

    def wait(answer: Answer) -> float:
        return patience(answer, chance) if patient else 0.0

    async def work() -> None:
        window = Window.after(settle_s, seconds=seconds)
        await asyncio.gather(*(client(port, targets, seen, window, wait=wait) for _ in range(clients)))

    run_for(settle_s + seconds, work)
    return seen
