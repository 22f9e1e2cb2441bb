"""Small models that tests write: real files of the format, whose answers can be told beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

#: What all ONNX Runtimes that the project allows know.
OPSET: Final = 17
IR_VERSION: Final = 8

#: Kinds of numbers.
FLOAT: Final = int(TensorProto.FLOAT)
HALF: Final = int(TensorProto.FLOAT16)
BYTE: Final = int(TensorProto.UINT8)

Side = int | str


def written(
    path: Path,
    nodes: Sequence[Any],
    *,
    takes: Sequence[Side],
    gives: Sequence[Side],
    constants: dict[str, NDArray[Any]] | None = None,
    element: int | None = None,
) -> Path:
    """Write a model from `x`, whose numbers are of the kind `element`, to `y`."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", element or FLOAT, takes)],
        [helper.make_tensor_value_info("y", HALF if element == HALF else FLOAT, gives)],
        [numpy_helper.from_array(values, name) for name, values in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, list(inputs), [output], **attributes)
