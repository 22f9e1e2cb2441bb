"""`imgserve doctor`: what this installation is made of, what it can do, and what is wrong with it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from imgserve import __version__
from imgserve.app.main import check
from imgserve.cli.address import address_problems
from imgserve.cli.formats import Trial, blocked_loaders, library_versions, try_formats
from imgserve.engine.libvips import configure_libvips
from imgserve.errors import ConfigError
from imgserve.settings import load


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (or, `advice`, could be better), and what mends it."""

    what: str
    remedy: str = ""
    advice: bool = False


@click.command()
def doctor() -> None:
    """Show versions and formats, check the settings, and say what is missing; exits with 1 when something is wrong."""
    console = Console(emoji=False)
    configure_libvips()
    trials = try_formats()
    _show_versions(console)
    _show_formats(console, trials)
    console.print(f"[bold]blocked loaders[/]  {', '.join(blocked_loaders()) or 'none'}")
    findings = [*_format_findings(trials), *settings_findings(), *_machine_findings()]
    console.print()
    for finding in findings:
        colour, word = ("yellow", "advice") if finding.advice else ("red", "wrong")
        remedy = f" {finding.remedy}" if finding.remedy else ""
        console.print(f"[{colour}]{word}[/]  {escape(finding.what)}{escape(remedy)}", soft_wrap=True)
    if any(not finding.advice for finding in findings):
        sys.exit(1)
    console.print("[green]This installation can serve.[/]")


def _show_versions(console: Console) -> None:
    versions: Mapping[str, str] = {
        "imgserve": __version__,
        "Python": f"{platform.python_version()} ({platform.machine()})",
        **library_versions(),
        "memory": _allocator(),
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, version in versions.items():
        table.add_row(f"[bold]{name}[/]", escape(version))
    console.print(table)
    console.print()


def _show_formats(console: Console, trials: tuple[Trial, ...]) -> None:
    table = Table("format", "in", "out", "animated in", "animated out", header_style="bold", box=None, pad_edge=False)
    for trial in trials:
        marks = (trial.read, trial.written, trial.read_animated, trial.written_animated)
        table.add_row(trial.name, *("[green]yes[/]" if mark else "[dim]–[/]" for mark in marks))
    console.print(table)
    console.print()


def _format_findings(trials: tuple[Trial, ...]) -> Iterator[Finding]:
    for trial in trials:
        for problem in trial.problems:
            yield Finding(
                f"{trial.name}: {problem}.",
                "The wheel of libvips has every format listed here: pip install --force-reinstall 'pyvips[binary]'.",
            )
        if trial.missing:
            yield Finding(f"{trial.name}: {trial.missing}", advice=True)


def settings_findings(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Check settings, presets, watermark and fallback image as a start would."""
    try:
        settings = load(environ)
    except ConfigError as wrong:
        yield from (Finding(problem, "See docs/settings.md.") for problem in wrong.problems)
        return
    yield from (Finding(warning, advice=True) for warning in settings.warnings)
    yield from (Finding(problem) for problem in (*check(settings), *address_problems(settings)))


def _machine_findings() -> Iterator[Finding]:
    if not _jemalloc() and platform.system() == "Linux":
        yield Finding(
            "jemalloc is not in use; glibc's malloc gives memory back late.",
            "apt-get install libjemalloc2, and start with LD_PRELOAD=libjemalloc.so.2 (scripts/serve does).",
            advice=True,
        )
    if not any(folder.is_dir() and any(folder.rglob("*.[to]tf")) for folder in _FONT_FOLDERS):
        yield Finding("There are no fonts: text in SVG stays empty.", "apt-get install fonts-dejavu-core.", advice=True)


_FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")


def _jemalloc() -> bool:
    maps = Path("/proc/self/maps")
    return maps.exists() and "jemalloc" in maps.read_text("utf-8", "replace")


def _allocator() -> str:
    arenas = os.environ.get("MALLOC_ARENA_MAX", "not set")
    return "jemalloc" if _jemalloc() else f"malloc of the system (MALLOC_ARENA_MAX: {arenas})"
