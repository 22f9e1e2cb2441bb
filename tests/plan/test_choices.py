"""Choices: what a client may pick in the query, and that nothing else ever comes of it."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgserve.errors import BadOption, OptionForbidden
from imgserve.ops.catalog import CATALOG
from imgserve.ops.geometry import Width
from imgserve.ops.info import info_grammar
from imgserve.ops.output import Quality
from imgserve.plan.choices import MAX_CHOICES, MAX_VALUES
from imgserve.plan.model import Plan
from imgserve.plan.url import Grammar, check_choices, parse
from tests.plan.test_url import with_presets

GRAMMAR = Grammar(catalog=CATALOG)
EXAMPLE = "rs:fit:2000/choose:w:640:750:1080/choose:q:75:50-90/plain/https://a.example/b.jpg"


def read(options: str, query: str = "", grammar: Grammar = GRAMMAR) -> Plan:
    return parse(f"{options}/plain/local:///a.jpg", grammar, query=query)


def texts(plan: Plan) -> list[str]:
    return [one.text() for one in plan.ops]


def refused(options: str, query: str = "", grammar: Grammar = GRAMMAR) -> BadOption:
    with pytest.raises(BadOption) as caught:
        read(options, query, grammar)
    return caught.value


def test_the_query_picks_and_what_it_picks_stands_in_the_place_of_the_choice() -> None:
    plan = parse(EXAMPLE, GRAMMAR, query="w=750&q=80")
    assert texts(plan) == ["resizing_type:fit", "width:750", "quality:80"]
    assert plan == parse("rs:fit/w:750/q:80/plain/https://a.example/b.jpg", GRAMMAR)


def test_the_key_is_that_of_the_same_picture_without_choices() -> None:
    plan = parse(EXAMPLE, GRAMMAR, query="w=750&q=80")
    plain = parse("rs:fit/w:750/q:80/plain/https://a.example/b.jpg", GRAMMAR)
    assert plan.key(epoch="1") == plain.key(epoch="1")


def test_without_a_pick_the_first_value_is_taken_and_of_a_range_its_lower_end() -> None:
    assert texts(parse(EXAMPLE, GRAMMAR)) == ["resizing_type:fit", "width:640", "quality:75"]
    assert texts(read("choose:q:50-90")) == ["quality:50"]


def test_what_counted_of_the_query_is_told_in_the_order_of_the_url() -> None:
    assert parse(EXAMPLE, GRAMMAR, query="utm=1&q=80&w=750&w2=1").picked == "w=750&q=80"
    assert parse(EXAMPLE, GRAMMAR, query="q=80").picked == "q=80"
    assert parse(EXAMPLE, GRAMMAR, query="v=1").picked == ""
    assert read("w:640", "w=750").picked is None


@pytest.mark.parametrize("query", ["v=1", "width=750", "W=750", "%77=750", "x;w=750", "x?w=750", "&&", "=", "w2=750"])
def test_parameters_without_a_choice_of_their_name_do_nothing(query: str) -> None:
    assert texts(parse(EXAMPLE, GRAMMAR, query=query)) == ["resizing_type:fit", "width:640", "quality:75"]


@pytest.mark.parametrize(
    "value",
    ["", "641", "0750", "750.0", "+750", "750 ", "%37%35%30", "1080:2000", "640-750", "2000", "9" * 40, "٧٥٠", "750#"],
)
def test_a_value_that_is_not_granted_is_refused(value: str) -> None:
    error = refused("choose:w:640:750:1080", f"w={value}")
    assert (error.where, error.got, error.expected) == ("query w", value, "one of 640, 750, 1080")


@pytest.mark.parametrize("value", ["49", "91", "075", "75.5", "-75", "50-90"])
def test_a_range_grants_its_whole_numbers_in_one_spelling(value: str) -> None:
    assert refused("choose:q:50-90", f"q={value}").expected == "one of 50 to 90"


def test_a_parameter_without_a_value_picks_nothing_that_is_granted() -> None:
    assert refused("choose:w:640:750", "w").where == "query w"


def test_a_value_given_twice_is_refused_even_if_both_are_granted() -> None:
    assert "more than once" in refused("choose:w:640:750", "w=640&w=640").message


def test_the_place_decides_what_wins() -> None:
    assert texts(read("w:300/choose:w:640:750", "w=750")) == ["width:750"]
    assert texts(read("choose:w:640:750/w:300", "w=750")) == ["width:300"]


def test_arguments_that_are_not_picked_stay() -> None:
    assert texts(read("rs:fill:300:200/choose:rs:fit:force", "rs=force")) == [
        "resizing_type:force",
        "width:300",
        "height:200",
    ]


def test_presets_can_be_chosen_and_count_as_used() -> None:
    grammar = with_presets(GRAMMAR, "small=w:100", "large=w:900")
    plan = read("choose:pr:small:large/h:50", "pr=large", grammar)
    assert texts(plan) == ["width:900", "height:50"]
    assert plan.presets == ("large",)
    assert "no preset called 'none'" in refused("choose:pr:small:none", "pr=small", grammar).message


def test_another_pick_of_the_same_url_is_another_plan() -> None:
    widths = [read("choose:w:640:750", query).get(Width) for query in ("", "w=750", "w=640", "w=750")]
    assert [one.width for one in widths if one] == [640, 750, 640, 750]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("choose:w", "choose w has 0 values"),
        ("choose:w:", "'' cannot be a value"),
        ("choose:w:640::750", "'' cannot be a value"),
        (f"choose:w:{':'.join(map(str, range(1, MAX_VALUES + 2)))}", f"has {MAX_VALUES + 1} values"),
        ("choose:w:640:x", "expected an integer"),
        ("choose:q:50:101", "expected an integer"),
        ("choose:q:50-101", "expected an integer"),
        ("choose:q:90-50", "range 90-50 is empty"),
        ("choose:q:50-50", "range 50-50 is empty"),
        ("choose:q:050-90", "expected an integer"),
        ("choose:fn:a%20b", "cannot be a value"),
        ("choose:nope:1", "no option called 'nope'"),
        ("choose:choose:1", "no option called 'choose'"),
        ("choose:w:640/choose:width:750", "chosen twice"),
        ("choose:w:640/choose:w:640", "chosen twice"),
    ],
)
def test_a_bad_list_is_refused_whatever_the_query_says(options: str, message: str) -> None:
    assert message in refused(options).message
    assert message in refused(options, "w=640&q=75").message


def test_a_url_has_so_many_choices_and_no_more() -> None:
    names = ["w", "h", "q", "bl", "sh", "dpr", "rot", "bg", "cb"]
    values = {"bg": "fff:000", "rot": "0:90"}
    segments = [f"choose:{name}:{values.get(name, '1:2')}" for name in names]
    assert read("/".join(segments[:MAX_CHOICES])).picked == ""
    assert f"more than {MAX_CHOICES}" in refused("/".join(segments)).message


def test_dashes_are_ranges_for_numbers_alone() -> None:
    assert read("choose:fn:2020-2021:b", "fn=2020-2021").picked == "fn=2020-2021"
    assert refused("choose:fn:2020-2021:b", "fn=2020").got == "2020"
    assert texts(read("choose:dpr:1-3:1.5", "dpr=1.5")) == ["dpr:1.5"]


def test_only_what_the_operator_permits_can_be_chosen() -> None:
    grammar = dataclasses.replace(GRAMMAR, allowed_options=frozenset({"w", "choose"}))
    assert texts(read("choose:w:640:750", "w=750", grammar)) == ["width:750"]
    with pytest.raises(OptionForbidden, match="'q'"):
        read("choose:q:50", "", grammar)
    with pytest.raises(OptionForbidden, match="'choose'"):
        read("choose:w:640", "", dataclasses.replace(grammar, allowed_options=frozenset({"w"})))
    with pytest.raises(OptionForbidden, match="changes limits"):
        read("choose:msr:1:2")


def test_what_one_grammar_was_allowed_another_one_reads_anew() -> None:
    assert read("choose:w:640:750").picked == ""
    with pytest.raises(OptionForbidden):
        read("choose:w:640:750", "", dataclasses.replace(GRAMMAR, allowed_options=frozenset({"q"})))


def test_presets_only_means_no_choices() -> None:
    grammar = with_presets(GRAMMAR, "small=w:100", only_presets=True)
    assert "no preset called 'choose'" in refused("choose:w:640", "w=640", grammar).message


def test_a_source_that_looks_like_a_choice_is_a_source() -> None:
    plan = parse("w:10/plain/https://a.example/choose:w:640/b.jpg", GRAMMAR, query="w=640")
    assert (texts(plan), plan.picked) == (["width:10"], None)


def test_another_separator_is_that_of_choices_too() -> None:
    grammar = dataclasses.replace(GRAMMAR, separator=",")
    assert texts(read("choose,w,640,750", "w=750", grammar)) == ["width:750"]


def test_info_urls_have_choices_of_their_options() -> None:
    plan = parse("choose:exif:0:1/plain/local:///a.jpg", info_grammar(GRAMMAR), query="exif=1")
    assert plan == parse("exif:1/plain/local:///a.jpg", info_grammar(GRAMMAR))


VALUES = st.one_of(
    st.integers(0, 3000).map(str),
    st.tuples(st.integers(0, 3000), st.integers(0, 3000))
    .filter(lambda ends: ends[0] < ends[1])
    .map(lambda ends: f"{ends[0]}-{ends[1]}"),
)
WILD = st.one_of(
    st.integers(-10, 4000).map(str),
    st.text(max_size=8),
    st.sampled_from(["640:750", "1e3", "0x10", "6٤0", "640\x00", "%36%34%30", "640&w=750", "640&q=1&w=1"]),
)
NAMES = st.sampled_from(["w", "q", "W", "width", "h", "", "choose", "w[]", "%77"])


def _granted(values: list[str]) -> set[int]:
    out: set[int] = set()
    for value in values:
        low, _, high = value.partition("-")
        out |= set(range(int(low), int(high or low) + 1))
    return out


@given(
    widths=st.lists(VALUES, min_size=1, max_size=5),
    qualities=st.lists(st.integers(1, 100).map(str), min_size=1, max_size=3),
    query=st.lists(st.tuples(NAMES, WILD), max_size=4),
)
@settings(max_examples=500)
def test_nothing_outside_of_what_was_granted_ever_comes_of_any_query(
    widths: list[str], qualities: list[str], query: list[tuple[str, str]]
) -> None:
    options = f"rs:fill::100/choose:w:{':'.join(widths)}/choose:q:{':'.join(qualities)}"
    text = "&".join(f"{name}={value}" for name, value in query)
    with suppress(BadOption):
        _is_granted(read(options, text), widths, qualities)


def _is_granted(plan: Plan, widths: list[str], qualities: list[str]) -> None:
    width, quality = plan.get(Width), plan.get(Quality)
    assert width is not None
    assert width.width in _granted(widths)
    assert quality is not None
    assert str(quality.quality) in qualities
    # And nothing else: the same options as those of a URL that says so itself.
    assert plan == read(f"rs:fill::100/w:{width.width}/q:{quality.quality}")


@given(values=st.lists(VALUES, min_size=1, max_size=5), data=st.data())
def test_everything_that_was_granted_can_be_picked(values: list[str], data: Any) -> None:
    pick = data.draw(st.sampled_from(sorted(_granted(values))))
    width = read(f"choose:w:{':'.join(values)}", f"w={pick}").get(Width)
    assert width is not None
    assert width.width == pick


@given(st.lists(st.one_of(st.text(max_size=12), st.sampled_from(["w", "q", "1", "1-2"])), max_size=6))
def test_any_list_is_read_or_refused(pieces: list[str]) -> None:
    with suppress(BadOption, OptionForbidden):
        check_choices([":".join(["choose", *pieces])], GRAMMAR, expand=True)
