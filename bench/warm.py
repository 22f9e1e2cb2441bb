"""What making many variants of one large JPEG together saves over single renders: a ladder of widths, three formats.

Run as `python -m bench.warm` it compares the same over HTTP: POST /v1/warm against a cold GET for each variant.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyvips

from bench.cores import choose_cores, on_core
from bench.figures import Spread, ratios, spread
from bench.load import HOST
from bench.photo import draw
from bench.workshop import free_port
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.libvips import configure_libvips
from imgserve.engine.pipeline import Rendered, render
from imgserve.engine.sharing import Variant
from imgserve.engine.variants import render_variants
from imgserve.service.api_keys import digest_of, new_key

#: 17.9 megapixels, what an 18-megapixel camera makes.
SIZE: Final = (5184, 3456)
#: `next` are the widths of Next.js' deviceSizes, its defaults.
LADDERS: Final = {
    "usual": (320, 480, 640, 828, 1080, 1200, 1600, 1920),
    "next": (640, 750, 828, 1080, 1200, 1920, 2048, 3840),
}
FORMATS: Final = ("jpeg", "webp", "avif")
#: How a photo may have been saved: for the Web, by a camera, for the Web and progressive.
SAVED: Final[Mapping[str, Mapping[str, Any]]] = {
    "baseline": {"Q": 87, "optimize_coding": True},
    "camera": {"Q": 97, "optimize_coding": True},
    "progressive": {"Q": 87, "optimize_coding": True, "interlace": True},
}

Results = dict[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to make all variants; its times in seconds, a round each."""

    name: str
    work: Callable[[], Results]
    cpu_s: list[float]
    wall_s: list[float]

    def turn(self) -> Results:
        cpu, wall = time.process_time(), time.perf_counter()
        results = self.work()
        self.cpu_s.append(time.process_time() - cpu)
        self.wall_s.append(time.perf_counter() - wall)
        return results


def variants_of(widths: Sequence[int], formats: Sequence[str] = FORMATS) -> list[Variant]:
    return [Variant(intent=Intent(width=width, format=name)) for width in widths for name in formats]


def ways(source: bytes, variants: Sequence[Variant], config: EngineConfig) -> list[Way]:
    """Give singles first, then all together by exact sharing and by a pyramid, and what encoding alone takes."""

    def singles() -> Results:
        return {
            index: render(source, intent=one.intent, config=config, deadline=Deadline()).data
            for index, one in enumerate(variants)
        }

    def together(*, pyramid: bool) -> Results:
        made = render_variants(source, variants, config=config, deadline=Deadline(), pyramid=pyramid)
        return {index: _data(outcome) for index, outcome in made}

    bare = [_uncompressed(source, one.intent.width) for one in variants]

    def encoding() -> Results:
        return {
            index: render(picture, intent=Intent(format=one.intent.format), config=config, deadline=Deadline()).data
            for index, (picture, one) in enumerate(zip(bare, variants, strict=True))
        }

    named: dict[str, Callable[[], Results]] = {
        "singles": singles,
        "together": lambda: together(pyramid=False),
        "pyramid": lambda: together(pyramid=True),
        "encoding alone": encoding,
    }
    return [Way(name=name, work=work, cpu_s=[], wall_s=[]) for name, work in named.items()]


def _data(outcome: object) -> bytes:
    assert isinstance(outcome, Rendered), outcome
    return outcome.data


def _uncompressed(source: bytes, width: int) -> bytes:
    """Give a result's pixels in a file that takes next to nothing to read."""
    intent = Intent(width=width, format="png")
    pixels = render(source, intent=intent, config=EngineConfig(png_compression=1), deadline=Deadline()).data
    return bytes(pyvips.Image.pngload_buffer(pixels).tiffsave_buffer(compression="none"))


def likeness(source: bytes, widths: Sequence[int], config: EngineConfig) -> float:
    """Give the lowest PSNR, in dB, of the pyramid's pixels to those of single renders, before lossy encoding."""
    variants = variants_of(widths, ("png",))
    worst = math.inf
    for index, outcome in render_variants(source, variants, config=config, deadline=Deadline(), pyramid=True):
        single = render(source, intent=variants[index].intent, config=config, deadline=Deadline()).data
        one, other = (pyvips.Image.pngload_buffer(data).cast("float") for data in (_data(outcome), single))
        error = float(((one - other) ** 2).avg())
        worst = min(worst, 10 * math.log10(255**2 / error) if error else math.inf)
    return worst


def _row(saved: str, ladder: str, compared: Sequence[Way], notes: dict[str, str]) -> list[str]:
    singles = compared[0]
    rows = []
    for way in compared:
        by_cpu, by_wall = (
            ratios(dict(enumerate(single)), dict(enumerate(mine)))
            for single, mine in ((singles.cpu_s, way.cpu_s), (singles.wall_s, way.wall_s))
        )
        cells = (saved, ladder, way.name, f"{spread(way.cpu_s).median * 1000:.0f}", _shown(by_cpu), _shown(by_wall))
        rows.append("| " + " | ".join((*cells, notes.get(way.name, ""))) + " |")
    return rows


def _shown(ratio: Spread) -> str:
    return f"{ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"


def compare(source: bytes, saved: str, ladder: str, *, rounds: int, config: EngineConfig) -> list[str]:
    """Time the ways in turns and compare their results; raises RuntimeError when shared work changed a byte."""
    variants = variants_of(LADDERS[ladder])
    compared = ways(source, variants, config)
    for _ in range(rounds):
        results = {way.name: way.turn() for way in compared}
        if results["together"] != results["singles"]:
            raise RuntimeError(f"{saved}, {ladder}: variants made together differ from single ones")
    worst = likeness(source, LADDERS[ladder], config)
    return _row(saved, ladder, compared, {"together": "equal bytes", "pyramid": f"PSNR at least {worst:.1f} dB"})


def report(
    image: Path | None, *, saved: Sequence[str], ladders: Sequence[str], rounds: int, config: EngineConfig
) -> str:
    """Give the table, as Markdown; CPU time is that of one thread on one core, for all variants."""
    configure_libvips()
    if image is None:
        picture = draw(SIZE).copy_memory()
        sources = {name: bytes(picture.jpegsave_buffer(subsample_mode="on", **SAVED[name])) for name in saved}
    else:
        sources = {image.name: image.read_bytes()}
    lines = [
        "| source | ladder | way | CPU ms | of singles by CPU | by wall | results |",
        "| ------ | ------ | --- | ------ | ----------------- | ------- | ------- |",
    ]
    with on_core(choose_cores().server):
        for name, source in sources.items():
            title = f"{name}, {len(source) / 1e6:.1f} MB"
            for ladder in ladders:
                lines += compare(source, title, ladder, rounds=rounds, config=config)
    return "\n".join(lines)


def ladders_named(names: str) -> tuple[str, ...]:
    """Choose ladders by a list; raises ValueError for a name that is none."""
    return _chosen(names, LADDERS)


def saved_named(names: str) -> tuple[str, ...]:
    """Choose kinds of source by a list; raises ValueError for a name that is none."""
    return _chosen(names, SAVED)


def _chosen(names: str, known: Iterable[str]) -> tuple[str, ...]:
    for name in names.split(","):
        if name not in known:
            raise ValueError(f"got {name!r}, expected a list of {', '.join(known)}")
    return tuple(names.split(","))


@contextmanager
def _server(photos: Path, cache: Path, key: str) -> Iterator[int]:
    """Run a server of one worker with an empty cache, on the server's core; gives its port."""
    port = free_port()
    settings = {
        "BIND": f"{HOST}:{port}",
        "ALLOW_UNSIGNED": "true",
        "LOCAL_FILESYSTEM_ROOT": str(photos),
        "WORKERS": "1",
        "RENDER_THREADS": "1",
        "CACHE": "memory,disk",
        "CACHE_PATH": str(cache),
        "API_KEYS": f"bench:{digest_of(key)}",
        "TIMEOUT": "60",
    }
    environ = {**os.environ, **{f"IMGSERVE_{name}": value for name, value in settings.items()}}
    program = (sys.executable, "-m", "imgserve")
    process = subprocess.Popen((*program, "serve"), env=environ, stderr=subprocess.DEVNULL)
    try:
        subprocess.run((*program, "health", "--wait", "30"), env=environ, check=True, stdout=subprocess.DEVNULL)
        yield port
    finally:
        process.terminate()
        process.wait()


def _ask(port: int, method: str, target: str, body: str | None = None, *, key: str = "") -> bytes:
    connection = http.client.HTTPConnection(HOST, port, timeout=600)
    try:
        connection.request(method, target, body, {"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{method} {target}: got {answer.status}, expected 200")
    return data


def _turn(
    port: int, way: str, paths: Sequence[str], order: Mapping[str, object], key: str
) -> tuple[float, list[bytes]]:
    """Make everything one way; gives the seconds, and what requests get from then on."""
    began = time.perf_counter()
    if way == "warm":
        last = json.loads(_ask(port, "POST", "/v1/warm", json.dumps(order), key=key).splitlines()[-1])
        if last["made"] != len(paths):
            raise RuntimeError(f"POST /v1/warm: got {last}, expected {len(paths)} made")
    else:
        for path in paths:
            _ask(port, "GET", path)
    seconds = time.perf_counter() - began
    return seconds, [_ask(port, "GET", path) for path in paths]


def over_http(*, ladder: str, rounds: int) -> str:
    """Give the table of one ladder, as Markdown; servers are new each turn, and all that they start has one core."""
    configure_libvips()
    widths, key, seconds = LADDERS[ladder], new_key(), dict[str, list[float]](single=[], warm=[])
    order = {"sources": "local:///photo.jpg", "widths": widths, "formats": FORMATS}
    paths = [f"/unsafe/w:{width}/f:{name}/plain/local:///photo.jpg" for width in widths for name in FORMATS]
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder, "photos")
        photos.mkdir()
        draw(SIZE).jpegsave(str(photos / "photo.jpg"), **SAVED["baseline"])
        for number in range(rounds):
            results = {}
            for way, spent in seconds.items():
                cache = Path(folder, f"{way}{number}")
                with on_core(choose_cores().server), _server(photos, cache, key) as port:
                    took, results[way] = _turn(port, way, paths, order, key)
                spent.append(took)
            if results["warm"] != results["single"]:
                raise RuntimeError("what was warmed differs from what single requests get")
    single = dict(enumerate(seconds["single"]))
    lines = ["| way | seconds | times as fast |", "| --- | ------- | ------------- |"]
    for way, spent in seconds.items():
        lines.append(f"| {way} | {spread(spent).median:.2f} | {_shown(ratios(single, dict(enumerate(spent))))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    for name in LADDERS:
        print(f"{name}:\n{over_http(ladder=name, rounds=3)}")
