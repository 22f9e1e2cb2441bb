from __future__ import annotations

import numpy as np
import pytest

from bench.cutout import ArrayPicture, as_array, compare, compose
from imgserve.adapters.providers.grabcut import GrabCut
from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Mask, Task

#: Small, as each is drawn for its test.
SIZE = (1200, 900)


def cut(picture: ArrayPicture) -> Mask:
    return GrabCut().run(picture, "", lambda share: None)


@pytest.mark.parametrize(
    ("name", "backdrop", "least"),
    [
        ("mug", "gradient", 0.98),  # a handle
        ("wheel", "shadow", 0.95),  # spokes four pixels wide, over a shadow
        ("lamp at edge", "white", 0.98),
        ("pale box", "gradient", 0.98),
        ("mug", "contact", 0.98),  # a black line where it stands
        ("grey cup", "contact", 0.98),  # as grey as its shadow is somewhere
        ("black shoe", "contact", 0.95),  # nobody sees where it ends and its shadow begins
        ("brush", "white", 0.85),  # hairs one pixel wide
        ("bottle", "linen", 0.98),
        ("white bowl", "wood", 0.98),
    ],
)
def test_objects_are_cut_out_of_composites_of_known_alpha(name: str, backdrop: str, least: float) -> None:
    composite = compose(name, backdrop, SIZE)
    mask = as_array(cut(ArrayPicture(composite.picture)), SIZE)
    iou, _ = compare(mask, composite.alpha)
    assert iou >= least


def test_the_mask_is_as_large_as_the_picture_and_soft_at_its_edges() -> None:
    composite = compose("bottle", "white", SIZE)
    mask = cut(ArrayPicture(composite.picture))
    assert (mask.pixels.width, mask.pixels.height, mask.pixels.bands) == (*SIZE, 1)
    alpha = as_array(mask, SIZE)
    assert np.count_nonzero((alpha > 20) & (alpha < 235)) > 500
    assert compare(alpha, composite.alpha)[1] < 0.04


def test_a_busy_picture_gets_the_same_mask_every_time() -> None:
    picture = ArrayPicture(compose("brush", "busy", (600, 450)).picture)
    assert cut(picture) == cut(picture)


def test_a_picture_without_an_object_is_refused() -> None:
    with pytest.raises(ProviderRefused, match="No object stands out"):
        cut(ArrayPicture(np.full((300, 400, 3), 230, np.uint8)))


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (3, 400), (400, 3)])
def test_tiny_pictures_are_refused_or_cut_but_break_nothing(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    try:
        mask = cut(ArrayPicture(noise))
    except ProviderRefused:
        return
    assert (mask.pixels.width, mask.pixels.height) == size


def test_it_tells_that_it_is_basic_and_needs_no_file() -> None:
    capability = GrabCut().capability
    assert (capability.task, capability.name, capability.basic) == (Task.BACKGROUND, "grabcut", True)
    assert GrabCut().trouble() is None


def test_without_the_extra_it_says_what_to_install() -> None:
    bare = GrabCut(installed=lambda library: library != "cv2")
    assert "pip install 'imgserve[ai]'" in str(bare.trouble())
    with pytest.raises(ProviderUnavailable, match="ai extra"):
        bare.run(ArrayPicture(np.zeros((9, 9, 3), np.uint8)), "", lambda share: None)
