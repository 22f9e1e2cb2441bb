"""Properties of the grammar: printing and parsing are inverses, order does not matter, nothing crashes."""

from __future__ import annotations

import random
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from imgserve.errors import RequestError
from imgserve.ops.catalog import CATALOG
from imgserve.plan.model import arrange
from imgserve.plan.presets import Preset
from imgserve.plan.url import Grammar, parse, repair, split_signature
from imgserve.plan.writing import write
from tests.strategies import ops

GRAMMAR = Grammar(catalog=CATALOG, allow_security_options=True)
SOURCES = st.one_of(
    st.just("local:///a/b c.jpg"),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="\x7f"), min_size=1, max_size=40)
    .map(lambda text: "https://example.com/" + text)
    .filter(lambda url: not {".", ".."} & set(url.split("/"))),
)
SOME_OPS = st.lists(
    st.sampled_from([cls for cls in CATALOG.ops if cls is not Preset]), max_size=6, unique=True
).flatmap(lambda classes: st.tuples(*map(ops, classes)))


@given(source=SOURCES, some=SOME_OPS, encode=st.booleans())
@settings(max_examples=300)
def test_parse_undoes_write(source: str, some: tuple, encode: bool) -> None:  # type: ignore[type-arg]
    plan = arrange(source, some, CATALOG)
    assert parse(repair(write(plan, encode=encode).removeprefix("/")), GRAMMAR) == plan


@given(some=SOME_OPS, seed=st.integers())
def test_order_of_different_options_does_not_change_the_key(some: tuple, seed: int) -> None:  # type: ignore[type-arg]
    names = {one.spec.name for op in some for one in op.expand()}
    if len(names) != sum(len(op.expand()) for op in some):
        return
    shuffled = list(some)
    random.Random(seed).shuffle(shuffled)
    first, second = arrange("local:///a", some, CATALOG), arrange("local:///a", shuffled, CATALOG)
    assert first.key(epoch="1") == second.key(epoch="1")


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(raw: bytes) -> None:
    with suppress(RequestError):
        _, path = split_signature(b"/s/" + raw)
        parse(path, GRAMMAR)


NAMES = st.sampled_from(sorted(CATALOG.by_name))
PIECES = st.lists(st.text("0123456789.-+eEabcfnopstu%_ ", max_size=6), min_size=1, max_size=6)


@given(st.lists(st.tuples(NAMES, PIECES), max_size=5))
@settings(max_examples=500)
def test_any_arguments_parse_or_are_refused_and_print_back(options: list[tuple[str, list[str]]]) -> None:
    path = "/".join(":".join([name, *pieces]) for name, pieces in options) + "/plain/local:///a.jpg"
    try:
        plan = parse(path.removeprefix("/"), GRAMMAR)
    except RequestError:
        return
    assert parse(repair(write(plan).removeprefix("/")), GRAMMAR) == plan
