"""The parts outside libvips: all of them run on the server as it is now."""

from __future__ import annotations

from pathlib import Path

from bench.parts import measure_parts, table
from bench.workshop import PHOTO_NAME


def test_every_part_is_timed(tmp_path: Path, port: int) -> None:
    (tmp_path / PHOTO_NAME).write_bytes(b"\xff\xd8" + bytes(100_000))
    figures = measure_parts(tmp_path, port, seconds=0.0)
    assert all(figure.median_ns > 0 for figure in figures)
    assert table(figures).count("\n") == 1 + len(figures)
