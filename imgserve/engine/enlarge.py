"""The provider of `upscale` that needs no model: libvips' resampling."""

from __future__ import annotations

import pyvips

from imgserve.engine.upright import image_of, pixels_of
from imgserve.errors import ProviderRefused
from imgserve.ports.models import Answer, Capability, Enlarged, Picture, Progress, Task


class LibvipsUpscale:
    """Enlarges by Lanczos; adds no detail that is not there."""

    def __init__(self, *, max_output_pixels: int) -> None:
        self._max_output_pixels = max_output_pixels
        self.capability = Capability(
            task=Task.UPSCALE,
            name="libvips",
            identity=f"libvips {pyvips.version(0)}.{pyvips.version(1)} lanczos3",
            basic=True,
            licence="LGPL-2.1",
            max_pixels=max_output_pixels,
        )

    def trouble(self) -> str | None:
        return None

    def run(self, picture: Picture, argument: str, progress: Progress) -> Answer:
        factor = float(argument)
        check_enlarged(picture, factor, max_output_pixels=self._max_output_pixels)
        image = image_of(picture.pixels())
        enlarged = image.resize(factor, kernel="lanczos3")
        answer = Enlarged(pixels=pixels_of(enlarged))
        progress(1.0)
        return answer

    def close(self) -> None:
        """There is nothing to give back."""


def check_enlarged(picture: Picture, factor: float, *, max_output_pixels: int) -> None:
    """Refuse a result that would be too large; raises ProviderRefused."""
    pixels = round(picture.width * factor) * round(picture.height * factor)
    if pixels > max_output_pixels:
        raise ProviderRefused(
            f"Enlarged {factor:g} times, this picture would have {pixels / 1e6:.1f} megapixels; at most "
            f"{max_output_pixels / 1e6:g} are made here (IMGSERVE_MAX_UPSCALE_RESOLUTION).",
            where="upscale",
            got=f"{factor:g}",
        )
