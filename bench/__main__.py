"""The benchmark's command line: python -m bench cold | http | parts | setup."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.cases import CASES, cases_named
from bench.checks import WrongAnswer
from bench.measure import measure, measure_outside
from bench.peers.install import install, peer_named
from bench.report import markdown, write
from bench.workshop import WORKSHOP

T = TypeVar("T")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, summary in (
        ("cold", "every request renders a photo from the local file system"),
        ("http", "every request fetches the photo from an HTTP origin and renders it"),
    ):
        command = commands.add_parser(name, help=summary)
        command.add_argument("--seconds", type=float, default=240.0, help="time of all turns together (240)")
        command.add_argument("--rounds", type=int, default=7, help="rounds the time is cut into (7)")
        command.add_argument(
            "--formats", type=_spoken(cases_named), default=CASES, help="a list, jpeg,webp,avif,png (all)"
        )
        command.add_argument(
            "--concurrency", type=_spoken(_numbers), default=(1, 4), help="a list of connections (1,4)"
        )
        command.add_argument("--peers", type=_spoken(_peers), default=(), help="a list, thumbor,ipx (none)")
        command.add_argument("--image", type=Path, help="a JPEG in place of the one the benchmark draws")
        command.add_argument("--out", type=Path, default=WORKSHOP / name, help="report, written as .md and .json")
    parts = commands.add_parser("parts", help="what lies outside libvips, part by part")
    parts.add_argument("--seconds", type=float, default=10.0, help="time of all parts together (10)")
    commands.add_parser("setup", help="install the peers from PyPI and npm into .run/bench")
    return parser


def _spoken(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Let argparse say what `parse` says is wrong; of a ValueError it tells only that there was one."""

    def parse_or_say(text: str) -> T:
        try:
            return parse(text)
        except ValueError as wrong:
            raise argparse.ArgumentTypeError(str(wrong)) from wrong

    return parse_or_say


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _peers(text: str) -> tuple[str, ...]:
    return tuple(peer_named(name).name for name in text.split(",") if name)


def main() -> int:
    options = arguments().parse_args()
    if options.command == "setup":
        install()
        return 0
    if options.command == "parts":
        print(measure_outside(seconds=options.seconds))
        return 0
    try:
        report = measure(options, over_http=options.command == "http")
    except (WrongAnswer, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(markdown(report))
    for path in write(report, options.out):
        print(f"written: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
