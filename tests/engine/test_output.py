"""Which format comes out, and when the source does."""

from __future__ import annotations

import pytest

from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.output import choose_format, passes_through
from imgserve.errors import ImageRefused
from imgserve.spec.values import Colour


def chosen(source: str, *, animated: bool = False, transparent: bool = False, **wanted: object) -> str:
    return choose_format(
        source,
        intent=Intent(**wanted),  # type: ignore[arg-type]
        config=EngineConfig(),
        animated=animated,
        transparent=transparent,
    )


def test_the_format_asked_for_is_made() -> None:
    assert chosen("png", format="webp", preferred=("avif",)) == "webp"


def test_enforced_formats_win_over_the_one_asked_for() -> None:
    assert chosen("png", format="jpeg", enforced=("avif", "webp")) == "avif"
    assert chosen("gif", format="gif", enforced=("avif", "webp"), animated=True) == "webp"


def test_preferred_formats_win_over_the_sources() -> None:
    assert chosen("png", preferred=("avif", "webp")) == "avif"
    assert chosen("gif", preferred=("avif",), animated=True) == "gif"


def test_formats_without_an_encoder_are_passed_over() -> None:
    assert chosen("png", preferred=("jxl", "avif")) == "avif"
    assert chosen("png", preferred=("jxl",)) == "png"


@pytest.mark.parametrize(
    ("source", "animated", "transparent", "name"),
    [
        ("jpeg", False, True, "jpeg"),
        ("gif", False, False, "gif"),
        ("webp", False, False, "jpeg"),
        ("webp", False, True, "png"),
        ("webp", True, True, "gif"),
        ("tiff", False, False, "jpeg"),
        ("svg", False, True, "png"),
    ],
)
def test_the_source_decides_where_nobody_else_does(
    source: str, name: str, *, animated: bool, transparent: bool
) -> None:
    assert chosen(source, animated=animated, transparent=transparent) == name


@pytest.mark.parametrize(("transparent", "name"), [(False, "jpeg"), (True, "png")])
def test_without_preferred_formats_there_is_still_one(name: str, *, transparent: bool) -> None:
    config = EngineConfig(preferred_formats=())
    assert choose_format("tiff", intent=Intent(), config=config, animated=False, transparent=transparent) == name


def test_our_effects_want_a_format_that_shows_them() -> None:
    assert chosen("jpeg", transparent=True) == "jpeg"
    assert chosen("jpeg", transparent=True, format=None) == "jpeg"
    effect = Intent(transparent=True)
    config = EngineConfig()
    assert choose_format("jpeg", intent=effect, config=config, animated=False, transparent=True) == "png"
    covered = Intent(transparent=True, background=Colour(1, 2, 3))
    assert choose_format("jpeg", intent=covered, config=config, animated=False, transparent=False) == "jpeg"


@pytest.mark.parametrize("name", ["svg", "heic", "jxl"])
def test_formats_that_cannot_be_made_are_refused(name: str) -> None:
    with pytest.raises(ImageRefused) as refused:
        chosen("png", format=name)
    assert "png" in refused.value.facts()["expected"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("source", "wanted", "rasterised", "passes"),
    [
        ("png", Intent(), False, False),
        ("png", Intent(skip_processing=("png",)), False, True),
        ("png", Intent(skip_processing=("png",), format="png"), False, True),
        ("png", Intent(skip_processing=("png",), format="webp"), False, False),
        ("svg", Intent(), False, True),
        ("svg", Intent(format="svg"), True, True),
        ("svg", Intent(format="png"), False, False),
        ("svg", Intent(), True, False),
        ("svg", Intent(skip_processing=("svg",)), True, True),
        ("svg", Intent(skip_processing=("svg",), format="png"), False, False),
    ],
)
def test_some_sources_are_the_answer(source: str, wanted: Intent, *, rasterised: bool, passes: bool) -> None:
    config = EngineConfig(always_rasterize_svg=rasterised)
    assert passes_through(source, intent=wanted, config=config) is passes
