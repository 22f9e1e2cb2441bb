"""Background removal that needs no model file: the background is what looks like the border of the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from imgserve.adapters.providers.onnx_file import extra_trouble, is_installed
from imgserve.adapters.providers.opencv import use_one_thread
from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports.models import Capability, Mask, Picture, Pixels, Progress, Task

#: Longer side on which the object is looked for: hairs and spokes of a 4,000 pixel picture are still seen on it.
_WORK_SIDE: Final = 1024
#: Longer side of the mask; that of a 4,096 pixel picture has 12 to 17 MB.
_FULL_SIDE: Final = 4096
#: Changes whenever the same picture may get another mask.
_VERSION: Final = "2"


class GrabCut:
    """Cut out what does not belong to the border: the embedded default, made for studio shots."""

    def __init__(self, *, installed: Callable[[str], bool] = is_installed) -> None:
        self._installed = installed

    @property
    def capability(self) -> Capability:
        return Capability(
            task=Task.BACKGROUND,
            name="grabcut",
            identity=f"grabcut:{_VERSION}",
            basic=True,
            licence="Apache-2.0 (OpenCV)",
        )

    def trouble(self) -> str | None:
        return extra_trouble("Background removal by grabcut", ("numpy", "cv2"), installed=self._installed)

    def run(self, picture: Picture, argument: str, progress: Progress) -> Mask:
        """Give a mask with soft edges, of the picture's size up to 4,096 pixels.

        Raises ProviderRefused where no object stands out from the background.
        """
        trouble = self.trouble()
        if trouble:
            raise ProviderUnavailable(trouble)
        # Here: OpenCV and numpy take 0.4 s and 36 MB, and servers make providers without running them.
        import cv2
        import numpy as np

        from imgserve.adapters.providers.backdrop import as_lab
        from imgserve.adapters.providers.matte import refine
        from imgserve.adapters.providers.segment import segment

        use_one_thread()
        pixels = picture.pixels(max_side=_FULL_SIDE)
        large = np.frombuffer(pixels.data, np.uint8).reshape(pixels.height, pixels.width, 3)
        small = cv2.resize(large, _within(pixels.width, pixels.height, _WORK_SIDE), interpolation=cv2.INTER_AREA)
        progress(0.2)
        rough = segment(small, as_lab(small))
        if rough is None:
            raise ProviderRefused(
                "No object stands out from the background; take a picture with a plain background that shows on all "
                "sides of the object, or let a model remove it."
            )
        progress(0.6)
        mask = refine(large, rough)
        return Mask(pixels=Pixels(data=mask.tobytes(), width=pixels.width, height=pixels.height, bands=1))

    def close(self) -> None:
        """Nothing is held."""


def _within(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
