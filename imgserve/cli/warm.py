"""`imgserve warm`: make variants ahead, into the caches that servers with these settings answer from."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import IO, Final

import click
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from imgserve.app.api import expansion_of
from imgserve.app.services import Services, build_services
from imgserve.cli.environment import refuse, settings_or_exit
from imgserve.errors import ConfigError, ImgserveError
from imgserve.service.warm import Outcome, Warmed, Warmer
from imgserve.web.orders import ACCEPTS, Expansion, Order, order_of

#: Exit code of a command that Ctrl-C ended: 128 + SIGINT.
_EXIT_INTERRUPTED: Final = 130

_LISTED: Final = "repeated, or separated by commas"


class Board:
    """What was done until now, and the bar that shows it on a terminal."""

    def __init__(self, sources: int) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("sources, {task.description}"), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True, emoji=False), transient=True)
        self._counts: Counter[Outcome] = Counter()
        self._bytes = 0
        self._told: set[tuple[str, str]] = set()
        self._started = time.monotonic()
        self._task = self.bar.add_task(self._counted(), total=sources)

    @property
    def failed(self) -> int:
        return self._counts[Outcome.FAILED]

    def add(self, source: str, one: Warmed) -> None:
        self._counts[one.outcome] += 1
        self._bytes += one.bytes
        if one.error is not None:
            self._tell(source, one.wanted.path, one.error)
        self.bar.update(self._task, description=self._counted())

    def refused(self, source: str, error: ImgserveError) -> None:
        """Note a source of which nothing can be made."""
        self._counts[Outcome.FAILED] += 1
        self._tell(source, source, error)

    def source_done(self) -> None:
        self.bar.advance(self._task)

    def show(self) -> None:
        table = Table("made", "kept", "failed", "bytes", "time", header_style="bold", box=None, pad_edge=False)
        counts = (str(self._counts[one]) for one in Outcome)
        table.add_row(*counts, decimal(self._bytes), f"{time.monotonic() - self._started:.1f} s")
        Console(emoji=False).print(table)

    def _counted(self) -> str:
        return ", ".join(f"{self._counts[one]} {one.value}" for one in Outcome)

    def _tell(self, source: str, what: str, error: ImgserveError) -> None:
        if (source, error.message) in self._told:
            return  # what is wrong with a source is wrong with all its variants
        self._told.add((source, error.message))
        # Above the bar, which would be drawn over otherwise.
        self.bar.console.print(f"failed: {what}: {error.message}", markup=False, highlight=False, soft_wrap=True)


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--file", "files", multiple=True, type=click.File(encoding="utf-8"), help="File of sources, one a line.")
@click.option("--preset", "-p", "presets", multiple=True, help="Presets as in a URL, a:b; repeated: variants of each.")
@click.option("--option", "options", multiple=True, help="Options as in a URL, q:80/bl:2; repeated: variants of each.")
@click.option("--width", "-w", "widths", multiple=True, help=f"Widths of the results; {_LISTED}.")
@click.option("--format", "-f", "formats", multiple=True, help=f"Formats of URLs that name one; {_LISTED}.")
@click.option(
    "--accept",
    multiple=True,
    help=f"For URLs without a format, what clients send: {', '.join(ACCEPTS)} ({_LISTED}), or a whole Accept header.",
)
@click.option("--dpr", multiple=True, help=f"Pixel ratios; {_LISTED}. 1 is left out of URLs.")
@click.option("--jobs", "-j", default=1, show_default=True, type=click.IntRange(1, 64), help="Sources at a time.")
def warm(
    sources: tuple[str, ...],
    files: tuple[IO[str], ...],
    presets: tuple[str, ...],
    options: tuple[str, ...],
    widths: tuple[str, ...],
    formats: tuple[str, ...],
    accept: tuple[str, ...],
    dpr: tuple[str, ...],
    jobs: int,
) -> None:
    """Make variants of SOURCES ahead, all of a source's at once; - reads sources from standard input.

    Results come to where servers with the same settings look for them: disk, Redis, S3. What is there and fresh is
    passed over, so that a warm which was ended goes on when it is started again. Exits with 1 when anything failed.
    """
    try:
        order = order_of(
            presets=presets,
            options=options,
            widths=_numbers("--width", widths),
            formats=_pieces(formats),
            accept=[piece for text in accept for piece in ([text] if "/" in text else text.split(","))],
            dpr=_numbers("--dpr", dpr),
        )
    except ImgserveError as wrong:
        raise click.ClickException(wrong.message) from None
    wanted = list(dict.fromkeys(_listed(sources, files)))
    if not wanted:
        raise click.UsageError("Give at least one source.")
    services = _services_or_exit()
    board = Board(len(wanted))
    expansion = expansion_of(services)
    try:
        asyncio.run(_warm(services, expansion, wanted, order, jobs=jobs, board=board))
    except ImgserveError as wrong:
        raise click.ClickException(wrong.message) from None
    except KeyboardInterrupt:
        board.show()
        click.echo("stopped; the same command goes on from here", err=True)
        sys.exit(_EXIT_INTERRUPTED)
    board.show()
    if board.failed:
        sys.exit(1)


def _services_or_exit() -> Services:
    settings = settings_or_exit(key_needed=False)
    tiers = settings.cache.cache
    if not set(tiers) & {"disk", "redis", "s3"}:
        raise click.ClickException(
            f"IMGSERVE_CACHE is {','.join(tiers)}: expected disk, redis or s3, where a server finds what is made here."
        )
    try:
        return build_services(settings)
    except ConfigError as wrong:
        refuse(wrong.problems)


def _pieces(given: Sequence[str]) -> list[str]:
    return [piece for text in given for piece in text.split(",")]


def _numbers(name: str, given: Sequence[str]) -> list[float]:
    try:
        return [float(piece) for piece in _pieces(given)]
    except ValueError:
        raise click.UsageError(f"{name}: expected numbers, got {','.join(given)!r}.") from None


def _listed(sources: Iterable[str], files: Iterable[IO[str]]) -> Iterator[str]:
    """Give all sources, those of standard input in place of "-"."""
    for source in sources:
        if source == "-":
            yield from _stripped(sys.stdin)
        else:
            yield source
    for file in files:
        yield from _stripped(file)


def _stripped(lines: Iterable[str]) -> Iterator[str]:
    return (line.strip() for line in lines if line.strip())


async def _warm(
    services: Services, expansion: Expansion, sources: Sequence[str], order: Order, *, jobs: int, board: Board
) -> None:
    warmer, waiting = services.warmer.with_processes(jobs), iter(sources)
    try:
        # Before any source: what is wrong with the order is wrong with all of them.
        dataclasses.replace(expansion, admit=lambda _: None).wanted(sources[0], order)
        await services.start()
        with board.bar:
            async with asyncio.TaskGroup() as group:
                for _ in range(jobs):
                    group.create_task(_job(warmer, expansion, order, waiting, board))
    finally:
        await warmer.close()
        await services.close()


async def _job(warmer: Warmer, expansion: Expansion, order: Order, waiting: Iterator[str], board: Board) -> None:
    """Take sources until there are none left."""
    for source in waiting:
        try:
            wanted = expansion.wanted(source, order)
        except ImgserveError as wrong:
            board.refused(source, wrong)
            wanted = []
        async with aclosing(warmer.warm(wanted)) as variants:
            async for one in variants:
                board.add(source, one)
        board.source_done()
