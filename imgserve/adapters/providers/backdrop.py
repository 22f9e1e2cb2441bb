"""What lies behind an object, told from the border of the picture: a smooth surface of colour, or only its clusters.

Colours are CIE Lab (float, L 0 to 100), so that a distance of 1 is about what an eye can tell apart, and light and hue
can be judged apart: a shadow changes only the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Width of the border as a share of the shorter side, and its least in pixels.
_RING_SHARE: Final = 0.03
_RING_LEAST_PX: Final = 4

#: Points of the border that the search looks at; more change nothing.
_SAMPLES: Final = 800
#: Planes that are tried. With half of the border covered by the object, four points are all background once in 16
#: tries; 120 leave a chance of 1 in 2,000 to miss it every time.
_TRIES: Final = 120
#: Points that a plane is laid through; one more than it needs, as grain moves each.
_POINTS: Final = 4
#: Lab distance to a plane at which a point still belongs to it: studio light bends it a little.
_NEAR_PLANE: Final = 6.0
#: Rounds of fitting the curved surface and of dropping what does not lie on it.
_ROUNDS: Final = 6
#: Pull of the curved terms towards zero, in points: without it they run away on sides that the object covers.
_STIFFNESS: Final = 2.0
#: Standard deviations within which a point belongs to the surface, and the least of that distance.
_SIGMAS: Final = 3.0
_NEAR_LEAST: Final = 2.0
#: A median deviation is this part of a standard deviation.
_MEDIAN_TO_SIGMA: Final = 1.4826

#: The border is plain if the surface explains this share of it (an object may touch one side) this exactly.
_PLAIN_SHARE: Final = 0.55
_PLAIN_NOISE: Final = 2.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backdrop:
    """The surface of colour that explains the border best."""

    #: Lab of the surface in every pixel.
    colours: Array
    #: Where the border lies on it (bool).
    ring: Array
    #: Share of the border that does.
    share: float
    #: Standard deviation of those pixels from it.
    noise: float

    @property
    def plain(self) -> bool:
        """Whether the surface is the background, and not only its average."""
        return self.share >= _PLAIN_SHARE and self.noise <= _PLAIN_NOISE

    @property
    def near(self) -> float:
        """Distance within which a colour is that of the surface."""
        return max(_NEAR_LEAST, _SIGMAS * self.noise)


def ring_of(height: int, width: int) -> Array:
    """Mark the border."""
    wide = max(_RING_LEAST_PX, round(min(height, width) * _RING_SHARE))
    ring = np.ones((height, width), bool)
    ring[wide:-wide, wide:-wide] = False
    return ring


def fit_backdrop(lab: Array) -> Backdrop:
    """Find the smooth surface that most of the border lies on, however the object covers the rest."""
    height, width = lab.shape[:2]
    ring = ring_of(height, width)
    terms = _terms(height, width)
    points, colours = terms[ring], lab[ring]
    chosen = np.linspace(0, len(points) - 1, min(_SAMPLES, len(points))).astype(int)
    inliers = _best_plane(points[chosen, :3], colours[chosen])
    weights = _bend(points[chosen], colours[chosen], inliers)
    distance = np.linalg.norm(colours - points @ weights, axis=1)
    noise = _spread(distance[distance < _NEAR_PLANE])
    close = distance <= max(_NEAR_LEAST, _SIGMAS * noise)
    on_it = np.zeros((height, width), bool)
    on_it[ring] = close
    return Backdrop(
        colours=(terms.reshape(-1, terms.shape[2]) @ weights).reshape(lab.shape).astype(np.float32),
        ring=on_it,
        share=float(close.mean()),
        noise=noise,
    )


def _terms(height: int, width: int) -> Array:
    """Give 1, x, y, x², xy, y² of every pixel, x and y from -1 to 1."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)


def _best_plane(points: Array, colours: Array) -> Array:
    """Lay planes through random points, and give who lies near the one that most lie near (RANSAC, Fischler 1981)."""
    chance = np.random.default_rng(0)  # the same picture always gets the same answer
    best = np.zeros(len(points), bool)
    for _ in range(_TRIES):
        some = chance.choice(len(points), _POINTS, replace=False)
        plane = np.linalg.lstsq(points[some], colours[some], rcond=None)[0]
        near = np.linalg.norm(colours - points @ plane, axis=1) < _NEAR_PLANE
        if near.sum() > best.sum():
            best = near
    return best


def _bend(points: Array, colours: Array, inliers: Array) -> Array:
    """Fit the curved surface to the inliers, again and again with those that it has itself."""
    stiffness = np.diag([0, 0, 0, _STIFFNESS, _STIFFNESS, _STIFFNESS]).astype(np.float32)
    weights = np.zeros((points.shape[1], 3), np.float32)
    for _ in range(_ROUNDS):
        if np.count_nonzero(inliers) <= points.shape[1]:
            break
        there = points[inliers]
        normal = there.T @ there + stiffness
        weights = np.linalg.lstsq(normal, there.T @ colours[inliers], rcond=None)[0].astype(np.float32)
        distance = np.linalg.norm(colours - points @ weights, axis=1)
        inliers = distance < max(_NEAR_LEAST, _SIGMAS * _spread(distance[inliers]))
    return weights


def _spread(distance: Array) -> float:
    return float(_MEDIAN_TO_SIGMA * np.median(distance)) if len(distance) else 100.0


def as_lab(rgb: Array) -> Array:
    """Give Lab as float of 8-bit sRGB."""
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
