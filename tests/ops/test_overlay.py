"""The watermark: where it lies, how large it is, and what it does to the picture below."""

from __future__ import annotations

from typing import Any

import pytest
import pyvips

from imgserve.engine.intent import EngineConfig, Limits
from imgserve.engine.position import position
from imgserve.errors import ImageRefused
from imgserve.ops.overlay import Watermark
from imgserve.spec.shapes import COMPASS
from imgserve.spec.values import Gravity, GravityType
from tests.engine.pictures import (
    decoded,
    deep,
    digest,
    digest_of,
    grey,
    jpeg,
    make,
    photo,
    pixel,
    png,
    turned,
    with_alpha,
)

PICTURE = photo(120, 80)
MARK = with_alpha(photo(30, 20).invert())


def marked(source: bytes, *, mark: pyvips.Image = MARK, config: dict[str, Any] | None = None, **wanted: Any) -> bytes:
    intent = {name: wanted.pop(name) for name in ("dpr", "width", "preserve_hdr", "format") if name in wanted}
    op = Watermark(**{"opacity": 1, **wanted})
    return make(source, op, config=EngineConfig(watermark=png(mark), **(config or {})), **intent).data


def over(base: pyvips.Image, mark: pyvips.Image, left: int, top: int, *, opacity: float = 1) -> pyvips.Image:
    """imgproxy's composition."""
    if not mark.hasalpha():
        mark = mark.addalpha()
    if opacity < 1:
        mark = mark[:-1].bandjoin(mark[-1].linear([opacity], [0.0]))
    out = base.composite2(mark, "over", x=left, y=top, compositing_space=base.interpretation).cast(base.format)
    return out if base.hasalpha() else out[:-1]


@pytest.mark.parametrize("kind", COMPASS)
@pytest.mark.parametrize(("x", "y"), [(0, 0), (7, 11), (-40, 0.5)])
def test_it_lies_where_it_is_told(kind: GravityType, x: float, y: float) -> None:
    left, top = position((120, 80), (30, 20), gravity=Gravity(kind, x, y), overflow=True)
    got = marked(png(PICTURE), position=kind.value, x=x, y=y)
    assert digest_of(got) == digest(over(PICTURE, MARK, left, top))


def test_opacity_is_the_options_times_the_operators() -> None:
    got = marked(png(PICTURE), opacity=0.8, config={"watermark_opacity": 0.5})
    assert digest_of(got) == digest(over(PICTURE, MARK, 46, 30, opacity=0.4))


@pytest.mark.parametrize(("config", "opacity"), [(EngineConfig(), 1.0), (EngineConfig(watermark=png(MARK)), 0.0)])
def test_without_a_picture_or_opacity_there_is_none(config: EngineConfig, opacity: float) -> None:
    got = make(png(PICTURE), Watermark(opacity=opacity), config=config)
    assert got.data == make(png(PICTURE)).data


def test_its_size_is_a_share_of_the_picture() -> None:
    got = marked(png(PICTURE), position="nowe", scale=0.5)
    factor = 2.0  # 30x20 into 60x40
    small = MARK.premultiply().cast("uchar").resize(factor, vscale=factor).unpremultiply().cast("uchar")
    assert digest_of(got) == digest(over(PICTURE, small, 0, 0))


def test_tiles_are_an_odd_number_around_the_middle() -> None:
    got = marked(png(PICTURE), position="re")
    tiles = MARK.replicate(5, 5).crop(15, 10, 120, 80)
    assert digest_of(got) == digest(over(PICTURE, tiles, 0, 0))


def test_space_between_tiles_is_shared_by_their_sides() -> None:
    got = marked(png(PICTURE), position="re", x=5, y=0.1)
    tile = MARK.embed(2, 4, 35, 28, extend="black")
    tiles = tile.replicate(5, 3).crop((175 - 120) // 2, (84 - 80) // 2, 120, 80)
    assert digest_of(got) == digest(over(PICTURE, tiles, 0, 0))


def test_offsets_grow_with_dpr() -> None:
    got = marked(png(PICTURE), position="nowe", x=6, y=4, dpr=0.5, width=120)
    small = PICTURE.resize(0.5, vscale=0.5)
    assert digest_of(got) == digest(over(small, MARK, 3, 2))


def test_an_opaque_picture_stays_opaque_and_a_clear_one_clear() -> None:
    assert not pyvips.Image.new_from_buffer(marked(png(PICTURE)), "").hasalpha()
    got = marked(png(with_alpha(PICTURE)), mark=photo(30, 20))
    assert digest_of(got) == digest(over(with_alpha(PICTURE), photo(30, 20), 46, 30))


def test_grey_stays_grey_under_a_grey_mark_and_not_under_a_coloured_one() -> None:
    source = png(grey(120, 80))
    assert pyvips.Image.new_from_buffer(marked(source, mark=grey(30, 20)), "").bands == 1
    assert pyvips.Image.new_from_buffer(marked(source), "").bands == 3


def test_deep_pictures_keep_their_depth() -> None:
    got = pyvips.Image.new_from_buffer(marked(png(deep(PICTURE)), preserve_hdr=True), "")
    assert got.format == "ushort"
    untouched = deep(PICTURE)
    assert pixel(got, 2, 2) == pixel(untouched, 2, 2)
    assert pixel(got, 70, 40) != pixel(untouched, 70, 40)


def test_it_is_turned_upright_itself() -> None:
    mark = jpeg(turned(photo(40, 20), 6), Q=100, subsample_mode="off")
    got = make(png(PICTURE), Watermark(opacity=1, position="nowe"), config=EngineConfig(watermark=mark))
    upright = pyvips.Image.jpegload_buffer(mark).copy_memory().rot("d90")
    assert digest_of(got.data) == digest(over(PICTURE, upright, 0, 0))


def test_drawings_are_drawn_at_size() -> None:
    drawing = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="6" height="4"><rect width="6" height="4" fill="red"/></svg>'
    )
    op = Watermark(opacity=1, position="nowe", scale=0.5)
    got = decoded(make(png(PICTURE), op, config=EngineConfig(watermark=drawing)).data)
    assert pixel(got, 59, 39) == [255, 0, 0, 255]
    assert pixel(got, 60, 39) == [*pixel(PICTURE, 60, 39), 255]


def test_a_mark_that_lies_outside_leaves_a_pixel_inside() -> None:
    got = decoded(marked(png(PICTURE), mark=photo(30, 20).invert(), position="nowe", x=-500, y=-500))
    assert pixel(got, 0, 0)[:3] == pixel(photo(30, 20).invert(), 29, 19)
    assert pixel(got, 1, 1)[:3] == pixel(PICTURE, 1, 1)


def test_limits_hold_for_the_mark_too() -> None:
    config = EngineConfig(watermark=png(photo(200, 200)))
    with pytest.raises(ImageRefused):
        make(png(PICTURE), Watermark(opacity=1), config=config, limits=Limits(max_src_pixels=20_000))


def test_metadata_of_the_mark_stays_out() -> None:
    mark = photo(30, 20).copy()
    mark.set_type(pyvips.GValue.gstr_type, "png-comment-0-secret", "secret mark")
    got = make(png(PICTURE), Watermark(opacity=1), config=EngineConfig(watermark=png(mark)), strip_metadata=False)
    assert b"secret mark" not in got.data
