"""Where the head of a file ends: what is read of the first bytes is what is read of all of them."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.formats import SNIFFED_BYTES
from imgserve.engine.header import open_header
from imgserve.engine.intent import EngineConfig, Limits
from imgserve.engine.prefix import head_end
from imgserve.errors import ImageError, UnsupportedImage
from tests.engine.pictures import animated, deep, jpeg, make, photo, png, turned, with_alpha
from tests.engine.test_mutations import SPOTS, SVG, flipped, moved

LIMITS = Limits(max_src_pixels=1_000_000)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_segments(data: bytes, *segments: tuple[int, bytes]) -> bytes:
    """Put APP segments in front of all others of a JPEG."""
    parts = [b"\xff" + struct.pack(">BH", marker, len(body) + 2) + body for marker, body in segments]
    return data[:2] + b"".join(parts) + data[2:]


def tiff(*pages: bytes, order: str = "<") -> bytes:
    """An uncompressed grey TIFF, its directories in front of the pixels; each page is 8 pixels wide."""
    entry, count, offset = struct.Struct(order + "HHII"), struct.Struct(order + "H"), struct.Struct(order + "I")
    size = count.size + 8 * entry.size + offset.size
    head, bodies = (b"II*\0" if order == "<" else b"MM\0*") + offset.pack(8), b""
    for number, pixels in enumerate(pages):
        rows, at = len(pixels) // 8, 8 + size * len(pages) + len(bodies)
        one, two = (1, 8) if order == "<" else (1 << 16, 8 << 16)
        head += count.pack(8)
        for tag, kind, value in (
            *((256, 4, 8), (257, 4, rows), (258, 3, two), (259, 3, one)),
            *((262, 3, one), (273, 4, at), (278, 4, rows), (279, 4, len(pixels))),
        ):
            head += entry.pack(tag, kind, 1, value)
        head += offset.pack(8 + size * (number + 1) if number + 1 < len(pages) else 0)
        bodies += pixels
    return head + bodies


def noted(image: pyvips.Image) -> pyvips.Image:
    """The picture with what editors write: a profile, XMP and a text."""
    image = turned(image, 8)
    tags.put_blob(image, "xmp-data", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>" * 50)
    return image.copy().icc_transform("p3", input_profile="srgb") if image.bands == 3 else image


def late_png(image: pyvips.Image) -> bytes:
    """A PNG with EXIF behind its pixels, as ImageMagick writes it; libvips does not read that."""
    exif = png(turned(image, 6))
    at = exif.index(b"eXIf") - 4
    late = exif[at : at + 12 + int.from_bytes(exif[at : at + 4], "big")]
    base = png(image, keep="none")
    return base[:-12] + late + chunk(b"tEXt", b"Comment\0late") + base[-12:]


def avif(image: pyvips.Image, *, keep: str = "all") -> bytes:
    return bytes(image.write_to_buffer(".avif", effort=0, keep=keep))


def large_head(image: pyvips.Image) -> bytes:
    thumbnail = (0xE1, b"Exif\0\0" + bytes(60_000))
    return with_segments(jpeg(image), thumbnail, *[(0xED, b"8BIM" * 15_000)] * 3)


MAKERS: dict[str, Callable[[pyvips.Image], bytes]] = {
    "jpeg": lambda image: jpeg(noted(image)),
    "progressive": lambda image: jpeg(turned(image, 5), interlace=True),
    "profiles": lambda image: large_head(noted(image)),
    "png": lambda image: png(with_alpha(noted(image))),
    "deep": lambda image: png(deep(image[2].copy(interpretation="b-w")), interlace=True),
    "late": late_png,
    "avif": lambda image: avif(with_alpha(image), keep="none"),
    "tiff": lambda _: tiff(bytes(range(256)) * 40),
    "motorola": lambda _: tiff(bytes(range(256)) * 4, bytes(range(256)) * 40, order=">"),
    "tail": lambda image: bytes(image.tiffsave_buffer()),
    "bigtiff": lambda image: bytes(image.tiffsave_buffer(bigtiff=True, compression="deflate")),
    "pages": lambda image: bytes(image.tiffsave_buffer(pyramid=True, tile=True)),
    "gif": lambda image: bytes(animated([image, image.invert(), image.rot180()]).gifsave_buffer()),
    "webp": lambda image: bytes(turned(image, 3).webpsave_buffer()),
    "noted avif": lambda image: avif(turned(image, 6)),
    "jpeg in tiff": lambda image: bytes(image.tiffsave_buffer(compression="jpeg")),
    "svg": lambda _: SVG,
    "bmp": lambda image: make(png(image), format="bmp").data,
    "ico": lambda image: make(png(image), format="ico").data,
}


@cache
def real(kind: str) -> bytes:
    """A valid file, its pixels some kilobytes."""
    return MAKERS[kind](photo(200, 120))


TOLD = ("jpeg", "progressive", "profiles", "png", "deep", "late", "avif", "tiff", "motorola")
AT_THE_END = ("tail", "bigtiff", "pages")
UNTOLD = ("gif", "webp", "noted avif", "jpeg in tiff", "svg", "bmp", "ico")


def facts(data: bytes) -> dict[str, Any] | str:
    """All that a header says, or how it is refused."""
    try:
        with open_header(data, limits=LIMITS, config=EngineConfig(), deadline=Deadline(20)) as opened:
            image = opened.image
            kinds = {"format": opened.format, "type": image.format, "space": image.interpretation}
            size = {"width": image.width, "height": image.height, "bands": image.bands}
            return kinds | size | {name: image.get(name) for name in image.get_fields()}
    except ImageError as error:
        return f"{type(error).__name__} {error.message}"


def check(data: bytes) -> None:
    end = head_end(data)
    if end is not None and end <= len(data):
        assert facts(data[:end]) == facts(data)
        assert head_end(data[:end]) == end


@pytest.mark.parametrize("kind", [*TOLD, *AT_THE_END])
def test_the_first_bytes_tell_what_all_tell(kind: str) -> None:
    data = real(kind)
    check(data)
    end = head_end(data)
    assert end is not None
    assert (end < len(data)) == (kind in TOLD)
    assert isinstance(facts(data), dict)


@pytest.mark.parametrize("kind", [*TOLD, *AT_THE_END])
@given(at=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_too_few_bytes_ask_for_more_but_never_for_too_many(kind: str, at: float) -> None:
    data = real(kind)
    whole = head_end(data)
    part = data[: int(at * len(data))]
    end = head_end(part)
    assert whole is not None
    assert end is not None
    if end <= len(part):
        assert end == whole
    else:
        assert len(part) < end <= max(whole, SNIFFED_BYTES if len(part) < 32 else 0)


@pytest.mark.parametrize("kind", UNTOLD)
def test_some_heads_are_all_over_the_file(kind: str) -> None:
    assert isinstance(facts(real(kind)), dict)
    assert head_end(real(kind)) is None


@pytest.mark.parametrize("kind", [*TOLD, *AT_THE_END])
@given(spots=SPOTS, share=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_what_is_refused_is_refused_by_the_first_bytes(kind: str, spots: list[tuple[float, int]], share: float) -> None:
    data = real(kind)
    end = head_end(data) or 0
    # In the head, where it matters; and cut off anywhere.
    broken = flipped(data[:end], spots) + data[end:]
    check(broken)
    check(broken[: int(len(broken) * share)])


@pytest.mark.parametrize("kind", [*TOLD, *AT_THE_END])
@given(start=st.floats(0, 1), size=st.integers(1, 300), target=st.floats(0, 0.3))
@settings(max_examples=20, deadline=None)
def test_files_with_parts_in_other_places(kind: str, start: float, size: int, target: float) -> None:
    check(moved(real(kind), start, size, target))


@given(st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0+", b"\0\0\0\x1cftypavif"]), st.binary())
def test_nothing_that_an_origin_sends_is_a_bug(magic: bytes, rest: bytes) -> None:
    end = head_end(magic + rest)
    assert end is None or end > 0


def test_what_is_no_picture_is_known_by_what_is_looked_at() -> None:
    page = b"<html>" + b" " * 100_000
    assert head_end(page) == SNIFFED_BYTES
    for data in (page, page[:SNIFFED_BYTES]):
        with (
            pytest.raises(UnsupportedImage),
            open_header(data, limits=LIMITS, config=EngineConfig(), deadline=Deadline(20)),
        ):
            pass


def empty_directories(count: int) -> bytes:
    """A TIFF of so many directories, one after the other, with nothing in them."""
    return b"II*\0" + struct.pack("<I", 8) + b"".join(struct.pack("<HI", 0, 14 + 6 * at) for at in range(count))


def many_items(entries: int, size: int) -> bytes:
    """An AVIF whose `meta` box lists so many pictures, with `size` bytes behind them."""

    def box(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), name) + body

    listed = box(b"infe", b"\x02" + bytes(7) + b"av01") * entries
    items = box(b"iinf", bytes(4) + struct.pack(">H", entries) + listed + bytes(size))
    return box(b"ftyp", b"avif" + bytes(4) + b"avif") + box(b"meta", bytes(4) + items)


def test_a_tiff_cannot_make_the_walk_long() -> None:
    ring = b"II*\0" + struct.pack("<IHI", 8, 0, 8)
    assert head_end(ring) is None
    # 3,000 directories of 5,000 entries each, all of them the same bytes.
    entries = struct.pack("<HHII", 5000, 3, 1, 8) * 5400
    chain = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 5000) + entries
    hollow = empty_directories(100_000)
    started = time.monotonic()
    assert head_end(chain) is None
    assert head_end(hollow) is None
    assert time.monotonic() - started < 0.5


def test_an_avif_cannot_make_the_walk_dear() -> None:
    data = many_items(4000, size=900_000)
    tracemalloc.start()
    try:
        started = time.monotonic()
        assert head_end(data) == len(data)
        assert time.monotonic() - started < 0.5
        # The box, and what is in it; a copy for each item would be 3.8 GB.
        assert tracemalloc.get_traced_memory()[1] < 5 * len(data)
    finally:
        tracemalloc.stop()
