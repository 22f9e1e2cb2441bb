"""`imgserve render`: a local batch without a server."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.filesize import decimal
from rich.progress import track
from rich.table import Table

from imgserve.app.cpus import cpu_count
from imgserve.app.services import Services, build_services
from imgserve.app.sources import wait_for
from imgserve.cli.batch import Outcome, plan_of, render_files
from imgserve.cli.environment import refuse, settings_or_exit
from imgserve.engine.formats import FORMATS
from imgserve.errors import ConfigError, ImgserveError
from imgserve.plan.needs import needs_of

OUTPUT_FORMATS = [name for name, known in FORMATS.items() if known.save]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--preset", "-p", "presets", multiple=True, help="Name of a preset; may be repeated.")
@click.option("--option", "options", multiple=True, help="An option as in a URL, width:300; may be repeated.")
@click.option("--format", "-f", "format_name", type=click.Choice(OUTPUT_FORMATS), help="Format of the results.")
@click.option(
    "--output",
    "-o",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of results.",
)
@click.option("--jobs", "-j", default=0, type=click.IntRange(0), help="Pictures at a time; 0 = one a CPU.")
def render(
    files: tuple[Path, ...],
    presets: tuple[str, ...],
    options: tuple[str, ...],
    format_name: str | None,
    folder: Path,
    jobs: int,
) -> None:
    """Render local FILES into a folder, several at a time; exits with 1 when any failed."""
    formats = [f"format:{format_name}"] if format_name else []
    services = _services_or_exit()
    try:
        plan = plan_of([*options, *formats], presets, services.grammar)
    except ImgserveError as wrong:
        raise click.ClickException(wrong.message) from None
    if needs_of(plan):
        raise click.ClickException("AI steps are made by a server's workers; `imgserve render` does without them.")
    started = time.monotonic()
    outcomes = render_files(
        files,
        plan,
        folder,
        defaults=services.renderer.intents.defaults,
        config=services.renderer.config,
        jobs=jobs or cpu_count(),
    )
    finished = list(_with_bar(outcomes, len(files)))
    _tell(finished, time.monotonic() - started)
    if any(outcome.problem for outcome in finished):
        sys.exit(1)


def _services_or_exit() -> Services:
    """Make what the server would work with: its grammar, presets, limits, encoders and watermark."""
    settings = settings_or_exit(key_needed=False)
    try:
        services = build_services(settings.without_cache())
    except ConfigError as wrong:
        refuse(wrong.problems)
    wait_for(services.close())  # of its sources and threads, none is used
    return services


def _with_bar(outcomes: Iterator[Outcome], total: int) -> Iterator[Outcome]:
    console = Console(stderr=True, emoji=False)
    return iter(track(outcomes, description="rendering", total=total, console=console, transient=True))


def _tell(finished: list[Outcome], seconds: float) -> None:
    failed = [outcome for outcome in finished if outcome.problem]
    console = Console(emoji=False)
    for outcome in failed:
        click.echo(f"failed: {outcome.source}: {outcome.problem}", err=True)
    bytes_in = sum(outcome.bytes_in for outcome in finished if not outcome.problem)
    bytes_out = sum(outcome.bytes_out for outcome in finished)
    summary = Table("ok", "failed", "bytes in", "bytes out", "time", header_style="bold", box=None, pad_edge=False)
    done = len(finished) - len(failed)
    summary.add_row(str(done), str(len(failed)), decimal(bytes_in), decimal(bytes_out), f"{seconds:.1f} s")
    console.print(summary)
