"""The requests that give a contender the job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cases import CASES, IMGPROXYS_SETTINGS, Case
from bench.contenders import DEFAULTS, OURS, Contender, choose, imgserve, photo_source, source_cached
from imgserve.engine.intent import Intent
from imgserve.ops.catalog import CATALOG
from imgserve.plan.url import Grammar, parse, split_signature
from imgserve.service.intents import intent_of
from imgserve.spec.values import GravityType, ResizingType


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.format)
def test_our_url_asks_for_the_raw_loops_job(case: Case, tmp_path: Path) -> None:
    target = imgserve(tmp_path).target(case, photo_source(None), 7)
    plan = parse(split_signature(target.encode())[1], Grammar(catalog=CATALOG))
    intent = intent_of(plan, Intent())
    assert plan.source == "local:///photo.jpg?n=7"
    assert (intent.resizing_type, intent.width, intent.height) == (ResizingType.FILL, 600, 400)
    assert (intent.gravity.type, intent.format) == (GravityType.CENTER, case.format)


def test_each_request_has_a_source_of_its_own_over_http(tmp_path: Path) -> None:
    contender = imgserve(tmp_path)
    paths = [split_signature(contender.target(CASES[0], photo_source(81), n).encode())[1] for n in (1, 2)]
    sources = [parse(path, Grammar(catalog=CATALOG)).source for path in paths]
    assert sources == ["http://127.0.0.1:81/photo.jpg?n=1", "http://127.0.0.1:81/photo.jpg?n=2"]


@pytest.mark.parametrize("source", [photo_source(None), photo_source(81)])
@pytest.mark.parametrize("make", [imgserve, lambda folder: source_cached(folder, folder)])
def test_no_two_requests_share_a_result(make: Callable[[Path], Contender], source: str, tmp_path: Path) -> None:
    targets = [make(tmp_path).target(CASES[0], source, n) for n in (1, 2)]
    first, second = (parse(split_signature(one.encode())[1], Grammar(catalog=CATALOG)) for one in targets)
    assert first.key(epoch="") != second.key(epoch="")


def test_a_cached_source_is_one_source(tmp_path: Path) -> None:
    contender = source_cached(tmp_path, tmp_path)
    paths = [split_signature(contender.target(CASES[0], photo_source(81), n).encode())[1] for n in (1, 2)]
    assert {parse(path, Grammar(catalog=CATALOG)).source for path in paths} == {"http://127.0.0.1:81/photo.jpg"}


def test_only_the_contender_of_that_name_has_encoder_settings_of_its_own(tmp_path: Path) -> None:
    ours, defaults, _floor = choose((), folder=tmp_path, over_http=False, defaults=True)
    assert (ours.name, defaults.name) == (OURS, DEFAULTS)
    assert dict(ours.env).items() >= dict(IMGPROXYS_SETTINGS).items()
    assert not dict(defaults.env).keys() & dict(IMGPROXYS_SETTINGS).keys()
    assert [one.name for one in choose((), folder=tmp_path, over_http=False)] == [OURS, _floor.name]
