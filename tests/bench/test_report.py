"""The report: rows, ratios against the bar and the peers, the table."""

from __future__ import annotations

import json
from pathlib import Path

from bench.contenders import FLOOR, OURS, RAW
from bench.figures import Slice, Spread
from bench.report import Report, markdown, rows_of, write


def turn(contender: str, *, round: int, count: int, cpu_s: float = 0.5, concurrency: int = 1) -> Slice:
    return Slice(
        contender=contender,
        format="jpeg",
        concurrency=concurrency,
        round=round,
        seconds=1.0,
        cpu_s=cpu_s,
        foreign=0.0,
        latencies_ms=tuple(float(n) for n in range(1, count + 1)),
        answer_bytes=1000,
    )


SLICES = (
    turn("ipx", round=1, count=20),
    turn(OURS, round=1, count=40),
    turn(RAW, round=1, count=50),
    turn("ipx", round=2, count=10),
    turn(OURS, round=2, count=40),
    turn(RAW, round=2, count=40),
)


def test_the_bar_comes_first_then_the_floor_then_ourselves_then_the_peers() -> None:
    slices = (*SLICES, turn(FLOOR, round=1, count=45))
    assert [row.contender for row in rows_of(slices)] == [RAW, FLOOR, OURS, "ipx"]


def test_the_floor_is_no_peer() -> None:
    floor = rows_of((*SLICES, turn(FLOOR, round=1, count=45)))[1]
    assert floor.of_raw.median == 0.9
    assert floor.ours_over is None


def test_ratios_are_against_the_bar_and_ours_over_the_peer() -> None:
    _, ours, peer = rows_of(SLICES)
    assert ours.of_raw == Spread(0.9, 0.8, 1.0)
    assert ours.ours_over is None
    assert peer.ours_over == Spread(3.0, 2.0, 4.0)


def test_cpu_ratio_is_the_bars_time_for_a_picture_over_ours_for_a_request() -> None:
    rows = rows_of((turn(RAW, round=1, count=10, cpu_s=0.1), turn(OURS, round=1, count=10, cpu_s=0.2)))
    assert rows[1].cpu_of_raw.median == 0.5


def test_latencies_of_all_rounds_are_pooled() -> None:
    peer = rows_of(SLICES)[2]
    assert (peer.requests, peer.p50_ms, peer.p99_ms) == (30, 8.0, 20.0)


def test_every_concurrency_is_held_against_the_bars_one_loop() -> None:
    rows = rows_of((*SLICES, turn(OURS, round=1, count=45, concurrency=4)))
    assert [(row.concurrency, row.of_raw.median) for row in rows if row.contender == OURS] == [(1, 0.9), (4, 0.9)]


def test_the_report_is_written_as_markdown_and_json(tmp_path: Path) -> None:
    report = Report(
        title="Cold", command="python -m bench cold", machine={"cores": "2"}, versions={"libvips": "8"},
        rows=rows_of(SLICES), notes=("a note",), slices=SLICES,
    )  # fmt: skip
    text, data = write(report, tmp_path / "figures.txt")
    assert text.read_text() == markdown(report)
    assert "| jpeg   | imgserve | 1 " in text.read_text()
    assert json.loads(data.read_text())["rows"][1]["of_raw"] == {"median": 0.9, "low": 0.8, "high": 1.0}
