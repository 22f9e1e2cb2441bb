"""The photograph that is served: drawn by the benchmark, as hard to decode and to encode as a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyvips

WIDTH: Final = 2725
HEIGHT: Final = 2225

# Chosen by trial so that source and results weigh what those of a real 2725x2225 photograph of 829 KB weigh
# (at 600x400: JPEG 40 KB, WebP 27 KB, AVIF 25 KB, PNG 377 KB): noise whose amplitude falls slowly with its grain size.
_OCTAVES: Final = (1024, 512, 256, 128, 64, 32, 16, 8, 4)
_AMPLITUDE: Final = 35.0
_FALL: Final = 0.25
_EDGE: Final = 60.0
_GRAIN: Final = 1.5
_QUALITY: Final = 87

Size = tuple[int, int]


def _noise(size: Size, seed: int, cell: int, amplitude: float) -> pyvips.Image:
    return pyvips.Image.perlin(*size, cell_size=cell, seed=seed) * amplitude


def _luminance(size: Size) -> pyvips.Image:
    light = pyvips.Image.black(*size) + 128
    for seed, cell in enumerate(_OCTAVES):
        light += _noise(size, seed, cell, _AMPLITUDE * (cell / _OCTAVES[0]) ** _FALL)
    relief = _noise(size, 101, 512, 1.0) + _noise(size, 102, 128, 0.3) + _noise(size, 103, 32, 0.08)
    return light + (relief > 0.12) * (_EDGE / 255) - (relief < -0.2) * (_EDGE / 255)


def draw(size: Size = (WIDTH, HEIGHT)) -> pyvips.Image:
    """Draw the picture, of width and height in pixels: the same one on every machine with the same libvips."""
    light = _luminance(size)
    down = pyvips.Image.xyz(*size)[1] / size[1]
    bands = []
    for band, (gain, slope) in enumerate(((1.05, 25), (1.0, 10), (0.9, -25))):
        hue = _noise(size, 201 + band, 512, 35) + _noise(size, 301 + band, 128, 10) + _noise(size, 401 + band, 32, 4)
        grain = pyvips.Image.gaussnoise(*size, mean=0, sigma=_GRAIN, seed=501 + band)
        bands.append(light * gain + hue + down * slope + grain)
    red, green, blue = bands
    return red.bandjoin(green).bandjoin(blue).cast("uchar").copy(interpretation="srgb")


def write_photo(path: Path) -> None:
    """Write the picture as JPEG with 4:2:0 subsampling, about 800 KB."""
    draw().jpegsave(str(path), Q=_QUALITY, subsample_mode="on", optimize_coding=True, keep=pyvips.ForeignKeep.NONE)
