"""The figures as people read them (Markdown, which is also what the terminal shows) and as programs do (JSON)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from bench.cases import CASES
from bench.contenders import FLOOR, OURS, RAW
from bench.figures import Slice, Spread, percentile, ratios, spread


@dataclass(frozen=True, slots=True)
class Row:
    """One contender on one format at one concurrency; ratios are medians over rounds of the ratio within a round."""

    format: str
    contender: str
    concurrency: int
    requests: int
    answer_bytes: int
    rps: Spread
    p50_ms: float
    p99_ms: float
    cpu_ms: Spread
    #: Requests per second over the raw loop's.
    of_raw: Spread
    #: The raw loop's CPU time for a picture over this one's for a request: other processes' noise does not enter.
    cpu_of_raw: Spread
    #: Our requests per second over this peer's, at the same concurrency; None for the raw loop, the floor and us.
    ours_over: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    title: str
    command: str
    machine: dict[str, str]
    versions: dict[str, str]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    slices: tuple[Slice, ...] = field(default=())


def rows_of(slices: Sequence[Slice]) -> tuple[Row, ...]:
    """Fold the turns into rows, one for each format, contender and concurrency: the bar, the floor, us, the peers."""
    formats = [case.format for case in CASES]
    keys = sorted(
        {(s.format, s.contender, s.concurrency) for s in slices},
        key=lambda key: (formats.index(key[0]), *(key[1] != name for name in (RAW, FLOOR, OURS)), key),
    )
    return tuple(_row(slices, *key) for key in keys)


def _row(slices: Sequence[Slice], format: str, contender: str, concurrency: int) -> Row:
    def of(name: str, at: int) -> dict[int, Slice]:
        return {s.round: s for s in slices if (s.format, s.contender, s.concurrency) == (format, name, at)}

    own, raw, ours = of(contender, concurrency), of(RAW, 1), of(OURS, concurrency)
    latencies = [latency for s in own.values() for latency in s.latencies_ms]
    rps = {n: s.rps for n, s in own.items()}
    peer = contender not in (RAW, FLOOR, OURS)
    return Row(
        format=format,
        contender=contender,
        concurrency=concurrency,
        requests=len(latencies),
        answer_bytes=next(iter(own.values())).answer_bytes,
        rps=spread(list(rps.values())),
        p50_ms=percentile(latencies, 50),
        p99_ms=percentile(latencies, 99),
        cpu_ms=spread([s.cpu_ms for s in own.values()]),
        of_raw=ratios(rps, {n: s.rps for n, s in raw.items()}),
        cpu_of_raw=ratios({n: s.cpu_ms for n, s in raw.items()}, {n: s.cpu_ms for n, s in own.items()}),
        ours_over=ratios({n: s.rps for n, s in ours.items()}, rps) if peer and ours else None,
    )


def _ratio(value: Spread) -> str:
    return f"{value.median:.2f} ({value.low:.2f}-{value.high:.2f})"


COLUMNS: Final[Sequence[tuple[str, Callable[[Row], str]]]] = (
    ("format", lambda row: row.format),
    ("who", lambda row: row.contender),
    ("connections", lambda row: str(row.concurrency)),
    ("req/s", lambda row: f"{row.rps.median:.1f}"),
    ("p50 ms", lambda row: f"{row.p50_ms:.1f}"),
    ("p99 ms", lambda row: f"{row.p99_ms:.1f}"),
    ("CPU ms", lambda row: f"{row.cpu_ms.median:.2f}"),
    ("of raw (min-max)", lambda row: "" if row.contender == RAW else _ratio(row.of_raw)),
    ("of raw by CPU", lambda row: "" if row.contender == RAW else f"{row.cpu_of_raw.median:.2f}"),
    ("ours over it", lambda row: "" if row.ours_over is None else _ratio(row.ours_over)),
    ("KB", lambda row: f"{row.answer_bytes / 1000:.1f}"),
)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a Markdown table whose columns line up in a terminal, too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]


def _table(rows: Sequence[Row]) -> list[str]:
    return grid([name for name, _ in COLUMNS], [[cell(row) for _, cell in COLUMNS] for row in rows])


def markdown(report: Report) -> str:
    facts = [f"- {name}: {value}" for name, value in report.machine.items()]
    versions = ", ".join(f"{name} {value}" for name, value in report.versions.items())
    return "\n".join(
        [
            f"# {report.title}",
            "",
            f"`{report.command}`",
            "",
            *facts,
            f"- versions: {versions}",
            "",
            *_table(report.rows),
            "",
            *(f"- {note}" for note in report.notes),
            "",
        ]
    )


def write(report: Report, out: Path) -> tuple[Path, Path]:
    """Write `out` with the suffixes .md and .json, whatever suffix it came with."""
    return write_both(markdown(report), asdict(report), out)


def write_both(text: str, data: object, out: Path) -> tuple[Path, Path]:
    """Write what people and what programs read."""
    out.parent.mkdir(parents=True, exist_ok=True)
    as_markdown, as_json = out.with_suffix(".md"), out.with_suffix(".json")
    as_markdown.write_text(text)
    as_json.write_text(json.dumps(data, indent=1) + "\n")
    return as_markdown, as_json
