"""One measurement from its options to its report: photo, origin, contenders, checks, rounds."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.cases import CASES, Case
from bench.checks import compare
from bench.contenders import Contender, choose, photo_source
from bench.cores import Cores, choose_cores, on_core
from bench.figures import Slice, percentile
from bench.load import drive
from bench.machine import command_line, machine_facts, versions
from bench.parts import measure_parts, table
from bench.peers.install import peer_named
from bench.photo import write_photo
from bench.raw import configure, render
from bench.report import Report, rows_of
from bench.rounds import Bench, Plan, run_rounds, started
from bench.workshop import PHOTO_NAME, REPOSITORY, WORKSHOP, caches, free_port, running

#: The load must be able to ask this many times as fast as the fastest contender answers.
CLIENT_HEADROOM: Final = 10


def installed_peers(names: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the peers that are there; say how to get the others."""
    for name in names:
        if not peer_named(name).installed:
            print(f"{name} is not installed and is left out; get it with: python -m bench setup", file=sys.stderr)
    return tuple(name for name in names if peer_named(name).installed)


def prepare_photo(given: Path | None) -> Path:
    """Put the photo into a folder of its own, which the servers may read."""
    photo = WORKSHOP / "photos" / PHOTO_NAME
    photo.parent.mkdir(parents=True, exist_ok=True)  # makes the workshop too
    if given is None:
        write_photo(photo)
    else:
        shutil.copyfile(given, photo)
    return photo


@contextmanager
def origin(photo: Path, core: int, *, content_type: str = "image/jpeg") -> Iterator[int]:
    """Run the origin process on `core`; gives its port."""
    port = free_port()
    command = (sys.executable, "-m", "bench.origin", str(photo), str(port), content_type)
    with running(f"origin-{core}", command, core=core, port=port, folder=REPOSITORY, env={}):
        yield port


def client_ceiling(cores: Cores, *, answer: bytes) -> float:
    """Requests per second of the load against a server that does nothing but send `answer`."""
    file = WORKSHOP / "answer"
    file.write_bytes(answer)
    with origin(file, cores.server) as port:
        targets = iter(lambda: "/", None)
        return len(drive(port, targets, concurrency=4, seconds=1.0, at_least=1).latencies_ms) / 1.0


def likeness_notes(bench: Bench, contender: Contender, cases: tuple[Case, ...], photo: bytes) -> list[str]:
    """Compare our answers' pixels with the raw loop's."""
    notes = []
    for case in cases:
        answer = bench.ask(contender, case, seconds=0)[0]
        likeness = compare(answer.body, render(photo, case))
        verdict = (
            "equal" if likeness.equal else f"DIFFERENT: by up to {likeness.largest:g} of 255, mean {likeness.mean:.3f}"
        )
        notes.append(f"{case.format}: pixels of {contender.name} and the raw loop are {verdict}")
    return notes


def noise_note(slices: tuple[Slice, ...]) -> str:
    shares = [s.foreign for s in slices]
    median, high = (percentile(shares, percent) for percent in (50, 90))
    return f"other processes took {median:.1%} of the server's core in the median turn, over {high:.1%} in a tenth"


def measure_outside(*, seconds: float) -> str:
    """Time what lies outside libvips on the server's core, the origin on the other; gives a table."""
    cores, photo = choose_cores(), prepare_photo(None)
    with origin(photo, cores.load) as port, on_core(cores.server):
        return table(measure_parts(photo.parent, port, seconds=seconds))


def measure(options: argparse.Namespace, *, over_http: bool) -> Report:
    configure()
    cores, peers, photo = choose_cores(), installed_peers(options.peers), prepare_photo(options.image)
    with on_core(cores.load), origin(photo, cores.load) as origin_port:
        plan = Plan(
            cases=options.formats,
            contenders=choose(
                peers,
                folder=photo.parent,
                over_http=over_http,
                defaults=options.defaults,
                cached=caches("source-cached") if options.cached and over_http else None,
            ),
            concurrencies=options.concurrency,
            rounds=options.rounds,
            seconds=options.seconds,
            photo=photo,
            source=photo_source(origin_port if over_http else None),
            cores=cores,
        )
        ceiling = client_ceiling(cores, answer=render(photo.read_bytes(), CASES[0]))
        with started(plan) as bench:
            notes = likeness_notes(bench, plan.contenders[0], plan.cases, photo.read_bytes())
            slices = run_rounds(plan, bench)
    rows = rows_of(slices)
    fastest = max(row.rps.median for row in rows)
    notes += [
        f"source: {options.image.name if options.image else 'drawn by the benchmark'}, {photo.stat().st_size} bytes",
        f"{plan.rounds} rounds, turns of {plan.turn_seconds:.2f} s shuffled by seed {plan.seed}, every answer checked",
        f"the load alone can ask {ceiling:.0f} times a second"
        + ("" if ceiling > CLIENT_HEADROOM * fastest else ": TOO SLOW for these figures"),
        noise_note(slices),
        *(difference for contender in plan.contenders for difference in contender.differs),
    ]
    return Report(
        title="Cold requests, source over HTTP" if over_http else "Cold requests, source from the local file system",
        command=command_line(),
        machine=machine_facts(cores),
        versions=versions(peers),
        rows=rows,
        notes=tuple(notes),
        slices=slices,
    )
