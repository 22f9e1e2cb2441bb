"""Faces by cascades: drawn faces are found where they are, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imgserve.adapters.providers.cascade_faces import FRONTAL, CascadeFaces, Face, confidence_of, distinct, mirrored
from imgserve.errors import ProviderUnavailable
from imgserve.ports.models import Detection, Task
from tests.adapters.providers.pictures import ArrayPicture, draw_face, flat

OPENCVS_FRONTAL = Path(cv2.__file__).parent / "data" / FRONTAL


def found(values: NDArray[Any], provider: CascadeFaces | None = None) -> tuple[Detection, ...]:
    return (provider or CascadeFaces()).run(ArrayPicture(values), "", lambda share: None).detections


def cluttered(width: int, height: int) -> NDArray[Any]:
    """Make boxes and discs of all greys, in which no face is."""
    values = flat(width, height, (150, 150, 150))
    numbers = np.random.default_rng(5)
    for _ in range(60):
        x, y, size, grey = (int(n) for n in numbers.integers((0, 0, 8, 0), (width, height, 60, 256)))
        if grey % 2:
            cv2.rectangle(values, (x, y), (x + size, y + size), (grey, grey, grey), -1)
        else:
            cv2.circle(values, (x, y), size // 2, (grey, grey, grey), -1)
    return values


def covers(seen: Detection, values: NDArray[Any], *, left: int, top: int, side: int) -> bool:
    """Say whether a box is on a drawn head, but for 5 %, and takes most of its width."""
    height, width = values.shape[:2]
    x, y, box_side, rim = seen.left * width, seen.top * height, seen.width * width, 0.05 * side
    across = left - rim <= x and x + box_side <= left + side + rim
    down = top - rim <= y and y + seen.height * height <= top + side + rim
    return bool(across and down and box_side > 0.7 * side)


def test_faces_of_several_sizes_are_found_where_they_are_amid_clutter() -> None:
    values = cluttered(900, 400)
    places = {"large": (520, 90, 250), "small": (150, 60, 70)}
    for left, top, side in places.values():
        values[top - 10 : top + side + 10, left - 10 : left + side + 10] = 150
        draw_face(values, left=left, top=top, side=side)
    seen = found(values)
    assert len(seen) == 2
    for left, top, side in places.values():
        assert any(covers(face, values, left=left, top=top, side=side) for face in seen)
    assert {face.label for face in seen} == {"face"}
    assert 1 >= seen[0].confidence >= seen[1].confidence > 0.4


def test_boxes_are_shares_of_a_large_picture_that_was_searched_smaller() -> None:
    values = flat(3000, 1000)
    draw_face(values, left=2200, top=300, side=600)
    (seen,) = found(values)
    assert covers(seen, values, left=2200, top=300, side=600)


def test_no_face_is_found_amid_clutter_alone() -> None:
    assert found(cluttered(900, 400)) == ()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (20, 20), (1000, 1)])
def test_pictures_smaller_than_any_face_have_none(width: int, height: int) -> None:
    assert found(flat(width, height)) == ()


def test_of_boxes_on_each_other_the_surest_is_kept_and_neighbours_stay() -> None:
    sure = Face(left=10, top=10, side_x=50, side_y=50, weight=7)
    shifted = Face(left=20, top=15, side_x=50, side_y=50, weight=3)
    beside = Face(left=65, top=10, side_x=50, side_y=50, weight=2)
    assert distinct([beside, shifted, sure]) == [sure, beside]


def test_a_face_that_was_found_in_the_mirrored_picture_is_where_it_was() -> None:
    face = Face(left=10, top=20, side_x=30, side_y=40, weight=1)
    assert mirrored(face, 100) == Face(left=60, top=20, side_x=30, side_y=40, weight=1)


def test_confidence_grows_with_weight_from_0_to_1() -> None:
    confidences = [confidence_of(weight) for weight in (-2, 0, 0.5, 4, 8, 50)]
    assert confidences == sorted(confidences)
    assert confidences[0] == confidences[1] == 0
    assert 0.99 < confidences[-1] <= 1


def test_an_operators_cascade_replaces_the_built_in_ones(tmp_path: Path) -> None:
    path = tmp_path / "own.xml"
    shutil.copy(OPENCVS_FRONTAL, path)
    values = flat(400, 300)
    draw_face(values, left=100, top=50, side=150)
    provider = CascadeFaces(path)
    assert provider.trouble() is None
    (seen,) = found(values, provider)
    assert covers(seen, values, left=100, top=50, side=150)
    assert provider.capability.identity != CascadeFaces().capability.identity


def test_a_missing_cascade_is_told(tmp_path: Path) -> None:
    provider = CascadeFaces(tmp_path / "no.xml")
    assert provider.trouble() == "The cascade file no.xml cannot be read: No such file or directory."
    with pytest.raises(ProviderUnavailable, match="cannot be read"):
        found(flat(50, 50), provider)


@pytest.mark.parametrize(
    "content", [b"", b"<html>no</html>", b"<?xml version='1.0'?><opencv_storage></opencv_storage>"]
)
def test_a_file_that_is_no_cascade_is_unavailable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.xml"
    path.write_bytes(content)
    with pytest.raises(ProviderUnavailable, match=r"own\.xml cannot be loaded"):
        found(flat(50, 50), CascadeFaces(path))


def test_without_the_extra_the_sentence_says_how_to_install_it() -> None:
    provider = CascadeFaces(installed=lambda library: library != "cv2")
    assert provider.trouble() == "Finding faces needs the ai extra: pip install 'imgserve[ai]'."


def test_the_capability_says_that_it_is_the_basic_one() -> None:
    capability = CascadeFaces().capability
    assert (capability.task, capability.name, capability.basic) == (Task.FACES, "cascade", True)


def test_it_works_again_after_close() -> None:
    provider = CascadeFaces()
    values = flat(300, 300)
    draw_face(values, left=50, top=50, side=200)
    assert len(found(values, provider)) == 1
    provider.close()
    assert len(found(values, provider)) == 1
