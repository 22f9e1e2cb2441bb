"""Pixels as numpy arrays of rows x columns x bands, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgserve.ports.models import Pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray


def array_of(pixels: Pixels) -> NDArray[Any]:
    """Look at pixels as an array of rows x columns x bands, 0 to 255, that cannot be written to."""
    # Here: servers make providers without running them, and numpy is of the extra.
    import numpy as np

    return np.frombuffer(pixels.data, np.uint8).reshape(pixels.height, pixels.width, pixels.bands)


def pixels_of(values: NDArray[Any]) -> Pixels:
    """Copy an array of rows x columns x bands, 0 to 255, into pixels."""
    height, width, bands = values.shape
    return Pixels(data=values.tobytes(), width=width, height=height, bands=bands)
