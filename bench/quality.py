"""How near a decoded result is to the picture it was made of: PSNR and SSIM, on what a viewer would see.

Both are written in libvips, since the benchmark needs nothing else of an image library: SSIM is that of Wang et al.
2004 on luma, with its 11x11 Gaussian window (sigma 1.5); PSNR is over the three colour channels.
"""

from __future__ import annotations

import math
from typing import Final

import pyvips

_WHITE: Final = 255.0
#: The stabilisers of the paper, (0.01 L)^2 and (0.03 L)^2.
_C1: Final = (0.01 * _WHITE) ** 2
_C2: Final = (0.03 * _WHITE) ** 2
_SIGMA: Final = 1.5
#: libvips cuts a Gaussian where it falls below this; 0.003 leaves the 11 pixels of the paper.
_LEAST: Final = 0.003
#: BT.601, the luma of JPEG, WebP and AVIF as libvips writes it.
_LUMA: Final = (0.299, 0.587, 0.114)


def seen(image: pyvips.Image) -> pyvips.Image:
    """Put the picture on white in 8-bit sRGB: what transparent pixels hide does not count."""
    if image.hasalpha():
        image = image.flatten(background=[_WHITE])
    return image.colourspace("srgb").cast("uchar")


def decode(data: bytes) -> pyvips.Image:
    """Decode to memory as `seen`."""
    return seen(pyvips.Image.new_from_buffer(data, "")).copy_memory()


def psnr(one: pyvips.Image, other: pyvips.Image) -> float:
    """Decibels between two pictures of `seen`; infinite for equal ones."""
    error = ((one - other) ** 2).avg()
    return math.inf if error == 0 else 10 * math.log10(_WHITE**2 / error)


def ssim(one: pyvips.Image, other: pyvips.Image) -> float:
    """Structural similarity of two pictures of `seen`, 1 for equal ones."""
    x, y = _luma(one), _luma(other)
    mean_x, mean_y = _blur(x), _blur(y)
    variances = _blur(x * x) - mean_x * mean_x + (_blur(y * y) - mean_y * mean_y)
    covariance = _blur(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    mean: float = (likeness / ((mean_x * mean_x + mean_y * mean_y + _C1) * (variances + _C2))).avg()
    return mean


def _blur(image: pyvips.Image) -> pyvips.Image:
    return image.gaussblur(_SIGMA, min_ampl=_LEAST, precision="float").copy_memory()


def _luma(image: pyvips.Image) -> pyvips.Image:
    return image.recomb(pyvips.Image.new_from_array([list(_LUMA)])).cast("float").copy_memory()
