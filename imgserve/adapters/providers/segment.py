"""Which part of a small picture is the object: by colour where the background is plain, else by GrabCut.

GrabCut (Rother, Kolmogorov, Blake 2004) is OpenCV's; what it begins with is told by the border of the picture.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from imgserve.adapters.providers.backdrop import Backdrop, fit_backdrop, ring_of
from imgserve.adapters.providers.matte import Rough, rough_of, shrunk, spread
from imgserve.adapters.providers.shadows import beside, change_of, contact_shadows, fading, is_smooth, shaded

Array = npt.NDArray[Any]

#: A hole has the background's own colour in this share of it (the rest may lie in shadow), this many pixels, and this
#: change of colour at its rim.
_HOLE_ALIKE: Final = 0.3
_HOLE_LEAST_PX: Final = 6
_HOLE_RIM: Final = 14.0
#: Or this part of all the change that there is around the rim, for objects little darker than the background.
_RIM_SHARE: Final = 0.5
_RIM_AROUND_PX: Final = 25
#: Less change around a rim is grain.
_RIM_LEAST: Final = 4.0
#: Smaller gaps are those between hairs.
_HIGHLIGHT_LEAST_PX: Final = 60
#: Pixels whose distance is this many times that of the nearest ones of the background start an object.
_STRONG: Final = 1.8
#: Parts smaller than this share of the largest part are dirt.
_PART_SHARE: Final = 0.01
#: A picture with a shorter side has no border to speak of.
_LEAST_SIDE_PX: Final = 16
#: Less is dirt, more is a background that was not understood.
_LEAST_SHARE: Final = 0.0005
_MOST_SHARE: Final = 0.995
#: Pixels around the rough outline whose alpha is computed.
_BAND_PX: Final = 3
#: Longer side of what GrabCut sees, and its rounds: 0.2 s on composites, 0.8 s on a photograph of a forest. On 320
#: pixels it loses spokes that it finds on 400; a third round changes nothing.
_CUT_SIDE: Final = 400
_ITERATIONS: Final = 2
#: GrabCut begins with marks, not with a rectangle; numbers that it keeps of each side's five colours.
_NO_RECTANGLE: Final = (0, 0, 0, 0)
_MODEL: Final = 65
#: Bins of a histogram's band.
_BINS: Final = 16
#: Width of a side of the border, as a share of the shorter side.
_SIDE_SHARE: Final = 0.06
#: How much of the side that has most of a colour is left out.
_ONE_SIDE: Final = 0.9
#: Colours of the border that are seen inside less than this are background for sure.
_AT_HOME: Final = 0.7
#: Objects are in the middle: spread of that guess, in halves of the picture, squared.
_CENTRE: Final = 0.8
#: Blur of the first guess.
_HINT_BLUR_PX: Final = 5


def segment(rgb: Array, lab: Array) -> Rough | None:
    """Find the object; None when there seems to be none, or nothing else."""
    if min(rgb.shape[:2]) < _LEAST_SIDE_PX:
        return None
    backdrop = fit_backdrop(lab)
    rough = _by_colour(rgb, lab, backdrop) if backdrop.plain else _by_grabcut(rgb, lab)
    if rough is None:
        return None
    share = float(rough.mask.mean())
    return rough if _LEAST_SHARE < share < _MOST_SHARE else None


def _by_colour(rgb: Array, lab: Array, backdrop: Backdrop) -> Rough:
    known = _reached(lab, backdrop)
    contact = contact_shadows(lab, backdrop.colours, behind=known, noise=backdrop.noise)
    behind = known | contact
    distance = _distance(lab, backdrop, behind=known)
    near = backdrop.near
    # Shadows were followed up to the outline there: what else is not lit is the object, though it be as grey as they.
    foot = beside(contact) & (np.linalg.norm(lab - backdrop.colours, axis=2) > near)
    other = ~behind & ((distance > near) | foot)
    gaps = ~behind & ~other
    mask = _main_parts(
        _hysteresis(other | _highlights(gaps, behind, _outlines(change_of(lab), distance)), distance > _STRONG * near)
    )
    distance = np.minimum(distance, _distance(lab, backdrop, behind=behind))
    return rough_of(rgb, mask.astype(np.float32), distance=distance, noise=backdrop.noise, band_px=_BAND_PX)


def _distance(lab: Array, backdrop: Backdrop, *, behind: Array) -> Array:
    """Give how far colours are from those of the background as it is seen around them."""
    surface = backdrop.colours + spread(lab - backdrop.colours, behind.astype(np.float32))
    distance: Array = np.linalg.norm(lab - surface, axis=2)
    return distance


def _reached(lab: Array, backdrop: Backdrop) -> Array:
    """Mark what can be reached from the border without crossing an outline: background, its gradients and shadows."""
    change = change_of(lab)
    distance = np.linalg.norm(lab - backdrop.colours, axis=2)
    outlines = _outlines(change, distance)
    same = distance < backdrop.near
    smooth = is_smooth(change, backdrop.noise)
    lit = _joined(same, backdrop, same=same, outlines=outlines)
    reached = _joined(same | (shaded(lab, backdrop.colours) & smooth), backdrop, same=same, outlines=outlines)
    behind: Array = lit | fading(reached & ~lit, lit=lit, smooth=smooth)
    return behind


def _joined(open_: Array, backdrop: Backdrop, *, same: Array, outlines: Array) -> Array:
    """Keep the parts that touch the border where it is background, and holes."""
    count, labels = cv2.connectedComponents(open_.astype(np.uint8), connectivity=4)
    known = np.zeros(count, bool)
    known[np.unique(labels[backdrop.ring])] = True
    known |= _holes(labels, count, same=same, outlines=outlines)
    known[0] = False
    joined: Array = known[labels]
    return joined


def _holes(labels: Array, count: int, *, same: Array, outlines: Array) -> Array:
    """Tell which of the parts show the background through a hole.

    They have its very colour, and a sharp rim: the highlight of a glossy object, as white as the paper, fades out.
    """
    areas = np.bincount(labels.ravel(), minlength=count)
    alike = np.bincount(labels[same], minlength=count)
    holes: Array = (alike > _HOLE_ALIKE * areas) & (areas >= _HOLE_LEAST_PX) & _sharp(labels, count, outlines)
    return holes


def _highlights(gaps: Array, behind: Array, outlines: Array) -> Array:
    """Give the gaps, of the background's colour and unconnected to it, that fade out: they belong to the object."""
    count, labels = cv2.connectedComponents(gaps.astype(np.uint8), connectivity=4)
    beside = np.unique(labels[cv2.dilate(behind.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0])
    lit = ~_sharp(labels, count, outlines)
    lit[np.bincount(labels.ravel(), minlength=count) < _HIGHLIGHT_LEAST_PX] = False
    lit[beside] = False
    lit[0] = False
    highlights: Array = lit[labels]
    return highlights


def _outlines(change: Array, distance: Array) -> Array:
    """Give how much each pixel is like an outline of the object; 1 and more is one."""
    around = cv2.dilate(distance.astype(np.float32), np.ones((_RIM_AROUND_PX, _RIM_AROUND_PX), np.uint8))
    outlines: Array = change / np.minimum(_HOLE_RIM, _RIM_SHARE * np.maximum(around, _RIM_LEAST))
    return outlines


def _sharp(labels: Array, count: int, outlines: Array) -> Array:
    """Tell which parts have a sharp rim."""
    wide = cv2.dilate(labels.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
    rim = (labels == 0) & (wide > 0)
    lengths = np.bincount(wide[rim], minlength=count)
    sharp: Array = np.bincount(wide[rim], weights=outlines[rim], minlength=count) > lengths
    return sharp


def _hysteresis(weak: Array, strong: Array) -> Array:
    """Keep the connected parts of `weak` that have a pixel of `strong`."""
    _, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    kept = np.unique(labels[weak & strong])
    return np.isin(labels, kept[kept > 0])


def _main_parts(mask: Array) -> Array:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.isin(labels, 1 + np.flatnonzero(areas >= _PART_SHARE * areas.max()))


def _by_grabcut(rgb: Array, lab: Array) -> Rough | None:
    height, width = lab.shape[:2]
    scale = min(1.0, _CUT_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    marks = _guess(cv2.cvtColor(small, cv2.COLOR_RGB2Lab))
    if len(np.unique(marks)) == 1:
        return None
    models = np.zeros((1, _MODEL)), np.zeros((1, _MODEL))
    cv2.setRNGSeed(0)  # GrabCut draws lots; the same picture always gets the same answer
    cv2.grabCut(small, marks, _NO_RECTANGLE, *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    found = _main_parts(np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)))
    mask = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC) > 0.5
    band = round(_BAND_PX / scale)
    surface = spread(lab, shrunk(~mask, band))
    distance = np.linalg.norm(lab - surface, axis=2)
    return rough_of(rgb, mask.astype(np.float32), distance=distance, band_px=band)


def _guess(lab: Array) -> Array:
    """Mark for GrabCut which colours are at home at the border, and which only inside.

    A colour counts as the border's if it is on two sides of it at least: an object stands on one.
    """
    bins = (lab >> 4).astype(np.int32)
    colour = (bins[..., 0] << 8) | (bins[..., 1] << 4) | bins[..., 2]
    wide = max(4, round(min(lab.shape[:2]) * _SIDE_SHARE))
    sides = [_histogram(part) for part in (colour[:wide], colour[-wide:], colour[:, :wide], colour[:, -wide:])]
    border = np.sum(sides, axis=0) - _ONE_SIDE * np.max(sides, axis=0)
    everywhere = _histogram(colour)
    strange = (everywhere / (everywhere + border + 1e-9))[colour].astype(np.float32)
    height, width = colour.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    central = np.exp(-(x * x + y * y) / _CENTRE)
    hint = np.maximum(cv2.GaussianBlur(strange, (0, 0), _HINT_BLUR_PX), cv2.GaussianBlur(strange, (0, 0), 1)) * central
    level = (255 * hint).astype(np.uint8)
    threshold, _ = cv2.threshold(level, 0, 255, cv2.THRESH_OTSU)
    marks = np.where(level > threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[ring_of(height, width) & (strange < _AT_HOME)] = cv2.GC_BGD
    return marks


def _histogram(colour: Array) -> Array:
    """Give the shares of colours, blurred over their neighbours in all three bands."""
    counts = np.bincount(colour.ravel(), minlength=_BINS**3).reshape(_BINS, _BINS, _BINS).astype(np.float32)
    for axis in range(3):
        counts = counts + 0.5 * (np.roll(counts, 1, axis) + np.roll(counts, -1, axis))
    shares: Array = counts.ravel() / counts.sum()
    return shares
