"""The sanitiser: nothing that runs or fetches comes through, and drawings stay as they are."""

from __future__ import annotations

import re
import time

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from imgserve.engine.css import clean_css
from imgserve.engine.intent import EngineConfig
from imgserve.engine.svg import sanitise
from imgserve.errors import ImageRefused
from tests.engine.pictures import digest, make

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="20" height="10">'


def cleaned(body: str) -> str:
    return sanitise(f"{HEAD}{body}</svg>".encode()).decode()


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "<SCRIPT>alert(1)</SCRIPT>",
        '<x:script xmlns:x="http://www.w3.org/2000/svg">alert(1)</x:script>',
        '<g onload="alert(1)"/>',
        '<g ONLOAD="alert(1)"/>',
        '<a href="javascript:alert(1)"><text>x</text></a>',
        '<a xlink:href="java&#9;script:alert(1)"/>',
        '<a href=" &#10;JavaScript:alert(1)"/>',
        '<a href="data:text/html,alert(1)"/>',
        "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'>alert(1)</body></foreignObject>",
        "<h:img xmlns:h='http://www.w3.org/1999/xhtml' src='x' onerror='alert(1)'/>",
        '<iframe src="https://evil.example/alert(1)"/>',
        '<image href="https://evil.example/alert(1).png"/>',
        '<image xlink:href="data:image/svg+xml,alert(1)"/>',
        '<use href="https://evil.example/alert(1)#a"/>',
        '<feImage href="//evil.example/alert(1)"/>',
        '<set attributeName="href" to="javascript:alert(1)"/>',
        '<animate attributeName="xlink:href" values="javascript:alert(1)"/>',
        '<animate attributeName=" onload " to="alert(1)"/>',
        '<set attributeName="STYLE" to="x:url(//evil/alert(1))"/>',
        '<set xmlns:a-b="http://www.w3.org/1999/xlink" attributeName="a-b:href" to="javascript:alert(1)"/>',
        '<set attributeName="a.b:ö:HREF" to="javascript:alert(1)"/>',
        '<set attributeName="x:on-load" to="alert(1)"/>',
        '<style>a{content:"/*"}rect{fill:url(https://evil.test/alert(1))}b{content:"*/"}</style>',
        """<rect style='content:"/*";fill:url(https://evil.test/alert(1));content:"*/"'/>""",
        '<style>@im@import a;port "https://evil.test/alert(1).css";</style>',
        '<style>rect{fill:url("#x\n);fill:url(https://evil.test/alert(1));y:url(")}</style>',
        "<style>a{content:'\\'}b{fill:url(//evil.test/alert(1))}c{content:'\\'}</style>",
        "<style>a{/*\\*/fill:u\\72 l(//evil.test/alert(1))}</style>",
        '<style>a{background:image-set("//evil.test/alert(1)" 1x)}</style>',
        '<style>a{background:filter("//evil.test/alert(1)", blur(1px))}</style>',
        "<style>@import 'https://evil.example/alert(1).css';</style>",
        "<style>@im/**/port url(https://evil.example/alert(1))</style>",
        "<style>rect { fill: url(https://evil.example/alert(1)) }</style>",
        "<style>rect { fill: u\\72l(https://evil.example/alert(1)) }</style>",
        "<style><![CDATA[@import url(//evil.example/alert(1));]]></style>",
        '<rect style="background:url(//evil.example/alert(1))"/>',
        '<rect fill="url(https://evil.example/alert(1))"/>',
        "<rect filter=\"url( 'https://evil.example/alert(1)' )\"/>",
        '<rect style="fill:expression(alert(1))"/>',
        '<handler xmlns:ev="http://www.w3.org/2001/xml-events" ev:event="load">alert(1)</handler>',
        '<g ev:event="alert(1)" xmlns:ev="http://www.w3.org/2001/xml-events"/>',
        "<?xml-stylesheet href='https://evil.example/alert(1)'?>",
        "<!-- alert(1) -->",
        '<embed src="alert(1)"/><object data="alert(1)"/>',
        '<g xml:base="https://evil.example/alert(1)/"><use href="#a"/></g>',
    ],
)
def test_nothing_that_runs_or_fetches_comes_through(evil: str) -> None:
    out = cleaned(f"{evil}<rect width='5' height='5'/>")
    assert "alert" not in out
    assert "evil" not in out
    assert '<rect width="5" height="5">' in out
    pyvips.Image.svgload_buffer(out.encode())


@pytest.mark.parametrize(
    "harmless",
    [
        '<a href="https://example.com/?a=1&amp;b=2"><text x="1">a &lt; b &amp; c</text></a>',
        '<a xlink:href="page.html#x"><text>ü</text></a>',
        '<image href="data:image/png;base64,AAAA" width="5"></image>',
        '<use href="#a"></use><use xlink:href="#b"></use>',
        '<rect fill="url(#gradient)" transform="translate(1 2) rotate(3)"></rect>',
        '<style>.a { fill: url(#b); font-family: "x" } .a &gt; .b { fill: red }</style>',
        '<style>@media print { .a &gt; b { c: "/* no comment */ \\201C" } } /* url */ c { d: url( "#e" ) }</style>',
        "<style>@font-face { src: url(data:font/woff2;base64,AA) format('woff2') } .facial-expression { x: 1 }</style>",
        '<animate attributeName="x" from="0" to="10" dur="1s"></animate>',
        '<g xml:space="preserve" xml:lang="en"><i:pgf xmlns:i="http://ns.adobe.com/x"></i:pgf></g>',
        '<path d="M0,0 C1 2,3 4,5 6z"></path>',
    ],
)
def test_drawings_stay_as_they_are(harmless: str) -> None:
    assert cleaned(harmless) == f"{HEAD}{harmless}</svg>"


def test_entities_of_drawing_programs_are_expanded() -> None:
    source = f'<!DOCTYPE svg [<!ENTITY blue "#00f">]>{HEAD}<rect width="20" height="10" fill="&blue;"/></svg>'
    out = sanitise(source.encode())
    assert b'fill="#00f"' in out
    assert b"ENTITY" not in out


@pytest.mark.parametrize(
    "bomb",
    [
        '<!DOCTYPE svg [<!ENTITY a "'
        + "x" * 5000
        + '">'
        + "".join(f'<!ENTITY {name} "{f"&{last};" * 20}">' for last, name in zip("abcd", "bcde", strict=True))
        + f"]>{HEAD}<text>&e;</text></svg>",
        f'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>{HEAD}<text>&a;</text></svg>',
        f'<!DOCTYPE svg [<!ENTITY % a SYSTEM "http://evil.example/x"> %a;]>{HEAD}<text>ok</text></svg>',
    ],
    ids=["laughs", "file", "parameter"],
)
def test_entities_neither_explode_nor_fetch(bomb: str) -> None:
    try:
        out = sanitise(bomb.encode())
    except ImageRefused:
        return
    assert b"root:" not in out
    assert len(out) < 4096 + 4 * len(bomb)


@pytest.mark.parametrize(
    "broken", ["", "<svg", "<svg></g>", "<html/>", "<svg>&nbsp;</svg>", "<svg/><svg/>", f"{HEAD}" + "<g>" * 600]
)
def test_broken_drawings_are_refused(broken: str) -> None:
    with pytest.raises(ImageRefused):
        sanitise(broken.encode())


def test_too_deep_and_too_large_drawings_are_refused() -> None:
    with pytest.raises(ImageRefused):
        cleaned("<g>" * 600 + "</g>" * 600)
    with pytest.raises(ImageRefused):
        sanitise(b"<svg>" + b" " * (17 * 1024 * 1024))


def test_what_is_served_looks_like_what_came() -> None:
    body = (
        '<defs><linearGradient id="a"><stop stop-color="red"/><stop offset="1" stop-color="blue"/></linearGradient>'
        '</defs><style>.b { stroke: green }</style><rect class="b" width="20" height="10" fill="url(#a)"/>'
    )
    source = f"{HEAD}{body}</svg>".encode()
    got = make(source)
    assert (got.passthrough, got.mime, got.width, got.height) == (True, "image/svg+xml", 20, 10)
    assert digest(pyvips.Image.svgload_buffer(got.data)) == digest(pyvips.Image.svgload_buffer(source))


def test_the_operator_may_serve_drawings_untouched() -> None:
    source = f"{HEAD}<!-- mine --></svg>".encode()
    assert make(source, config=EngineConfig(sanitize_svg=False)).data == source


def test_utf_16_comes_out_as_utf_8() -> None:
    assert sanitise(f"{HEAD}<text>ü</text></svg>".encode("utf-16")).decode() == f"{HEAD}<text>ü</text></svg>"


@given(st.text(max_size=200))
def test_cleaned_css_is_clean(text: str) -> None:
    out = clean_css(text + "@import url(//x);" + text)
    assert "@import" not in out.lower()


PIECES = (
    *("@im", "port", "@import ", "ur", "l(", "url(", "expres", "sion(", "java", "script:", "image-set(", "src("),
    *('"', "'", "/*", "*/", "*", "/", "\\", "\n", "\r\n", " ", "\\75 ", "\\72", "\\0000", "69 ", ")", ";", "{", "}"),
    *("#a", "https://evil.test/", "data:image/png;base64,AA", "data:text/html,", "fill", "\xa0"),
)


def undisguised(text: str) -> set[str]:
    """The text with and without comments, with and without escapes, in any order."""

    def plain(escaped: str) -> str:
        return re.sub(
            r"\\(?:([0-9a-fA-F]{1,6})[ \n]?|(.))",
            lambda found: chr(int(found[1], 16) % 0x110000) if found[1] else found[2],
            escaped,
            flags=re.DOTALL,
        )

    def bare(commented: str) -> str:
        return re.sub(r"/\*.*?(?:\*/|$(?!\n))", "", commented, flags=re.DOTALL)

    return {text, plain(text), bare(text), bare(plain(text)), plain(bare(text))}


@settings(max_examples=1500)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join))
def test_whatever_goes_in_nothing_fetches_or_runs(text: str) -> None:
    out = clean_css(text)
    for reading in undisguised(out):
        low = reading.lower()
        assert "@import" not in low
        assert "javascript:" not in low
        assert not re.search(r"expression\(|image-set\(", low)
        for target in re.split(r"url\(", low)[1:]:
            assert target.lstrip(" \t\r\n\f\"'").startswith(("#", "data:image/png"))
    assert clean_css(out) == out


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("a{b:c}d{fill:url(//evil.test/x) red;e:f}", "a{b:c}d{fill:none red;e:f}"),
        ("@import '//evil.test/x';a{b:c}", "a{b:c}"),
        ("a{b:c;behavior:url(#x);d:e}", "a{b:c;;d:e}"),
        ("a{b:c}d{e:url(", "a{b:c}d{e:"),
        ("@im@import a;port '//evil.test';a{b:c}", ""),
    ],
)
def test_what_is_not_hidden_is_taken_out_alone(rules: str, left: str) -> None:
    assert clean_css(rules) == left


EVIL = (
    *("url(", "url('", "/*", "@import ", "\\\\", "expression", "url( "),
    *('"', "'\\", '/*"', 'url("\n', "\\7", "@im@import", "url('#a", "a/*", "*/url("),
)


@pytest.mark.parametrize("piece", EVIL)
def test_cleaning_takes_no_longer_for_evil_text(piece: str) -> None:
    started = time.perf_counter()
    clean_css(piece * 200_000)
    assert time.perf_counter() - started < 2


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    try:
        sanitise(HEAD.encode() + data + b"</svg>")
    except ImageRefused:
        return
