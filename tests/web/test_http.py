"""The pure functions of HTTP: Accept, freshness, file names, ids, addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.ops.catalog import CATALOG
from imgserve.plan.model import Plan
from imgserve.plan.url import Grammar, parse
from imgserve.ports import Origin
from imgserve.web.http import (
    Freshness,
    Negotiation,
    accepted_formats,
    cache_control,
    canonical_link,
    client_address,
    client_hints,
    content_disposition,
    http_date,
    http_time,
    negotiate,
    request_id,
    source_stem,
    vary,
    wants_json,
)

NOW = 1_700_000_000.0
CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


def plan(text: str = "w:10") -> Plan:
    return parse(f"{text}/plain/http://a.test/b.jpg", Grammar(catalog=CATALOG))


@pytest.mark.parametrize(
    ("accept", "formats"),
    [
        (CHROME, ("avif", "webp")),
        ("image/webp,image/avif", ("avif", "webp")),
        ("image/avif;q=0,image/webp", ("webp",)),
        ("image/avif;q=0.000", ()),
        ("image/avif; Q=0.5 , image/webp;q=0.8", ("webp", "avif")),
        ("image/avif;level=1;q=0.5", ("avif",)),
        ("IMAGE/AVIF", ("avif",)),
        ("image/avif;q=nan", ()),
        ("image/avif;q=2", ()),
        ("image/avif;q=", ()),
        ("image/*", ()),
        ("*/*", ()),
        ("", ()),
        ("ximage/avif, image/avifx", ()),
        (",,;;q=1,image/webp", ("webp",)),
    ],
)
def test_accept_names_formats_with_their_weights(accept: str, formats: tuple[str, ...]) -> None:
    assert accepted_formats(accept) == formats


@given(st.text(max_size=200))
def test_any_accept_header_is_read(accept: str) -> None:
    assert set(accepted_formats(accept)) <= {"avif", "webp"}


BOTH = Negotiation(auto=("avif", "webp"))


def test_negotiation_puts_accepted_formats_into_the_plan() -> None:
    made = negotiate(plan(), CHROME, BOTH)
    assert (made.preferred, made.enforced) == (("avif", "webp"), ())
    assert negotiate(plan(), CHROME, Negotiation(auto=("webp",))).preferred == ("webp",)


def test_an_explicit_format_is_left_alone_unless_another_is_enforced() -> None:
    assert negotiate(plan("f:png"), CHROME, BOTH) == plan("f:png")
    made = negotiate(plan("f:png"), CHROME, Negotiation(auto=("avif",), enforced=("webp",)))
    assert (made.preferred, made.enforced) == (("webp",), ("webp",))


def test_without_accept_or_wishes_of_the_operator_nothing_is_negotiated() -> None:
    assert negotiate(plan(), None, BOTH) == plan()
    assert negotiate(plan(), CHROME, Negotiation()) == plan()


def test_a_url_may_leave_the_format_to_the_client() -> None:
    asked = plan("negotiate:1")
    assert negotiate(asked, CHROME, Negotiation()).preferred == ("avif", "webp")
    assert vary(asked, Negotiation()) == "Accept"
    for other in (plan("negotiate:0"), plan("negotiate:1/f:png")):
        assert negotiate(other, CHROME, Negotiation()).preferred == ()
        assert vary(other, Negotiation()) == ""


@pytest.mark.parametrize("text", ["Fri, 31 Dec 9999 23:59:59 -2359", "1 Jan 1 1:1:1 +999999999999999"])
def test_times_that_cannot_be_printed_again_are_no_times(text: str) -> None:
    assert http_time(text) is None


@given(st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,2} (Jan|Dec) [0-9]{1,5} [0-9]{1,2}:[0-9]{2}:[0-9]{2} [+-][0-9]{1,6}"))
def test_what_reads_as_a_time_prints_as_one(text: str) -> None:
    at = http_time(text)
    assert at is None or http_time(http_date(at)) == pytest.approx(at, abs=1)


def test_vary_names_exactly_what_the_answer_depends_on() -> None:
    assert vary(plan(), Negotiation()) == ""
    assert vary(plan(), BOTH) == "Accept"
    assert vary(plan("f:png"), BOTH) == ""
    assert vary(plan("f:png"), Negotiation(enforced=("webp",))) == "Accept"
    assert vary(plan(), Negotiation(client_hints=True)) == "Sec-CH-DPR, DPR, Sec-CH-Width, Width"


def test_client_hints_become_options() -> None:
    def read(**headers: str) -> list[str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return [one.text() for one in client_hints(named.get)]

    assert read(width="100", dpr="2") == ["dpr:2", "width:50"]
    assert read(sec_ch_width="100") == ["width:100"]
    assert read(width="nan", dpr="-1") == []
    assert read(dpr="9", width="0") == []


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", True),
        ("text/html, application/json;q=0.9", True),
        ("application/json;q=0", False),
    ],
)
def test_json_errors_are_for_those_who_name_json(accept: str | None, answer: bool) -> None:
    assert wants_json(accept) is answer


@pytest.mark.parametrize(
    ("freshness", "expires", "origin", "text"),
    [
        (Freshness(), 0, None, "max-age=31536000, public"),
        (Freshness(ttl_s=0), 0, None, "no-cache"),
        (Freshness(ttl_s=600), NOW + 100, None, "max-age=100, public"),
        (Freshness(ttl_s=60), NOW + 100, None, "max-age=60, public"),
        (Freshness(), NOW, None, "max-age=0, public"),
        (Freshness(ttl_s=0), NOW + 100, None, "no-cache"),
        (Freshness(), 0, Origin(cache_control="max-age=5"), "max-age=31536000, public"),
        (Freshness(passthrough=True), 0, Origin(cache_control="max-age=5, immutable"), "max-age=5, immutable"),
        (Freshness(passthrough=True), 0, Origin(expires=http_date(NOW + 7)), "max-age=7, public"),
        (Freshness(passthrough=True), 0, Origin(expires=http_date(NOW - 7)), "max-age=0, public"),
        (Freshness(passthrough=True), 0, Origin(expires="0"), "max-age=31536000, public"),
        (Freshness(passthrough=True), 0, Origin(), "max-age=31536000, public"),
        (Freshness(passthrough=True), NOW + 3, Origin(cache_control="public, max-age=5"), "max-age=3, public"),
        (Freshness(passthrough=True), NOW + 9, Origin(cache_control="public, max-age=5"), "max-age=5, public"),
        (Freshness(passthrough=True), NOW + 9, Origin(cache_control="private, max-age=5"), "private, max-age=5"),
        (Freshness(passthrough=True), 0, Origin(cache_control="no-\r\nX: store"), "no-X: store"),
    ],
)
def test_cache_control_follows_expiry_then_origin_then_operator(
    freshness: Freshness, expires: float, origin: Origin | None, text: str
) -> None:
    assert cache_control(freshness, now=NOW, expires=int(expires), origin=origin) == text


@pytest.mark.parametrize(
    ("source", "name", "extension", "header"),
    [
        ("http://a.test/test.jpg", None, ".jpg", 'inline; filename="test.jpg"'),
        ("http://a.test/x/", None, ".png", 'inline; filename="image.png"'),
        ("http://a.test", None, ".png", 'inline; filename="image.png"'),
        ("http://a.test/face.png", None, ".jpg", 'inline; filename="face.jpg"'),
        ("http://a.test/face.png?size=9/8.gif", None, ".jpg", 'inline; filename="face.jpg"'),
        ("http://a.test/archive.tar.gz", None, ".jpg", 'inline; filename="archive.tar.jpg"'),
        ("http://a.test/.png", None, ".jpg", 'inline; filename="image.jpg"'),
        ("http://a.test/a%20b.png", None, ".jpg", 'inline; filename="a b.jpg"'),
        ("http://[broken/face.png?x", None, ".jpg", 'inline; filename="face.jpg"'),
        ("local:///a/b.png", None, ".jpg", 'inline; filename="b.jpg"'),
        ("http://a.test/face.png", 'my"file', ".png", 'inline; filename="my%22file.png"'),
        ("http://a.test/face.png", "a\\b/../c", ".png", 'inline; filename="a_b_.._c.png"'),
        (
            "http://a.test/Gr%C3%BC%C3%9Fe.png",
            None,
            ".jpg",
            "inline; filename=\"Gr_e.jpg\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.jpg",
        ),
        ("http://a.test/%FF.png", None, ".jpg", "inline; filename=\"_.jpg\"; filename*=UTF-8''%EF%BF%BD.jpg"),
        ("http://a.test/x", "a\r\nSet-Cookie: b", ".jpg", 'inline; filename="aSet-Cookie: b.jpg"'),
    ],
)
def test_content_disposition_names_the_file(source: str, name: str | None, extension: str, header: str) -> None:
    assert content_disposition(source=source, name=name, extension=extension, attachment=False) == header
    attached = content_disposition(source=source, name=name, extension=extension, attachment=True)
    assert attached == header.replace("inline", "attachment", 1)


@given(st.text(max_size=300), st.text(max_size=20))
def test_no_file_name_breaks_out_of_its_header(name: str, extension: str) -> None:
    header = content_disposition(source="http://a.test/x", name=name, extension=extension, attachment=False)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert "\\" not in header


@given(st.text(max_size=300))
def test_any_source_has_a_stem_and_a_link_without_control_characters(source: str) -> None:
    assert source_stem(source)
    link = canonical_link("http://" + source)
    assert link.isascii()
    assert link.isprintable()
    assert link.count(">") == 1


def test_link_is_for_sources_on_the_web() -> None:
    assert canonical_link("https://a.test/ü b.jpg?x=1") == '<https://a.test/%C3%BC%20b.jpg?x=1>; rel="canonical"'
    assert canonical_link("local:///a.jpg") == ""


def test_http_dates_are_read_and_printed() -> None:
    assert http_time(http_date(NOW)) == NOW
    for nonsense in ("", "0", "yesterday", "Mon, 99 Foo 2020", None):
        assert http_time(nonsense) is None


def test_a_plain_request_id_is_kept_and_any_other_replaced() -> None:
    assert request_id("abc-DEF_1") == "abc-DEF_1"
    for odd in (None, "", "a b", "a\nb", "ä", "x" * 200):
        assert request_id(odd) != odd
    assert request_id(None) != request_id(None)


def test_the_client_is_who_the_nearest_proxy_says() -> None:
    headers = {"cf-connecting-ip": "1.1.1.1", "x-forwarded-for": "2.2.2.2, 9.9.9.9", "x-real-ip": "3.3.3.3"}
    assert client_address(headers.get, "4.4.4.4") == "1.1.1.1"
    del headers["cf-connecting-ip"]
    assert client_address(headers.get, "4.4.4.4") == "2.2.2.2"
    del headers["x-forwarded-for"]
    assert client_address(headers.get, "4.4.4.4") == "3.3.3.3"
    del headers["x-real-ip"]
    assert client_address(headers.get, "4.4.4.4") == "4.4.4.4"
    assert client_address({"x-real-ip": "a\nb"}.get, "") == "ab"
