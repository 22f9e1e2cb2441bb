"""Formats are recognised by content alone."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgserve.engine.formats import FORMATS, sniff
from imgserve.spec.values import FORMAT_NAMES
from tests.engine.pictures import animated, photo, png


def pillow(name: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, name)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (photo(16, 16).jpegsave_buffer(), "jpeg"),
        (photo(16, 16).pngsave_buffer(), "png"),
        (photo(16, 16).webpsave_buffer(), "webp"),
        (animated([photo(8, 8)] * 2).gifsave_buffer(), "gif"),
        (photo(16, 16).heifsave_buffer(compression="av1"), "avif"),
        (photo(16, 16).tiffsave_buffer(), "tiff"),
        (photo(16, 16).tiffsave_buffer(bigtiff=True), "tiff"),
        (pillow("BMP"), "bmp"),
        (pillow("ICO"), "ico"),
        (b"MM\x00*rest", "tiff"),
        (b"\xff\x0arest", "jxl"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\nrest", "jxl"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "heic"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "heic"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", "avif"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00mp41avc1", None),
        (b"", None),
        (b"GIF8", None),
        (b"<html><svg></svg></html>", None),
        (b"plain text", None),
    ],
)
def test_the_first_bytes_tell(data: bytes, name: str | None) -> None:
    assert sniff(data) == name


@pytest.mark.parametrize(
    "prologue",
    [
        "",
        "\ufeff  \n",
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- a > comment -->\n',
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">',
        "<?xml version='1.0'?><!DOCTYPE svg [ <!ENTITY a 'b'> <!ENTITY c \"d>\"> ]><?x y?>",
    ],
)
@pytest.mark.parametrize(
    "element", ["<svg>", "<svg/>", "<svg\nwidth='1'>", "<s:svg xmlns:s='http://www.w3.org/2000/svg'>"]
)
def test_svg_is_what_has_svg_as_its_first_element(prologue: str, element: str) -> None:
    assert sniff((prologue + element).encode()) == "svg"
    assert sniff((prologue + "<g>" + element).encode()) is None


def test_svg_in_utf_16_is_svg() -> None:
    assert sniff('<?xml version="1.0"?><svg/>'.encode("utf-16")) == "svg"


def test_the_first_element_is_not_looked_for_for_ever() -> None:
    assert sniff(b"<!--" + b"x" * 40_000 + b"--><svg/>") is None


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    assert sniff(data) in (None, *FORMATS)


def test_the_table_has_every_name_of_the_grammar() -> None:
    assert set(FORMATS) == set(FORMAT_NAMES.values())
    assert {kind.name for kind in FORMATS.values() if not kind.save} == {"svg", "heic", "jxl"}


def test_what_the_table_calls_png_is_png() -> None:
    assert sniff(png(photo(8, 8))) == FORMATS["png"].name
