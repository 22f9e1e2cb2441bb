"""The measurements that have a bar to reach, as subcommands: their options, and how each is run and reported."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import hot, jobs, memory, overload, proxy, slow, start
from bench.cases import CASES, cases_named
from bench.checks import WrongAnswer
from bench.defaults import measure_defaults
from bench.findings import Findings, as_markdown, write_findings
from bench.workshop import WORKSHOP

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no other name for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    summary: str
    options: Callable[[argparse.ArgumentParser], None]
    measure: Callable[[argparse.Namespace], Findings]


def _words(known: Mapping[str, object]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"got {name!r}, expected a list of {', '.join(known)}")
        return tuple(text.split(","))

    return parse


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _rounds(command: argparse.ArgumentParser, *, rounds: int, seconds: int) -> None:
    command.add_argument("--rounds", type=int, default=rounds, help=f"turns of everything ({rounds})")
    command.add_argument("--seconds", type=int, default=seconds, help=f"whole seconds of a turn ({seconds})")


def _hits(command: argparse.ArgumentParser) -> None:
    _rounds(command, rounds=5, seconds=2)
    command.add_argument("--sizes", type=_words(hot.SIZES), default=tuple(hot.SIZES), help="a list (2KB,40KB,200KB)")
    command.add_argument("--connections", type=_numbers, default=hot.CONNECTIONS, help="a list (1,4,64)")


def _overload(command: argparse.ArgumentParser) -> None:
    _rounds(command, rounds=3, seconds=8)
    command.add_argument("--many", type=_numbers, default=overload.MANY, help="crowds, a list (64,512)")
    command.add_argument("--format", type=cases_named, default=(overload.JPEG,), help="of the pictures (jpeg)")
    command.add_argument("--http", action="store_true", help="sources from an HTTP origin, each another one")
    command.add_argument("--queue", type=int, help="IMGSERVE_REQUESTS_QUEUE_SIZE (its default)")


def _slow(command: argparse.ArgumentParser) -> None:
    _rounds(command, rounds=5, seconds=8)
    command.add_argument("--fast", type=int, default=4, help="connections that ask for prompt sources (4)")
    command.add_argument("--rate", type=float, default=20.0, help="requests a second for slow sources (20)")
    command.add_argument("--delay", type=float, default=2.0, help="seconds that those take (2)")


def _memory(command: argparse.ArgumentParser) -> None:
    command.add_argument("--count", type=int, default=20_000, help="requests with each malloc (20000)")
    command.add_argument("--workers", type=int, default=2, help="processes that serve (2)")


def _start(command: argparse.ArgumentParser) -> None:
    command.add_argument("--times", type=int, default=7, help="starts of each (7)")
    command.add_argument("--workers", type=_numbers, default=(1, 2), help="a list (1,2)")


def _enqueue(command: argparse.ArgumentParser) -> None:
    command.add_argument("--count", type=int, default=500, help="orders (500)")
    command.add_argument("--workers", type=int, default=2, help="jobs at a time (2)")


def _worker(command: argparse.ArgumentParser) -> None:
    command.add_argument("--count", type=int, default=1000, help="jobs (1000)")


def _defaults(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rounds", type=int, default=7, help="rounds the time is cut into (7)")
    command.add_argument("--seconds", type=float, default=120.0, help="time of all turns together (120)")
    command.add_argument("--connections", type=int, default=1, help="at a time (1)")
    command.add_argument("--formats", type=cases_named, default=CASES, help="a list, jpeg,webp,avif,png (all)")
    command.add_argument("--image", type=Path, help="a JPEG in place of the one the benchmark draws")


BARS: Final[Mapping[str, Command]] = {
    "hot": Command(
        summary="hits against a bare ASGI app that sends the same bytes",
        options=_hits,
        measure=lambda options: hot.measure_hot(
            sizes=options.sizes, connections=options.connections, rounds=options.rounds, seconds=options.seconds
        ),
    ),
    "proxy": Command(
        summary="hits in nginx against nginx that has the picture as a file",
        options=_hits,
        measure=lambda options: proxy.measure_proxy(
            sizes=options.sizes, connections=options.connections, rounds=options.rounds, seconds=options.seconds
        ),
    ),
    "overload": Command(
        summary="more cold work than the server can do",
        options=_overload,
        measure=lambda options: overload.measure_overload(
            case=options.format[0],
            many=options.many,
            rounds=options.rounds,
            seconds=options.seconds,
            over_http=options.http,
            queue=options.queue,
        ),
    ),
    "slow": Command(
        summary="half of the sources are slow",
        options=_slow,
        measure=lambda options: slow.measure_slow(
            slow.Load(fast=options.fast, rate=options.rate, delay_s=options.delay),
            rounds=options.rounds,
            seconds=options.seconds,
        ),
    ),
    "memory": Command(
        summary="what the processes hold over thousands of requests",
        options=_memory,
        measure=lambda options: memory.measure_memory(count=options.count, workers=options.workers),
    ),
    "start": Command(
        summary="from exec to the first picture",
        options=_start,
        measure=lambda options: start.measure_start(times=options.times, workers=options.workers),
    ),
    "enqueue": Command(
        summary="ordering AI jobs while workers are busy",
        options=_enqueue,
        measure=lambda options: jobs.measure_enqueue(count=options.count, workers=options.workers),
    ),
    "worker": Command(
        summary="what a worker of AI jobs holds over many of them",
        options=_worker,
        measure=lambda options: jobs.measure_worker(count=options.count),
    ),
    "defaults": Command(
        summary="this server's encoder settings against imgproxy's",
        options=_defaults,
        measure=lambda options: measure_defaults(
            cases=options.formats,
            connections=options.connections,
            rounds=options.rounds,
            seconds=options.seconds,
            image=options.image,
        ),
    ),
}


def add_bars(commands: Commands) -> None:
    """Add all of them to the command line."""
    for name, command in BARS.items():
        parser = commands.add_parser(name, help=command.summary)
        command.options(parser)
        parser.add_argument("--out", type=Path, default=WORKSHOP / name, help="report, written as .md and .json")


def measure_bar(options: argparse.Namespace) -> int:
    """Run one and write its report; gives the exit code, which says nothing of the bars."""
    WORKSHOP.mkdir(parents=True, exist_ok=True)
    try:
        found = BARS[options.command].measure(options)
    except (WrongAnswer, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(as_markdown(found))
    for path in write_findings(found, options.out):
        print(f"written: {path}", file=sys.stderr)
    return 0
