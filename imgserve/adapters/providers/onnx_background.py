"""Background removal by a segmentation network from a file of the operator's.

Three families of networks are known. They differ in the size of their input, in how its colours are scaled, and in how
their answer is read; all see a square picture and give one plane. The answer's edges are as coarse as that square, so
they are refined on the large picture.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from imgserve.adapters.providers.onnx_file import OnnxFile, OnnxModel, is_installed
from imgserve.adapters.providers.opencv import use_one_thread
from imgserve.adapters.providers.pixel_arrays import array_of
from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Capability, Mask, Picture, Pixels, Progress, Task

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

#: Longer side of the mask that is made.
_FULL_SIDE: Final = 4096
#: How far a network's outline may be off, in pixels of its own.
_BAND_PX: Final = 2
#: A network that sees no object gives a plane without differences; stretching it would invent one.
_FLAT: Final = 1e-6
#: Logits beyond are 0 or 1 in any 8 bits, and would overflow.
_STEEPEST: Final = 30
#: The large BiRefNet at 1024 pixels on one slow core takes long; a job as a whole has 120 s by default.
_TIMEOUT_S: Final = 110.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How networks of one kind are fed and read."""

    #: Side of the input, where the file leaves it open.
    side: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    #: Colours are divided by the brightest of the picture, not by 255.
    by_brightest: bool = False
    #: The answer is a logit; else it is stretched from its least to its greatest value.
    logits: bool = False
    #: Of the weights as their authors publish them; files of others may have other terms.
    licence: str


_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION: Final = (0.229, 0.224, 0.225)

FAMILIES: Final = {
    "u2net": Family(
        side=320, mean=_IMAGENET_MEAN, deviation=_IMAGENET_DEVIATION, by_brightest=True, licence="Apache-2.0 (U²-Net)"
    ),
    "isnet": Family(side=1024, mean=(0.5, 0.5, 0.5), deviation=(1.0, 1.0, 1.0), licence="Apache-2.0 (IS-Net, DIS)"),
    "birefnet": Family(
        side=1024, mean=_IMAGENET_MEAN, deviation=_IMAGENET_DEVIATION, logits=True, licence="MIT (BiRefNet)"
    ),
}
#: What file names tell, in lower case.
_NAMED: Final = (("birefnet", "birefnet"), ("isnet", "isnet"), ("u2net", "u2net"), ("silueta", "u2net"))
#: What the side of the input tells where the name does not.
_SIDED: Final = {320: "u2net", 1024: "isnet"}


class OnnxBackground:
    """Remove backgrounds by the network in `path`; `family` is one of FAMILIES, or auto: by its name, then its input.

    `threads` are those of one call. With `refined` off the network's own mask is given, of the size of its answer.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        family: str = "auto",
        setting: str = "",
        threads: int = 1,
        refined: bool = True,
        installed: Callable[[str], bool] = is_installed,
    ) -> None:
        self._file = OnnxFile(path, setting=setting, threads=threads, installed=installed)
        self._family = _named_family(self._file.name) if family == "auto" else family
        self._refined = refined

    @property
    def capability(self) -> Capability:
        known = FAMILIES.get(self._family)
        edges = "refined" if self._refined else "plain"
        return Capability(
            task=Task.BACKGROUND,
            name="onnx",
            identity=f"{self._family}:{self._file.fingerprint}:{edges}",
            licence=known.licence if known else "",
            timeout_s=_TIMEOUT_S,
        )

    def trouble(self) -> str | None:
        if self._family not in ("auto", *FAMILIES):
            return f"The model family is '{self._family}'; expected auto, {', '.join(FAMILIES)}."
        return self._file.trouble()

    def run(self, picture: Picture, argument: str, progress: Progress) -> Mask:
        """Give a soft mask.

        Raises ProviderUnavailable where the file is no model that works, ProviderRefused where it sees no object.
        """
        trouble = self.trouble()
        if trouble:
            raise ProviderUnavailable(trouble)
        model = self._file.load()
        family, side = self._fitting(model.input.sides)
        progress(0.1)
        mask = _read(self._asked(model, _fed(picture, side, family)), family)
        progress(0.8)
        return _refined(picture, mask) if self._refined else _as_mask(mask)

    def close(self) -> None:
        self._file.close()

    def _fitting(self, sides: tuple[int | None, ...]) -> tuple[Family, int]:
        """Give the family and the side of its input; the file's own side wins."""
        fixed = sides[-1] if len(sides) == 4 else None
        name = _SIDED.get(fixed or 0, "") if self._family == "auto" else self._family
        if not name:
            shape = "x".join(str(side or "?") for side in sides)
            raise ProviderUnavailable(
                f"The family of the model {self._file.name} cannot be told from its name or its input of {shape}; "
                f"set IMGSERVE_BACKGROUND_FAMILY to {', '.join(FAMILIES)}."
            )
        return FAMILIES[name], fixed or FAMILIES[name].side

    def _asked(self, model: OnnxModel, values: Array) -> Array:
        """Give the first output as a plane; the others are steps on the way to it."""
        (answer,) = model.run(values, most=1)
        if answer.ndim < 2:
            raise ProviderUnavailable(f"The model {self._file.name} gives numbers, not a mask.")
        plane: Array = answer.reshape(-1, *answer.shape[-2:])[0].astype("float32")
        return plane


def _named_family(name: str) -> str:
    return next((family for part, family in _NAMED if part in name.lower()), "auto")


def _fed(picture: Picture, side: int, family: Family) -> Array:
    """Give the input: 1 x 3 x side x side, scaled as the family was trained."""
    import numpy as np

    values: Array = array_of(picture.stretched(side, side)).astype(np.float32)
    values /= max(float(values.max()), 1.0) if family.by_brightest else 255.0
    values = (values - np.array(family.mean, np.float32)) / np.array(family.deviation, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _read(answer: Array, family: Family) -> Array:
    """Give the answer as shares from 0 to 1."""
    import numpy as np

    if not np.isfinite(answer).all():
        raise ProviderUnavailable("The background model gives numbers that are none; try a file of 32 bits.")
    if family.logits:
        return np.asarray(1 / (1 + np.exp(-np.clip(answer, -_STEEPEST, _STEEPEST))), np.float32)
    least, greatest = float(answer.min()), float(answer.max())
    if greatest - least < _FLAT:
        raise ProviderRefused("The background model sees no object in this picture.")
    return np.asarray((answer - least) / (greatest - least), np.float32)


def _as_mask(shares: Array) -> Mask:
    import numpy as np

    height, width = shares.shape
    data = (shares * 255 + 0.5).astype(np.uint8).tobytes()
    return Mask(pixels=Pixels(data=data, width=width, height=height, bands=1))


def _refined(picture: Picture, shares: Array) -> Mask:
    """Give the mask at the picture's size, its outline moved to where the colours change."""
    import cv2
    import numpy as np

    from imgserve.adapters.providers.backdrop import as_lab
    from imgserve.adapters.providers.matte import refine, rough_of, shrunk, spread

    use_one_thread()
    pixels = picture.pixels(max_side=_FULL_SIDE)
    large = array_of(pixels)
    scale = min(1.0, max(shares.shape) / max(pixels.width, pixels.height))
    size = (max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale)))
    small = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(shares, size, interpolation=cv2.INTER_LINEAR)
    lab = as_lab(small)
    surface = spread(lab, shrunk(mask <= 0.5, _BAND_PX))
    rough = rough_of(small, mask, distance=np.linalg.norm(lab - surface, axis=2), band_px=_BAND_PX)
    return Mask(pixels=Pixels(data=refine(large, rough).tobytes(), width=pixels.width, height=pixels.height, bands=1))
