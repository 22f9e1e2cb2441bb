"""Memory: what the processes hold over thousands of requests of all kinds, with jemalloc and with glibc's malloc."""

from __future__ import annotations

import asyncio
import itertools
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyvips
import uvloop

from bench.checks import WrongAnswer
from bench.contenders import imgserve
from bench.cores import choose_cores, on_core, process_tree
from bench.figures import spread
from bench.findings import Bar, Findings, Table, findings
from bench.load import ANSWER_TIMEOUT_S, Connection
from bench.workshop import WORKSHOP, caches, running

BAR: Final = 0.05
#: Growth counts from this share of the requests on: 5,000 of 20,000.
WARM_SHARE: Final = 0.25
#: Each figure is the median of this many samples, as one may fall into a large render.
_SAMPLES: Final = 5
#: Share of requests for one of the pictures that everybody asks for.
_POPULAR_SHARE: Final = 2 / 3
POPULAR: Final = 400
CLIENTS: Final = 8
#: Small enough to be full long before the first sample that counts: a cache that fills is no leak.
MEMORY_CACHE_BYTES: Final = 8 << 20
GLIBC: Final = "glibc, MALLOC_ARENA_MAX=2"
JEMALLOC: Final = "jemalloc"

_SVG: Final = b"""<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200">
<rect width="300" height="200" fill="#257"/>
<circle cx="150" cy="100" r="80" fill="#fc3"/><text x="60" y="110" font-size="30">imgserve</text></svg>"""
GOOD: Final = (
    "photo.jpg",
    "grey.jpg",
    "alpha.png",
    "palette.png",
    "photo.webp",
    "moving.gif",
    "drawing.svg",
    "scan.tif",
)
BROKEN: Final = ("short.jpg", "short.png", "empty.jpg", "words.png", "missing.jpg")
_OPTIONS: Final = (
    "rs:fill:{w}:{h}", "rs:fit:{w}:{h}", "w:{w}", "rs:fill:{w}:{h}/g:sm", "rs:fit:{w}:{h}/bl:2",
    "rs:fit:{w}:{h}/rot:90",
    "rs:fill:{w}:{h}/sh:0.5", "rs:fit:{w}:{h}/pd:5:5/bg:ffcc00", "rs:fit:{w}:{h}/pix:6", "t:10/rs:fit:{w}:{h}",
)  # fmt: skip
#: By weight: AVIF costs ten times what the others do.
_FORMATS: Final = ("jpeg",) * 5 + ("webp",) * 4 + ("png",) * 3 + ("gif",) + ("avif",)


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident bytes after so many requests, by process; the first is the supervisor."""

    requests: int
    rss: tuple[int, ...]

    @property
    def sum(self) -> int:
        return sum(self.rss)


def draw_sources(folder: Path) -> None:
    """Write one picture of each kind, none above 480x360, and some that are none."""
    folder.mkdir(parents=True, exist_ok=True)
    bands = [pyvips.Image.perlin(480, 360, cell_size=32, seed=seed) * 100 + 128 for seed in (1, 2, 3)]
    photo = bands[0].bandjoin(bands[1]).bandjoin(bands[2]).cast("uchar").copy(interpretation="srgb").copy_memory()
    alpha = pyvips.Image.perlin(480, 360, cell_size=64, seed=4) * 200 + 128
    frames = [photo.rot(f"d{90 * turn}").thumbnail_image(120, height=120, size="force") for turn in range(4)]
    moving = pyvips.Image.arrayjoin(frames, across=1).copy()
    moving.set_type(pyvips.GValue.gint_type, "page-height", 120)
    photo.jpegsave(str(folder / "photo.jpg"), Q=85)
    photo.colourspace("b-w").jpegsave(str(folder / "grey.jpg"), Q=85)
    photo.bandjoin(alpha.cast("uchar")).pngsave(str(folder / "alpha.png"), compression=3)
    photo.thumbnail_image(300).pngsave(str(folder / "palette.png"), palette=True)
    photo.webpsave(str(folder / "photo.webp"), effort=1)
    moving.gifsave(str(folder / "moving.gif"))
    photo.thumbnail_image(300).tiffsave(str(folder / "scan.tif"), compression="lzw")
    (folder / "drawing.svg").write_bytes(_SVG)
    (folder / "short.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:9000])
    (folder / "short.png").write_bytes((folder / "alpha.png").read_bytes()[:9000])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "words.png").write_bytes(b"this is no picture\n" * 100)


def _url(chance: random.Random) -> str:
    options = chance.choice(_OPTIONS).format(w=chance.randrange(16, 240), h=chance.randrange(16, 180))
    return f"/unsafe/{options}/f:{chance.choice(_FORMATS)}/plain/local:///{chance.choice(GOOD)}"


def _wrong_url(chance: random.Random) -> str:
    return chance.choice(
        (
            f"/unsafe/w:{chance.randrange(1, 400)}/plain/local:///{chance.choice(BROKEN)}",
            f"/unsafe/nonsense:{chance.randrange(10_000)}/plain/local:///photo.jpg",
            f"/forged{chance.randrange(10_000)}/w:10/plain/ftp://example.com/a.jpg",
            f"/unsafe/w:10/plain/local:///missing-{chance.randrange(10_000)}.jpg",
        )
    )


def urls(seed: int) -> Iterator[str]:
    """Give the mixture, the same for each seed: two thirds popular pictures, others new, one in twelve wrong."""
    chance = random.Random(seed)
    popular = [_url(chance) for _ in range(POPULAR)]
    while True:
        if chance.random() < 1 / 12:
            yield _wrong_url(chance)
        else:
            yield chance.choice(popular) if chance.random() < _POPULAR_SHARE else _url(chance)


def resident(pid: int) -> int:
    """Give the resident bytes of a process (VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {pid} has no memory of its own")


def serving(pid: int) -> tuple[int, ...]:
    """List the supervisor and its workers; Python's resource tracker is none of them."""
    tracker = "resource_tracker"
    tree = process_tree(pid)
    return tuple(one for one in tree if tracker not in Path(f"/proc/{one}/cmdline").read_text())


def ask_all(port: int, targets: Iterator[str], *, count: int) -> Counter[int]:
    """Ask `count` targets over CLIENTS connections; gives how often each status came."""
    statuses: Counter[int] = Counter()

    async def work() -> None:
        connection = await Connection.open(port)
        try:
            for target in targets:
                answer = await asyncio.wait_for(connection.get(target), ANSWER_TIMEOUT_S)
                statuses[answer.status] += 1
        finally:
            await connection.close()

    async def main() -> None:
        await asyncio.gather(*(work() for _ in range(CLIENTS)))

    targets = itertools.islice(targets, count)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    return statuses


def growth(sums: Sequence[float], *, warm_share: float = WARM_SHARE) -> float:
    """Give what the last samples are above those at the warm mark, as a share; samples are at equal distances."""
    warm = max(1, round(len(sums) * warm_share))
    early = sums[max(0, warm - _SAMPLES // 2 - 1) : warm + _SAMPLES // 2]
    return spread(list(sums[-_SAMPLES:])).median / spread(list(early)).median - 1


def find_jemalloc() -> str | None:
    """Find the library that scripts/serve preloads."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    found = [line.rpartition("=> ")[2].strip() for line in listed.splitlines() if "libjemalloc.so.2" in line]
    return found[0] if found else None


@contextmanager
def _server(name: str, folder: Path, workers: int, env: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    extra = {
        "IMGSERVE_WORKERS": str(workers),
        "IMGSERVE_CACHE": "memory,disk",
        "IMGSERVE_CACHE_PATH": str(caches("memory-bars")),
        "IMGSERVE_MEMORY_CACHE_SIZE": str(MEMORY_CACHE_BYTES),
        "IMGSERVE_MAX_ANIMATION_FRAMES": "10",
        **env,
    }
    ours = imgserve(folder, name=name, extra=extra)
    log = "memory-" + name.partition(",")[0]
    core = choose_cores().server
    with running(log, ours.command, core=core, port=ours.port, folder=ours.folder, env=ours.env) as pid:
        until = time.monotonic() + 30
        while len(serving(pid)) < workers + 1 and time.monotonic() < until:
            time.sleep(0.1)
        yield pid, ours.port


def observe(
    name: str, folder: Path, *, count: int, every: int, workers: int, env: Mapping[str, str]
) -> tuple[list[Sample], Counter[int]]:
    """Give a sample each `every` requests; raises WrongAnswer when a process was replaced meanwhile."""
    targets, statuses = urls(seed=1), Counter[int]()
    samples = []
    with _server(name, folder, workers, env) as (pid, port):
        pids = serving(pid)
        for done in range(every, count + 1, every):
            statuses += ask_all(port, targets, count=every)
            if serving(pid) != pids:
                raise WrongAnswer(f"{name}: processes {pids} became {serving(pid)} after {done} requests")
            samples.append(Sample(done, tuple(resident(one) for one in pids)))
            if not done % (5 * every):
                print(f"{name}: {done} of {count}, {samples[-1].sum >> 20} MB", file=sys.stderr, flush=True)
    return samples, statuses


def measure_memory(*, count: int, workers: int) -> Findings:
    cores = choose_cores()
    folder = WORKSHOP / "photos-mixed"
    draw_sources(folder)
    jemalloc = find_jemalloc()
    ways: dict[str, Mapping[str, str]] = {GLIBC: {"LD_PRELOAD": "", "MALLOC_ARENA_MAX": "2"}}
    if jemalloc is not None:
        ways[JEMALLOC] = {"LD_PRELOAD": jemalloc}
    every = max(1, count // 80)
    taken = {}
    with on_core(cores.load):
        for name, env in ways.items():
            taken[name] = observe(name, folder, count=count, every=every, workers=workers, env=env)
    bars = [
        Bar(
            name=f"{name}: growth of all processes",
            measured=growth([one.sum for one in samples]),
            wanted=BAR,
            at_least=False,
        )
        for name, (samples, _) in taken.items()
    ]
    return findings(
        "Memory",
        cores,
        bars=bars,
        tables=[_table(taken)],
        notes=(
            (
                f"{count} requests each, {workers} workers, {CLIENTS} connections; growth from request "
                f"{round(count * WARM_SHARE)} on, medians of {_SAMPLES} samples"
            ),
            (
                f"sources: {', '.join((*GOOD, *BROKEN))}; two thirds of the requests for {POPULAR} popular "
                "pictures, the others new, one in twelve wrong; the memory tier is set to "
                f"{MEMORY_CACHE_BYTES >> 20} MB a process, so that it is full before the growth counts"
            ),
            *(f"{name}: answers {dict(sorted(statuses.items()))}" for name, (_, statuses) in taken.items()),
            *(() if jemalloc else ("libjemalloc.so.2 is not installed: that half is missing",)),
        ),
        data=[
            {"name": name, "samples": [(one.requests, one.rss) for one in samples]}
            for name, (samples, _) in taken.items()
        ],
    )


def _table(taken: Mapping[str, tuple[Sequence[Sample], Counter[int]]]) -> Table:
    rows = []
    for name, (samples, _) in taken.items():
        series = {"sum": [one.sum for one in samples]}
        for at in range(len(samples[0].rss)):
            series["supervisor" if at == 0 else f"worker {at}"] = [one.rss[at] for one in samples]
        for who, sizes in series.items():
            marks = [sizes[max(0, round(len(sizes) * share) - 1)] for share in (0.0, WARM_SHARE, 0.5, 0.75, 1.0)]
            rows.append(
                [
                    name,
                    who,
                    *(f"{size / 1e6:.0f}" for size in marks),
                    f"{max(sizes) / 1e6:.0f}",
                    f"{growth(sizes):+.1%}",
                ]
            )
    last = samples[-1].requests
    head = [
        "malloc", "process", f"MB at {samples[0].requests}",
        *(f"at {round(last * share)}" for share in (WARM_SHARE, 0.5, 0.75, 1.0)), "most", "growth",
    ]  # fmt: skip
    return Table("Resident memory", head, rows)
