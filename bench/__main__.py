"""The benchmark's command line: python -m bench cold | http | parts | encoders | warm | cutout | setup | a bar."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.bars import BARS, add_bars, measure_bar
from bench.cases import CASES, cases_named
from bench.checks import WrongAnswer
from bench.encoders import CANDIDATES, WIDTHS, formats_named
from bench.encoders import report as compare_encoders
from bench.measure import measure, measure_outside
from bench.peers.install import install, peer_named
from bench.report import markdown, write
from bench.warm import LADDERS, SAVED, ladders_named, saved_named
from bench.warm import report as compare_warm
from bench.workshop import WORKSHOP
from imgserve.engine.intent import EngineConfig

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
        command.add_argument(
            "--defaults", action="store_true", help="add this server with its own encoder settings, not imgproxy's"
        )
        command.add_argument(
            "--cached", action="store_true", help="with http: add this server with the source in its cache"
        )
        command.add_argument("--image", type=Path, help="a JPEG in place of the one the benchmark draws")
        command.add_argument("--out", type=Path, default=WORKSHOP / name, help="report, written as .md and .json")
    parts = commands.add_parser("parts", help="what lies outside libvips, part by part")
    parts.add_argument("--seconds", type=float, default=10.0, help="time of all parts together (10)")
    encoders = commands.add_parser("encoders", help="what encoder settings cost and give, on pictures of yours")
    encoders.add_argument("pictures", nargs="*", type=Path, help="files and folders (the photo the benchmark draws)")
    encoders.add_argument("--formats", default=tuple(CANDIDATES), type=_spoken(formats_named), help="a list (all)")
    encoders.add_argument("--widths", default=WIDTHS, type=_spoken(_numbers), help="a list, in pixels (400,800,1600)")
    encoders.add_argument("--repetitions", default=5, type=int, help="turns of every setting on every picture (5)")
    encoders.add_argument("--details", action="store_true", help="add the figures of every picture")
    warm = commands.add_parser("warm", help="what making many variants of one photo together saves")
    warm.add_argument("--rounds", default=5, type=int, help="turns of every way (5)")
    warm.add_argument("--ladders", default=tuple(LADDERS), type=_spoken(ladders_named), help="a list (all)")
    warm.add_argument("--saved", default=tuple(SAVED), type=_spoken(saved_named), help="kinds of source, a list (all)")
    warm.add_argument("--webp-effort", default=EngineConfig().webp_effort, type=int, help="0 to 6 (the default)")
    warm.add_argument("--image", type=Path, help="a picture in place of those the benchmark draws")
    cutout = commands.add_parser("cutout", help="how well backgrounds are removed without a model")
    cutout.add_argument("--folder", type=Path, help="where each cut-out is written over magenta (nowhere)")
    add_bars(commands)
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
    if options.command == "encoders":
        print(
            compare_encoders(
                options.pictures,
                formats=options.formats,
                widths=options.widths,
                repetitions=options.repetitions,
                details=options.details,
            )
        )
        return 0
    if options.command == "warm":
        config = EngineConfig(webp_effort=options.webp_effort, avif_speed=9)
        print(
            compare_warm(
                options.image, saved=options.saved, ladders=options.ladders, rounds=options.rounds, config=config
            )
        )
        return 0
    if options.command == "cutout":
        # Here: it needs the ai extra, and the other subcommands do not.
        from bench.cutout import report_grabcut

        print(report_grabcut(folder=options.folder))
        return 0
    if options.command in BARS:
        return measure_bar(options)
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
