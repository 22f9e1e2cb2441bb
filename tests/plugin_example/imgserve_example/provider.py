"""A provider of background removal that needs nothing but Python: what is bright is background."""

from __future__ import annotations

from imgserve.ports.models import Capability, Mask, Picture, Pixels, Progress, Provider, Task

#: Between dark and bright, of the sum of three bands.
_MIDDLE = 3 * 128
#: Longer side of the mask.
_SIDE = 256


class BrightIsBackground:
    """For things before a white wall."""

    capability = Capability(task=Task.BACKGROUND, name="example", identity="example 1", licence="MIT", basic=True)

    def trouble(self) -> str | None:
        return None

    def run(self, picture: Picture, argument: str, progress: Progress) -> Mask:
        pixels = picture.pixels(max_side=_SIDE)
        sums = zip(*[iter(pixels.data)] * 3, strict=True)
        mask = bytes(0 if sum(one) > _MIDDLE else 255 for one in sums)
        progress(1.0)
        return Mask(pixels=Pixels(data=mask, width=pixels.width, height=pixels.height, bands=1))

    def close(self) -> None:
        """There is nothing to give back."""


def provider() -> Provider:
    """Make the provider; settings of its own would be read here."""
    return BrightIsBackground()
