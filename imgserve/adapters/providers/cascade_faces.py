"""Finding faces by OpenCV's cascades, which need no model file."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imgserve.adapters.providers.onnx_file import extra_trouble, fingerprint_of, is_installed
from imgserve.adapters.providers.opencv import use_one_thread
from imgserve.adapters.providers.pixel_arrays import array_of
from imgserve.errors import ProviderUnavailable
from imgserve.ports.models import Capability, Detection, Picture, Progress, Reading, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Files that OpenCV's wheel has.
FRONTAL: Final = "haarcascade_frontalface_default.xml"
PROFILE: Final = "haarcascade_profileface.xml"
#: Frontal faces are believed where this one, trained apart, finds them too. Of 28 photographs without faces the first
#: alone saw eight in three, both together one (a portrait on a coin); of 100 faces (LFW) either way finds 98.
SECOND: Final = "haarcascade_frontalface_alt2.xml"

#: Changes with the constants here, as they are part of results' keys.
REVISION: Final = "1"

#: Longer side of what is searched: faces of 3 % of it are found, and a picture takes below a second.
SEARCHED_SIDE: Final = 1000
MIN_FACE_SIDE: Final = 30

#: Each size that is searched is so much larger than the one before; OpenCV's default.
SIZE_STEP: Final = 1.1

#: How many overlapping windows must agree; profiles are mistaken more often (one non-face in 100 at 4, none at 6).
FRONTAL_VOTES: Final = 4
PROFILE_VOTES: Final = 6
SECOND_VOTES: Final = 2

#: Around a face that is looked at again, in shares of its side.
SECOND_MARGIN: Final = 0.25

#: Weight of the last stage that makes a confidence of 63 %; of LFW's faces half weigh more than 7.6, a tenth below 4.7.
WEIGHT_SCALE: Final = 5.0

#: Boxes that share more of their union are one face.
SAME_FACE: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A square in pixels of what is searched."""

    left: int
    top: int
    side_x: int
    side_y: int
    weight: float


class CascadeFaces:
    """Finds upright faces seen from the front or the side; an operator's file replaces all of OpenCV's own."""

    def __init__(
        self,
        path: str | os.PathLike[str] = "",
        *,
        max_pixels: int = 50_000_000,
        timeout_s: float = 30.0,
        installed: Callable[[str], bool] = is_installed,
    ) -> None:
        self._path = Path(path) if path else None
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._installed = installed
        self._loaded: dict[str, Any] = {}

    @property
    def capability(self) -> Capability:
        return Capability(
            task=Task.FACES,
            name="cascade",
            identity=f"cascade-{REVISION}-{self._fingerprint()}",
            basic=True,
            licence="that of the cascade file" if self._path else "Intel License Agreement for OpenCV (BSD-like)",
            max_pixels=self._max_pixels,
            timeout_s=self._timeout_s,
        )

    def trouble(self) -> str | None:
        missing = extra_trouble("Finding faces", ("numpy", "cv2"), installed=self._installed)
        if missing or self._path is None:
            return missing
        try:
            self._path.open("rb").close()
        except OSError as exc:
            return f"The cascade file {self._path.name} cannot be read: {exc.strerror}."
        return None

    def close(self) -> None:
        self._loaded.clear()

    def run(self, picture: Picture, argument: str, progress: Progress) -> Reading:
        """Find faces, surest first.

        Raises ProviderUnavailable where a cascade cannot be loaded.
        """
        trouble = self.trouble()
        if trouble:
            raise ProviderUnavailable(trouble)
        # Here: it takes 0.4 s, and servers make providers without running them.
        import cv2

        use_one_thread()
        grey = cv2.cvtColor(array_of(picture.pixels(max_side=SEARCHED_SIDE)), cv2.COLOR_RGB2GRAY)
        height, width = grey.shape
        faces = distinct(self._own(grey) if self._path is None else self._found(self._path, grey, votes=FRONTAL_VOTES))
        return Reading(detections=tuple(_detection(face, width=width, height=height) for face in faces))

    def _own(self, grey: NDArray[Any]) -> list[Face]:
        import cv2

        folder = Path(cv2.__file__).parent / "data"
        frontal = self._found(folder / FRONTAL, grey, votes=FRONTAL_VOTES)
        believed = [face for face in frontal if self._seen_again(folder / SECOND, grey, face)]
        profiles = self._found(folder / PROFILE, grey, votes=PROFILE_VOTES)
        # The cascade knows one direction.
        others = self._found(folder / PROFILE, cv2.flip(grey, 1), votes=PROFILE_VOTES)
        return [*believed, *profiles, *(mirrored(face, grey.shape[1]) for face in others)]

    def _found(self, path: Path, grey: NDArray[Any], *, votes: int, min_side: int = MIN_FACE_SIDE) -> list[Face]:
        boxes, _, weights = self._cascade(path).detectMultiScale3(
            grey, scaleFactor=SIZE_STEP, minNeighbors=votes, minSize=(min_side, min_side), outputRejectLevels=True
        )
        return [
            Face(left=int(left), top=int(top), side_x=int(side_x), side_y=int(side_y), weight=float(weight))
            for (left, top, side_x, side_y), weight in zip(boxes, weights, strict=True)
        ]

    def _seen_again(self, path: Path, grey: NDArray[Any], face: Face) -> bool:
        margin = round(face.side_x * SECOND_MARGIN)
        top, left = max(0, face.top - margin), max(0, face.left - margin)
        around = grey[top : face.top + face.side_y + margin, left : face.left + face.side_x + margin]
        return bool(
            self._found(path, around.copy(), votes=SECOND_VOTES, min_side=round(face.side_x * (1 - SECOND_MARGIN)))
        )

    def _cascade(self, path: Path) -> Any:
        import cv2

        known = self._loaded.get(str(path))
        if known is not None:
            return known
        cascade = cv2.CascadeClassifier()
        try:
            loaded = cascade.load(str(path))
        except cv2.error as exc:
            raise ProviderUnavailable(f"The cascade file {path.name} cannot be loaded.") from exc
        if not loaded:
            raise ProviderUnavailable(f"The cascade file {path.name} cannot be loaded.")
        self._loaded[str(path)] = cascade
        return cascade

    def _fingerprint(self) -> str:
        if self._path is None:
            return "opencv"
        try:
            return fingerprint_of([self._path])
        except OSError:
            return "missing"


def distinct(faces: Sequence[Face]) -> list[Face]:
    """Keep the surest of faces that lie on each other, surest first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.weight):
        if not any(_shared(face, other) > SAME_FACE for other in kept):
            kept.append(face)
    return kept


def mirrored(face: Face, width: int) -> Face:
    """Give the place of a face that was found in the mirrored picture."""
    return Face(
        left=width - face.left - face.side_x, top=face.top, side_x=face.side_x, side_y=face.side_y, weight=face.weight
    )


def confidence_of(weight: float) -> float:
    """Map the weight of the last stage to 0 to 1; larger is surer."""
    return 1 - math.exp(-max(0.0, weight) / WEIGHT_SCALE)


def _shared(face: Face, other: Face) -> float:
    """Give the part of their union that two boxes have in common."""
    width = min(face.left + face.side_x, other.left + other.side_x) - max(face.left, other.left)
    height = min(face.top + face.side_y, other.top + other.side_y) - max(face.top, other.top)
    if width <= 0 or height <= 0:
        return 0
    both = width * height
    return both / (face.side_x * face.side_y + other.side_x * other.side_y - both)


def _detection(face: Face, *, width: int, height: int) -> Detection:
    return Detection(
        label="face",
        confidence=confidence_of(face.weight),
        left=face.left / width,
        top=face.top / height,
        width=face.side_x / width,
        height=face.side_y / height,
    )
