"""IPTC and Photoshop blocks: what they say, and that broken ones say nothing else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine.iptc import read_iptc
from imgserve.engine.photoshop import resolution, resources


def record(number: int, value: bytes, *, of: int = 2) -> bytes:
    return struct.pack(">BBBH", 0x1C, of, number, len(value)) + value


def resource(kind: int, content: bytes, name: bytes = b"") -> bytes:
    title = bytes((len(name),)) + name + b"\x00" * ((len(name) + 1) % 2)
    return (
        b"8BIM"
        + struct.pack(">H", kind)
        + title
        + struct.pack(">I", len(content))
        + content
        + b"\x00" * (len(content) % 2)
    )


def block(*resources: bytes) -> bytes:
    return b"Photoshop 3.0\x00" + b"".join(resources)


TEXTS = record(5, b"Spider") + record(25, b"web") + record(25, b"swing") + record(116, b"Daily Bugle")
TOLD = {"Name": "Spider", "Keywords": ["web", "swing"], "Copyright Notice": "Daily Bugle"}
INCHES_240 = struct.pack(">IHHIHH", 240 << 16, 1, 1, (72 << 16) + 32768, 2, 5)


def test_texts_are_told_by_name_and_what_may_come_again_as_lists() -> None:
    assert read_iptc(block(resource(0x0404, TEXTS))) == TOLD
    assert read_iptc(TEXTS) == TOLD  # a TIFF has the records alone
    other = resource(0x0425, b"checksum", b"a name"), resource(0x0404, TEXTS, b"odd")
    assert read_iptc(block(*other)) == TOLD
    assert read_iptc(record(25, b"one")) == {"Keywords": ["one"]}
    # Of a text that may come once the first one counts; other records and numbers are no texts.
    assert read_iptc(record(5, b"a") + record(5, b"b") + record(200, b"x") + record(5, b"y", of=7)) == {"Name": "a"}


@pytest.mark.parametrize(
    ("marker", "value", "text"),
    [
        (record(90, b"\x1b%G", of=1), "Łódź".encode(), "Łódź"),
        (record(90, b"\x1b%G", of=1), b"M\xfcller", "M\ufffdller"),
        (b"", "Łódź".encode(), "Łódź"),
        (b"", b"M\xfcller", "Müller"),
        (b"", b"padded \x00\x00", "padded"),
    ],
)
def test_texts_are_read_in_the_encoding_that_they_have(marker: bytes, value: bytes, text: str) -> None:
    assert read_iptc(marker + record(90, value)) == {"City": text}


def test_what_is_long_is_cut() -> None:
    assert read_iptc(record(120, b"x" * 5000)) == {"Caption": "x" * 1024}
    found = read_iptc(record(25, b"k") * 5000)["Keywords"]
    assert len(found) == 500


def test_the_resolution_is_told() -> None:
    assert resolution(block(resource(0x03ED, INCHES_240))) == {
        "XResolution": 240.0,
        "XResolutionUnit": "inches",
        "WidthUnit": "inches",
        "YResolution": 72.5,
        "YResolutionUnit": "cm",
        "HeightUnit": "columns",
    }
    assert resolution(block(resource(0x03ED, b"short"))) == resolution(block()) == resolution(b"") == {}
    assert list(resources(block(resource(1, b"a"), resource(2, b"bc", b"name")))) == [(1, b"a"), (2, b"bc")]


@given(st.data())
def test_broken_blocks_are_read_as_far_as_they_go(data: st.DataObject) -> None:
    whole = block(resource(0x03ED, INCHES_240), resource(0x0404, TEXTS))
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    at, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    for broken in (cut, whole[:at] + bytes((byte,)) + whole[at + 1 :], data.draw(st.binary(max_size=60))):
        found = read_iptc(broken)
        assert all(isinstance(name, str) for name in found)
        resolution(broken)


def test_a_block_cannot_make_the_walk_long() -> None:
    assert sum(1 for _ in resources(resource(1, b"") * 1_000_000)) == 1000
