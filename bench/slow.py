"""Sources that are slow: what is left for the others while dozens of downloads are waited for."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyvips

from bench.cases import CASES
from bench.checks import WrongAnswer, check_answers
from bench.contenders import imgserve
from bench.cores import Cores, busy_seconds, choose_cores, cpu_seconds, on_core, process_tree
from bench.crowd import Seen, Window, client, run_for
from bench.figures import Spread, percentile, ratios, spread
from bench.findings import Bar, Findings, Table, findings, ratio
from bench.load import ANSWER_TIMEOUT_S, HOST, Connection
from bench.measure import origin, prepare_photo
from bench.workshop import WORKSHOP, caches, running

BAR: Final = 0.9
SETTLE_S: Final = 3.0
JPEG: Final = CASES[0]
ALONE: Final = "fast ones alone"
PROMPT: Final = "beside the same requests, not delayed"
DELAYED: Final = "beside delayed ones"
WAYS: Final = (ALONE, PROMPT, DELAYED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The two halves; `rate` times `delay_s` of the slow ones are under way at a time."""

    fast: int
    rate: float
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    way: str
    round: int
    fast_rps: float
    fast_p50_ms: float
    fast_p99_ms: float
    #: Median time of a slow answer in milliseconds, 0 = there were none.
    slow_p50_ms: float
    slow_rps: float
    statuses: dict[int, int]
    #: CPU time of the server in each second.
    cpu_share: float
    foreign: float


def small_photo(photo: Path) -> Path:
    """Make a source that costs next to nothing to render, so that waiting is all that the slow half does."""
    small = WORKSHOP / "photos-small" / "small.jpg"
    small.parent.mkdir(exist_ok=True)
    pyvips.Image.thumbnail(str(photo), 96).jpegsave(str(small), Q=70)
    return small


async def _drip(port: int, targets: Iterator[str], seen: Seen, window: Window, *, rate: float) -> None:
    """Ask at a fixed rate, each request on a connection of its own, however long the answers take."""
    asking: set[asyncio.Task[None]] = set()

    async def one(target: str) -> None:
        connection = await Connection.open(port)
        try:
            asked = time.perf_counter()
            window.note(seen, await asyncio.wait_for(connection.get(target), ANSWER_TIMEOUT_S), asked)
        finally:
            await connection.close()

    for number in itertools.count():
        due = window.opens - SETTLE_S + number / rate
        if due >= window.closes:
            break
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(next(targets)))
        asking.add(task)
        task.add_done_callback(asking.discard)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


def both_halves(
    port: int, fast: Iterator[str], slow: Iterator[str], load: Load, *, seconds: float, rate: float
) -> tuple[Seen, Seen]:
    """Give what each half saw from SETTLE_S on; `rate` 0 = there is no second half."""
    seen, waited = Seen(seconds=seconds), Seen(seconds=seconds)

    async def work() -> None:
        window = Window.after(SETTLE_S, seconds=seconds)
        jobs = [client(port, fast, seen, window, wait=lambda _: 0.0) for _ in range(load.fast)]
        if rate:
            jobs.append(_drip(port, slow, waited, window, rate=rate))
        await asyncio.gather(*jobs)

    run_for(SETTLE_S + seconds + 2.0, work)
    return seen, waited


class Target:
    """The server, and the URLs of both halves."""

    def __init__(self, port: int, pid: int, fast: Iterator[str], slow: str, load: Load, cores: Cores) -> None:
        self._port, self._pid, self._fast, self._slow = port, pid, fast, slow
        self._load, self._cores = load, cores
        self._numbers = itertools.count(1)

    def turn(self, way: str, *, seconds: float, number: int) -> Turn:
        core, pids = self._cores.server, process_tree(self._pid)
        delay = self._load.delay_s if way == DELAYED else 0.0
        slow = (self._slow.format(n=n, delay=delay) for n in self._numbers)
        began, busy, cpu = time.perf_counter(), busy_seconds(core), cpu_seconds(pids)
        seen, waited = both_halves(
            self._port, self._fast, slow, self._load, seconds=seconds, rate=0.0 if way == ALONE else self._load.rate
        )
        took = time.perf_counter() - began
        busy, cpu = busy_seconds(core) - busy, cpu_seconds(pids) - cpu
        check_answers(seen.answers, JPEG)
        wrong = {status for status in (*seen.statuses, *waited.statuses) if status != 200}
        if wrong or not seen.good_ms:
            raise WrongAnswer(f"{way}: got {dict(seen.statuses)} and {dict(waited.statuses)}, expected 200 only")
        time.sleep(self._load.delay_s)  # what was still on its way belongs to this turn
        return Turn(
            way=way, round=number, fast_rps=seen.goodput, fast_p50_ms=percentile(seen.good_ms, 50),
            fast_p99_ms=percentile(seen.good_ms, 99),
            slow_p50_ms=percentile(waited.good_ms, 50) if waited.good_ms else 0.0, slow_rps=waited.goodput,
            statuses=dict(seen.statuses + waited.statuses), cpu_share=cpu / took, foreign=max(0.0, (busy - cpu) / took),
        )  # fmt: skip


def measure_slow(load: Load, *, rounds: int, seconds: float) -> Findings:
    cores, photo, shuffle = choose_cores(), prepare_photo(None), random.Random(1)
    turns: list[Turn] = []
    with (
        on_core(cores.load),
        origin(photo, cores.load) as fast_port,
        origin(small_photo(photo), cores.load) as slow_port,
    ):
        extra = {"IMGSERVE_CACHE": "memory,disk", "IMGSERVE_CACHE_PATH": str(caches("slow"))}
        ours = imgserve(photo.parent, extra=extra)
        fast = (ours.target(JPEG, f"http://{HOST}:{fast_port}/photo.jpg", n) for n in itertools.count(1))
        query = "%3Fn={n}%26delay={delay:g}"
        slow = f"/unsafe/w:48/f:jpeg/plain/http://{HOST}:{slow_port}/small.jpg{query}"
        with running("slow", ours.command, core=cores.server, port=ours.port, folder=ours.folder, env=ours.env) as pid:
            target = Target(ours.port, pid, fast, slow, load, cores)
            for number in range(1, rounds + 1):
                turns += [target.turn(way, seconds=seconds, number=number) for way in shuffle.sample(WAYS, len(WAYS))]
                print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
    return findings(
        "Slow sources",
        cores,
        bars=[
            Bar(name=f"fast requests {DELAYED}, of {base}", measured=_of(turns, DELAYED, base).median, wanted=BAR)
            for base in (PROMPT, ALONE)
        ],
        tables=[_table(turns)],
        notes=(
            (
                f"{load.fast} connections ask for new pictures of a photo from a prompt origin; {load.rate:g} requests "
                f"a second for a small picture come from one that answers after {load.delay_s:g} s, so "
                f"{load.rate * load.delay_s:.0f} are under way"
            ),
            "the slow half is work, too: of the fast ones alone no server could keep all",
            (
                f"{rounds} rounds, windows of {seconds:g} s, one worker on one core; others took "
                f"{percentile([one.foreign for one in turns], 50):.1%} of it in the median turn"
            ),
        ),
        data=turns,
    )


def _of(turns: Sequence[Turn], way: str, base: str) -> Spread:
    own, bar = ({one.round: one.fast_rps for one in turns if one.way == name} for name in (way, base))
    return ratios(own, bar)


def _table(turns: Sequence[Turn]) -> Table:
    rows = []
    for way in WAYS:
        own = [one for one in turns if one.way == way]
        rows.append(
            [
                way,
                f"{spread([one.fast_rps for one in own]).median:.1f}",
                "" if way == ALONE else ratio(_of(turns, way, ALONE)),
                f"{spread([one.fast_p50_ms for one in own]).median:.0f}",
                f"{spread([one.fast_p99_ms for one in own]).median:.0f}",
                f"{spread([one.slow_rps for one in own]).median:.1f}",
                f"{spread([one.slow_p50_ms for one in own]).median:.0f}",
                f"{spread([one.cpu_share for one in own]).median:.0%}",
            ]
        )
    head = ["way", "fast/s", "of alone", "p50 ms", "p99 ms", "slow/s", "slow p50 ms", "CPU of the core"]
    return Table("Halves", head, rows)
