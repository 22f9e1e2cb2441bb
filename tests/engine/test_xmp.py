"""XMP packets: what they say, and that hostile ones harm nobody."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine.xmp import read_xmp

HEAD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="t">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
)
TAIL = "</rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
SPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:ps="http://ns.adobe.com/photoshop/1.0/"'
    ' xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"'
    ' xmlns:mine="urn:mine"'
)


def packet(inner: str, attributes: str = "") -> bytes:
    return f'{HEAD}<rdf:Description rdf:about="" {SPACES} {attributes}>{inner}</rdf:Description>{TAIL}'.encode()


def test_properties_are_told_by_the_usual_prefix_and_name() -> None:
    # Whatever the packet calls the namespace (ps here), and whether they are elements or attributes.
    data = packet("<dc:format>image/jpeg</dc:format><mine:a>1</mine:a>", 'ps:DateCreated="2016-09-11"')
    assert read_xmp(data) == {
        "photoshop": {"DateCreated": "2016-09-11"},
        "dc": {"format": "image/jpeg"},
        "mine": {"a": "1"},
    }
    assert read_xmp(b"\x00" + data + b"\n" * 2000 + b"\x00") == read_xmp(data)
    two = (
        packet("<dc:format>a</dc:format>").replace(TAIL.encode(), b"")
        + packet("<dc:source>b</dc:source>").split(b'ns#">', 1)[1]
    )
    assert read_xmp(two) == {"dc": {"format": "a", "source": "b"}}


def test_lists_languages_and_structures_are_told_as_such() -> None:
    data = packet(
        "<dc:subject><rdf:Bag><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Bag></dc:subject>"
        "<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li></rdf:Seq></dc:creator>"
        '<dc:title><rdf:Alt><rdf:li xml:lang="de">Haus</rdf:li><rdf:li xml:lang="x-default">House</rdf:li></rdf:Alt>'
        "</dc:title>"
        '<dc:rights><rdf:Alt><rdf:li xml:lang="de">Alle</rdf:li></rdf:Alt></dc:rights><dc:type><rdf:Alt/></dc:type>'
        '<xmpMM:DerivedFrom rdf:parseType="Resource"><stEvt:action>saved</stEvt:action></xmpMM:DerivedFrom>'
        '<xmpMM:History><rdf:Seq><rdf:li stEvt:action="created" stEvt:when="now"/></rdf:Seq></xmpMM:History>'
        '<xmpMM:Ref><rdf:Description stEvt:id="7"/></xmpMM:Ref><mine:link rdf:resource="http://a/"/>'
    )
    assert read_xmp(data) == {
        "dc": {"subject": ["a", "b"], "creator": ["Ann"], "title": "House", "rights": "Alle", "type": ""},
        "xmpMM": {
            "DerivedFrom": {"action": "saved"},
            "History": [{"action": "created", "when": "now"}],
            "Ref": {"id": "7"},
        },
        "mine": {"link": "http://a/"},
    }


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
HOSTILE = {
    "entities": f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]>'.encode() + packet("<dc:format>&l11;</dc:format>"),
    "a file": b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + packet("<dc:format>&f;</dc:format>"),
    "an entity that is not declared": packet("<dc:format>&f;</dc:format>"),
    "no XML": b"<x:xmpmeta",
    "no RDF": b"<a><b/></a>",
    "no text": b"\xff\xfe\x00",
    "of two bytes a letter": packet("<dc:format>a</dc:format>").decode().encode("utf-16"),
    "nothing": b"",
    "too long": packet("<dc:format>" + "x" * (1 << 20) + "</dc:format>"),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_xmp_or_an_attack_says_nothing(data: bytes) -> None:
    assert read_xmp(data) == {}


def test_as_much_is_told_as_is_sensible() -> None:
    long = read_xmp(packet(f"<dc:format>{'x' * 5000}</dc:format>"))
    assert long == {"dc": {"format": "x" * 1024}}
    many = read_xmp(packet("".join(f"<mine:a{n}>1</mine:a{n}>" for n in range(3000))))
    assert len(many["mine"]) == 500
    listed = read_xmp(packet(f"<dc:subject><rdf:Bag>{'<rdf:li>a</rdf:li>' * 3000}</rdf:Bag></dc:subject>"))
    assert len(listed["dc"]["subject"]) == 499


def test_depth_costs_nothing() -> None:
    began = time.monotonic()
    depth = 40_000
    found = read_xmp(packet("<mine:a>" * depth + "</mine:a>" * depth))
    assert list(found) == ["mine"]
    seq = "<dc:subject><rdf:Bag><rdf:li>" * 2000 + "</rdf:li></rdf:Bag></dc:subject>" * 2000
    assert list(read_xmp(packet(seq))) == ["dc"]
    assert time.monotonic() - began < 5


@given(st.data())
def test_no_change_of_a_packet_breaks_the_reader(data: st.DataObject) -> None:
    whole = packet("<dc:subject><rdf:Bag><rdf:li>a</rdf:li></rdf:Bag></dc:subject>", 'mine:b="1"')
    at, length = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 20))
    found = read_xmp(whole[:at] + data.draw(st.binary(max_size=6)) + whole[at + length :])
    assert all(isinstance(values, dict) for values in found.values())
