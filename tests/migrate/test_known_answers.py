"""Translated URLs make what the other servers make: sizes, and which part of the source is shown where."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import pyvips

from imgserve.cli.batch import plan_of
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import render
from imgserve.migrate import translate
from imgserve.ops.behaviour import Transform
from imgserve.ops.catalog import CATALOG
from imgserve.plan.url import Grammar
from imgserve.service.intents import intent_of
from tests.engine.pictures import photo, png

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "migrate.json").read_text("utf-8"))
CASES: list[dict[str, Any]] = VECTORS["cases"]
#: A pixel of the smallest picture is a hundredth of it; servers differ by one, and the places are rounded.
CLOSE = 0.035


@functools.cache
def source(width: int, height: int) -> bytes:
    return png(photo(width, height))


def rendered(case: dict[str, Any]) -> pyvips.Image:
    moved = translate(case["url"], dialect=case["from"])
    plan = plan_of([*moved.options, "format:png"], [], Grammar(catalog=CATALOG))
    made = render(
        source(*case["picture"]),
        intent=intent_of(plan, Intent()),
        transforms=[one for one in plan.ops if isinstance(one, Transform)],
        config=EngineConfig(),
        deadline=Deadline(20),
    )
    return pyvips.Image.new_from_buffer(made.data, "")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['url']} of {case['picture']}")
def test_a_translation_makes_what_the_other_server_made(case: dict[str, Any]) -> None:
    image = rendered(case)
    assert [image.width, image.height] == case["size"]
    right, bottom = image.width - 1, image.height - 1
    for (x, y), (red, green) in zip(((0, 0), (right, 0), (0, bottom)), case.get("corners", ()), strict=False):
        shown = [value / 255 for value in image.getpoint(x, y)[:2]]
        assert shown == pytest.approx([red, green], abs=CLOSE)


def test_every_dialect_has_answers_and_says_how_they_were_found() -> None:
    assert {case["from"] for case in CASES} == set(VECTORS["found"])
