"""Filters, against the same sequence of libvips calls."""

from __future__ import annotations

import pytest
import pyvips

from imgserve.engine.intent import Filtering, Intent
from imgserve.ops.filters import OPS, Blur, Pixelate, Sharpen
from imgserve.spec.kinds import BadArgument
from tests.engine.pictures import decoded, deep, digest, digest_of, grey, make, photo, pixel, plain, png, with_alpha


def filtered(image: pyvips.Image, *, blur: float = 0, sharpen: float = 0, pixelate: int = 0) -> pyvips.Image:
    """imgproxy's fused step, in its own order."""
    has_alpha = image.hasalpha() and (blur or sharpen)
    out = image.premultiply().cast(image.format) if has_alpha else image
    if blur:
        out = out.gaussblur(blur)
    if sharpen:
        out = out.sharpen(sigma=sharpen)
    pixelate = min(pixelate, max(out.width, out.height))
    if pixelate > 1:
        width, height = -(-out.width // pixelate) * pixelate, -(-out.height // pixelate) * pixelate
        whole = out.embed(0, 0, width, height, extend="mirror").shrink(pixelate, pixelate).zoom(pixelate, pixelate)
        out = whole.crop(0, 0, out.width, out.height)
    if has_alpha:
        out = out.unpremultiply()
    return out.colourspace("srgb").cast(image.format)


@pytest.mark.parametrize("source", [photo(50, 35), with_alpha(photo(50, 35))])
@pytest.mark.parametrize(
    ("blur", "sharpen", "pixelate"), [(2, 0, 0), (0, 1.5, 0), (0, 0, 8), (0, 0, 1000), (1.2, 3, 7), (2, 0, 50)]
)
def test_filters_are_pixel_exact(source: pyvips.Image, blur: float, sharpen: float, pixelate: int) -> None:
    ops = (Blur(sigma=blur), Sharpen(sigma=sharpen), Pixelate(size=pixelate))
    got = make(png(source), *ops)
    assert digest_of(got.data) == digest(filtered(source, blur=blur, sharpen=sharpen, pixelate=pixelate))


def test_grey_pictures_become_srgb() -> None:
    source = grey(40, 30)
    got = make(png(source), Blur(sigma=2))
    assert digest_of(got.data) == digest(filtered(source.colourspace("srgb"), blur=2))


def test_deep_pictures_are_filtered_with_8_bits() -> None:
    got = make(png(deep(photo(40, 30))), Blur(sigma=2), preserve_hdr=True)
    assert pyvips.Image.new_from_buffer(got.data, "").format == "uchar"


def test_transparent_colours_do_not_bleed_into_a_blur() -> None:
    clear_red = plain(40, 20, [255, 0, 0, 0])
    solid_blue = plain(40, 20, [0, 0, 255, 255])
    source = clear_red.join(solid_blue, "horizontal").copy(interpretation="srgb")
    got = decoded(make(png(source), Blur(sigma=4)).data)
    edge = pixel(got, 39, 10)
    assert edge[0] < 8
    assert edge[2] > 245
    assert 60 < edge[3] < 200


@pytest.mark.parametrize("idle", [Blur(sigma=0), Sharpen(sigma=0), Pixelate(size=1), Pixelate(size=0)])
def test_filters_that_are_off_do_nothing_at_all(idle: Blur | Sharpen | Pixelate) -> None:
    assert idle.configure(Intent()) == Intent()
    source = png(grey(40, 30))
    assert make(source, idle).data == make(source).data


def test_the_largest_need_wins() -> None:
    intent = Blur(sigma=1).configure(Pixelate(size=5).configure(Intent()))
    assert intent.filtering is Filtering.PREMULTIPLIED
    assert Pixelate(size=5).configure(intent).filtering is Filtering.PREMULTIPLIED


@pytest.mark.parametrize("wrong", [-0.1, 10.5])
def test_libvips_is_not_asked_for_what_it_refuses(wrong: float) -> None:
    with pytest.raises(BadArgument):
        Sharpen(sigma=wrong)


def test_they_run_in_imgproxys_order() -> None:
    assert (Blur, Sharpen, Pixelate) == OPS
