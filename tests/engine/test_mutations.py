"""Broken files: whatever is cut off, flipped or moved inside a real file, the answer is a picture or a 4xx."""

from __future__ import annotations

import math
from functools import cache

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from imgserve.engine.deadline import Deadline
from imgserve.engine.formats import FORMATS, sniff
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.engine.pipeline import Rendered, render
from imgserve.errors import ImageError
from tests.engine.pictures import animated, jpeg, make, photo, png, turned, with_alpha

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><defs><linearGradient id="g"><stop offset="0" '
    b'stop-color="red"/></linearGradient></defs><rect width="50" height="30" fill="url(#g)"/><use href="#g"/></svg>'
)
#: Small enough that a broken header cannot ask for much work.
LIMITS = Limits(max_src_pixels=1_000_000, max_animation_frames=20)
SOURCES = ("jpeg", "png", "palette", "webp", "gif", "avif", "tiff", "bmp", "ico", "svg")


@cache
def real(kind: str) -> bytes:
    """A valid file with what its format has: orientation, alpha, a palette, frames."""
    frames = animated([photo(40, 30), photo(40, 30).invert(), photo(40, 30).flip("vertical")])
    match kind:
        case "svg":
            return SVG
        case "palette":
            return png(photo(60, 40), palette=True)
        case "gif":
            return bytes(frames.gifsave_buffer())
        case "webp":
            return bytes(frames.webpsave_buffer())
        case "jpeg":
            return jpeg(turned(photo(60, 40), 6))
        case "tiff":
            return bytes(with_alpha(photo(60, 40)).tiffsave_buffer(compression="lzw"))
    return make(png(with_alpha(photo(60, 40))), format=kind).data


def cut(data: bytes, at: float) -> bytes:
    return data[: math.ceil(len(data) * at)]


def flipped(data: bytes, spots: list[tuple[float, int]]) -> bytes:
    out = bytearray(data)
    for where, bits in spots:
        out[int(where * (len(out) - 1))] ^= bits
    return bytes(out)


def moved(data: bytes, start: float, size: int, target: float) -> bytes:
    piece = data[int(start * len(data)) :][:size]
    at = int(target * len(data))
    return data[:at] + piece + data[at + size :]


SHARE = st.floats(0, 1)
SPOTS = st.lists(st.tuples(SHARE, st.integers(1, 255)), min_size=1, max_size=8)


def attempt(data: bytes, target: str) -> None:
    """Render; a picture must be one that decodes, and an error one that the client is told."""
    intent = Intent(width=20, height=20, format=target, limits=LIMITS)
    refused: ImageError | None = None
    try:
        made = render(data, intent=intent, config=EngineConfig(), deadline=Deadline(20))
    except ImageError as error:
        refused = error
    else:
        assert_picture(made)
    assert refused is None or (refused.status in (415, 422) and refused.message.endswith("."))


def assert_picture(made: Rendered) -> None:
    image = pyvips.Image.new_from_buffer(made.data, "")
    assert sniff(made.data) == made.format
    assert image.width <= 20
    assert image.avg() >= 0


@pytest.mark.parametrize("kind", SOURCES)
def test_the_files_are_whole_to_begin_with(kind: str) -> None:
    made = render(real(kind), intent=Intent(format="png", limits=LIMITS), config=EngineConfig(), deadline=Deadline(20))
    assert FORMATS[made.format].name == "png"


@pytest.mark.parametrize("kind", SOURCES)
@given(at=SHARE, target=st.sampled_from(["jpeg", "png", "webp"]))
@settings(max_examples=25, deadline=None)
def test_truncated_files(kind: str, at: float, target: str) -> None:
    attempt(cut(real(kind), at), target)


@pytest.mark.parametrize("kind", SOURCES)
@given(spots=SPOTS, target=st.sampled_from(["jpeg", "png", "webp", "gif"]))
@settings(max_examples=60, deadline=None)
def test_files_with_flipped_bits(kind: str, spots: list[tuple[float, int]], target: str) -> None:
    attempt(flipped(real(kind), spots), target)


@pytest.mark.parametrize("kind", SOURCES)
@given(start=SHARE, size=st.integers(1, 400), target=SHARE)
@settings(max_examples=30, deadline=None)
def test_files_with_moved_pieces(kind: str, start: float, size: int, target: float) -> None:
    attempt(moved(real(kind), start, size, target), "png")


@pytest.mark.parametrize("kind", SOURCES)
@given(head=st.integers(4, 40), tail=st.binary(max_size=300))
@settings(max_examples=30, deadline=None)
def test_a_right_beginning_with_anything_behind_it(kind: str, head: int, tail: bytes) -> None:
    attempt(real(kind)[:head] + tail, "png")
