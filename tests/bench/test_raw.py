"""The bar does the server's work: its bytes are those of the server's own pipeline."""

from __future__ import annotations

import pytest
import pyvips

from bench.cases import CASES, IMGPROXYS_SETTINGS, Case
from bench.checks import compare
from bench.raw import render, take_turn
from imgserve.app.engine import engine_config
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import render as pipeline
from imgserve.settings import load
from imgserve.spec.values import ResizingType


def imgproxys() -> EngineConfig:
    """What the server under test in the benchmark is told, read as it reads it."""
    return engine_config(load({"IMGSERVE_ALLOW_UNSIGNED": "1", **IMGPROXYS_SETTINGS}), watermark=None)


def photo(width: int, height: int) -> bytes:
    noise = [pyvips.Image.perlin(width, height, cell_size=24, seed=seed) * 100 + 128 for seed in (1, 2, 3)]
    image = noise[0].bandjoin(noise[1]).bandjoin(noise[2]).cast("uchar").copy(interpretation="srgb")
    data: bytes = image.jpegsave_buffer(Q=85)
    return data


def ours(source: bytes, case: Case, *, width: int, height: int) -> bytes:
    intent = Intent(resizing_type=ResizingType.FILL, width=width, height=height, format=case.format)
    return pipeline(source, intent=intent, config=imgproxys(), deadline=Deadline(30)).data


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.format)
@pytest.mark.parametrize(
    ("source", "result"),
    [
        ((273, 223), (60, 40)),  # the benchmark's job, ten times smaller: shrunk by 4 on load, cut above and below
        ((223, 273), (60, 40)),
        ((320, 160), (40, 20)),  # shrunk by 8 to the very size, nothing to cut
        ((130, 101), (60, 40)),
        ((61, 90), (60, 40)),  # too small to shrink on load
        ((300, 100), (61, 41)),  # cut left and right by an odd number
    ],
)
def test_pixels_are_those_of_the_pipeline(case: Case, source: tuple[int, int], result: tuple[int, int]) -> None:
    data = photo(*source)
    bar = render(data, case, width=result[0], height=result[1])
    likeness = compare(ours(data, case, width=result[0], height=result[1]), bar)
    assert likeness.equal, likeness


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.format)
def test_saver_parameters_are_those_of_the_pipeline(case: Case) -> None:
    data = photo(273, 223)
    # Equal pixels of a lossless format could come of another effort, hardly with equal sizes.
    assert len(render(data, case, width=60, height=40)) == len(ours(data, case, width=60, height=40))


def test_a_turn_goes_on_until_enough_pictures_are_done() -> None:
    turn = take_turn(photo(640, 440), CASES[0], seconds=0.0, at_least=3)
    assert len(turn.latencies_ms) == 3
    assert turn.seconds == pytest.approx(sum(turn.latencies_ms) / 1000)
    assert turn.cpu_s > 0
