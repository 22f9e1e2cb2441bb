"""The bar: a hand-written libvips loop that makes the same pixels with the same saver, and nothing else.

Run as `python -m bench.raw IMAGE` it is a process that renders in turns: a line of JSON in
(`{"format", "seconds", "at_least"}`), a line of JSON out (a Turn).
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyvips

from bench.cases import HEIGHT, WIDTH, Case, cases_named


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the loop took."""

    seconds: float
    cpu_s: float
    latencies_ms: list[float]
    answer_bytes: int


def _round_half_up(value: float) -> int:
    return math.floor(value + 0.5)


def _shrink_on_load(factor: float) -> int:
    """Choose the largest of libjpeg's shrink factors that leaves the picture at least as large as needed."""
    return next(shrink for shrink in (8, 4, 2, 1) if factor >= shrink or shrink == 1)


def render(source: bytes, case: Case, *, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Decode a JPEG, fill width x height from its centre and encode it; the source must not be smaller than that.

    The arithmetic is imgproxy's: scaled sizes round half away from zero, the crop's offset rounds half to even.
    """
    image = pyvips.Image.jpegload_buffer(source, access="sequential")
    whole_width, whole_height = image.width, image.height
    factor = min(whole_width / width, whole_height / height)
    scaled_width, scaled_height = _round_half_up(whole_width / factor), _round_half_up(whole_height / factor)
    shrink = _shrink_on_load(min(whole_width / scaled_width, whole_height / scaled_height))
    if shrink > 1:
        image = pyvips.Image.jpegload_buffer(source, access="sequential", shrink=shrink)
    image = image.resize(whole_width / image.width / factor, vscale=whole_height / image.height / factor)
    left, top = round((scaled_width - width + 1) / 2), round((scaled_height - height + 1) / 2)
    left, top = min(left, scaled_width - width), min(top, scaled_height - height)
    if (left, top, width, height) != (0, 0, scaled_width, scaled_height):
        image = image.crop(left, top, width, height)
    encoded: bytes = image.write_to_buffer(case.suffix, **case.saver)
    return encoded


def configure() -> None:
    """Set libvips as a server should: no operation cache, one thread for one picture."""
    pyvips.cache_set_max(0)
    pyvips.concurrency_set(1)  # type: ignore[attr-defined]  # missing in pyvips' own stubs


def take_turn(source: bytes, case: Case, *, seconds: float, at_least: int) -> Turn:
    """Render one after another for `seconds`, and until `at_least` are done; one more before does not count."""
    size = len(render(source, case))
    latencies: list[float] = []
    cpu, start = time.process_time(), time.perf_counter()
    now = start
    while now - start < seconds or len(latencies) < at_least:
        render(source, case)
        done = time.perf_counter()
        latencies.append((done - now) * 1000)
        now = done
    return Turn(now - start, time.process_time() - cpu, latencies, size)


def main(image: str) -> None:
    configure()
    source = Path(image).read_bytes()
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        (case,) = cases_named(order["format"])
        turn = take_turn(source, case, seconds=order["seconds"], at_least=order["at_least"])
        print(json.dumps(asdict(turn)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
