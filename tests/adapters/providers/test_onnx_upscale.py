"""Enlarging by files: sizes, tiles, colours, limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imgserve.adapters.providers.onnx_file import OnnxFile
from imgserve.adapters.providers.onnx_upscale import OnnxUpscale, passes_for
from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Task
from tests.adapters.providers.onnx_models import Side, node, written
from tests.adapters.providers.pictures import ArrayPicture, flat, values_of


def resizing(
    path: Path,
    factor: float,
    *,
    mode: str = "linear",
    bands: int = 3,
    sides: Sequence[Side] = ("h", "w"),
    large: Sequence[Side] = ("hh", "ww"),
) -> OnnxFile:
    """Write a net that enlarges as plain scaling does."""
    return OnnxFile(
        written(
            path,
            [node("Resize", ["x", "", "scales"], "y", mode=mode)],
            takes=[1, bands, *sides],
            gives=[1, bands, *large],
            constants={"scales": np.array([1, 1, factor, factor], np.float32)},
        )
    )


def moody(path: Path) -> OnnxFile:
    """Write a net that doubles, and is brighter by half the mean of what it sees: every tile has its own brightness."""
    return OnnxFile(
        written(
            path,
            [
                node("Resize", ["x", "", "scales"], "large", mode="linear"),
                node("ReduceMean", ["x"], "mean"),
                node("Mul", ["mean", "half"], "light"),
                node("Add", ["large", "light"], "y"),
            ],
            takes=[1, 3, "h", "w"],
            gives=[1, 3, "hh", "ww"],
            constants={"scales": np.array([1, 1, 2, 2], np.float32), "half": np.array(0.5, np.float32)},
        )
    )


def noise(width: int, height: int) -> NDArray[Any]:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)


def upscaled(file: OnnxFile, values: NDArray[Any], factor: str, max_output_pixels: int = 50_000_000) -> NDArray[Any]:
    return values_of(
        OnnxUpscale(file, max_output_pixels=max_output_pixels)
        .run(ArrayPicture(values), factor, lambda share: None)
        .pixels
    )


@pytest.mark.parametrize(("width", "height"), [(600, 500), (224, 224), (225, 1), (1, 1), (17, 460)])
def test_tiles_give_what_the_whole_picture_would_have_given(tmp_path: Path, width: int, height: int) -> None:
    file = resizing(tmp_path / "x2.onnx", 2)
    values = noise(width, height)
    # Beyond its edges a picture is mirrored, which for this net is the same as ending there.
    whole = file.load().run(values.transpose(2, 0, 1)[None] / np.float32(255))[0][0].transpose(1, 2, 0)
    answer = upscaled(file, values, "2")
    assert answer.shape == (2 * height, 2 * width, 3)
    assert np.abs(answer - whole * 255).max() < 1.01


def test_no_seam_is_seen_where_tiles_differ_in_brightness(tmp_path: Path) -> None:
    # From 0 to 112 over 700 pixels: tiles differ by about 18 levels, and each pixel from the next by at most 1.
    ramp = np.linspace(0, 112, 700).astype(np.uint8)
    for values in (np.tile(ramp[None, :, None], (300, 1, 3)), np.tile(ramp[:, None, None], (1, 300, 3))):
        answer = upscaled(moody(tmp_path / "moody.onnx"), np.ascontiguousarray(values), "2").astype(int)
        assert answer.max() > 112 + 40
        assert np.abs(np.diff(answer, axis=0)).max() <= 2
        assert np.abs(np.diff(answer, axis=1)).max() <= 2


def test_edges_are_not_darker_than_the_middle(tmp_path: Path) -> None:
    box = np.full((3, 1, 9, 9), 1 / 81, np.float32)
    file = OnnxFile(
        written(
            tmp_path / "blur.onnx",
            [
                node("Conv", ["x", "box"], "soft", group=3, pads=[4, 4, 4, 4]),
                node("Resize", ["soft", "", "scales"], "y", mode="nearest"),
            ],
            takes=[1, 3, "h", "w"],
            gives=[1, 3, "hh", "ww"],
            constants={"box": box, "scales": np.array([1, 1, 2, 2], np.float32)},
        )
    )
    assert upscaled(file, flat(50, 40, (200, 100, 50)), "2").reshape(-1, 3).min(axis=0).tolist() == [200, 100, 50]


@pytest.mark.parametrize(
    ("native", "factor", "passes"), [(2, 1.5, 1), (2, 2, 1), (2, 2.5, 1), (2, 4, 2), (4, 2, 1), (4, 5, 1), (3, 9, 2)]
)
def test_a_net_is_used_as_often_as_it_takes(tmp_path: Path, native: int, factor: float, passes: int) -> None:
    told: list[float] = []
    file = resizing(tmp_path / "net.onnx", native)
    picture = ArrayPicture(flat(30, 20, (10, 200, 90)))
    answer = values_of(OnnxUpscale(file).run(picture, str(factor), told.append).pixels)
    assert passes_for(factor, native) == passes
    assert answer.shape == (round(20 * factor), round(30 * factor), 3)
    assert answer.reshape(-1, 3).min(axis=0).tolist() == [10, 200, 90]
    assert told == [(done + 1) / passes for done in range(passes)]


def test_progress_is_told_per_tile_and_ends_with_all(tmp_path: Path) -> None:
    told: list[float] = []
    OnnxUpscale(resizing(tmp_path / "net.onnx", 2)).run(ArrayPicture(flat(500, 300)), "2", told.append)
    assert told == pytest.approx([(done + 1) / 6 for done in range(6)])


def test_a_net_of_one_size_is_given_that_size(tmp_path: Path) -> None:
    file = resizing(tmp_path / "fixed.onnx", 3, sides=(64, 48), large=(192, 144))
    values = cv2.GaussianBlur(noise(130, 50), (0, 0), 3)
    expected = cv2.resize(values, None, fx=3, fy=3, interpolation=cv2.INTER_LINEAR)
    assert np.abs(upscaled(file, values, "3").astype(int) - expected).max() <= 1


def test_a_luminance_net_keeps_colours(tmp_path: Path) -> None:
    file = resizing(tmp_path / "espcn.onnx", 2, bands=1)
    values = cv2.GaussianBlur(noise(300, 100), (0, 0), 4)
    expected = cv2.resize(values, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert np.abs(upscaled(file, values, "2").astype(int) - expected).max() <= 4


def test_a_result_beyond_the_limit_is_refused_with_both_sizes(tmp_path: Path) -> None:
    file = resizing(tmp_path / "net.onnx", 2)
    with pytest.raises(ProviderRefused, match=r"would have 4\.0 megapixels; the limit is 1\.0"):
        upscaled(file, flat(1000, 1000), "2", max_output_pixels=1_000_000)


def test_what_a_net_makes_on_the_way_has_a_limit_too(tmp_path: Path) -> None:
    file = resizing(tmp_path / "net.onnx", 4)
    with pytest.raises(ProviderRefused, match=r"\(x4\) would have 16\.0 megapixels; the limit is 8\.0"):
        upscaled(file, flat(1000, 1000), "1.2", max_output_pixels=2_000_000)


@pytest.mark.parametrize("argument", ["", "two", "0.5", "nan", "inf"])
def test_a_factor_that_is_none_is_refused(tmp_path: Path, argument: str) -> None:
    with pytest.raises(ProviderRefused, match="factor"):
        upscaled(resizing(tmp_path / "net.onnx", 2), flat(4, 4), argument)


def test_a_net_that_does_not_enlarge_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="does not enlarge"):
        upscaled(resizing(tmp_path / "net.onnx", 1), flat(4, 4), "2")


def test_the_capability_names_the_file(tmp_path: Path) -> None:
    first, second = (OnnxUpscale(resizing(tmp_path / f"{factor}.onnx", factor)).capability for factor in (2, 3))
    assert (first.task, first.name, first.basic) == (Task.UPSCALE, "onnx", False)
    assert first.identity != second.identity
