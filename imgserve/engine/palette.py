"""The colours of a small picture: a few that stand for all of them, and their average."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from PIL import Image

from imgserve.ports.models import Pixels

#: Colours are counted in a picture of this side, some 10,000 pixels.
MAX_SIDE: Final = 112

#: Colours move to the middle of the pixels that they stand for until no more of these than so many, some 1 %, would
#: change sides; going on to the end takes twice the time and changes no colour by more than 3 of 255.
_SETTLED: Final = 100

#: Median cut halves the pixels again and again, wherever they are many; so it makes more colours than a few, and the
#: closest of them are joined.
_FINE: Final = 32

#: What is less than half opaque shows what lies below it, and is a colour only of pictures that have no other.
_VISIBLE: Final = 128

_RGBA: Final = 4
_OPAQUE: Final = 255


@dataclass(frozen=True, slots=True)
class Swatch:
    """A colour, and how many pixels it stands for."""

    red: int
    green: int
    blue: int
    alpha: int = _OPAQUE
    count: int = 0


def palette(pixels: Pixels, colours: int) -> list[Swatch]:
    """Give at most so many colours, those that stand for most first; none of a picture that shows nothing.

    Alpha is the average of the pixels that a colour stands for.
    """
    clusters = _clusters(pixels, max(colours, _FINE))
    while len(clusters) > colours:
        clusters = _without_closest_pair(clusters)
    found = [one.swatch() for one in clusters]
    # Equal counts need an order that is always the same.
    return sorted(found, key=lambda one: (-one.count, one.red, one.green, one.blue))


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Pixels that one colour stands for: how many, and their average."""

    count: int
    red: float
    green: float
    blue: float
    alpha: float

    def joined(self, other: _Cluster) -> _Cluster:
        count = self.count + other.count
        mine, others = self.count / count, other.count / count
        return _Cluster(
            count,
            self.red * mine + other.red * others,
            self.green * mine + other.green * others,
            self.blue * mine + other.blue * others,
            self.alpha * mine + other.alpha * others,
        )

    def loss(self, other: _Cluster) -> float:
        """Tell by how much colours would be off if one stood for both (Ward's criterion)."""
        apart = (self.red - other.red) ** 2 + (self.green - other.green) ** 2 + (self.blue - other.blue) ** 2
        return apart * self.count * other.count / (self.count + other.count)

    def swatch(self) -> Swatch:
        return Swatch(round(self.red), round(self.green), round(self.blue), round(self.alpha), self.count)


def _without_closest_pair(clusters: Sequence[_Cluster]) -> list[_Cluster]:
    """Join the two that lose least by it: a small patch of a colour of its own stays, as halves of the sky do not."""
    one, other = min(combinations(clusters, 2), key=lambda pair: pair[0].loss(pair[1]))
    return [*(each for each in clusters if each is not one and each is not other), one.joined(other)]


def _clusters(pixels: Pixels, colours: int) -> list[_Cluster]:
    data, alphas = _visible(pixels)
    if not data:
        return []
    strip = Image.frombytes("RGB", (len(alphas), 1), data)
    reduced = strip.quantize(colours, method=Image.Quantize.MEDIANCUT, kmeans=_SETTLED, dither=Image.Dither.NONE)
    channels = reduced.getpalette("RGB") or []
    # By colour: two boxes of colours may have ended at one.
    clusters: dict[tuple[int, ...], _Cluster] = {}
    for index, (count, alpha) in _opacities(reduced.tobytes(), alphas).items():
        red, green, blue = channels[3 * index : 3 * index + 3]
        found = _Cluster(count, red, green, blue, alpha)
        known = clusters.get((red, green, blue))
        clusters[red, green, blue] = found if known is None else found.joined(known)
    return list(clusters.values())


def _opacities(indexes: bytes, alphas: bytes) -> dict[int, tuple[int, float]]:
    """Give count and average alpha of the pixels by the index of their colour."""
    counts = Counter(indexes)
    if min(alphas) == _OPAQUE:
        return {index: (count, _OPAQUE) for index, count in counts.items()}
    sums = Counter[int]()
    for index, alpha in zip(indexes, alphas, strict=True):
        sums[index] += alpha
    return {index: (count, sums[index] / count) for index, count in counts.items()}


def _visible(pixels: Pixels) -> tuple[bytes, bytes]:
    """Give red, green and blue of the pixels that show, and their alpha."""
    data = pixels.data
    if pixels.bands != _RGBA:
        return data, bytes((_OPAQUE,)) * (pixels.width * pixels.height)
    alphas = data[3::_RGBA]
    least = _VISIBLE if max(alphas) >= _VISIBLE else 1
    seen = [at for at, alpha in enumerate(alphas) if alpha >= least]
    return b"".join(data[_RGBA * at : _RGBA * at + 3] for at in seen), bytes(alphas[at] for at in seen)


def average(pixels: Pixels, *, ignore_transparent: bool) -> Swatch:
    """Give the average colour, each pixel counted as far as it is opaque; 0 where nothing is.

    Alpha is the average of all pixels, or of those that are not fully transparent.
    """
    bands, data = pixels.bands, pixels.data
    alphas: Sequence[int] = data[3::bands] if bands == _RGBA else [_OPAQUE] * (pixels.width * pixels.height)
    whole = sum(alphas)
    counted = sum(map(bool, alphas)) if ignore_transparent else len(alphas)
    red, green, blue = (
        _share(sum(value * alpha for value, alpha in zip(data[band::bands], alphas, strict=True)), whole)
        for band in range(3)
    )
    return Swatch(red, green, blue, _share(whole, counted), count=counted)


def _share(amount: int, count: int) -> int:
    return round(amount / count) if count else 0
