"""This server as it comes against itself with imgproxy's encoder parameters: whole requests, and their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bench.cases import Case
from bench.contenders import DEFAULTS, OURS, choose, photo_source
from bench.cores import choose_cores, on_core
from bench.figures import Slice, Spread, ratios, spread
from bench.findings import Bar, Findings, Table, findings, ratio
from bench.measure import noise_note, prepare_photo
from bench.raw import configure
from bench.rounds import Plan, run_rounds, started

#: Times as fast, and times the bytes, at least and at most.
BARS: Final = MappingProxyType({"png": (1.4, 1.03), "webp": (1.6, 1.05), "avif": (2.0, 1.10)})


def measure_defaults(
    *, cases: Sequence[Case], connections: int, rounds: int, seconds: float, image: Path | None
) -> Findings:
    configure()
    cores, photo = choose_cores(), prepare_photo(image)
    both = [
        one for one in choose((), folder=photo.parent, over_http=False, defaults=True) if one.name in (OURS, DEFAULTS)
    ]
    plan = Plan(
        cases=tuple(cases), contenders=tuple(both), concurrencies=(connections,), rounds=rounds, seconds=seconds,
        photo=photo, source=photo_source(None), cores=cores,
    )  # fmt: skip
    with on_core(cores.load), started(plan) as bench:
        slices = run_rounds(plan, bench)
    return findings(
        "Defaults against imgproxy's encoder parameters",
        cores,
        bars=bars_of(slices),
        tables=[_table(slices)],
        notes=(
            f"600x400 of {image.name if image else 'the drawn photo'}, {connections} at a time, {rounds} rounds",
            "bytes are of this one picture: the bars are meant over many (python -m bench encoders)",
            noise_note(slices),
        ),
        data=[replace(one, latencies_ms=()) for one in slices],
    )


def faster(slices: Sequence[Slice], format: str, *, by_cpu: bool) -> Spread:
    """Give how many times as fast the defaults are, by requests a second or by CPU time."""
    own, bar = (
        {one.round: one for one in slices if (one.contender, one.format) == (name, format)} for name in (DEFAULTS, OURS)
    )
    if by_cpu:
        return ratios({n: one.cpu_ms for n, one in bar.items()}, {n: one.cpu_ms for n, one in own.items()})
    return ratios({n: one.rps for n, one in own.items()}, {n: one.rps for n, one in bar.items()})


def heavier(slices: Sequence[Slice], format: str) -> float:
    own, bar = (
        next(one.answer_bytes for one in slices if (one.contender, one.format) == (name, format))
        for name in (DEFAULTS, OURS)
    )
    return own / bar


def _formats(slices: Sequence[Slice]) -> list[str]:
    return sorted({one.format for one in slices})


def bars_of(slices: Sequence[Slice]) -> list[Bar]:
    out = []
    for name in _formats(slices):
        if name in BARS:
            speed, weight = BARS[name]
            measured = faster(slices, name, by_cpu=False).median
            out.append(Bar(name=f"{name}: times as fast", measured=measured, wanted=speed))
            measured = heavier(slices, name)
            out.append(Bar(name=f"{name}: times the bytes", measured=measured, wanted=weight, at_least=False))
    return out


def _table(slices: Sequence[Slice]) -> Table:
    rows = []
    for name in _formats(slices):
        both = [[one for one in slices if (one.contender, one.format) == (who, name)] for who in (OURS, DEFAULTS)]
        rps = [f"{spread([one.rps for one in turns]).median:.1f}" for turns in both]
        cpu = [f"{spread([one.cpu_ms for one in turns]).median:.1f}" for turns in both]
        times = [ratio(faster(slices, name, by_cpu=by_cpu)) for by_cpu in (False, True)]
        rows.append([name, *rps, *cpu, *times, f"{heavier(slices, name):.3f}"])
    head = [
        "format", "req/s imgproxy's", "req/s defaults", "CPU ms imgproxy's", "CPU ms defaults", "times as fast",
        "by CPU", "times the bytes",
    ]  # fmt: skip
    return Table("Formats", head, rows)
