"""The report of a measurement that has bars to reach: tables, what was wanted, what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.cores import Cores
from bench.figures import Spread
from bench.machine import command_line, machine_facts, versions
from bench.report import grid, write_both


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A figure that was asked for; `at_least` False means that less is better."""

    name: str
    measured: float
    wanted: float
    at_least: bool = True
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as they are shown."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """One measurement; `data` is what the tables were made of, for programs."""

    title: str
    command: str
    machine: dict[str, str]
    versions: dict[str, str]
    bars: tuple[Bar, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    data: tuple[object, ...] = field(default=())


def findings(
    title: str,
    cores: Cores,
    *,
    bars: Sequence[Bar],
    tables: Sequence[Table],
    notes: Sequence[str] = (),
    data: Sequence[object] = (),
) -> Findings:
    """Add the facts of the machine and of this run."""
    return Findings(
        title=title,
        command=command_line(),
        machine=machine_facts(cores),
        versions=versions(()),
        bars=tuple(bars),
        tables=tuple(tables),
        notes=tuple(notes),
        data=tuple(data),
    )


def ratio(value: Spread) -> str:
    return f"{value.median:.2f} ({value.low:.2f}-{value.high:.2f})"


def _bar_row(bar: Bar) -> list[str]:
    sign = ">=" if bar.at_least else "<="
    unit = f" {bar.unit}" if bar.unit else ""
    return [bar.name, f"{bar.measured:.3g}{unit}", f"{sign} {bar.wanted:g}{unit}", "reached" if bar.met else "MISSED"]


def as_markdown(found: Findings) -> str:
    facts = [f"- {name}: {value}" for name, value in found.machine.items()]
    of = ", ".join(f"{name} {value}" for name, value in found.versions.items())
    lines = [f"# {found.title}", "", f"`{found.command}`", "", *facts, f"- versions: {of}", ""]
    if found.bars:
        lines += [*grid(["wanted", "measured", "bar", ""], [_bar_row(bar) for bar in found.bars]), ""]
    for table in found.tables:
        lines += [f"## {table.title}", "", *grid(table.head, table.rows), ""]
    return "\n".join([*lines, *(f"- {note}" for note in found.notes), ""])


def write_findings(found: Findings, out: Path) -> tuple[Path, Path]:
    """Write `out` with the suffixes .md and .json."""
    return write_both(as_markdown(found), asdict(found), out)
