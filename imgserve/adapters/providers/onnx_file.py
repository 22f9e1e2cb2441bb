"""A model file in the ONNX format: its fingerprint, what is wrong with it, and the model that is loaded from it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imgserve.errors import ProviderUnavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEBIBYTE: Final = 1024 * 1024

#: The libraries of the `ai` extra.
AI_LIBRARIES: Final = ("numpy", "cv2", "onnxruntime")

#: ModelProto's first field, ir_version, as protobuf writes it; files of another kind (web pages that say that a
#: download failed, pointers of git-lfs, PyTorch's archives) begin otherwise.
ONNX_START: Final = b"\x08"

#: Weights that exporters put beside the file (PyTorch's does so by default since 2.9).
DATA_SUFFIXES: Final = (".data", "_data")

#: ONNX Runtime's word for the kind of numbers a model wants -> numpy's.
ELEMENTS: Final = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}

#: Of ONNX Runtime's log only errors: its warnings on stderr are about nodes it could not make faster.
LOG_ERRORS: Final = 3


def is_installed(library: str) -> bool:
    """Say whether a library could be imported, without importing it."""
    return find_spec(library) is not None


def extra_trouble(
    who: str, libraries: Sequence[str] = AI_LIBRARIES, *, installed: Callable[[str], bool] = is_installed
) -> str | None:
    """Say which extra `who` needs, if one of the libraries is not there."""
    if all(installed(library) for library in libraries):
        return None
    return f"{who} needs the ai extra: pip install 'imgserve[ai]'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An input or output of a model; None for a side that the file leaves open."""

    name: str
    sides: tuple[int | None, ...]
    #: numpy's name.
    element: str


class OnnxModel:
    """A loaded model with one input; made by OnnxFile.load."""

    def __init__(self, session: Any, *, name: str) -> None:
        self._session = session
        self._name = name
        inputs = [_shape(node) for node in session.get_inputs()]
        if len(inputs) != 1:
            raise ProviderUnavailable(f"The model {name} has {len(inputs)} inputs; expected one, a picture.")
        self.input = inputs[0]
        self.outputs = tuple(_shape(node) for node in session.get_outputs())

    def run(self, values: NDArray[Any], *, most: int | None = None) -> list[NDArray[Any]]:
        """Compute the first `most` outputs, else all; `values` become the kind of numbers that the model wants.

        Raises ProviderUnavailable when the model does not work with an input of this shape.
        """
        fed = values.astype(self.input.element, copy=False)
        names = [output.name for output in self.outputs[:most]]
        try:
            return list(self._session.run(names, {self.input.name: fed}))
        except _runtime_errors() as exc:
            sides = "x".join(map(str, values.shape))
            raise ProviderUnavailable(f"The model {self._name} does not take an input of {sides}.") from exc


class OnnxFile:
    """A file that an operator supplies; loaded by the first `load`, and again once it has been replaced.

    Several providers may share one, and so its memory. Nothing is read by making it, and a file that is not there is
    told by `trouble`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        setting: str = "",
        threads: int = 1,
        installed: Callable[[str], bool] = is_installed,
    ) -> None:
        """`setting` is the variable that names the file, for the sentence that says that it does not."""
        self.path = Path(path)
        self._setting = setting
        self._threads = threads
        self._installed = installed
        self._stamp: tuple[tuple[int, ...], ...] | None = None
        self._fingerprint = ""
        self._model: OnnxModel | None = None
        self._loaded = ""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def fingerprint(self) -> str:
        """Give 16 hex digits that another model in this place changes; "missing" where there is none.

        Read again only when size, time or inode of the file have changed.
        """
        if not self.name:
            return "missing"
        parts = self._parts()
        try:
            stamp = tuple(_stamp(part) for part in parts)
            if stamp != self._stamp:
                self._fingerprint = fingerprint_of(parts)
                self._stamp = stamp
        except OSError:
            return "missing"
        return self._fingerprint

    def trouble(self) -> str | None:
        """Say in a sentence why it cannot be loaded, as far as its first byte tells; None when it seems good."""
        missing = extra_trouble("An ONNX model", installed=self._installed)
        if missing:
            return missing
        if not self.name:
            return f"No model file is set ({self._setting})." if self._setting else "No model file is set."
        try:
            with self.path.open("rb") as file:
                start = file.read(len(ONNX_START))
        except OSError as exc:
            return f"The model file {self.name} cannot be read: {exc.strerror}."
        if start != ONNX_START:
            return f"The model file {self.name} is not in the ONNX format."
        return None

    def load(self) -> OnnxModel:
        """Give the model, loading it where that has not been done.

        Raises ProviderUnavailable where it cannot be.
        """
        fingerprint = self.fingerprint
        if self._model is not None and self._loaded == fingerprint:
            return self._model
        trouble = self.trouble()
        if trouble:
            raise ProviderUnavailable(trouble)
        self._model = OnnxModel(self._session(), name=self.name)
        self._loaded = fingerprint
        return self._model

    def close(self) -> None:
        """Forget the loaded model; `load` works again."""
        self._model = None

    def _parts(self) -> list[Path]:
        beside = (self.path.with_name(self.path.name + suffix) for suffix in DATA_SUFFIXES)
        return [self.path, *(part for part in beside if part.is_file())]

    def _session(self) -> Any:
        # Here: it takes 0.4 s and 40 MB, and servers make providers without running them.
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = LOG_ERRORS
        # Threads that wait by spinning take the processor from renders.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except _runtime_errors() as exc:
            raise ProviderUnavailable(f"The model file {self.name} is damaged, or newer than onnxruntime.") from exc


def _shape(node: Any) -> Shape:
    sides = tuple(side if isinstance(side, int) and side > 0 else None for side in node.shape)
    return Shape(name=node.name, sides=sides, element=ELEMENTS.get(node.type, "float32"))


def _stamp(path: Path) -> tuple[int, ...]:
    facts = path.stat()
    return (facts.st_size, facts.st_mtime_ns, facts.st_ino)


def fingerprint_of(parts: Sequence[Path]) -> str:
    """Hash size and both ends of files: 200 MB at every start of every process would take a second each.

    Raises OSError where one cannot be read.
    """
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest.update(size.to_bytes(8, "big"))
            file.seek(0)
            digest.update(file.read(MEBIBYTE))
            file.seek(max(0, size - MEBIBYTE))
            digest.update(file.read(MEBIBYTE))
    return digest.hexdigest()[:16]


def _runtime_errors() -> tuple[type[Exception], ...]:
    """List what ONNX Runtime raises: its errors have no class in common."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # type: ignore[import-untyped]

    return (
        state.EPFail,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoModel,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
    )
