"""Choices behind nginx: one entry for each pick, and none for what the query says beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.nginx.stack import Stack, running_stack, signed, until
from tests.web.pictures import size_of


def chosen(choices: str, *, tag: str, before: str = "") -> str:
    return signed(f"/{before}cb:{tag}/{choices}/plain/local:///a.jpg")


def width(stack: Stack, url: str) -> int:
    answer = stack.ask(url)
    assert answer.status == 200, answer.body
    return size_of(answer.body)[0]


def test_each_pick_is_an_entry_of_its_own(stack: Stack) -> None:
    url = chosen("choose:w:20:24:28", tag="picks")
    assert [width(stack, url + tail) for tail in ("", "?w=24", "?w=28", "?w=20")] == [20, 24, 28, 20]
    assert [stack.ask(url + tail).proxy for tail in ("", "?w=24", "?w=28", "?w=20")] == ["HIT"] * 4
    assert [width(stack, url + tail) for tail in ("", "?w=24", "?w=28", "?w=20")] == [20, 24, 28, 20]


@pytest.mark.parametrize("tail", ["?utm=1&w=24", "?w=24&v=2", "?x&w=24&", "?w=24#x", "?ww=28&w=24", "?a?w=28&w=24"])
def test_what_the_query_says_beside_its_picks_makes_no_entry(stack: Stack, tail: str) -> None:
    url = chosen("choose:w:20:24:28", tag="beside")
    stack.ask(url + "?w=24")
    until(stack.nginx, url + "?w=24", "HIT")
    assert stack.ask(url + tail).proxy == "HIT"
    assert width(stack, url + tail) == 24


def test_several_choices_are_in_the_key_in_the_order_of_the_path(stack: Stack) -> None:
    url = chosen("choose:w:20:24/choose:f:png:jpg/choose:q:40-90", tag="several", before="dpr:1/")
    first = stack.ask(url + "?q=50&f=jpg&w=24")
    assert (first.proxy, first.headers["content-type"], size_of(first.body)[0]) == ("MISS", "image/jpeg", 24)
    assert stack.ask(url + "?w=24&q=50&f=jpg").proxy == "HIT"
    assert stack.ask(url + "?w=24&f=jpg&q=51").proxy == "MISS"
    assert stack.ask(url + "?w=24").headers["content-type"] == "image/png"


def test_as_many_choices_as_a_url_may_have_are_found(stack: Stack) -> None:
    names = ("w:20:24", "h:10:12", "q:40:50", "f:jpg:png", "rt:fit:force", "bl:0:1", "sh:0:1", "c:20:30")
    url = chosen("/".join(f"choose:{name}" for name in names), tag="eight")
    first = stack.ask(url)
    assert (first.status, first.proxy) == (200, "MISS"), first.body
    for name in names:
        option, _, second = name.split(":")
        assert (option, stack.ask(f"{url}?{option}={second}").proxy) == (option, "MISS")
        assert (option, stack.ask(f"{url}?{option}={second}").proxy) == (option, "HIT")


@pytest.mark.parametrize(("tail", "found"), [("?w=999", 400), ("?w=2%34", 400), ("?w=24.0", 400), ("?w=24;w=28", 400)])
def test_a_value_that_is_not_granted_is_refused_and_not_kept(stack: Stack, tail: str, found: int) -> None:
    url = chosen("choose:w:20:24:28", tag="refused")
    assert [(stack.ask(url + tail).status, stack.ask(url + tail).proxy) for _ in range(2)] == [(found, "MISS")] * 2


@pytest.mark.parametrize("tail", ["?W=28", "?w=&w=28", "?%77=28", "?w=28&w=24", "?w"])
def test_no_query_puts_a_wrong_picture_into_an_entry(stack: Stack, tail: str) -> None:
    url = chosen("choose:w:20:24:28", tag=f"poison{tail.encode().hex()}")
    stack.ask(url + tail)
    assert [width(stack, url + own) for own in ("?w=28", "?w=24", "?w=20", "")] == [28, 24, 20, 20]


def test_escaped_colons_are_the_same_choice(stack: Stack) -> None:
    url = chosen("choose:w:20:24", tag="escaped")
    signature, path = url.removeprefix("/").split("/", 1)
    escaped = f"/{signature}/{path.replace('choose:w:20:24', 'choose%3Aw%3A20%3A24')}"
    assert [width(stack, escaped + tail) for tail in ("?w=24", "", "?w=24")] == [24, 20, 24]


def test_a_source_that_looks_like_a_choice_is_none(stack: Stack) -> None:
    url = signed("/cb:lookalike/plain/local:///choose:w:20/choose:w:24/a.jpg")
    assert [stack.ask(url + tail).proxy for tail in ("?w=20", "?w=24")] == ["MISS", "HIT"]


def test_queries_of_other_routes_are_sent_on(stack: Stack) -> None:
    url = "/explain" + chosen("choose:w:20:24", tag="explained")
    told = [json.loads(stack.ask(url + tail).body)["options"][0]["text"] for tail in ("", "?w=24", "?w=20")]
    assert told == ["width:20", "width:24", "width:20"]


def test_a_prefix_that_nginx_does_not_know_mixes_no_picks(tmp_path: Path) -> None:
    with running_stack(tmp_path, IMGSERVE_PATH_PREFIX="/img") as stack:
        url = "/img" + chosen("choose:w:20:24:28", tag="prefix")
        assert [width(stack, url + tail) for tail in ("?w=24", "", "?w=28")] == [20, 20, 20]


def test_a_long_query_hides_no_pick_and_fills_no_log(stack: Stack) -> None:
    url = chosen("choose:w:20:24:28", tag="long")
    assert [width(stack, f"{url}?{'a=b&' * 7000}{tail}") for tail in ("w=24", "w=28", "ww=24")] == [24, 28, 20]
    assert "pcre" not in (stack.nginx.folder / "error.log").read_text()
