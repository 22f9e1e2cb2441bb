"""Saying what a whole picture is of, or whether it is safe for work, by an ONNX classifier file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from imgserve.adapters.providers.labels import Labels
from imgserve.adapters.providers.onnx_file import OnnxFile, OnnxModel, Shape
from imgserve.adapters.providers.pixel_arrays import array_of
from imgserve.errors import ProviderUnavailable
from imgserve.ports.models import Capability, Picture, Progress, Reading, Score, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Side of the input where the file leaves it open: what classifiers of ImageNet are trained with.
DEFAULT_SIDE: Final = 224

#: Mean and spread of ImageNet's pixels, red, green, blue, 0 to 1: torchvision's, and of most files of others.
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_SPREAD: Final = (0.229, 0.224, 0.225)

MAX_SCORES: Final = 20

#: How far from 1 the sum of shares may be: 1,000 numbers of 16 bits.
SUM_TOLERANCE: Final = 0.02


class OnnxClassifier:
    """Scores a picture that is stretched to the net's input, 1 x 3 x H x W or 1 x H x W x 3, RGB.

    Inputs are (0 to 1 minus `mean`) / `spread`; a net that takes numbers of 8 bits gets 0 to 255.
    """

    def __init__(
        self,
        file: OnnxFile,
        *,
        task: Task,
        labels: Labels | None = None,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        spread: tuple[float, float, float] = IMAGENET_SPREAD,
        max_pixels: int = 50_000_000,
        timeout_s: float = 30.0,
        licence: str = "that of the model file",
    ) -> None:
        self._file = file
        self._task = task
        self._labels = labels or Labels()
        self._mean = mean
        self._spread = spread
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._licence = licence

    @property
    def capability(self) -> Capability:
        parameters = "-".join(f"{value:g}" for value in (*self._mean, *self._spread))
        return Capability(
            task=self._task,
            name="onnx",
            identity=f"onnx-{self._file.fingerprint}-{self._labels.fingerprint}-{parameters}",
            licence=self._licence,
            max_pixels=self._max_pixels,
            timeout_s=self._timeout_s,
        )

    def trouble(self) -> str | None:
        return self._file.trouble() or self._labels.trouble()

    def close(self) -> None:
        self._file.close()

    def run(self, picture: Picture, argument: str, progress: Progress) -> Reading:
        """Give the 20 best scores, best first.

        Raises ProviderUnavailable for a file that is no classifier.
        """
        model = self._file.load()
        shares = shares_of(self._output(model, self._input(picture, model.input)))
        names = self._labels.names(len(shares))
        best = sorted(range(len(shares)), key=lambda number: -shares[number])[:MAX_SCORES]
        return Reading(scores=tuple(Score(label=names[number], confidence=shares[number]) for number in best))

    def _input(self, picture: Picture, shape: Shape) -> NDArray[Any]:
        # Here: servers make providers without running them, and numpy is of the extra.
        import numpy as np

        if len(shape.sides) != 4 or 3 not in shape.sides[1::2]:
            raise ProviderUnavailable(
                f"The model {self._file.name} is no classifier: its input must be 1 x 3 x H x W or 1 x H x W x 3."
            )
        bands_first = shape.sides[1] == 3
        height, width = shape.sides[2:] if bands_first else shape.sides[1:3]
        values = array_of(picture.stretched(width or DEFAULT_SIDE, height or DEFAULT_SIDE))
        if shape.element != "uint8":
            mean, spread = np.array(self._mean, np.float32), np.array(self._spread, np.float32)
            values = (values / np.float32(255) - mean) / spread
        return np.ascontiguousarray((values.transpose(2, 0, 1) if bands_first else values)[None])

    def _output(self, model: OnnxModel, values: NDArray[Any]) -> list[float]:
        import numpy as np

        output = model.run(values)[0].astype(np.float64).ravel()
        if not len(output) or not np.isfinite(output).all():
            raise ProviderUnavailable(f"The model {self._file.name} is no classifier: its scores are no numbers.")
        return [float(value) for value in output]


def shares_of(output: Sequence[float]) -> list[float]:
    """Make shares of 1 of what a net gives, unless they are that already.

    One number alone is how sure the net is of its one class.
    """
    import numpy as np

    values = np.asarray(output)
    inside = values.min() >= 0 and values.max() <= 1
    if len(values) == 1:
        return [float(values[0] if inside else 1 / (1 + np.exp(-values[0])))]
    if not inside or abs(values.sum() - 1) > SUM_TOLERANCE:
        values = np.exp(values - values.max())
        values = values / values.sum()
    return [float(value) for value in values]
