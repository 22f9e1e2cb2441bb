"""From a rough mask of a small picture to soft and exact edges of the large one.

Near an edge a pixel is a mixture: colour = alpha * object + (1 - alpha) * background. Both colours change slowly, so
they are known from the small picture; with them alpha of every large pixel is one division. Only the pixels near the
edge are computed, tile by tile: a whole plane of 12 megapixels costs 0.1 s at every single step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Side of a tile, in pixels of the small picture; smaller ones cost more calls, larger ones more idle pixels.
_TILE: Final = 16
#: Least deviation of a colour that is not from mixing, in levels: grain and JPEG.
_GRAIN: Final = 4.0
#: How far a colour may lie off the line between object and background before the rough mask is trusted instead.
_OFF_LINE: Final = 0.5
#: Alpha below and above which grain makes a difference that no eye sees; stretched to 0 and 1.
_BLACK: Final = 0.06
_WHITE: Final = 0.94
_SOLID: Final = 255
#: Blur of the rough mask where it stands for alpha: the steps of its pixels are not to be seen.
_PRIOR_BLUR_PX: Final = 0.6
#: Side of the neighbourhood whose purest pixel counts, and how fast others count less.
_PURE_PX: Final = 5
_PURITY: Final = 4
#: Side of a square, and how many straight outlines cross it where there are hairs.
_FUZZ_PX: Final = 21
_CROWDED: Final = 2.5
#: A step of Lab is about this many levels of sRGB.
_LEVELS_PER_LAB: Final = 2.55


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rough:
    """What is known of the small picture."""

    #: Height x width x 3, float, levels of sRGB.
    picture: Array
    #: Float: share of the object, 0 or 1 where nothing better is known.
    mask: Array
    #: Bool: surely the object, surely the background; what is neither is mixed.
    inside: Array
    outside: Array
    #: How much each pixel of the mask is worth as a sample of the object's colour (0 to 1).
    pure: Array
    #: Standard deviation of the background, in levels.
    noise: float = 0.0


def rough_of(rgb: Array, mask: Array, *, distance: Array, band_px: int, noise: float = 0.0) -> Rough:
    """Tell what is known, and what is mixed: `band_px` around the outline of `mask`, and wherever hairs are.

    `distance` says how far the colour of each pixel is from that of the background behind it (Lab).
    """
    object_ = mask > 0.5
    fuzzy = _fuzzy(object_)
    inside = shrunk(object_, band_px) * (1 - fuzzy)
    outside = shrunk(~object_, band_px)
    # Pixels on the rim of a thin part are mixtures; the farthest from the background among neighbours is the purest.
    near = cv2.dilate(distance.astype(np.float32), np.ones((_PURE_PX, _PURE_PX), np.uint8))
    wider = cv2.dilate(near, np.ones((_FUZZ_PX // 2, _FUZZ_PX // 2), np.uint8))
    purity = (distance / np.maximum(np.where(fuzzy > 0, wider, near), 1e-3)) ** _PURITY
    return Rough(
        picture=rgb.astype(np.float32),
        mask=mask,
        inside=inside > 0,
        outside=outside > 0,
        pure=np.where(inside > 0, 1, np.where(object_, purity / 2, 0)).astype(np.float32),
        noise=noise * _LEVELS_PER_LAB,
    )


def shrunk(mask: Array, band_px: int) -> Array:
    """Give 1 where a pixel is `band_px` pixels within the mask (bool), else 0."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band_px + 1, 2 * band_px + 1))
    return cv2.erode(mask.astype(np.float32), kernel)


def _fuzzy(mask: Array) -> Array:
    """Give 1 where outlines are crowded, as between hairs, else 0: gaps there are narrower than a pixel."""
    outline = mask.astype(np.float32) - cv2.erode(mask.astype(np.float32), np.ones((3, 3), np.uint8))
    crowd = cv2.boxFilter(outline, -1, (_FUZZ_PX, _FUZZ_PX), normalize=False) / _FUZZ_PX
    return cv2.dilate((crowd > _CROWDED).astype(np.float32), np.ones((_FUZZ_PX, _FUZZ_PX), np.uint8))


def refine(picture: Array, rough: Rough) -> Array:
    """Give the mask of `picture` (height x width x 3, 8 bits), 255 = the object."""
    height, width = picture.shape[:2]
    small_height, small_width = rough.mask.shape
    mixed = ~(rough.inside | rough.outside)
    known = (rough.mask * _SOLID).astype(np.uint8)
    result = cv2.resize(known, (width, height), interpolation=cv2.INTER_LINEAR)
    back = spread(rough.picture, rough.outside.astype(np.float32))
    front = spread(rough.picture, rough.pure)
    prior = cv2.GaussianBlur(rough.mask, (0, 0), _PRIOR_BLUR_PX)
    planes = (back, front, np.dstack([prior, (~mixed).astype(np.float32)]))
    for rows, columns in _tiles(mixed, (height / small_height, width / small_width), (height, width)):
        local = [_at(plane, rows, columns, (height, width)) for plane in planes]
        alpha = _unmix(picture[rows, columns].astype(np.float32), *local, noise=rough.noise)
        result[rows, columns] = (alpha * _SOLID + 0.5).astype(np.uint8)
    return result


def _unmix(colour: Array, back: Array, front: Array, hints: Array, *, noise: float) -> Array:
    """Solve each pixel for its alpha, as far as the two colours differ; else the rough mask says it."""
    prior, known = hints[..., 0], hints[..., 1]
    line = front - back
    offset = colour - back
    length = np.einsum("ijk,ijk->ij", line, line)
    along = np.einsum("ijk,ijk->ij", offset, line)
    doubt = np.float32(3 * max(_GRAIN, 2 * noise) ** 2)
    alpha = np.clip((along + doubt * prior) / (length + doubt), 0, 1)
    # A colour that no mixture gives is another colour of the object (or of the background): the rough mask knows which.
    missed = np.einsum("ijk,ijk->ij", offset, offset) - along * along / (length + 1)
    faith = 1 / (1 + np.maximum(missed - 2 * doubt, 0) / (_OFF_LINE * length + doubt))
    alpha = faith * alpha + (1 - faith) * prior
    alpha = np.clip((alpha - _BLACK) / (_WHITE - _BLACK), 0, 1)
    # At the band's rims the answer runs into what is known.
    settled: Array = alpha + np.clip(known * 4 - 3, 0, 1) * (prior - alpha)
    return settled


def spread(values: Array, weights: Array) -> Array:
    """Fill all pixels from those that have a weight: near ones win (pull-push, Gortler 1996)."""
    if min(weights.shape) <= 2:
        total = float(weights.sum())
        mean = (values * weights[..., None]).sum(axis=(0, 1)) / total if total else values.mean(axis=(0, 1))
        return np.broadcast_to(mean, values.shape).astype(np.float32)
    weighed = values * weights[..., None]
    size = ((weights.shape[1] + 1) // 2, (weights.shape[0] + 1) // 2)
    less = cv2.resize(weighed, size, interpolation=cv2.INTER_AREA)
    less_weights = cv2.resize(weights, size, interpolation=cv2.INTER_AREA)
    safe = np.maximum(less_weights, 1e-9)[..., None]
    coarse = spread(less / safe, np.minimum(less_weights * 4, 1))
    filled = cv2.resize(coarse, (weights.shape[1], weights.shape[0]), interpolation=cv2.INTER_LINEAR)
    full: Array = (weighed + filled * (1 - weights[..., None])).astype(np.float32)
    return full


def _tiles(mixed: Array, scale: tuple[float, float], size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Give the tiles of the large picture that have a mixed pixel, or lie next to one."""
    near = cv2.dilate(mixed.astype(np.uint8), np.ones((3, 3), np.uint8))
    for top in range(0, mixed.shape[0], _TILE):
        for left in range(0, mixed.shape[1], _TILE):
            if near[top : top + _TILE, left : left + _TILE].any():
                yield (
                    slice(round(top * scale[0]), min(size[0], round((top + _TILE) * scale[0]))),
                    slice(round(left * scale[1]), min(size[1], round((left + _TILE) * scale[1]))),
                )


def _at(plane: Array, rows: slice, columns: slice, size: tuple[int, int]) -> Array:
    """Enlarge a part of a small plane to a tile of the large picture; pixels are areas, so centres are matched."""
    y, x = plane.shape[0] / size[0], plane.shape[1] / size[1]
    matrix = np.array([[x, 0, (columns.start + 0.5) * x - 0.5], [0, y, (rows.start + 0.5) * y - 0.5]], np.float64)
    return cv2.warpAffine(
        plane,
        matrix,
        (columns.stop - columns.start, rows.stop - rows.start),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
