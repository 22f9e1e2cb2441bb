"""The run: rounds in which every contender has a short turn on every case, in an order shuffled each time."""

from __future__ import annotations

import itertools
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from bench.cases import Case
from bench.checks import WrongAnswer, check_answers
from bench.contenders import RAW, Contender
from bench.cores import Cores, busy_seconds, cpu_seconds, on_core, process_tree
from bench.figures import Slice
from bench.load import Answer, drive
from bench.workshop import REPOSITORY, running

#: A turn lasts until this many answers for each connection are in, however slow the format.
MIN_REQUESTS_PER_CONNECTION: Final = 3
WARM_UP_S: Final = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured, and for how long."""

    cases: tuple[Case, ...]
    contenders: tuple[Contender, ...]
    concurrencies: tuple[int, ...]
    rounds: int
    #: Sum of all turns; turns of slow formats may overrun their share.
    seconds: float
    #: The photo: its file, and how contenders are asked for it.
    photo: Path
    source: str
    cores: Cores
    seed: int = 1

    @property
    def turn_seconds(self) -> float:
        turns = self.rounds * len(self.cases) * (1 + len(self.contenders) * len(self.concurrencies))
        return self.seconds / turns


class RawLoop:
    """The raw loop's process, which renders when told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def turn(self, case: Case, *, seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"format": case.format, "seconds": seconds, "at_least": MIN_REQUESTS_PER_CONNECTION}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        turn: dict[str, Any] = json.loads(self._process.stdout.readline())
        return turn


@contextmanager
def raw_loop(photo: Path, core: int) -> Iterator[RawLoop]:
    with on_core(core):
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.raw", str(photo)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    with process:  # closes its standard input at the end, which ends it
        yield RawLoop(process)


class Bench:
    """Everything started and ready to be given turns."""

    def __init__(self, plan: Plan, raw: RawLoop, pids: dict[str, int]) -> None:
        self._plan = plan
        self._raw = raw
        self._pids = pids
        self._numbers = itertools.count(1)

    def _targets(self, contender: Contender, case: Case) -> Iterator[str]:
        return (contender.target(case, self._plan.source, n) for n in self._numbers)

    def ask(self, contender: Contender, case: Case, *, seconds: float, concurrency: int = 1) -> tuple[Answer, ...]:
        """Load a contender without taking figures; its answers have been checked."""
        targets = self._targets(contender, case)
        loaded = drive(contender.port, targets, concurrency=concurrency, seconds=seconds, at_least=concurrency)
        _check(loaded.answers, contender, case)
        return loaded.answers

    def raw_slice(self, case: Case, number: int) -> Slice:
        busy = busy_seconds(self._plan.cores.server)
        turn = self._raw.turn(case, seconds=self._plan.turn_seconds)
        busy = busy_seconds(self._plan.cores.server) - busy
        # The uncounted rendering before the clock is in `busy` too: as much as one that counts.
        own = turn["cpu_s"] * (1 + 1 / len(turn["latencies_ms"]))
        return Slice(
            contender=RAW,
            format=case.format,
            concurrency=1,
            round=number,
            seconds=turn["seconds"],
            cpu_s=turn["cpu_s"],
            foreign=max(0.0, (busy - own) / turn["seconds"]),
            latencies_ms=tuple(turn["latencies_ms"]),
            answer_bytes=turn["answer_bytes"],
        )

    def slice(self, contender: Contender, case: Case, *, concurrency: int, number: int) -> Slice:
        pids = process_tree(self._pids[contender.name])
        busy, cpu = busy_seconds(self._plan.cores.server), cpu_seconds(pids)
        loaded = drive(
            contender.port,
            self._targets(contender, case),
            concurrency=concurrency,
            seconds=self._plan.turn_seconds,
            at_least=MIN_REQUESTS_PER_CONNECTION * concurrency,
        )
        busy, cpu = busy_seconds(self._plan.cores.server) - busy, cpu_seconds(pids) - cpu
        _check(loaded.answers, contender, case)
        counted = len(loaded.latencies_ms) / len(loaded.answers)
        return Slice(
            contender=contender.name,
            format=case.format,
            concurrency=concurrency,
            round=number,
            seconds=loaded.seconds,
            cpu_s=cpu * counted,
            foreign=max(0.0, (busy - cpu) * counted / loaded.seconds),
            latencies_ms=loaded.latencies_ms,
            answer_bytes=int(statistics.median(len(answer.body) for answer in loaded.answers)),
        )


def _check(answers: Iterable[Answer], contender: Contender, case: Case) -> None:
    try:
        check_answers(answers, case)
    except WrongAnswer as error:
        raise WrongAnswer(f"{contender.name}, {case.format}: {error}") from error


@contextmanager
def started(plan: Plan) -> Iterator[Bench]:
    """Start the raw loop and all contenders on the server's core."""
    with ExitStack() as stack:
        raw = stack.enter_context(raw_loop(plan.photo, plan.cores.server))
        pids = {
            contender.name: stack.enter_context(
                running(
                    contender.name,
                    contender.command,
                    core=plan.cores.server,
                    port=contender.port,
                    folder=contender.folder,
                    env=contender.env,
                )
            )
            for contender in plan.contenders
        }
        yield Bench(plan, raw, pids)


def run_rounds(plan: Plan, bench: Bench) -> tuple[Slice, ...]:
    """Warm everything up, then give the turns; in a round all turns of one case follow each other."""
    shuffle = random.Random(plan.seed)
    for contender, case in itertools.product(plan.contenders, plan.cases):
        bench.ask(contender, case, seconds=WARM_UP_S, concurrency=max(plan.concurrencies))
    slices: list[Slice] = []
    for number in range(1, plan.rounds + 1):
        for case in _shuffled(plan.cases, shuffle):
            turns: list[tuple[Contender | None, int]] = [(None, 1)]
            turns += itertools.product(plan.contenders, plan.concurrencies)
            for who, concurrency in _shuffled(turns, shuffle):
                if who is None:
                    slices.append(bench.raw_slice(case, number))
                else:
                    slices.append(bench.slice(who, case, concurrency=concurrency, number=number))
        print(f"round {number} of {plan.rounds}", file=sys.stderr, flush=True)
    return tuple(slices)


def _shuffled(items: Sequence[T], by: random.Random) -> list[T]:
    return by.sample(items, len(items))
