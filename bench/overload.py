"""More cold work than the server can do: what it still does, and how fast it refuses the rest."""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.ask import ask
from bench.cases import CASES, Case
from bench.checks import WrongAnswer, check_answers
from bench.contenders import imgserve, photo_source
from bench.cores import Cores, busy_seconds, choose_cores, cpu_seconds, on_core, process_tree
from bench.crowd import crowd
from bench.figures import percentile, ratios, spread
from bench.findings import Bar, Findings, Table, findings, ratio
from bench.measure import origin, prepare_photo
from bench.probe import begin
from bench.workshop import caches, running

GOODPUT_BAR: Final = 0.9
LATENCY_BAR_MS: Final = 50.0
#: The peak is the best of these.
FEW: Final = (4, 8, 16)
MANY: Final = (64, 512)
HEALTH_HERTZ: Final = 20.0
#: A queue of 128 renders is full, and what waits in it has its usual age, after about two seconds.
SETTLE_S: Final = 3.0
_DRAINED_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One crowd; latencies in milliseconds, of answers within the window."""

    clients: int
    patient: bool
    round: int
    goodput: float
    good_p50_ms: float
    good_p99_ms: float
    refused_per_s: float
    refused_ms: tuple[float, ...]
    health_ms: tuple[float, ...]
    statuses: dict[int, int]
    foreign: float

    @property
    def name(self) -> str:
        return f"{self.clients}" + ("" if self.patient else ", asking again at once")


class Target:
    """The server under load, and URLs that it never saw."""

    def __init__(self, port: int, pid: int, urls: Iterator[str], case: Case, cores: Cores) -> None:
        self.port = port
        self._pid = pid
        self._urls = urls
        self._case = case
        self._cores = cores

    def turn(self, clients: int, *, patient: bool, seconds: float, number: int) -> Turn:
        core = self._cores.server
        pids = process_tree(self._pid)
        began, busy, cpu = time.perf_counter(), busy_seconds(core), cpu_seconds(pids)
        health = begin(self.port, "/health", hertz=HEALTH_HERTZ, seconds=SETTLE_S + seconds)
        seen = crowd(
            self.port, self._urls, clients=clients, settle_s=SETTLE_S, seconds=seconds, patient=patient, seed=number
        )
        took = time.perf_counter() - began
        foreign = max(0.0, (busy_seconds(core) - busy - (cpu_seconds(pids) - cpu)) / took)
        health_ms = health()[int(SETTLE_S * HEALTH_HERTZ) :]
        check_answers(seen.answers, self._case)
        if not seen.good_ms:
            raise WrongAnswer(f"{clients} clients got no picture: {dict(seen.statuses)}")
        self._drain()
        return Turn(
            clients=clients, patient=patient, round=number, goodput=seen.goodput,
            good_p50_ms=percentile(seen.good_ms, 50), good_p99_ms=percentile(seen.good_ms, 99),
            refused_per_s=len(seen.refused_ms) / seconds, refused_ms=tuple(seen.refused_ms),
            health_ms=tuple(health_ms), statuses=dict(seen.statuses), foreign=foreign,
        )  # fmt: skip

    def _drain(self) -> None:
        """Wait until what the crowd left behind is done: one picture, asked for alone, is there soon."""
        until = time.monotonic() + _DRAINED_S
        while time.monotonic() < until:
            began = time.monotonic()
            if ask(self.port, next(self._urls)).status == 200 and time.monotonic() - began < 0.5:
                return
            time.sleep(0.2)
        raise WrongAnswer("the server did not come to rest after a crowd")


def measure_overload(
    *, case: Case, many: Sequence[int], rounds: int, seconds: float, over_http: bool, queue: int | None
) -> Findings:
    cores, photo, shuffle = choose_cores(), prepare_photo(None), random.Random(1)
    plans = [(clients, True) for clients in (*FEW, *many)] + [(max(many), False)]
    turns: list[Turn] = []
    with on_core(cores.load), origin(photo, cores.load) as origin_port:
        extra = {"IMGSERVE_CACHE": "memory,disk", "IMGSERVE_CACHE_PATH": str(caches("overload"))}
        if queue is not None:
            extra["IMGSERVE_REQUESTS_QUEUE_SIZE"] = str(queue)
        ours = imgserve(photo.parent, extra=extra)
        source = photo_source(origin_port if over_http else None)
        urls = (ours.target(case, source, n) for n in itertools.count(1))
        with running(
            "overload", ours.command, core=cores.server, port=ours.port, folder=ours.folder, env=ours.env
        ) as pid:
            target = Target(ours.port, pid, urls, case, cores)
            for number in range(1, rounds + 1):
                for clients, patient in shuffle.sample(plans, len(plans)):
                    turns.append(target.turn(clients, patient=patient, seconds=seconds, number=number))
                    print(f"round {number} of {rounds}: {turns[-1].name} clients", file=sys.stderr, flush=True)
    return findings(
        "Overload",
        cores,
        bars=bars_of(turns),
        tables=[table_of(turns)],
        notes=(
            (
                f"one worker on one core, {case.format}, every URL new, source "
                f"over {'http' if over_http else 'the file system'}, "
                f"queue of {'default size' if queue is None else queue}; {rounds} rounds, windows of {seconds:g} s"
            ),
            "the peak is the best of "
            + ", ".join(map(str, FEW))
            + " connections in the same round; a refused client waits "
            "once to twice its Retry-After, or asks again at once where that is said",
            f"/health is asked {HEALTH_HERTZ:g} times a second by another process, times count from when it was due",
            f"others took {percentile([one.foreign for one in turns], 50):.1%} of the server's core in the median turn",
        ),
        data=turns,
    )


def goodput_ratios(turns: Sequence[Turn], name: str) -> dict[str, dict[int, float]]:
    """Give the goodput of the crowd of that name, and the peak of its rounds, by round."""
    own = {one.round: one.goodput for one in turns if one.name == name}
    peak = {
        number: max((one.goodput for one in turns if one.round == number and one.clients in FEW), default=0.0)
        for number in own
    }
    return {"own": own, "peak": peak}


def bars_of(turns: Sequence[Turn]) -> list[Bar]:
    out = []
    for name in dict.fromkeys(one.name for one in turns if one.clients not in FEW and one.patient):
        of = goodput_ratios(turns, name)
        own = [one for one in turns if one.name == name]
        refused = [ms for one in own for ms in one.refused_ms]
        out.append(
            Bar(
                name=f"{name} connections: goodput of peak",
                measured=ratios(of["own"], of["peak"]).median,
                wanted=GOODPUT_BAR,
            )
        )
        for what, latencies in (("429", refused), ("/health", [ms for one in own for ms in one.health_ms])):
            if latencies:
                out.append(
                    Bar(
                        name=f"{name} connections: p99 of {what}",
                        measured=percentile(latencies, 99),
                        wanted=LATENCY_BAR_MS,
                        at_least=False,
                        unit="ms",
                    )
                )
    return out


def table_of(turns: Sequence[Turn]) -> Table:
    rows = []
    order = sorted({(one.clients, not one.patient, one.name) for one in turns})
    for _, _, name in order:
        own = [one for one in turns if one.name == name]
        of = goodput_ratios(turns, name)
        refused = [ms for one in own for ms in one.refused_ms]
        health = [ms for one in own for ms in one.health_ms]
        statuses = sorted({status for one in own for status in one.statuses})
        rows.append(
            [
                name,
                f"{spread([one.goodput for one in own]).median:.1f}",
                ratio(ratios(of["own"], of["peak"])),
                f"{spread([one.good_p50_ms for one in own]).median:.0f}",
                f"{spread([one.good_p99_ms for one in own]).median:.0f}",
                f"{spread([one.refused_per_s for one in own]).median:.0f}",
                _three(refused),
                _three(health),
                ", ".join(f"{status}: {sum(one.statuses.get(status, 0) for one in own)}" for status in statuses),
            ]
        )
    head = [
        "clients", "goodput/s", "of peak", "p50 ms", "p99 ms", "429/s", "429 p50/p99/max ms", "/health p50/p99/max ms",
        "answers",
    ]  # fmt: skip
    return Table("Crowds", head, rows)


def _three(latencies: Sequence[float]) -> str:
    return "/".join(f"{percentile(latencies, percent):.1f}" for percent in (50, 99, 100)) if latencies else ""


JPEG: Final = CASES[0]
