"""A picture and a mask become a cut-out whose edges have the object's colours, kept without loss."""

from __future__ import annotations

import pytest
import pyvips

from imgserve.engine import tags
from imgserve.engine.cutout import cut_out, encode_artefact, enlarged
from imgserve.engine.upright import pixels_of
from imgserve.errors import ImageRefused
from imgserve.ports.models import Enlarged, Mask, Pixels
from tests.engine.pictures import decoded, grey, photo, pixel, plain, with_alpha

RED, GREEN = [255, 0, 0], [0, 255, 0]
#: Of a mask's soft edge, in pixels.
SOFT = 6


def mask_of(image: pyvips.Image) -> Mask:
    return Mask(pixels=pixels_of(image.cast("uchar").copy(interpretation="b-w")))


def ramp(width: int, height: int, *, middle: float, soft: float = SOFT) -> pyvips.Image:
    """A mask that is opaque on the left, and falls to nothing over `soft` pixels around `middle`."""
    x = pyvips.Image.xyz(width, height)[0] + 0.5
    share = (middle + soft / 2 - x) / soft
    return (share < 0).ifthenelse(0, (share > 1).ifthenelse(1, share)) * 255


def studio(width: int = 120, height: int = 60) -> tuple[pyvips.Image, pyvips.Image]:
    """A red thing on green whose edge the camera mixed, and the mask that says how."""
    alpha = ramp(width, height, middle=width / 2)
    share = alpha.rint() / 255
    mixed = (plain(width, height, RED) * share + plain(width, height, GREEN) * (1 - share)).rint()
    return mixed.cast("uchar").copy(interpretation="srgb"), alpha.rint()


def test_the_object_keeps_its_pixels_and_the_rest_is_nothing() -> None:
    source, half = photo(40, 20), ramp(40, 20, middle=20, soft=0.01)
    cut = cut_out(source, mask_of(half))
    assert (cut.width, cut.height, cut.bands, cut.format, cut.interpretation) == (40, 20, 4, "uchar", "srgb")
    for x, y in ((0, 0), (19, 19), (10, 7)):
        assert pixel(cut, x, y) == [*pixel(source, x, y), 255]
    for x, y in ((20, 0), (39, 19), (30, 7)):
        assert pixel(cut, x, y) == [0, 0, 0, 0]


def test_half_transparent_edges_have_no_fringe_of_the_old_background() -> None:
    source, alpha = studio()
    cut = cut_out(source, mask_of(alpha))
    soft = [pixel(cut, x, 30) for x in range(120) if 0 < pixel(alpha, x, 30)[0] < 255]
    assert len(soft) >= SOFT - 1
    for red, green, blue, opacity in soft:
        # What is left of green decides what a white page shows: less than one can see.
        assert green * opacity / 255 < 16, (red, green, opacity)
        assert red > 220, (red, green, opacity)
        assert blue < 16
    on_blue = cut.flatten(background=[0, 0, 255])
    assert max(pixel(on_blue, x, 30)[1] for x in range(120)) < 16


def test_the_fringe_is_gone_at_the_edges_of_the_picture_too() -> None:
    source, alpha = studio()
    cut = cut_out(source, mask_of(alpha))
    for y in (0, 1, 58, 59):
        assert all(pixel(cut, x, y)[1] < 40 for x in range(57, 63)), y


def test_a_thing_without_solid_parts_keeps_its_own_colours() -> None:
    # Smoke, glass: nothing beside it says what it would look like alone.
    source = plain(40, 40, [90, 120, 150])
    cut = cut_out(source, mask_of(pyvips.Image.black(40, 40) + 128))
    assert pixel(cut, 20, 20) == [90, 120, 150, 128]


@pytest.mark.parametrize("size", [(30, 15), (64, 64), (7, 5), (480, 240), (1, 1), (121, 59)])
def test_a_mask_of_any_size_lies_over_all_of_the_picture(size: tuple[int, int]) -> None:
    width, height = size
    mask = ramp(width, height, middle=width / 2, soft=1) if width > 1 else pyvips.Image.black(1, 1) + 255
    cut = cut_out(photo(120, 60), mask_of(mask))
    assert (cut.width, cut.height) == (120, 60)
    assert pixel(cut, 5, 30)[3] == 255
    if width > 1:
        assert pixel(cut, 115, 30)[3] == 0
        edge = next(x for x in range(120) if pixel(cut, x, 30)[3] < 128)
        assert abs(edge - 60) <= 120 / width + 1


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 3), (5, 2), (2, 2)])
def test_the_smallest_pictures_are_cut_too(size: tuple[int, int]) -> None:
    cut = cut_out(photo(*size), mask_of(pyvips.Image.black(*size) + 200))
    assert (cut.width, cut.height) == size
    assert pixel(cut, 0, 0)[3] == 200


def test_what_was_transparent_before_stays_so() -> None:
    source = with_alpha(photo(100, 10))
    before, alpha = source[3], ramp(100, 10, middle=50, soft=0.01)
    kept = cut_out(source, mask_of(alpha))
    for x in (0, 20, 49):
        assert pixel(kept, x, 5)[3] == pixel(before, x, 5)[0]
    assert pixel(kept, 80, 5)[3] == 0


def test_what_was_transparent_before_lends_no_colour_to_edges() -> None:
    # Editors leave anything under what is transparent.
    hidden = plain(60, 20, GREEN).bandjoin(0).cast("uchar")
    shown = plain(60, 20, RED).bandjoin(255).cast("uchar")
    source = hidden.join(shown, "horizontal").copy(interpretation="srgb")
    cut = cut_out(source, mask_of(pyvips.Image.black(120, 20) + 255))
    assert pixel(cut, 30, 10) == [0, 0, 0, 0]
    assert pixel(cut, 61, 10) == [255, 0, 0, 255]


def test_grey_pictures_are_cut() -> None:
    cut = cut_out(grey(30, 20), mask_of(pyvips.Image.black(30, 20) + 255))
    assert cut.bands == 4
    assert pixel(cut, 4, 4)[0] == pixel(cut, 4, 4)[2] == pixel(grey(30, 20), 4, 4)[0]


@pytest.mark.parametrize("bands", [2, 3, 4])
def test_a_mask_of_several_bands_is_refused(bands: int) -> None:
    wrong = Mask(pixels=Pixels(data=bytes(4 * 4 * bands), width=4, height=4, bands=bands))
    with pytest.raises(ImageRefused):
        cut_out(photo(4, 4), wrong)


@pytest.mark.parametrize("bands", [1, 4])
def test_an_enlarged_picture_of_other_bands_is_refused(bands: int) -> None:
    wrong = Enlarged(pixels=Pixels(data=bytes(8 * 8 * bands), width=8, height=8, bands=bands))
    with pytest.raises(ImageRefused):
        enlarged(photo(4, 4), wrong)


def test_the_copyright_goes_with_the_cut_out() -> None:
    cut = cut_out(_owned(photo(40, 20)), mask_of(pyvips.Image.black(40, 20) + 255))
    assert _owner(decoded(encode_artefact(cut))) == "somebody"


def test_the_copyright_goes_with_what_is_enlarged() -> None:
    source = _owned(photo(40, 20))
    large = enlarged(source, Enlarged(pixels=pixels_of(source.resize(2))))
    assert _owner(decoded(encode_artefact(large))) == "somebody"


def _owned(image: pyvips.Image) -> pyvips.Image:
    image = image.copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Copyright", "somebody (somebody, ASCII, 9 components, 9 bytes)")
    # As a file that was read has it.
    return pyvips.Image.pngload_buffer(image.pngsave_buffer())


def _owner(image: pyvips.Image) -> str:
    return str(image.get("exif-ifd0-Copyright")).split(" ")[0] if image.get_typeof("exif-ifd0-Copyright") else ""


def test_alpha_is_enlarged_with_its_picture() -> None:
    source = with_alpha(photo(40, 20))
    large = enlarged(source, Enlarged(pixels=pixels_of(photo(80, 40))))
    assert (large.width, large.height, large.bands, large.interpretation) == (80, 40, 4, "srgb")
    assert (pixel(large, 0, 20)[3], pixel(large, 79, 20)[3]) == (0, 255)
    assert 120 <= pixel(large, 40, 20)[3] <= 136
    assert enlarged(photo(40, 20), Enlarged(pixels=pixels_of(photo(80, 40)))).bands == 3


@pytest.mark.parametrize("image", [photo(61, 37), with_alpha(photo(61, 37)), plain(1, 1, RED)], ids=["3", "4", "1x1"])
def test_an_artefact_has_exactly_the_pixels_that_were_made(image: pyvips.Image) -> None:
    again = pyvips.Image.pngload_buffer(encode_artefact(image))
    assert (again.width, again.height, again.bands) == (image.width, image.height, image.bands)
    assert again.write_to_memory() == image.write_to_memory()


def test_an_artefact_says_nothing_of_an_orientation() -> None:
    image = photo(30, 20).copy()
    tags.put_integer(image, "orientation", 1)
    assert tags.orientation(pyvips.Image.pngload_buffer(encode_artefact(image))) in (0, 1)
