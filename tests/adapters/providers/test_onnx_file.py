"""Files of models: what is said of bad ones, and when they are read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imgserve.adapters.providers.onnx_file import OnnxFile, fingerprint_of
from imgserve.errors import ProviderUnavailable
from tests.adapters.providers.onnx_models import HALF, node, written


def times(path: Path, factor: float) -> Path:
    return written(
        path,
        [node("Mul", ["x", "factor"], "y")],
        takes=["n", 2],
        gives=["n", 2],
        constants={"factor": np.array([factor], np.float32)},
    )


def test_a_good_file_has_no_trouble_and_computes(tmp_path: Path) -> None:
    file = OnnxFile(times(tmp_path / "double.onnx", 2))
    assert file.trouble() is None
    model = file.load()
    assert model.input.sides == (None, 2)
    assert model.run(np.array([[1, 2]], np.float64))[0].tolist() == [[2, 4]]


def test_a_model_is_loaded_once_and_again_after_close(tmp_path: Path) -> None:
    file = OnnxFile(times(tmp_path / "double.onnx", 2))
    model = file.load()
    assert file.load() is model
    file.close()
    assert file.load() is not model


def test_a_replaced_file_has_another_fingerprint_and_is_loaded_again(tmp_path: Path) -> None:
    path = times(tmp_path / "net.onnx", 2)
    file = OnnxFile(path)
    before = file.fingerprint
    file.load()
    times(tmp_path / "new.onnx", 3).replace(path)
    assert file.fingerprint != before
    assert file.load().run(np.ones((1, 2), np.float32))[0].tolist() == [[3, 3]]


def test_the_fingerprint_is_of_the_content_and_not_of_the_place(tmp_path: Path) -> None:
    first, second = (OnnxFile(times(tmp_path / name, 2)) for name in ("a.onnx", "b.onnx"))
    assert first.fingerprint == second.fingerprint
    assert len(first.fingerprint) == 16


def test_the_fingerprint_is_of_both_ends_of_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    path.write_bytes(b"a" * 5_000_000)
    first = fingerprint_of([path])
    path.write_bytes(b"a" * 4_999_999 + b"b")
    assert fingerprint_of([path]) != first


def test_weights_beside_the_file_change_the_fingerprint(tmp_path: Path) -> None:
    path = times(tmp_path / "net.onnx", 2)
    file = OnnxFile(path)
    before = file.fingerprint
    path.with_name("net.onnx.data").write_bytes(b"weights")
    assert file.fingerprint != before


def test_a_missing_file_is_told_and_has_a_fingerprint_all_the_same(tmp_path: Path) -> None:
    file = OnnxFile(tmp_path / "no.onnx")
    assert file.trouble() == "The model file no.onnx cannot be read: No such file or directory."
    assert file.fingerprint == "missing"
    with pytest.raises(ProviderUnavailable, match="No such file"):
        file.load()


def test_a_file_that_is_not_set_is_told() -> None:
    assert OnnxFile("").trouble() == "No model file is set."
    assert OnnxFile("", setting="IMGSERVE_X").trouble() == "No model file is set (IMGSERVE_X)."
    assert OnnxFile("").fingerprint == "missing"


def test_a_folder_is_told(tmp_path: Path) -> None:
    assert "Is a directory" in str(OnnxFile(tmp_path).trouble())


@pytest.mark.parametrize(
    "start", [b"<!DOCTYPE html>", b"version https://git-lfs.github.com/spec/v1", b"PK\x03\x04", b""]
)
def test_a_file_of_another_kind_is_told_before_it_is_loaded(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(start)
    assert OnnxFile(path).trouble() == "The model file net.onnx is not in the ONNX format."


def test_a_file_that_was_cut_off_is_unavailable_when_it_is_loaded(tmp_path: Path) -> None:
    path = times(tmp_path / "net.onnx", 2)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ProviderUnavailable, match="is damaged") as caught:
        OnnxFile(path).load()
    assert str(tmp_path) not in caught.value.message


def test_without_the_extra_the_sentence_says_how_to_install_it(tmp_path: Path) -> None:
    file = OnnxFile(times(tmp_path / "net.onnx", 2), installed=lambda library: library != "onnxruntime")
    assert file.trouble() == "An ONNX model needs the ai extra: pip install 'imgserve[ai]'."
    with pytest.raises(ProviderUnavailable, match="needs the ai extra"):
        file.load()


def test_an_input_that_the_model_does_not_take_is_unavailable(tmp_path: Path) -> None:
    model = OnnxFile(times(tmp_path / "net.onnx", 2)).load()
    with pytest.raises(ProviderUnavailable, match="does not take an input of 1x3"):
        model.run(np.ones((1, 3), np.float32))


def test_numbers_become_the_kind_that_the_model_wants(tmp_path: Path) -> None:
    path = written(
        tmp_path / "half.onnx",
        [node("Identity", ["x"], "y")],
        takes=[1, 2],
        gives=[1, 2],
        element=HALF,
    )
    (answer,) = OnnxFile(path).load().run(np.array([[0.5, 1]], np.float32))
    assert answer.dtype == np.float16
