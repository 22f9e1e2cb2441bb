"""What plans need of models: the keys of artefacts, and what of a plan is left without or after models."""

from __future__ import annotations

import dataclasses

import pytest

from imgserve.plan.model import Plan
from imgserve.plan.needs import Need, needs_of, without_models
from imgserve.plan.presets import parse_strings
from imgserve.plan.url import Grammar, parse, parse_options
from imgserve.ports.models import Ask, Task

A = "https://shop.test/a.jpg"
IDENTITIES = {Task.BACKGROUND: "cut 1", Task.UPSCALE: "grow 1", Task.FACES: "see 1", Task.OBJECTS: "find 1"}
CUT, GROW = Ask(Task.BACKGROUND), Ask(Task.UPSCALE, "2")


def plan_of(options: str, grammar: Grammar, source: str = A) -> Plan:
    return parse(f"{options}/plain/{source}".removeprefix("/"), grammar)


def key_of(*asks: Ask, source: str = A, **identities: str) -> str:
    known = IDENTITIES | {Task(name): identity for name, identity in identities.items()}
    return Need(source, asks).key(known)


def test_a_key_is_64_hex_digits_and_the_same_each_time() -> None:
    assert key_of(CUT) == key_of(CUT)
    assert len(key_of(CUT)) == 64
    assert set(key_of(CUT)) <= set("0123456789abcdef")


def test_whatever_changes_the_artefact_changes_its_key() -> None:
    keys = [
        key_of(CUT),
        key_of(CUT, background="cut 2"),
        key_of(GROW),
        key_of(Ask(Task.UPSCALE, "3")),
        key_of(CUT, source=A + "?"),
        key_of(CUT, GROW),
        key_of(GROW, CUT),
        key_of(CUT, GROW, upscale="grow 2"),
        key_of(Ask(Task.FACES)),
        key_of(Ask(Task.OBJECTS)),
    ]
    assert len(set(keys)) == len(keys)


def test_what_decides_nothing_of_the_artefact_is_not_in_its_key() -> None:
    asked = Ask(Task.FACES)
    assert key_of(asked) == key_of(asked._replace(optional=True)) == key_of(asked._replace(vital=True))
    assert key_of(asked) == key_of(asked, upscale="another", objects="another")


def test_a_task_that_nobody_does_still_has_a_key() -> None:
    assert Need(A, (CUT,)).key({}) != Need(A, (CUT,)).key({Task.BACKGROUND: "x"})


def test_a_source_that_is_no_text_has_a_key() -> None:
    assert len({Need(source, (CUT,)).key({}) for source in ("local:///\udcff.jpg", "local:///\udcfe.jpg")}) == 2


@pytest.mark.parametrize("options", ["", "/w:10", "/rmbg:0", "/up:1", "/rmbg:1/rmbg:0", "/up:3/up:1", "/bd:0"])
def test_a_plan_that_asks_no_model_needs_nothing(options: str, grammar: Grammar) -> None:
    plan = plan_of(options, grammar)
    assert needs_of(plan) == ()
    assert needs_of(without_models(plan)) == ()


def test_steps_that_change_the_picture_are_one_artefact_in_the_catalogs_order(grammar: Grammar) -> None:
    spelled = [plan_of(options, grammar) for options in ("/rmbg:1/up:2", "/up:2/rmbg:1", "/up:2/w:9/rmbg:1/f:png")]
    assert {needs_of(one) for one in spelled} == {(Need(A, (CUT, GROW)),)}


def test_numbers_are_asked_in_their_canonical_text(grammar: Grammar) -> None:
    (need,) = needs_of(plan_of("/up:2.50", grammar))
    assert need.asks == (Ask(Task.UPSCALE, "2.5"),)
    assert needs_of(plan_of("/up:2", grammar)) == needs_of(plan_of("/up:2.0", grammar))


def test_readings_are_artefacts_of_their_own_behind_the_picture(grammar: Grammar) -> None:
    pictorial, *readings = needs_of(plan_of("/crop_objects:1:face:cat/rmbg:1/bd:10:face", grammar))
    assert (pictorial.asks, pictorial.pictorial) == ((CUT,), True)
    assert {one.asks[0].task for one in readings} == {Task.FACES, Task.OBJECTS}
    assert not any(one.pictorial for one in readings)
    assert all(len(one.asks) == 1 for one in readings)


def test_what_hides_is_vital(grammar: Grammar) -> None:
    # Who asks for blurred faces must not be shown them while nobody has looked for them yet.
    for options in ("/bd:10:face", "/bd:10", "/bd:10:cat:face"):
        needs = needs_of(plan_of(options, grammar))
        assert needs
        assert all(ask.vital for need in needs for ask in need.asks), options
    for options in ("/crop_objects:1:face", "/dd:1:face", "/rmbg:1", "/up:2"):
        assert not any(ask.vital for need in needs_of(plan_of(options, grammar)) for ask in need.asks), options


def with_presets(grammar: Grammar, *lines: str) -> Grammar:
    return dataclasses.replace(grammar, presets=parse_strings(lines, lambda segments: parse_options(segments, grammar)))


def test_presets_ask_as_their_options_do(grammar: Grammar) -> None:
    known = with_presets(grammar, "cut=rmbg:1/w:9", "big=pr:cut/up:2")
    assert needs_of(plan_of("/pr:cut", known)) == needs_of(plan_of("/rmbg:1", grammar))
    assert needs_of(plan_of("/pr:big", known)) == needs_of(plan_of("/rmbg:1/up:2", grammar))
    assert needs_of(plan_of("/pr:big/rmbg:0", known)) == needs_of(plan_of("/up:2", grammar))


def test_only_what_models_make_of_the_picture_is_left_out(grammar: Grammar) -> None:
    known = with_presets(grammar, "cut=rmbg:1/w:9")
    plan = plan_of("/pr:cut/up:2/crop_objects:1:face/q:50/fn:x", known)
    left = without_models(plan)
    assert {one.spec.name for one in left.ops} == {"width", "quality", "crop_objects"}
    # A purge by preset finds it, and the file is called the same.
    assert (left.presets, left.delivery, left.source) == (("cut",), plan.delivery, A)


def test_what_is_left_out_is_left_out_of_the_text_too(grammar: Grammar) -> None:
    plan = plan_of("/rmbg:1/w:9", grammar)
    assert without_models(plan).canonical() == plan_of("/w:9", grammar).canonical()
    assert without_models(plan).key(epoch="1") != plan.key(epoch="1")
