"""How well backgrounds are removed: cut-outs of composites whose alpha is known, 12 megapixels, on one core.

Objects are drawn with what is hard about products: a handle's hole, thin spokes, hairs, a colour near that of the
background, a foot at the picture's edge. Each lies on several backgrounds, with the softness, the grain and the JPEG
of a camera.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import cos, pi, sin
from pathlib import Path
from random import Random
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import pyvips

from bench.photo import draw as draw_photo
from imgserve.adapters.providers.grabcut import GrabCut
from imgserve.cli import samples
from imgserve.errors import ProviderRefused
from imgserve.ports.models import Mask, Pixels, Provider

Array = npt.NDArray[Any]

#: 12 megapixels in the shape of a camera's sensor.
SIZE: Final = (4000, 3000)
#: What a lens and a sensor add: softness and grain in pixels and levels, as the sample pictures have them.
_SOFTNESS: Final = 0.7
_GRAIN: Final = 1.6
_QUALITY: Final = 90
#: Pixels around the true edge whose alpha is compared.
_BAND_PX: Final = 12
_SOLID: Final = 128
#: The lowest part of an object, on which it stands, as a share of the picture's height.
_FOOT_SHARE: Final = 0.03

_SVG: Final = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 600" width="{w}" height="{h}">{body}</svg>'
_BOTTLE: Final = """\
<defs><linearGradient id="g"><stop stop-color="#14351d"/><stop offset=".3" stop-color="#4f9a5c"/>
<stop offset="1" stop-color="#0e2614"/></linearGradient></defs>
<path d="M370 70 h60 v90 q0 40 40 70 q20 20 20 60 v220 q0 20 -20 20 h-140 q-20 0 -20 -20 v-220 q0 -40 20 -60
q40 -30 40 -70 z" fill="url(#g)"/><rect x="312" y="330" width="176" height="110" fill="#f3efe2"/>
<text x="400" y="398" font-size="40" text-anchor="middle" fill="#903020">OLIO</text>"""
_PALE: Final = """\
<defs><linearGradient id="p" x2="1" y2="1"><stop stop-color="#d9d6d1"/><stop offset="1" stop-color="#bdb8b1"/>
</linearGradient></defs><rect x="220" y="170" width="360" height="270" rx="46" fill="url(#p)"/>
<circle cx="400" cy="300" r="70" fill="#cfcac3"/>"""
_GREY: Final = """\
<defs><linearGradient id="m"><stop stop-color="#5c5d5e"/><stop offset=".3" stop-color="#a9aaab"/>
<stop offset=".7" stop-color="#7b7c7d"/><stop offset="1" stop-color="#4a4b4c"/></linearGradient></defs>
<path d="M540 250 q110 -20 110 70 q0 90 -120 90" fill="none" stroke="#6b6c6d" stroke-width="28"/>
<path d="M260 180 V440 Q264 476 300 482 Q400 496 500 482 Q536 476 540 440 V180 Z" fill="url(#m)"/>
<ellipse cx="400" cy="180" rx="140" ry="32" fill="#8f9091"/>
<ellipse cx="400" cy="184" rx="128" ry="26" fill="#3f4041"/>"""
_SHOE: Final = """\
<defs><linearGradient id="s" x2="0" y2="1"><stop stop-color="#3a3a3c"/><stop offset=".5" stop-color="#1d1d1f"/>
<stop offset="1" stop-color="#121213"/></linearGradient></defs>
<path d="M190 200 Q250 170 330 200 Q400 300 560 340 Q640 364 636 430 L636 446 H184 Q170 320 190 200 Z" fill="url(#s)"/>
<path d="M180 440 H640 V470 Q410 486 180 470 Z" fill="#0d0d0e"/>
<path d="M340 215 L420 290 M322 235 L400 306" stroke="#55565a" stroke-width="7" fill="none"/>"""
_WHITE: Final = """\
<defs><linearGradient id="c"><stop stop-color="#c6c6c4"/><stop offset=".3" stop-color="#fbfbfa"/>
<stop offset=".6" stop-color="#f4f4f2"/><stop offset="1" stop-color="#a9a9a6"/></linearGradient></defs>
<path d="M250 220 Q255 430 350 450 L450 450 Q545 430 550 220 Z" fill="url(#c)"/>
<ellipse cx="400" cy="220" rx="150" ry="36" fill="#e9e9e7"/>
<ellipse cx="400" cy="224" rx="140" ry="30" fill="#cfcfcc"/>"""
_LAMP: Final = """\
<path d="M300 90 L500 90 L560 290 L240 290 Z" fill="#d9822b"/><rect x="392" y="290" width="16" height="310"
fill="#3b3431"/><path d="M330 600 q70 -60 140 0 z" fill="#3b3431"/>"""


def _wheel() -> str:
    spokes = "".join(
        f'<line x1="400" y1="300" x2="{400 + 195 * cos(n * pi / 9):.1f}" y2="{300 + 195 * sin(n * pi / 9):.1f}"/>'
        for n in range(18)
    )
    return (
        '<circle cx="400" cy="300" r="205" fill="none" stroke="#20242b" stroke-width="26"/>'
        f'<g stroke="#5d646e" stroke-width="3">{spokes}</g><circle cx="400" cy="300" r="26" fill="#8b1e2d"/>'
    )


def _brush() -> str:
    """A tuft: what has no edge but thousands of hairs."""
    rng = Random(7)
    hairs = []
    for _ in range(1400):
        angle, length = rng.uniform(0, 2 * pi), rng.uniform(150, 205)
        bend = angle + rng.uniform(-0.2, 0.2)
        hairs.append(
            f'<path d="M400 300 Q{400 + 110 * cos(angle):.1f} {300 + 110 * sin(angle):.1f} '
            f'{400 + length * cos(bend):.1f} {300 + length * sin(bend):.1f}"/>'
        )
    return (
        '<circle cx="400" cy="300" r="130" fill="#6b4426"/>'
        f'<g fill="none" stroke="#7b5230" stroke-width=".7">{"".join(hairs)}</g>'
    )


def _svg(body: str, size: tuple[int, int]) -> pyvips.Image:
    text = _SVG.format(w=size[0], h=size[1], body=body)
    return pyvips.Image.svgload_buffer(text.encode(), unlimited=True)


def _mug(size: tuple[int, int]) -> pyvips.Image:
    return pyvips.Image.svgload(str(Path(samples.__file__).with_name("mug.svg")), scale=size[0] / 2400)


#: Name of an object, and its drawing as the body of an 800x600 SVG.
DRAWINGS: Final[Mapping[str, str]] = {
    "bottle": _BOTTLE,
    "pale box": _PALE,
    "white bowl": _WHITE,
    "grey cup": _GREY,
    "black shoe": _SHOE,
    "lamp at edge": _LAMP,
    "wheel": _wheel(),
    "brush": _brush(),
}
OBJECTS: Final = ("mug", *DRAWINGS)

_WALL: Final = """\
<defs><linearGradient id="w" x2="0" y2="1"><stop stop-color="#c9d3da"/><stop offset=".62" stop-color="#eef1f3"/>
<stop offset=".7" stop-color="#dfe3e6"/><stop offset="1" stop-color="#b4bcc2"/></linearGradient>
<radialGradient id="v" r=".75"><stop offset=".5" stop-color="#000" stop-opacity="0"/>
<stop offset="1" stop-color="#000" stop-opacity=".22"/></radialGradient></defs>
<rect width="800" height="600" fill="url(#w)"/><rect width="800" height="600" fill="url(#v)"/>"""


def _shadowed(size: tuple[int, int]) -> str:
    """Paper with the soft shadow that a thing standing on it throws, darkest where it stands."""
    blur = '<filter id="b" x="-1" y="-1" width="3" height="3"><feGaussianBlur stdDeviation="{0}"/></filter>'
    return (
        '<rect width="800" height="600" fill="#f1efeb"/>'
        f"<defs>{blur.format(16)}</defs>"
        '<ellipse cx="420" cy="500" rx="170" ry="26" fill="#1a1410" opacity=".5" filter="url(#b)"/>'
    )


def _contact(foot: Foot) -> str:
    """Paper with the shadows at a thing's foot: a wide one, a near one, and the black line where no light comes."""
    x, y, wide = (foot.left + foot.right) / 2, foot.bottom, (foot.right - foot.left) / 2
    blurs = "".join(
        f'<filter id="{name}" x="-1" y="-4" width="3" height="9"><feGaussianBlur stdDeviation="{blur}"/></filter>'
        for name, blur in (("far", "23 11"), ("near", "9 4.5"), ("contact", "3 1.7"))
    )
    ellipses = "".join(
        f'<ellipse cx="{x + aside * wide:.1f}" cy="{y - 10 + down:.1f}" rx="{wide * more:.1f}" ry="{high}" '
        f'fill="#14100d" opacity="{opacity}" filter="url(#{name})"/>'
        for name, aside, down, more, high, opacity in (
            ("far", 0.5, -2, 1.7, 28, 0.34),
            ("near", 0.2, 2, 1.15, 18, 0.6),
            ("contact", 0.0, 0, 1.0, 16, 0.85),
        )
    )
    return f'<defs>{blurs}</defs><rect width="800" height="600" fill="#f2f1ef"/>{ellipses}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Foot:
    """Where an object stands, in units of the 800x600 drawings."""

    left: float
    right: float
    bottom: float


def _foot(drawn: pyvips.Image) -> Foot:
    solid = np.asarray(drawn[3].numpy()) >= _SOLID
    bottom = int(np.flatnonzero(solid.any(axis=1))[-1])
    lowest = solid[max(0, bottom - round(_FOOT_SHARE * drawn.height)) : bottom + 1]
    columns = np.flatnonzero(lowest.any(axis=0))
    unit = drawn.width / 800
    return Foot(left=columns[0] / unit, right=columns[-1] / unit, bottom=bottom / unit)


def _backdrop(name: str, size: tuple[int, int], drawn: pyvips.Image) -> pyvips.Image:
    width, height = size
    if name == "contact":
        return _svg(_contact(_foot(drawn)), size).flatten()
    if name == "white":
        return _svg('<rect width="800" height="600" fill="#fefefe"/>', size).flatten()
    if name == "gradient":
        return _svg(_WALL, size).flatten()
    if name == "shadow":
        return _svg(_shadowed(size), size).flatten()
    if name == "linen":
        weave = pyvips.Image.perlin(width // 4, height // 4, cell_size=6, seed=3).resize(4)
        weave = weave.embed(0, 0, width, height, extend="mirror") * 14 + 150
        return (weave * [1.0, 0.96, 0.86]).cast("uchar").copy(interpretation="srgb")
    if name == "wood":
        grain = pyvips.Image.perlin(width // 16, height, cell_size=24, seed=5).resize(16, vscale=1)
        board = grain.embed(0, 0, width, height, extend="mirror") * 40 + 130
        return (board * [1.15, 0.85, 0.6]).cast("uchar").copy(interpretation="srgb")
    return draw_photo((width // 2, height // 2)).resize(2).cast("uchar")


BACKDROPS: Final = ("white", "gradient", "shadow", "contact", "linen", "wood", "busy")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Composite:
    """A picture and what a perfect cut-out of it is."""

    object: str
    backdrop: str
    #: Height x width x 3, sRGB.
    picture: Array
    #: Height x width, 255 = the object.
    alpha: Array


@cache
def _drawn(name: str, size: tuple[int, int]) -> pyvips.Image:
    image = _mug(size) if name == "mug" else _svg(DRAWINGS[name], size)
    return image.crop(0, 0, min(image.width, size[0]), min(image.height, size[1])).copy_memory()


def compose(object: str, backdrop: str, size: tuple[int, int] = SIZE) -> Composite:
    """Put the object on the backdrop as a camera would see it."""
    drawn = _drawn(object, size)
    shot = _backdrop(backdrop, size, drawn).composite2(drawn, "over").flatten()
    noise = pyvips.Image.gaussnoise(shot.width, shot.height, sigma=_GRAIN, mean=0, seed=1)
    seen = (shot.gaussblur(_SOFTNESS) + noise).cast("uchar").copy(interpretation="srgb")
    seen = pyvips.Image.new_from_buffer(seen.jpegsave_buffer(Q=_QUALITY), "")
    return Composite(
        object=object,
        backdrop=backdrop,
        picture=np.asarray(seen.numpy()),
        alpha=np.asarray(drawn[3].gaussblur(_SOFTNESS).cast("uchar").numpy()),
    )


class ArrayPicture:
    """A picture of the port over an array of height x width x 3."""

    def __init__(self, array: Array) -> None:
        self._array = np.ascontiguousarray(array)
        self.height, self.width = array.shape[:2]

    def pixels(self, *, max_side: int | None = None) -> Pixels:
        return _as_pixels(self._scaled(max_side))

    def stretched(self, width: int, height: int) -> Pixels:
        return _as_pixels(cv2.resize(self._array, (width, height), interpolation=cv2.INTER_AREA))

    def encoded(self, *, format: str = "jpeg", max_side: int | None = None) -> bytes:
        suffix = {"jpeg": ".jpg", "png": ".png"}[format]
        _, data = cv2.imencode(suffix, cv2.cvtColor(self._scaled(max_side), cv2.COLOR_RGB2BGR))
        return data.tobytes()

    def _scaled(self, max_side: int | None) -> Array:
        side = max(self.width, self.height)
        if max_side is None or side <= max_side:
            return self._array
        size = (max(1, round(self.width * max_side / side)), max(1, round(self.height * max_side / side)))
        return cv2.resize(self._array, size, interpolation=cv2.INTER_AREA)


def _as_pixels(array: Array) -> Pixels:
    height, width, bands = array.shape
    return Pixels(data=array.tobytes(), width=width, height=height, bands=bands)


def as_array(mask: Mask, size: tuple[int, int]) -> Array:
    """Give the mask as height x width, stretched to `size`."""
    pixels = mask.pixels
    array = np.frombuffer(pixels.data, np.uint8).reshape(pixels.height, pixels.width)
    return array if (pixels.width, pixels.height) == size else cv2.resize(array, size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one cut-out came out; a refusal has an IoU of 0."""

    object: str
    backdrop: str
    iou: float
    #: Mean error of alpha (0 to 1) in the band around the true edge.
    edge_error: float
    seconds: float


def compare(alpha: Array, truth: Array) -> tuple[float, float]:
    """Give the IoU at half of alpha, and the mean absolute error near the true edge."""
    ours, theirs = alpha >= _SOLID, truth >= _SOLID
    union = np.count_nonzero(ours | theirs)
    iou = np.count_nonzero(ours & theirs) / union if union else 1.0
    kernel = np.ones((_BAND_PX, _BAND_PX), np.uint8)
    band = cv2.dilate(truth, kernel) != cv2.erode(truth, kernel)
    error = np.abs(alpha[band].astype(np.int16) - truth[band]).mean() / 255
    return iou, float(error)


def score(provider: Provider, composite: Composite) -> tuple[Score, Array]:
    """Cut the object out, and give how well and the mask itself."""
    height, width = composite.alpha.shape
    picture = ArrayPicture(composite.picture)
    started = time.process_time()
    try:
        answer = provider.run(picture, "", lambda share: None)
        alpha = as_array(answer, (width, height)) if isinstance(answer, Mask) else np.zeros((height, width), np.uint8)
    except ProviderRefused:
        alpha = np.zeros((height, width), np.uint8)
    seconds = time.process_time() - started
    iou, error = compare(alpha, composite.alpha)
    return (
        Score(object=composite.object, backdrop=composite.backdrop, iou=iou, edge_error=error, seconds=seconds),
        alpha,
    )


def measure_cutout(provider: Provider, *, size: tuple[int, int] = SIZE, folder: Path | None = None) -> Iterator[Score]:
    """Score every object on every backdrop; with a folder, write each cut-out over magenta into it."""
    for backdrop in BACKDROPS:
        for name in OBJECTS:
            composite = compose(name, backdrop, size)
            result, alpha = score(provider, composite)
            if folder is not None:
                write_proof(folder / f"{backdrop}-{name.replace(' ', '-')}.png", composite.picture, alpha)
            yield result


def write_proof(path: Path, picture: Array, alpha: Array) -> None:
    """Write the cut-out over magenta, where every rest of a background shows."""
    share = alpha[..., None].astype(np.float32) / 255
    over = picture * share + np.array([255, 0, 255], np.float32) * (1 - share)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(over.astype(np.uint8), cv2.COLOR_RGB2BGR))


def report_cutout(scores: list[Score]) -> str:
    """Give a Markdown table, the means last."""
    lines = ["| background | object | IoU | error at the edge | CPU seconds |", "|---|---|---|---|---|"]
    lines += [
        f"| {one.backdrop} | {one.object} | {one.iou:.3f} | {one.edge_error:.3f} | {one.seconds:.2f} |"
        for one in scores
    ]
    for backdrop in (*BACKDROPS, ""):
        group = [one for one in scores if backdrop in ("", one.backdrop)]
        if not group:
            continue
        means = [sum(getattr(one, part) for one in group) / len(group) for part in ("iou", "edge_error", "seconds")]
        lines.append(f"| {backdrop or 'all'} | mean | {means[0]:.3f} | {means[1]:.3f} | {means[2]:.2f} |")
    return "\n".join(lines)


def report_grabcut(*, size: tuple[int, int] = SIZE, folder: Path | None = None) -> str:
    """Measure the embedded provider."""
    return report_cutout(list(measure_cutout(GrabCut(), size=size, folder=folder)))
