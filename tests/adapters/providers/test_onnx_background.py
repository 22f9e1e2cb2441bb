from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.cutout import ArrayPicture, as_array, compare, compose
from imgserve.adapters.providers.onnx_background import OnnxBackground
from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Mask

Array = npt.NDArray[Any]

#: What all ONNX Runtimes of the extra read.
OPSET, IR_VERSION = 17, 8


def write_model(
    path: Path, *, side: int | str, nodes: Sequence[Any], half: bool = False, extra_output: bool = False
) -> Path:
    """Write a network of `nodes` from x (1 x 3 x side x side) to y."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    number = np.float16 if half else np.float32
    constants = {"threshold": np.array(THRESHOLD, number), "zero": np.array(0, number), "minus": np.array(-1, number)}
    outputs = [helper.make_tensor_value_info("y", kind, [1, 1, side, side])]
    if extra_output:  # U²-Net gives seven; the first is the mask
        nodes = [*nodes, helper.make_node("Mul", ["y", "zero"], ["side_output"])]
        outputs.append(helper.make_tensor_value_info("side_output", kind, [1, 1, side, side]))
    graph = helper.make_graph(
        list(nodes),
        "mask",
        [helper.make_tensor_value_info("x", kind, [1, 3, side, side])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.save(model, str(path))
    return path


#: A network that answers 1 where the input is brighter than this tells how the input was scaled.
THRESHOLD = 0.49


def darkness() -> list[Any]:
    """Answer with how dark the picture is."""
    return [
        helper.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["grey", "minus"], ["y"]),
    ]


def brightness() -> list[Any]:
    return [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=1)]


def above_threshold(*, half: bool = False) -> list[Any]:
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    return [
        helper.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Greater", ["grey", "threshold"], ["above"]),
        helper.make_node("Cast", ["above"], ["y"], to=kind),
    ]


def ask(provider: OnnxBackground, values: Array) -> Mask:
    return provider.run(ArrayPicture(values), "", lambda share: None)


def plane_of(mask: Mask) -> Array:
    return np.frombuffer(mask.pixels.data, np.uint8).reshape(mask.pixels.height, mask.pixels.width)


def halves(left: int, right: int) -> Array:
    values = np.full((60, 80, 3), left, np.uint8)
    values[:, 40:] = right
    return values


@pytest.mark.parametrize(
    ("family", "side"), [("u2net", 320), ("isnet", 1024), ("birefnet", 1024), ("isnet", 256), ("birefnet", 64)]
)
def test_the_mask_has_the_size_of_the_input_that_the_file_fixes(tmp_path: Path, family: str, side: int) -> None:
    path = write_model(tmp_path / "m.onnx", side=side, nodes=brightness(), extra_output=True)
    mask = ask(OnnxBackground(path, family=family, refined=False), halves(0, 255))
    assert (mask.pixels.width, mask.pixels.height, mask.pixels.bands) == (side, side, 1)
    plane = plane_of(mask)
    assert plane[:, -1].min() > plane[:, 0].max()


@pytest.mark.parametrize(("family", "side"), [("u2net", 320), ("isnet", 1024)])
def test_a_file_with_an_open_input_gets_the_familys_side(tmp_path: Path, family: str, side: int) -> None:
    path = write_model(tmp_path / "m.onnx", side="side", nodes=brightness())
    assert ask(OnnxBackground(path, family=family, refined=False), halves(0, 255)).pixels.width == side


def test_isnet_sees_half_below_and_half_above_zero(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=32, nodes=above_threshold())
    provider = OnnxBackground(path, family="isnet", refined=False)
    plane = plane_of(ask(provider, halves(250, 255)))  # 0.48 and 0.5
    assert (plane[0, 0], plane[0, -1]) == (0, 255)


def test_u2net_sees_colours_relative_to_the_brightest(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=32, nodes=above_threshold())
    provider = OnnxBackground(path, family="u2net", refined=False)
    plane = plane_of(ask(provider, halves(0, 100)))  # divided by 255 both would be below the threshold
    assert (plane[0, 0], plane[0, -1]) == (0, 255)


def test_birefnet_sees_imagenets_scale_and_answers_with_logits(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=32, nodes=brightness())
    plane = plane_of(ask(OnnxBackground(path, family="birefnet", refined=False), halves(51, 204)))
    for column, value in ((0, 0.2), (-1, 0.8)):
        scaled = zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)
        logit = sum((value - mean) / deviation for mean, deviation in scaled) / 3
        assert plane[0, column] == pytest.approx(255 / (1 + math.exp(-logit)), abs=1)


def test_a_network_of_half_floats_is_fed_half_floats(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=32, nodes=above_threshold(half=True), half=True)
    plane = plane_of(ask(OnnxBackground(path, family="isnet", refined=False), halves(100, 255)))
    assert (plane[0, 0], plane[0, -1]) == (0, 255)


def test_soft_answers_stay_soft(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=32, nodes=brightness())
    ramp = np.linspace(0, 255, 128).astype(np.uint8)[None, :, None].repeat(64, 0).repeat(3, 2)
    plane = plane_of(ask(OnnxBackground(path, family="isnet", refined=False), ramp))
    assert len(np.unique(plane)) == 32


def test_edges_are_refined_at_the_size_of_the_picture(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=64, nodes=darkness())
    composite = compose("bottle", "white", (800, 600))
    picture = composite.picture.copy()
    picture[composite.alpha > 128] //= 3  # so dark that this network finds all of it
    errors = {}
    for refined in (True, False):
        mask = ask(OnnxBackground(path, family="isnet", refined=refined), picture)
        errors[refined] = compare(as_array(mask, (800, 600)), composite.alpha)[1]
    assert errors[True] < errors[False] / 2


@pytest.mark.parametrize(
    ("name", "licence"),
    [("u2netp.onnx", "Apache"), ("ISNet-general-use.onnx", "Apache"), ("BiRefNet-lite.onnx", "MIT"), ("m.onnx", "")],
)
def test_the_name_of_the_file_tells_the_family(tmp_path: Path, name: str, licence: str) -> None:
    provider = OnnxBackground(write_model(tmp_path / name, side=32, nodes=brightness()))
    assert provider.capability.licence.startswith(licence)
    assert bool(provider.capability.licence) == bool(licence)


def test_a_nameless_file_is_known_by_its_input(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=320, nodes=brightness())
    assert ask(OnnxBackground(path, refined=False), halves(0, 255)).pixels.width == 320


def test_a_file_that_cannot_be_told_asks_for_the_family(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=48, nodes=brightness())
    with pytest.raises(ProviderUnavailable, match="IMGSERVE_BACKGROUND_FAMILY"):
        ask(OnnxBackground(path), halves(0, 255))


def test_an_answer_without_differences_is_no_object(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=32, nodes=brightness())
    with pytest.raises(ProviderRefused, match="sees no object"):
        ask(OnnxBackground(path, family="u2net"), halves(9, 9))


def test_missing_and_foreign_files_are_told_without_loading(tmp_path: Path) -> None:
    assert "cannot be read" in str(OnnxBackground(tmp_path / "no.onnx").trouble())
    page = tmp_path / "page.onnx"
    page.write_text("<html>404</html>")
    assert "not in the ONNX format" in str(OnnxBackground(page).trouble())
    with pytest.raises(ProviderUnavailable, match=r"no\.onnx cannot be read"):
        ask(OnnxBackground(tmp_path / "no.onnx"), halves(0, 255))


def test_a_damaged_file_is_a_sentence_and_a_whole_one_in_its_place_works(tmp_path: Path) -> None:
    path = write_model(tmp_path / "u2net.onnx", side=32, nodes=brightness())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    provider = OnnxBackground(path, refined=False)
    assert provider.trouble() is None
    with pytest.raises(ProviderUnavailable, match=r"u2net\.onnx is damaged"):
        ask(provider, halves(0, 255))
    path.write_bytes(whole)
    assert ask(provider, halves(0, 255)).pixels.width == 32


def test_an_unknown_family_is_told(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", side=32, nodes=brightness())
    assert "expected auto, u2net, isnet, birefnet" in str(OnnxBackground(path, family="sam").trouble())


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    provider = OnnxBackground(tmp_path / "m.onnx", installed=lambda library: library != "onnxruntime")
    assert "pip install 'imgserve[ai]'" in str(provider.trouble())


def test_another_file_is_another_identity(tmp_path: Path) -> None:
    one = write_model(tmp_path / "u2net.onnx", side=32, nodes=brightness())
    provider = OnnxBackground(one)
    before = provider.capability.identity
    assert before == OnnxBackground(one).capability.identity
    write_model(one, side=32, nodes=darkness())
    assert provider.capability.identity != before
    assert OnnxBackground(one, refined=False).capability.identity != provider.capability.identity


def test_it_gives_up_before_a_job_does(tmp_path: Path) -> None:
    assert OnnxBackground(tmp_path / "m.onnx").capability.timeout_s == 110


def test_closing_and_asking_again_works(tmp_path: Path) -> None:
    provider = OnnxBackground(write_model(tmp_path / "u2net.onnx", side=32, nodes=brightness()), refined=False)
    first = ask(provider, halves(0, 255))
    provider.close()
    assert ask(provider, halves(0, 255)) == first
