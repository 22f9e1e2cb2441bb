"""The provider of `upscale` without a model."""

from __future__ import annotations

import pytest

from imgserve.engine.enlarge import LibvipsUpscale, check_enlarged
from imgserve.engine.upright import PictureOf, image_of
from imgserve.errors import ProviderRefused
from imgserve.ports.models import Enlarged, Task
from tests.engine.pictures import photo, pixel, plain


def larger(width: int, height: int, factor: str, *, most: int = 1_000_000) -> Enlarged:
    shares: list[float] = []
    answer = LibvipsUpscale(max_output_pixels=most).run(PictureOf(photo(width, height)), factor, shares.append)
    assert isinstance(answer, Enlarged)
    assert shares[-1] == 1.0
    return answer


@pytest.mark.parametrize(
    ("size", "factor", "expected"),
    [((30, 20), "2", (60, 40)), ((30, 20), "1.5", (45, 30)), ((7, 3), "8", (56, 24)), ((1, 1), "2.5", (3, 3))],
)
def test_it_is_as_many_times_as_large_as_asked(size: tuple[int, int], factor: str, expected: tuple[int, int]) -> None:
    pixels = larger(*size, factor).pixels
    assert abs(pixels.width - expected[0]) <= 1
    assert abs(pixels.height - expected[1]) <= 1
    assert (pixels.bands, len(pixels.data)) == (3, pixels.width * pixels.height * 3)


def test_it_looks_as_before() -> None:
    flat = PictureOf(plain(10, 10, [10, 200, 90]))
    answer = LibvipsUpscale(max_output_pixels=10_000).run(flat, "3", lambda _share: None)
    assert isinstance(answer, Enlarged)
    image = image_of(answer.pixels)
    assert all(pixel(image, x, y) == [10, 200, 90] for x, y in ((0, 0), (29, 29), (15, 3)))


def test_a_result_beyond_the_bound_is_refused_before_it_is_made() -> None:
    assert larger(100, 100, "2", most=40_000).pixels.width == 200
    with pytest.raises(ProviderRefused) as refused:
        larger(100, 100, "2.1", most=40_000)
    assert "IMGSERVE_MAX_UPSCALE_RESOLUTION" in refused.value.message
    assert "0.04" in refused.value.message
    with pytest.raises(ProviderRefused):
        check_enlarged(PictureOf(photo(100, 100)), 8, max_output_pixels=639_999)


def test_it_says_that_it_is_the_basic_one_and_of_which_version() -> None:
    provider = LibvipsUpscale(max_output_pixels=1)
    assert provider.trouble() is None
    told = provider.capability
    assert (told.task, told.name, told.basic, told.remote) == (Task.UPSCALE, "libvips", True, "")
    assert "libvips" in told.identity
    assert told.identity != "libvips"
