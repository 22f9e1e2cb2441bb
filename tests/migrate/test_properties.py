from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgserve.errors import BadRequest
from imgserve.migrate import DIALECTS, cloudflare, cloudinary, imagor, ipx, thumbor, translate, weserv
from imgserve.ops.catalog import CATALOG
from imgserve.plan.url import Grammar, parse
from imgserve.sign import UrlSigner

GRAMMAR = Grammar(catalog=CATALOG)
SIGNER = UrlSigner(key="", salt="")

VALUES = st.one_of(
    st.integers(-400, 4000).map(str),
    st.floats(-2, 300, allow_nan=False).map(lambda value: f"{value:g}"),
    st.sampled_from(
        ["", "red", "fff", "%23ff0000", "auto", "0x0:5x5", "1;2", "true", "top", "_", "%", "://", "\u00e9"]
    ),
    st.text("0123456789abcdefx.:,;_()%-/ ", max_size=12),
)
FILTERS = st.tuples(
    st.sampled_from(sorted({*thumbor.FILTERS, *thumbor.MISSING, *imagor.FILTERS, *imagor.MISSING})),
    st.lists(VALUES, max_size=5),
).map(lambda one: f"{one[0]}({','.join(one[1])})")
PARTS = st.sampled_from(
    ["trim", "trim:9", "meta", "10x10:90x90", "0.1x0.2:0.9x1", "fit-in", "full-fit-in", "adaptive-fit-in", "stretch",
     "300x200", "-300x-20", "origx9", "0x0", "9x", "5x5", "1x2:3x4", "left", "right", "top", "bottom", "smart"]
)  # fmt: skip
SOURCES = st.sampled_from(
    ["https://example.com/a b.jpg?v=1@2", "example.com/a.jpg", "up/a.jpg", "b64:YQ", "%2F%2Fx", ""]
)


def pairs(names: list[str], joined: str) -> st.SearchStrategy[str]:
    one = st.tuples(st.sampled_from(names), VALUES).map(joined.join)
    return st.lists(one, max_size=8).map(("&" if joined == "=" and "url" in names else ",").join)


URLS = st.one_of(
    st.tuples(st.lists(PARTS, max_size=6), st.lists(FILTERS, max_size=4), SOURCES).map(
        lambda one: "/".join(["/unsafe", *one[0], *([f"filters:{':'.join(one[1])}"] if one[1] else []), one[2]])
    ),
    st.tuples(pairs(sorted(ipx.NAMES), "_"), SOURCES).map(lambda one: f"/_ipx/{one[0]}/{one[1]}"),
    st.tuples(
        pairs([*cloudflare.RULES, *cloudflare.MISSING, *cloudflare.TOGETHER, "w", "q"], "="), SOURCES
    ).map(lambda one: f"https://x.example.com/cdn-cgi/image/{one[0]}/{one[1]}"),
    st.tuples(pairs(sorted(cloudinary.NAMES), "_"), pairs(sorted(cloudinary.NAMES), "_"), SOURCES).map(
        lambda one: f"https://res.cloudinary.com/demo/image/fetch/{'/'.join(filter(None, one))}"
    ),
    pairs([*weserv.RULES, *weserv.MISSING, *weserv.TOGETHER, "t"], "=").map(
        lambda query: f"https://wsrv.nl/?url=example.com/a.jpg&{query}"
    ),
    st.tuples(VALUES, VALUES, SOURCES).map(lambda one: f"/_next/image?url={one[2]}&w={one[0]}&q={one[1]}"),
)  # fmt: skip


def check(url: str, dialect: str | None, source_base: str) -> None:
    try:
        moved = translate(url, dialect=dialect, source_base=source_base)
    except BadRequest:
        return
    path = SIGNER.url(moved.source, *moved.options).split("/", 2)[2]
    plan = parse(path, GRAMMAR)
    assert plan.source == moved.source
    assert all(note.part and note.text for note in (*moved.dropped, *moved.differs))


@settings(max_examples=300, deadline=None)
@given(URLS, st.sampled_from(["", "https://s.example.com", "local:///"]))
def test_every_translated_url_is_one_of_imgserve(url: str, source_base: str) -> None:
    check(url, None, source_base)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60, deadline=None)
@given(url=st.one_of(st.text(), URLS))
def test_any_text_is_translated_or_refused_with_one_error(dialect: str, url: str) -> None:
    check(url, dialect, "https://s.example.com")


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_a_dialect_is_guessed_or_refused_with_one_error(text: str) -> None:
    check(text, None, "")
