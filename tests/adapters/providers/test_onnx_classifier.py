"""Classifiers: what they are given, and how their scores are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imgserve.adapters.providers.labels import Labels
from imgserve.adapters.providers.onnx_classifier import OnnxClassifier
from imgserve.adapters.providers.onnx_file import OnnxFile
from imgserve.errors import ProviderUnavailable
from imgserve.ports.models import Reading, Task
from tests.adapters.providers.onnx_models import BYTE, Side, node, written
from tests.adapters.providers.pictures import ArrayPicture, flat

COLOURS = "red\ngreen\nblue\n"

#: No change of 0 to 1, so that a test can say what comes out.
PLAIN: dict[str, Any] = {"mean": (0, 0, 0), "spread": (1, 1, 1)}


def means(
    path: Path, *, takes: Sequence[Side] = (1, 3, 8, 8), times: float = 10, element: int | None = None
) -> OnnxFile:
    """Write a net whose three scores are the means of its three bands, times a number."""
    axes = [2, 3] if takes[1] == 3 else [1, 2]
    first = [node("Cast", ["x"], "numbers", to=1)] if element else [node("Identity", ["x"], "numbers")]
    return OnnxFile(
        written(
            path,
            [
                *first,
                node("ReduceMean", ["numbers"], "means", axes=axes, keepdims=0),
                node("Mul", ["means", "times"], "y"),
            ],
            takes=takes,
            gives=[1, 3],
            constants={"times": np.array(times, np.float32)},
            element=element,
        )
    )


def fixed(path: Path, scores: Sequence[float]) -> OnnxFile:
    """Write a net that always gives the same scores."""
    return OnnxFile(
        written(
            path,
            [
                node("ReduceMean", ["x"], "mean", axes=[1, 2, 3], keepdims=0),
                node("Mul", ["mean", "nought"], "none"),
                node("Add", ["none", "scores"], "y"),
            ],
            takes=[1, 3, 8, 8],
            gives=[1, len(scores)],
            constants={"nought": np.zeros(1, np.float32), "scores": np.array([scores], np.float32)},
        )
    )


def read(provider: OnnxClassifier, values: NDArray[Any] | None = None) -> Reading:
    picture = ArrayPicture(flat(30, 20) if values is None else values)
    return provider.run(picture, "", lambda share: None)


@pytest.fixture
def names(tmp_path: Path) -> Labels:
    path = tmp_path / "names.txt"
    path.write_text(COLOURS)
    return Labels(path)


@pytest.mark.parametrize("takes", [(1, 3, 8, 8), (1, 8, 8, 3), ("n", 3, "h", "w")])
def test_scores_follow_colours_best_first_and_sum_to_one(tmp_path: Path, names: Labels, takes: Sequence[Side]) -> None:
    provider = OnnxClassifier(means(tmp_path / "net.onnx", takes=takes), task=Task.CLASSIFY, labels=names, **PLAIN)
    reading = read(provider, flat(30, 20, (51, 255, 102)))
    assert [score.label for score in reading.scores] == ["green", "blue", "red"]
    powers = np.exp([10, 4, 2])
    assert [score.confidence for score in reading.scores] == pytest.approx(powers / powers.sum(), abs=1e-4)


def test_pixels_are_brought_to_imagenets_mean_and_spread(tmp_path: Path, names: Labels) -> None:
    provider = OnnxClassifier(means(tmp_path / "net.onnx", times=1), task=Task.CLASSIFY, labels=names)
    scores = {score.label: score.confidence for score in read(provider, flat(9, 9, (255, 0, 0))).scores}
    powers = np.exp([(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    assert [scores[name] for name in ("red", "green", "blue")] == pytest.approx(powers / powers.sum(), abs=1e-4)


def test_a_net_of_bytes_is_given_bytes(tmp_path: Path, names: Labels) -> None:
    net = means(tmp_path / "net.onnx", takes=(1, 8, 8, 3), times=0.01, element=BYTE)
    scores = {score.label: score.confidence for score in read(OnnxClassifier(net, task=Task.NSFW, labels=names)).scores}
    assert scores == pytest.approx(dict.fromkeys(("red", "green", "blue"), 1 / 3))
    scores = {
        score.label: score.confidence
        for score in read(OnnxClassifier(net, task=Task.NSFW, labels=names), flat(9, 9, (200, 100, 0))).scores
    }
    powers = np.exp([2, 1, 0])
    assert [scores[name] for name in ("red", "green", "blue")] == pytest.approx(powers / powers.sum(), abs=1e-4)


def test_shares_are_told_as_they_are(tmp_path: Path) -> None:
    reading = read(OnnxClassifier(fixed(tmp_path / "net.onnx", [0.25, 0.7, 0.05]), task=Task.NSFW))
    assert [score.label for score in reading.scores] == ["class_1", "class_0", "class_2"]
    assert [score.confidence for score in reading.scores] == pytest.approx([0.7, 0.25, 0.05])


@pytest.mark.parametrize(("given", "told"), [(0.8, 0.8), (-2.0, 0.1192)])
def test_a_single_score_is_how_sure_the_net_is(tmp_path: Path, given: float, told: float) -> None:
    reading = read(OnnxClassifier(fixed(tmp_path / "net.onnx", [given]), task=Task.NSFW))
    assert [score.confidence for score in reading.scores] == pytest.approx([told], abs=1e-4)


def test_the_twenty_best_are_told(tmp_path: Path) -> None:
    reading = read(OnnxClassifier(fixed(tmp_path / "net.onnx", [float(n) for n in range(30)]), task=Task.CLASSIFY))
    assert [score.label for score in reading.scores] == [f"class_{number}" for number in range(29, 9, -1)]


def test_a_net_without_a_picture_for_input_is_unavailable(tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx", [node("Identity", ["x"], "y")], takes=[1, 3], gives=[1, 3])
    with pytest.raises(ProviderUnavailable, match="is no classifier"):
        read(OnnxClassifier(OnnxFile(path), task=Task.CLASSIFY))


def test_scores_that_are_no_numbers_are_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="are no numbers"):
        read(OnnxClassifier(fixed(tmp_path / "net.onnx", [float("nan"), 1]), task=Task.CLASSIFY))


def test_the_identity_changes_with_names_and_parameters(tmp_path: Path, names: Labels) -> None:
    net = means(tmp_path / "net.onnx")
    providers = (
        OnnxClassifier(net, task=Task.CLASSIFY),
        OnnxClassifier(net, task=Task.CLASSIFY, labels=names),
        OnnxClassifier(net, task=Task.CLASSIFY, **PLAIN),
    )
    assert len({provider.capability.identity for provider in providers}) == 3


def test_missing_names_are_told_before_and_when_they_are_needed(tmp_path: Path) -> None:
    provider = OnnxClassifier(means(tmp_path / "net.onnx"), task=Task.NSFW, labels=Labels(tmp_path / "no.txt"))
    assert provider.trouble() == "The file of class names no.txt cannot be read: No such file or directory."
    with pytest.raises(ProviderUnavailable, match=r"no\.txt cannot be read"):
        read(provider)
    assert provider.capability.task is Task.NSFW
