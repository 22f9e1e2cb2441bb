"""Round corners and shadows."""

from __future__ import annotations

import math

import pytest
import pyvips

from imgserve.engine.intent import Intent
from imgserve.ops.effects import RadiusKind, Round, Shadow
from imgserve.ops.trim import AutoCrop
from imgserve.spec.kinds import BadArgument
from imgserve.spec.values import Colour, Gravity
from tests.engine.pictures import FILL, SMART, decoded, deep, grey, jpeg, make, photo, pixel, plain, png, with_alpha

WHITE = plain(100, 60, [255] * 3)


def alpha(data: bytes) -> pyvips.Image:
    return decoded(data)[3]


def test_corners_are_clear_and_the_rest_is_not() -> None:
    got = make(png(photo(100, 60)), Round(radius=20))
    mask = alpha(got.data)
    corners = [(0, 0), (99, 0), (0, 59), (99, 59)]
    assert [mask.getpoint(x, y) for x, y in corners] == [[0.0]] * 4
    assert [mask.getpoint(x, y) for x, y in ((20, 0), (50, 30), (0, 20), (99, 39))] == [[255.0]] * 4
    assert pixel(decoded(got.data), 50, 30)[:3] == pixel(photo(100, 60), 50, 30)


def test_the_edge_of_a_corner_is_smooth_and_round() -> None:
    mask = alpha(make(png(photo(100, 60)), Round(radius=25)).data)
    covered = sum(mask.getpoint(x, y)[0] for x in range(25) for y in range(25)) / 255
    assert covered == pytest.approx(math.pi * 25 * 25 / 4, rel=0.01)
    assert len({mask.getpoint(x, 3)[0] for x in range(25)}) > 3


def test_max_makes_a_pill_and_of_a_square_a_circle() -> None:
    mask = alpha(make(png(photo(60, 60)), Round(radius="max")).data)
    assert mask.avg() / 255 == pytest.approx(math.pi / 4, rel=0.01)
    pill = alpha(make(png(photo(100, 60)), Round(radius="max")).data)
    assert pill.avg() / 255 == pytest.approx((40 * 60 + math.pi * 900) / 6000, rel=0.01)
    assert alpha(make(png(photo(100, 60)), Round(radius=5000)).data).avg() == pytest.approx(pill.avg())


def test_radii_grow_with_dpr() -> None:
    source = png(photo(200, 120))
    small = alpha(make(source, Round(radius=10), width=50, dpr=2).data)
    assert small.getpoint(20, 0)[0] == 255
    assert small.getpoint(12, 0)[0] < 250


def test_alpha_that_was_there_stays() -> None:
    got = alpha(make(png(with_alpha(photo(100, 60))), Round(radius=10)).data)
    assert got.getpoint(50, 30) == with_alpha(photo(100, 60))[3].getpoint(50, 30)
    assert got.getpoint(99, 0) == [0.0]


@pytest.mark.parametrize("source", [grey(80, 60), deep(photo(80, 60)), deep(grey(80, 60))])
def test_every_kind_of_picture_can_be_rounded_and_casts_a_shadow(source: pyvips.Image) -> None:
    got = make(png(source), Round(radius=20), Shadow(sigma=2), preserve_hdr=True)
    image = pyvips.Image.new_from_buffer(got.data, "")
    assert image.hasalpha()
    assert image.format == source.format
    assert (got.width, got.height) == (80 + 10, 60 + 13)
    middle = image.getpoint(image.width // 2, image.height // 2)
    assert middle[-1] == (65535 if source.format == "ushort" else 255)


def test_formats_without_alpha_show_white_behind_the_corners() -> None:
    got = decoded(make(png(photo(100, 60)), Round(radius=20), format="jpeg", quality=100).data)
    assert min(pixel(got, 0, 0)) > 250


def test_a_jpeg_becomes_a_png_so_that_its_corners_can_be_clear() -> None:
    assert make(jpeg(photo(100, 60)), Round(radius=20)).format == "png"
    assert make(jpeg(photo(100, 60)), Round(radius=20), preferred=("webp",)).format == "webp"
    assert make(jpeg(photo(100, 60)), Round(radius=20), background=Colour(1, 2, 3)).format == "jpeg"
    assert make(jpeg(photo(100, 60)), Round(radius=0)).format == "jpeg"


@pytest.mark.parametrize("gravity", [SMART, Gravity()])
def test_the_wanted_size_includes_the_shadow(gravity: Gravity) -> None:
    got = make(jpeg(photo(800, 600)), Shadow(), resizing_type=FILL, width=600, height=400, gravity=gravity)
    assert (got.width, got.height) == (600, 400)
    mask = alpha(got.data)
    # 25 pixels of reach, 8 of them moved downwards: the photo begins at (25, 17) and ends at (575, 367).
    assert [mask.getpoint(x, y)[0] == 255 for x, y in ((25, 17), (574, 366), (300, 200))] == [True] * 3
    assert max(mask.getpoint(x, y)[0] for x, y in ((24, 16), (575, 367), (0, 0))) < 255


def test_an_opaque_photo_casts_the_shadow_of_its_whole_rectangle() -> None:
    got = decoded(make(png(WHITE), Shadow(sigma=5, opacity=0.5, dx=0, dy=0, color=Colour(255, 0, 0))).data)
    assert (got.width, got.height) == (126, 86)
    below = pixel(got, 63, 73)
    assert below[0] > 250
    assert below[1] < 5
    # A tenth of sigma outside the edge, a Gaussian has 46 % of its weight.
    assert below[3] == pytest.approx(255 * 0.5 * 0.46, abs=3)
    assert pixel(got, 63, 85)[3] < 6
    assert pixel(got, 63, 40) == [255, 255, 255, 255]


def test_the_shadow_has_the_shape_and_the_place_that_it_is_told() -> None:
    disc = make(png(WHITE), Round(radius="max"), Shadow(sigma=0, opacity=1, dx=30, dy=20, color=Colour(0, 0, 255)))
    got = decoded(disc.data)
    assert (got.width, got.height) == (130, 80)
    assert pixel(got, 0, 0)[3] == 0
    assert pixel(got, 50, 30) == [255, 255, 255, 255]
    assert pixel(got, 110, 50) == [0, 0, 255, 255]
    assert pixel(got, 129, 79)[3] == 0


def test_shadows_upwards_and_to_the_left_need_room_there() -> None:
    intent = Shadow(sigma=2, dx=-10, dy=-20).configure(Intent())
    assert intent.margins == (25, 0, 0, 15)
    assert intent.transparent


def test_no_opacity_is_no_shadow_and_no_room() -> None:
    assert Shadow(opacity=0).configure(Intent()) == Intent()
    assert make(png(WHITE), Shadow(opacity=0)).data == make(png(WHITE)).data


def test_the_cut_out_product_pipeline_of_one_url() -> None:
    cut_out = with_alpha(photo(250, 250)).embed(75, 25, 400, 300, extend="black")
    got = make(png(cut_out), AutoCrop(margin=10), Shadow(), resizing_type=FILL, width=120, height=110, gravity=SMART)
    assert (got.width, got.height, got.format) == (120, 110, "png")
    assert alpha(got.data).getpoint(60, 50)[0] > 0


def test_shadows_lie_inside_the_padding_and_on_the_background() -> None:
    got = make(
        png(WHITE), Shadow(sigma=4, opacity=1, dy=0), padding_left=30, background=Colour(0, 255, 0), format="png"
    )
    image = decoded(got.data)
    assert pixel(image, 5, 40) == [0, 255, 0, 255]
    assert pixel(image, 39, 40)[1] < 200


@pytest.mark.parametrize(("text", "value"), [("max", "max"), ("0", 0.0), ("12.5", 12.5)])
def test_radii_are_numbers_or_max(text: str, value: float | str) -> None:
    kind = RadiusKind()
    assert kind.parse([text]) == value
    assert kind.parse(kind.format(value)) == value


@pytest.mark.parametrize("wrong", ["-1", "min", "", "nan", "1e400"])
def test_other_radii_are_refused_with_what_would_be_right(wrong: str) -> None:
    with pytest.raises(BadArgument, match="max"):
        RadiusKind().parse([wrong])
    with pytest.raises(BadArgument):
        RadiusKind().check(True)
