"""Hits: answers that are kept already, against a bare ASGI app that sends the same bytes with as many headers."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import wrk
from bench.ask import ask, ask_until
from bench.bare import keep
from bench.checks import WrongAnswer
from bench.contenders import imgserve, photo_source
from bench.cores import Cores, busy_seconds, choose_cores, cpu_seconds, on_core, process_tree
from bench.figures import percentile, ratios, spread
from bench.findings import Bar, Findings, Table, findings, ratio
from bench.load import HOST
from bench.measure import origin, prepare_photo
from bench.workshop import PHOTO_NAME, REPOSITORY, caches, free_port, running

BAR: Final = 0.85
#: With more of its core taken, the load is what is measured.
LOAD_BAR: Final = 0.85
BARE: Final = "bare app"
MEMORY: Final = "memory"
BOTH: Final = "memory, disk"
CACHE_HEADER: Final = "x-imgserve-cache"

#: Options whose answers, of the benchmark's photo, have the size of the name.
SIZES: Final[Mapping[str, str]] = {"2KB": "rs:fill:96:72/q:60", "40KB": "rs:fill:600:400", "200KB": "w:1400"}
CONNECTIONS: Final = (1, 4, 64)
#: One that is not known is read in full: the same hit without the short way (imgserve.web.hot).
IN_FULL: Final = {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One kind of hit: the server that has it, and how it is asked."""

    name: str
    pid: int
    port: int
    targets: Mapping[str, str]
    sizes: Mapping[str, int]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One run of the load on one way."""

    way: str
    size: str
    connections: int
    round: int
    rps: float
    p50_ms: float
    p99_ms: float
    #: CPU time of the server's processes for a request.
    cpu_us: float
    load_share: float
    #: Share of the server's core that others took.
    foreign: float


def target(size: str, source: str) -> str:
    where = source if source.startswith("http") else f"local:///{source}"
    return f"/unsafe/{SIZES[size]}/f:jpeg/plain/{where}"


@contextmanager
def server(name: str, photos: Path, core: int, settings: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Run this server as it comes, but for these settings and a cache folder of its own; gives process id and port."""
    kept = {"IMGSERVE_CACHE_PATH": str(caches(name))}
    ours = imgserve(photos, name=name, extra={**kept, **settings})
    log = f"hot-{name}".replace(", ", "-")
    with running(log, ours.command, core=core, port=ours.port, folder=ours.folder, env=ours.env) as pid:
        yield pid, ours.port


@contextmanager
def ways(sizes: Sequence[str], cores: Cores) -> Iterator[tuple[Way, ...]]:
    """Start everything and fill the caches; the bare app is made of the first server's answers."""
    photos = prepare_photo(None).parent
    with ExitStack() as stack:
        origin_port = stack.enter_context(origin(photos / PHOTO_NAME, cores.load))
        made = []
        for name, tier in ((MEMORY, "memory"), (BOTH, "memory"), ("disk", "disk")):
            settings = {"IMGSERVE_CACHE": name.replace(" ", "")}
            pid, port = stack.enter_context(server(name, photos, cores.server, settings))
            made.append(_filled(name, pid, port, {size: target(size, PHOTO_NAME) for size in sizes}, tier))
        memory = made[0]
        over_http = {size: target(size, photo_source(origin_port)) for size in sizes}
        made.append(_filled("memory, http source", memory.pid, memory.port, over_http, "memory"))
        full = Way(
            name="memory, read in full", pid=memory.pid, port=memory.port, targets=memory.targets, sizes=memory.sizes,
            headers=IN_FULL,
        )  # fmt: skip
        yield (stack.enter_context(_bare(memory, cores.server)), *made, full)


def _filled(name: str, pid: int, port: int, targets: Mapping[str, str], tier: str) -> Way:
    sizes = {}
    for size, path in targets.items():
        sizes[size] = len(ask_until(port, path, name=CACHE_HEADER, values=(tier,)).body)
    return Way(name=name, pid=pid, port=port, targets=targets, sizes=sizes)


@contextmanager
def _bare(model: Way, core: int) -> Iterator[Way]:
    folder, port = caches("bare"), free_port()
    for size, path in model.targets.items():
        keep(folder, size, ask(model.port, path))
    command = (sys.executable, "-m", "bench.bare", str(folder), str(port))
    with running("hot-bare", command, core=core, port=port, folder=REPOSITORY, env={}) as pid:
        way = Way(name=BARE, pid=pid, port=port, targets={size: f"/{size}" for size in model.sizes}, sizes=model.sizes)
        for size, path in model.targets.items():
            theirs, ours = ask(port, way.targets[size]), ask(model.port, path)
            if (theirs.body, len(theirs.headers)) != (ours.body, len(ours.headers)):
                raise WrongAnswer(f"the bare app's answer {theirs.headers} is not like the server's {ours.headers}")
        yield way


def turn(way: Way, size: str, *, connections: int, seconds: int, number: int, core: int) -> Turn:
    pids = process_tree(way.pid)
    busy, cpu = busy_seconds(core), cpu_seconds(pids)
    loaded = wrk.drive(
        way.port,
        way.targets[size],
        connections=connections,
        seconds=seconds,
        body_bytes=way.sizes[size],
        headers=way.headers,
    )
    busy, cpu = busy_seconds(core) - busy, cpu_seconds(pids) - cpu
    return Turn(
        way=way.name, size=size, connections=connections, round=number, rps=loaded.rps, p50_ms=loaded.p50_ms,
        p99_ms=loaded.p99_ms, cpu_us=cpu * 1e6 / loaded.requests, load_share=loaded.load_share,
        foreign=max(0.0, (busy - cpu) / loaded.seconds),
    )  # fmt: skip


def measure_hot(*, sizes: Sequence[str], connections: Sequence[int], rounds: int, seconds: int) -> Findings:
    """Give each way a turn of `seconds` in each round, size and number of connections."""
    if not wrk.installed():
        raise RuntimeError(wrk.MISSING)
    cores, shuffle = choose_cores(), random.Random(1)
    turns: list[Turn] = []
    with on_core(cores.load), ways(sizes, cores) as made:
        for way in made:
            turn(way, sizes[0], connections=4, seconds=1, number=0, core=cores.server)
        for number in range(1, rounds + 1):
            for size in sizes:
                for count in connections:
                    for way in shuffle.sample(made, len(made)):
                        one = turn(way, size, connections=count, seconds=seconds, number=number, core=cores.server)
                        turns.append(one)
            print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
        bytes_of = made[0].sizes
        names = [way.name for way in made]
    return findings(
        "Hits",
        cores,
        bars=bars_of(turns),
        tables=[table_of(turns, names, bytes_of)],
        notes=(
            (
                f"{rounds} rounds of turns of {seconds} s by wrk (one thread), shuffled; the bare app's answers have "
                "the same bytes and as many headers"
            ),
            f"server http://{HOST}, request log on, to a file; local sources are looked at every second, by design",
            (
                "*read in full* is the same hit with a header that the short way leaves alone (If-Modified-Since, "
                "long ago)"
            ),
            foreign_note(turns),
        ),
        data=turns,
    )


def foreign_note(turns: Sequence[Turn]) -> str:
    """Say what else ran, and whether the load was fast enough."""
    shares = [one.foreign for one in turns]
    load = max(one.load_share for one in turns)
    slow = ": TOO SLOW, read the CPU columns" if load > LOAD_BAR else ""
    return (
        f"other processes took {percentile(shares, 50):.1%} of the server's core in the median turn, over "
        f"{percentile(shares, 90):.1%} in a tenth; wrk itself needed {load:.0%} of its core at most{slow}"
    )


def _by_round(turns: Sequence[Turn], way: str, size: str, connections: int) -> dict[int, Turn]:
    return {one.round: one for one in turns if (one.way, one.size, one.connections) == (way, size, connections)}


def _settings(turns: Sequence[Turn]) -> list[tuple[str, int]]:
    return list(dict.fromkeys((one.size, one.connections) for one in turns))


def bars_of(
    turns: Sequence[Turn], *, bar: str = BARE, wanted: float = BAR, who: Sequence[str] = (MEMORY, BOTH)
) -> list[Bar]:
    """Hold the ways of `who` against the bar, by requests a second."""
    out = []
    for size, connections in _settings(turns):
        base = {n: one.rps for n, one in _by_round(turns, bar, size, connections).items()}
        for way in who:
            own = {n: one.rps for n, one in _by_round(turns, way, size, connections).items()}
            name = f"{way}, {size}, {connections} connections, of {bar}"
            out.append(Bar(name=name, measured=ratios(own, base).median, wanted=wanted))
    return out


def table_of(turns: Sequence[Turn], names: Sequence[str], sizes: Mapping[str, int], *, bar: str = BARE) -> Table:
    rows = []
    for size, connections in _settings(turns):
        base = _by_round(turns, bar, size, connections)
        for way in names:
            own = _by_round(turns, way, size, connections)
            of_bar = ratios({n: one.rps for n, one in own.items()}, {n: one.rps for n, one in base.items()})
            by_cpu = ratios({n: one.cpu_us for n, one in base.items()}, {n: one.cpu_us for n, one in own.items()})
            rows.append(
                [
                    f"{sizes[size] / 1000:.1f} KB",
                    str(connections),
                    way,
                    f"{spread([one.rps for one in own.values()]).median:.0f}",
                    f"{spread([one.p50_ms for one in own.values()]).median:.2f}",
                    f"{spread([one.p99_ms for one in own.values()]).median:.2f}",
                    f"{spread([one.cpu_us for one in own.values()]).median:.0f}",
                    "" if way == bar else ratio(of_bar),
                    "" if way == bar else ratio(by_cpu),
                ]
            )
    head = ["answer", "connections", "way", "req/s", "p50 ms", "p99 ms", "CPU µs", f"of {bar}", f"of {bar} by CPU"]
    return Table("Ways", head, rows)
