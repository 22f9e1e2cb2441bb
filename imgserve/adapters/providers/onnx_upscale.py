"""Enlarging by a super-resolution file: as often as it takes, and then to the size that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from imgserve.adapters.providers.onnx_file import OnnxFile, OnnxModel
from imgserve.adapters.providers.opencv import use_one_thread
from imgserve.adapters.providers.pixel_arrays import array_of, pixels_of
from imgserve.adapters.providers.tiling import Lane, by_tiles, lane_of
from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Capability, Enlarged, Picture, Progress, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Side of the picture that tells the factor of a file whose shapes do not.
PROBE: Final = 64

#: How many times the pixels of the largest result the net may make on the way to a smaller one.
MAX_OVERSHOOT: Final = 4

MEGA: Final = 1_000_000


class OnnxUpscale:
    """Enlarges with a net that takes 1 x 3 x H x W (RGB) or 1 x 1 x H x W (luminance), 0 to 1, and gives a multiple.

    Colour of a luminance net is enlarged by cubic interpolation, as those nets are meant.
    """

    def __init__(
        self,
        file: OnnxFile,
        *,
        max_output_pixels: int = 50 * MEGA,
        timeout_s: float = 120.0,
        licence: str = "that of the model file",
    ) -> None:
        self._file = file
        self._max_output_pixels = max_output_pixels
        self._timeout_s = timeout_s
        self._licence = licence

    @property
    def capability(self) -> Capability:
        return Capability(
            task=Task.UPSCALE,
            name="onnx",
            identity=f"onnx-{self._file.fingerprint}",
            licence=self._licence,
            max_pixels=self._max_output_pixels,
            timeout_s=self._timeout_s,
        )

    def trouble(self) -> str | None:
        return self._file.trouble()

    def close(self) -> None:
        self._file.close()

    def run(self, picture: Picture, argument: str, progress: Progress) -> Enlarged:
        """Enlarge by the factor that `argument` says.

        Raises ProviderRefused for a result beyond the limit, ProviderUnavailable for a net of another kind.
        """
        factor = factor_of(argument)
        width, height = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
        _check(width, height, limit=self._max_output_pixels, what="The enlarged picture")
        model = self._file.load()
        native = native_factor(model)
        passes = passes_for(factor, native)
        grown = native**passes
        limit = MAX_OVERSHOOT * self._max_output_pixels
        _check(picture.width * grown, picture.height * grown, limit=limit, what=f"What the model makes (x{grown})")
        use_one_thread()
        values = enlarged(array_of(picture.pixels()), model, native=native, passes=passes, progress=progress)
        return Enlarged(pixels=pixels_of(resized(values, width, height)))


def factor_of(argument: str) -> float:
    """Read the asked factor; raises ProviderRefused where it is none."""
    try:
        factor = float(argument)
    except ValueError:
        factor = math.nan
    if not 1 <= factor < math.inf:
        raise ProviderRefused("The factor must be a number from 1.", got=argument, expected="2")
    return factor


def passes_for(factor: float, native: int) -> int:
    """Say how often the net is used: a last pass is left to plain scaling where most of it would be thrown away."""
    passes = 1
    while factor / native**passes > math.sqrt(native):
        passes += 1
    return passes


def native_factor(model: OnnxModel) -> int:
    """Give how many times larger the net's output is than its input, from the file or by trying it."""
    wanted, given = model.input.sides, model.outputs[0].sides
    if len(wanted) != 4 or wanted[1] not in (None, 1, 3) or len(given) != 4:
        raise ProviderUnavailable("The model does not enlarge: expected 1 x 3 x H x W or 1 x 1 x H x W, in and out.")
    if None in (*wanted[2:], *given[2:]):
        wanted, given = _tried(model)
    ratios = {(given[side] or 0) / (wanted[side] or 1) for side in (2, 3)}
    ratio = ratios.pop()
    if ratios or ratio < 2 or ratio != int(ratio):
        raise ProviderUnavailable(
            "The model does not enlarge: its output must be 2, 3, 4 … times as large as its input."
        )
    return int(ratio)


def enlarged(values: NDArray[Any], model: OnnxModel, *, native: int, passes: int, progress: Progress) -> NDArray[Any]:
    """Use the net `passes` times on rows x columns x 3 of 8 bits."""
    height, width = values.shape[:2]
    lanes = [_lanes(model, width * native**done, height * native**done) for done in range(passes)]
    told = _told_per_tile(progress, tiles=sum(across.tiles * down.tiles for across, down in lanes))
    through = _luminance if model.input.sides[1] == 1 else _colours
    for across, down in lanes:
        enlarge = partial(through, model, native=native)
        values = by_tiles(values, enlarge, across=across, down=down, factor=native, told=told)
    return values


def resized(values: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Bring to a size by plain scaling: means of areas down, Lanczos up."""
    import cv2

    if values.shape[:2] == (height, width):
        return values
    smaller = width * height < values.shape[0] * values.shape[1]
    return cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4)


def _check(width: int, height: int, *, limit: int, what: str) -> None:
    if width * height <= limit:
        return
    raise ProviderRefused(
        f"{what} would have {width * height / MEGA:.1f} megapixels; the limit is {limit / MEGA:.1f}.",
        got=f"{width}x{height}",
        expected=f"at most {limit} pixels",
    )


def _lanes(model: OnnxModel, width: int, height: int) -> tuple[Lane, Lane]:
    return lane_of(width, fixed=model.input.sides[3]), lane_of(height, fixed=model.input.sides[2])


def _told_per_tile(progress: Progress, *, tiles: int) -> Callable[[], None]:
    """Make what is called after each tile and tells which share of them is done."""
    done = iter(range(1, tiles + 1))
    return lambda: progress(next(done) / tiles)


def _colours(model: OnnxModel, tile: NDArray[Any], *, native: int) -> NDArray[Any]:
    import numpy as np

    return _levels(model.run(tile.transpose(2, 0, 1)[None] / np.float32(255))[0])


def _luminance(model: OnnxModel, tile: NDArray[Any], *, native: int) -> NDArray[Any]:
    import cv2
    import numpy as np

    planes = cv2.cvtColor(tile, cv2.COLOR_RGB2YCrCb)
    large = cv2.resize(planes, None, fx=native, fy=native, interpolation=cv2.INTER_CUBIC)
    large[:, :, :1] = _levels(model.run(planes[None, None, :, :, 0] / np.float32(255))[0])
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_YCrCb2RGB))


def _levels(output: NDArray[Any]) -> NDArray[Any]:
    """Make rows x columns x bands of 8 bits of 1 x bands x rows x columns of 0 to 1."""
    import numpy as np

    return np.asarray(np.rint(np.clip(output[0], 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))


def _tried(model: OnnxModel) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the shapes of an input and of what the net makes of it."""
    import numpy as np

    bands, height, width = model.input.sides[1:]
    probe = np.zeros((1, bands or 3, height or PROBE, width or PROBE), np.float32)
    return probe.shape, model.run(probe)[0].shape
