"""Metadata: gone, but for who made the picture."""

from __future__ import annotations

import struct

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from imgserve.engine import tags
from imgserve.engine.metadata import authors_of_iptc, authors_of_xmp
from tests.engine.pictures import decoded, digest_of, make, photo, png, turned

XMP = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmp:CreatorTool="Camera 9" xmpRights:Marked="True">
<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li></rdf:Seq></dc:creator><dc:subject><rdf:Bag><rdf:li>secret place</rdf:li>
</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def record(tag: int, text: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, 2, tag, len(text)) + text


def resource(kind: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", kind, 0, len(data)) + data + bytes(len(data) % 2)


PHOTOSHOP = b"Photoshop 3.0\x00"
IPTC = (
    PHOTOSHOP
    + resource(1005, b"res")
    + resource(0x0404, record(80, b"Ada") + record(90, b"Paris") + record(116, b"(c) Ada"))
)


def text_tag(image: pyvips.Image, name: str, value: str) -> None:
    image.set_type(pyvips.GValue.gstr_type, name, f"{value} ({value}, ASCII, {len(value) + 1} components)")


def source(*, authors: bool = True) -> bytes:
    image = photo(32, 32).copy()
    text_tag(image, "exif-ifd0-Model", "Spy 1")
    text_tag(image, "exif-ifd0-Software", "Tool")
    text_tag(image, "exif-ifd3-GPSLatitudeRef", "N")
    if authors:
        text_tag(image, "exif-ifd0-Copyright", "(c) Ada")
        tags.put_blob(image, "iptc-data", IPTC)
    tags.put_blob(image, "xmp-data", XMP if authors else b"<x/>")
    return bytes(image.jpegsave_buffer())


def fields(data: bytes) -> set[str]:
    return {
        name.split("-")[-1]
        for name in pyvips.Image.jpegload_buffer(data).get_fields()
        if name.startswith(("exif-ifd", "xmp", "iptc"))
    }


def test_authorship_stays_and_the_rest_goes() -> None:
    got = pyvips.Image.jpegload_buffer(make(source()).data)
    assert "(c) Ada" in str(got.get("exif-ifd0-Copyright"))
    assert not {"Model", "Software", "GPSLatitudeRef"} & fields(make(source()).data)
    assert tags.blob(got, "iptc-data") == PHOTOSHOP + resource(0x0404, record(80, b"Ada") + record(116, b"(c) Ada"))
    xmp = tags.blob(got, "xmp-data")
    assert b"Ada" in xmp
    assert b"Marked" in xmp
    assert b"secret" not in xmp
    assert b"Camera" not in xmp


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "tiff", "png"])
def test_nothing_stays_where_authorship_is_not_wanted(name: str) -> None:
    data = make(source(), keep_copyright=False, format=name).data
    for secret in (b"Ada", b"Spy 1", b"secret place", b"Camera 9"):
        assert secret not in data


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_secrets_do_not_travel_with_the_authors(name: str) -> None:
    data = make(source(), format=name).data
    assert b"Ada" in data
    for secret in (b"Spy 1", b"secret place", b"Camera 9", b"Paris"):
        assert secret not in data


def test_pictures_without_authors_have_no_metadata() -> None:
    assert fields(make(source(authors=False)).data) == set()


def test_all_stays_when_nothing_is_to_be_stripped() -> None:
    assert {"Model", "GPSLatitudeRef", "Copyright", "data"} <= fields(make(source(), strip_metadata=False).data)


def test_the_resolution_is_a_screens() -> None:
    dense = photo(16, 16).copy(xres=12, yres=12).jpegsave_buffer()
    assert pyvips.Image.jpegload_buffer(make(dense).data).xres == pytest.approx(72 / 25.4, abs=0.01)
    assert pyvips.Image.jpegload_buffer(make(dense, strip_metadata=False).data).xres == pytest.approx(12, abs=0.1)


def test_bare_iptc_without_a_resource_block_is_read_too() -> None:
    assert authors_of_iptc(record(80, b"Ada")) == PHOTOSHOP + resource(0x0404, record(80, b"Ada"))
    assert authors_of_iptc(record(90, b"Paris")) == b""


@given(st.binary(max_size=300))
def test_broken_iptc_has_no_authors(data: bytes) -> None:
    authors_of_iptc(data)
    authors_of_iptc(b"8BIM" + data)
    assert authors_of_iptc(b"8BIM\x04\x04" + data[:1]) == b""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<x:xmpmeta",
        b"\xff\xfe<\x00x\x00",
        b"<a/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<?xml version='1.0' encoding='nonsense'?><a/>",
        b"x" * (2 * 1024 * 1024),
        XMP.replace(b"dc:creator", b"dc:format").replace(b"Rights:Marked", b"Rights2:x"),
    ],
)
def test_xmp_that_says_nothing_of_authors_is_dropped(data: bytes) -> None:
    assert authors_of_xmp(data) == b""


def test_an_avif_is_not_turned_by_an_orientation_that_was_to_be_ignored() -> None:
    upside_down = make(png(turned(photo(64, 32), 3)), format="avif", auto_rotate=False)
    assert digest_of(upside_down.data) == digest_of(make(png(photo(64, 32)), format="avif").data)
    sideways = make(png(turned(photo(64, 32), 6)), format="avif", auto_rotate=False)
    assert (sideways.width, sideways.height, decoded(sideways.data).width) == (64, 32, 64)
