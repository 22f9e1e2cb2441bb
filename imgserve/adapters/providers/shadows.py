"""Which pixels show the background in another light: the shadows that an object throws on it, and its gradients.

A shadow has the background's hue, no outline towards the lit background, and gets darker towards the object. Objects
that are grey themselves share the first; what decides is the outline, and in doubt a pixel belongs to the object.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Change of light and of hue across three pixels that a shadow's soft rim may have, and an object's outline has not.
_SMOOTH: Final = 2.4
#: Where an object stands its shadow may change faster, but not in one step: of the change across seven pixels this
#: part at most is across three of them. An outline has 0.6 to 0.8 there, a ramp 0.33, a blur of two pixels 0.42.
_STEP: Final = 0.5
_STEP_PX: Final = 7
#: A shadow or a glow has the background's hue (distance in a and b) and this share of its light.
_HUE: Final = 5.0
_DARKEST: Final = 0.35
_LIGHTEST: Final = 1.35
#: Lab's L is a cube root less this; light and hue of a surface fade by one factor only with it added.
_LAB_OFFSET: Final = 16.0
#: Neighbourhood in which a shadow's rim meets the lit background, and the share of it that may be an outline.
_CONTACT_PX: Final = 13
_OUTLINED: Final = 0.2
#: Window of the median that takes grain out of a shadow's rim.
_CALM_PX: Final = 7
#: Steps of light in which a shadow is followed into the dark; one is 4 of Lab, twice the grain of JPEG.
_STEPS: Final = 25
#: An outline is lost where object and shadow are equally dark; a gap of twice this length is closed. Seen: 12.
_GAP_PX: Final = 9
#: Black that is thicker than this share of the shorter side is no shadow's core but an object.
_CORE_SHARE: Final = 0.03
#: Where an object touches the ground hardly any light gets: a contact shadow has less than this share of it.
_CORE_LIGHT: Final = 0.6
#: Share of the picture that such a shadow has at least.
_LEAST_SHARE: Final = 0.0003
#: Pixels of an outline at least.
_SPECK_PX: Final = 7
#: How far a contact shadow darkens what is thought to lie behind the object, as a share of the shorter side.
_FOOT_SHARE: Final = 0.15
#: Of an object at least this share is left when its shadows are taken away; else they were the object.
_LEFT: Final = 0.5


def change_of(lab: Array, *, wide_px: int = 3) -> Array:
    """Give how much the colour changes across each pixel's neighbours."""
    soft = cv2.GaussianBlur(lab, (3, 3), 0)
    kernel = np.ones((wide_px, wide_px), np.uint8)
    change: Array = np.subtract(cv2.dilate(soft, kernel), cv2.erode(soft, kernel)).max(axis=2)
    return change


def is_smooth(change: Array, noise: float) -> Array:
    """Mark what has no outline: `change` is that across three pixels."""
    smooth: Array = change < _SMOOTH + noise
    return smooth


def shaded(lab: Array, surface: Array) -> Array:
    """Mark what has the background's hue in another light, short of black."""
    light = lab[..., 0] / np.maximum(surface[..., 0], 1)
    same: Array = _same_hue(lab, surface) & (light > _DARKEST) & (light < _LIGHTEST)
    return same


def _same_hue(lab: Array, surface: Array) -> Array:
    factor = np.minimum((lab[..., 0] + _LAB_OFFSET) / (surface[..., 0] + _LAB_OFFSET), 1)
    same: Array = np.linalg.norm(lab[..., 1:] - surface[..., 1:] * factor[..., None], axis=2) < _HUE
    return same


def fading(dark: Array, *, lit: Array, smooth: Array) -> Array:
    """Keep the parts that fade into the lit background.

    Others have an outline towards it: a white bowl on white paper, entered where its outline was lost.
    """
    calm = cv2.medianBlur(dark.astype(np.uint8), _CALM_PX)
    count, labels = cv2.connectedComponents(calm, connectivity=8)
    parts = labels.astype(np.float32)
    wide = cv2.dilate(parts, np.ones((3, 3), np.uint8)).astype(np.int32)
    lit_near = cv2.dilate(lit.astype(np.uint8), np.ones((_CONTACT_PX, _CONTACT_PX), np.uint8))
    contact = (wide > 0) & (calm == 0) & (lit_near > 0)
    lengths = np.bincount(wide[contact], minlength=count)
    outlined = np.bincount(wide[contact & ~smooth], minlength=count)
    faded = outlined <= _OUTLINED * lengths
    shadows: Array = dark & faded[labels]
    return shadows


def contact_shadows(lab: Array, surface: Array, *, behind: Array, noise: float) -> Array:
    """Find the dark shadows at an object's foot, from those of the background that are known (`behind`)."""
    change = change_of(lab)
    soft = is_smooth(change, noise) | (change < _STEP * change_of(lab, wide_px=_STEP_PX))
    light = lab[..., 0] / np.maximum(surface[..., 0], 1)
    hue = _same_hue(cv2.GaussianBlur(lab, (3, 3), 0), surface)  # JPEG's hue is off by 2 in the dark
    found = _darkening(light, _without_specks(soft & hue) | behind, behind=behind)
    found &= ~_cores_too_thick(found & (light < _DARKEST), around=behind | (found & (light >= _DARKEST)))
    found = _with_core(fading(found, lit=behind, smooth=soft), light)
    found |= _crumbs(~behind & ~found, shadows=found) & hue
    return _spared(found, of=~behind)


def beside(shadows: Array) -> Array:
    """Mark what is near contact shadows: where an object's foot is."""
    side = 2 * round(_FOOT_SHARE * min(shadows.shape)) + 1
    near: Array = cv2.dilate(shadows.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return near


def _without_specks(open_: Array) -> Array:
    """Open what is closed in few pixels only: grain, and no outline."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~open_).astype(np.uint8), connectivity=8)
    opened: Array = open_ | (stats[:, cv2.CC_STAT_AREA] < _SPECK_PX)[labels]
    return opened


def _with_core(shadows: Array, light: Array) -> Array:
    """Keep the parts that get dark; others may be the shaded side of a pale object, or the soft rim of a dark one."""
    count, labels = _parts_of(shadows)
    darkest = np.ones(count, np.float32)
    np.minimum.at(darkest, labels[shadows], light[shadows])
    large = np.bincount(labels.ravel(), minlength=count) >= _LEAST_SHARE * shadows.size
    cored: Array = shadows & (large & (darkest < _CORE_LIGHT))[labels]
    return cored


def _crumbs(rest: Array, *, shadows: Array) -> Array:
    """Mark what sticks to the object as crumbs where its shadow was taken away."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CALM_PX, _CALM_PX))
    whole = cv2.morphologyEx(rest.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    crumbs: Array = rest & (whole == 0) & (cv2.dilate(shadows.astype(np.uint8), kernel) > 0)
    return crumbs


def _darkening(light: Array, open_: Array, *, behind: Array) -> Array:
    """Follow `open_` from the background into the dark, never back into the light nor through a gap in an outline."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _GAP_PX + 1, 2 * _GAP_PX + 1))
    free = cv2.erode(open_.astype(np.uint8), disc) > 0
    reached = behind & free
    for step in range(_STEPS, -1, -1):
        level = free & (light >= (step - 1) / _STEPS) & (light < (step + 1) / _STEPS)
        _, labels = cv2.connectedComponents((reached | level).astype(np.uint8), connectivity=4)
        reached |= level & np.isin(labels, np.unique(labels[reached]))
    grown = reached.astype(np.uint8)
    for _ in range(_GAP_PX):
        grown = cv2.dilate(grown, np.ones((3, 3), np.uint8)) & open_
    found: Array = (grown > 0) & ~behind
    return found


def _cores_too_thick(dark: Array, *, around: Array) -> Array:
    most = _CORE_SHARE * min(dark.shape)
    depth = cv2.distanceTransform((~around).astype(np.uint8), cv2.DIST_L2, 5)
    # A square keeps an object's corners, where a disc would round them.
    square = np.ones((2 * round(most) + 3, 2 * round(most) + 3), np.uint8)
    thick: Array = dark & (cv2.dilate((dark & (depth > most)).astype(np.uint8), square) > 0)
    return thick


def _spared(shadows: Array, *, of: Array) -> Array:
    """Keep the shadows of those objects of which enough is left without them."""
    count, labels = _parts_of(of)
    areas = np.bincount(labels.ravel(), minlength=count)
    gone = np.bincount(labels[shadows], minlength=count)
    kept: Array = shadows & (gone <= (1 - _LEFT) * areas)[labels]
    return kept


def _parts_of(mask: Array) -> tuple[int, Array]:
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
