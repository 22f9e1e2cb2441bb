"""`imgserve doctor`: what this installation is made of, what it can do, and what is wrong with it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from imgserve import __version__
from imgserve.app.main import check
from imgserve.app.models import build_providers
from imgserve.app.queueing import queue_name, queue_trouble
from imgserve.app.tier_trials import TierTrial, try_tiers
from imgserve.app.working import SHARED, works_on_jobs
from imgserve.cli.address import address_problems
from imgserve.cli.formats import Trial, blocked_loaders, library_versions, try_formats
from imgserve.engine.libvips import configure_libvips
from imgserve.errors import ConfigError
from imgserve.ports.models import Task
from imgserve.settings import Settings, load


class Weight(Enum):
    """What a finding means for serving: the word that it is told with, and its colour."""

    #: The server does not start.
    WRONG = ("wrong", "red")
    #: It serves, but for that.
    LACKING = ("lacking", "red")
    ADVICE = ("advice", "yellow")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (or, by its weight, less than that), and what mends it."""

    what: str
    remedy: str = ""
    weight: Weight = Weight.WRONG


@click.command()
def doctor() -> None:
    """Show versions and formats, check the settings, try the caches, and say whether this installation can serve.

    Exits with 1 when it cannot, or not in all formats; a tier of the cache that does not work only makes it slower.
    """
    console = Console(emoji=False)
    configure_libvips()
    trials = try_formats()
    _show_versions(console)
    _show_formats(console, trials)
    console.print(f"[bold]blocked loaders[/]  {', '.join(blocked_loaders()) or 'none'}")
    findings = [*_format_findings(trials), *settings_findings(), *_machine_findings()]
    tiers: tuple[TierTrial, ...] = ()
    if not any(finding.weight is Weight.WRONG for finding in findings):
        tiers = tuple(try_tiers(load()))
        _show_tiers(console, tiers)
        _show_models(console, load())
    console.print()
    for finding in findings:
        word, colour = finding.weight.value
        remedy = f" {finding.remedy}" if finding.remedy else ""
        console.print(f"[{colour}]{word}[/]  {escape(finding.what)}{escape(remedy)}", soft_wrap=True)
    sentence, serves = verdict(findings, tiers)
    console.print(f"[{'green' if serves else 'red'}]{escape(sentence)}[/]", soft_wrap=True)
    if not serves:
        sys.exit(1)


def verdict(findings: Sequence[Finding], tiers: Sequence[TierTrial]) -> tuple[str, bool]:
    """Say in a sentence whether it can serve; also as a value, for the exit code."""
    wrong = sum(finding.weight is Weight.WRONG for finding in findings)
    if wrong:
        return f"This installation cannot serve: {wrong} thing{'s' * (wrong > 1)} above must be mended first.", False
    lacking = [finding.what for finding in findings if finding.weight is Weight.LACKING]
    if lacking:
        return f"This installation cannot serve all formats: {' '.join(lacking)}", False
    broken = [f"the {tier.tier} tier does not work: {tier.problem.rstrip('.')}" for tier in tiers if tier.problem]
    if broken:
        return f"This installation can serve, but {'; and '.join(broken)}.", True
    return "This installation can serve.", True


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


def _show_tiers(console: Console, tiers: tuple[TierTrial, ...]) -> None:
    console.print()
    for tier in tiers:
        state = f"[red]{escape(tier.problem)}[/]" if tier.problem else "[green]works[/]"
        console.print(f"[bold]cache {tier.tier:<6}[/]  {escape(tier.place)}: {state}", soft_wrap=True)
    if not tiers:
        console.print("[bold]cache[/]  off: nothing is kept")


#: What a task wants that has no provider; the others have one unless they are off.
_WANTED: Mapping[Task, str] = {
    Task.OBJECTS: "set IMGSERVE_OBJECT_DETECTION_NET",
    Task.TEXT: "apt-get install tesseract-ocr",
    Task.CLASSIFY: "set IMGSERVE_CLASSIFICATION_NET",
    Task.NSFW: "set IMGSERVE_NSFW_NET",
}


def _show_models(console: Console, settings: Settings) -> None:
    """Say who does each AI step, and who works on jobs."""
    console.print()
    if not any(tier in SHARED for tier in settings.cache.cache):
        console.print("[bold]AI steps[/]  off: they need disk, redis or s3 in IMGSERVE_CACHE")
        return
    providers = build_providers(settings)
    for task in Task:
        provider = providers.get(task)
        if provider is None:
            state = f"[dim]nobody ({_WANTED.get(task, 'it is off')})[/]"
        else:
            works = "[green]works[/]" if provider.trouble() is None else "[red]does not work[/]"
            state = f"{escape(provider.capability.name)}{' (basic)' * provider.capability.basic}: {works}"
        console.print(f"[bold]AI {task.value:<10}[/]  {state}", soft_wrap=True)
    count = settings.jobs.queue_workers if works_on_jobs(settings) else 0
    who = f"serve works on {count} at a time" if count else "imgserve worker alone works on them"
    console.print(f"[bold]AI jobs[/]        {escape(queue_name(settings))}; {who}", soft_wrap=True)


def _format_findings(trials: tuple[Trial, ...]) -> Iterator[Finding]:
    for trial in trials:
        for problem in trial.problems:
            yield Finding(
                f"{trial.name}: {problem}.",
                "The wheel of libvips has every format listed here: pip install --force-reinstall 'pyvips[binary]'.",
                Weight.LACKING,
            )
        if trial.missing:
            yield Finding(f"{trial.name}: {trial.missing}", weight=Weight.ADVICE)


def settings_findings(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Check settings, presets, watermark and fallback image as a start would."""
    try:
        settings = load(environ)
    except ConfigError as wrong:
        yield from (Finding(problem, "See docs/settings.md.") for problem in wrong.problems)
        return
    yield from (Finding(warning, weight=Weight.ADVICE) for warning in settings.warnings)
    problems = [*check(settings), *address_problems(settings)]
    yield from (Finding(problem) for problem in problems)
    for task, provider in build_providers(settings).items() if not problems else ():
        if (trouble := provider.trouble()) is not None:
            yield Finding(f"AI steps, {task}: {trouble}", weight=Weight.ADVICE)
    if not problems and (trouble := queue_trouble(settings)):
        yield Finding(f"AI jobs: {trouble}", weight=Weight.ADVICE)


def _machine_findings() -> Iterator[Finding]:
    if not _jemalloc() and platform.system() == "Linux":
        yield Finding(
            "jemalloc is not in use; glibc's malloc gives memory back late.",
            "apt-get install libjemalloc2, and start with LD_PRELOAD=libjemalloc.so.2 (scripts/serve does).",
            weight=Weight.ADVICE,
        )
    if not any(folder.is_dir() and any(folder.rglob("*.[to]tf")) for folder in _FONT_FOLDERS):
        yield Finding(
            "There are no fonts: text in SVG stays empty.", "apt-get install fonts-dejavu-core.", weight=Weight.ADVICE
        )


_FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")


def _jemalloc() -> bool:
    maps = Path("/proc/self/maps")
    return maps.exists() and "jemalloc" in maps.read_text("utf-8", "replace")


def _allocator() -> str:
    arenas = os.environ.get("MALLOC_ARENA_MAX", "not set")
    return "jemalloc" if _jemalloc() else f"malloc of the system (MALLOC_ARENA_MAX: {arenas})"
