"""Draw a landscape: mountain ridges in haze over a lake, from seeded random walks."""

from __future__ import annotations

import itertools
import random
from typing import Final

import pyvips

WIDTH: Final = 3000
HEIGHT: Final = 2000
HORIZON: Final = 1270

#: Far to near: the ridge's height on the picture, how rough it is, how fine it goes, its two colours (crest, foot).
RIDGES: Final = (
    (640, 250, 0.52, "#9fb4cc", "#d9d3d2"),
    (800, 220, 0.53, "#7d97b5", "#c9c8cb"),
    (930, 180, 0.55, "#587a96", "#a9b7bf"),
    (1060, 120, 0.56, "#3c5f6f", "#7f9aa0"),
    (1165, 70, 0.58, "#264a4c", "#4f7672"),
)

SKY: Final = """
<linearGradient id="sky" x1="0" x2="0" y1="0" y2=".55">
  <stop offset="0" stop-color="#4d7fb8"/><stop offset=".45" stop-color="#a9c6dd"/>
  <stop offset=".8" stop-color="#f6dcb6"/><stop offset="1" stop-color="#fbe7cd"/>
</linearGradient>
<radialGradient id="sun"><stop offset="0" stop-color="#fffdf2"/><stop offset=".08" stop-color="#fff4d3"/>
  <stop offset=".2" stop-color="#ffe3ac" stop-opacity=".65"/><stop offset="1" stop-color="#ffd18a" stop-opacity="0"/>
</radialGradient>"""


def draw() -> pyvips.Image:
    """Draw the landscape as 3000x2000 sRGB."""
    land = _land()
    sky_and_land = land.crop(0, 0, WIDTH, HORIZON)
    picture = sky_and_land.join(_lake(sky_and_land), "vertical")
    return _grain(picture.composite(_shore(), "over").flatten())


def _land() -> pyvips.Image:
    walk = random.Random(7)  # noqa: S311 - the same hills each time, nothing secret
    gradients: list[str] = []
    ridges: list[str] = []
    for at, (top, rough, fine, crest, foot) in enumerate(RIDGES):
        gradients.append(
            f'<linearGradient id="r{at}" x1="0" x2="0" y1="0" y2="1"><stop offset="0" stop-color="{crest}"/>'
            f'<stop offset="1" stop-color="{foot}"/></linearGradient>'
        )
        ridges.append(f'<path d="{_ridge(walk, top=top, rough=rough, fine=fine)}" fill="url(#r{at})"/>')
    sky = f'<defs>{SKY}</defs><rect width="{WIDTH}" height="{HEIGHT}" fill="url(#sky)"/>'
    sun = '<circle cx="1560" cy="560" r="900" fill="url(#sun)"/>'
    hills = _svg(f"<defs>{''.join(gradients)}</defs>{''.join(ridges)}")
    return _clouds(_svg(sky + sun).flatten()).composite(hills, "over").flatten()


def _ridge(walk: random.Random, *, top: float, rough: float, fine: float) -> str:
    heights = [walk.uniform(-rough, rough) for _ in range(5)]
    step = rough
    while len(heights) < 1000:
        step *= fine
        finer: list[float] = []
        for left, right in itertools.pairwise(heights):
            finer += [left, (left + right) / 2 + walk.uniform(-step, step)]
        heights = [*finer, heights[-1]]
    stride = WIDTH / (len(heights) - 1)
    points = " L ".join(f"{at * stride:.1f} {top + height:.1f}" for at, height in enumerate(heights))
    return f"M {points} L {WIDTH} {HORIZON} L 0 {HORIZON} Z"


def _clouds(land: pyvips.Image) -> pyvips.Image:
    # Wide, flat noise; thinner towards the horizon and the zenith.
    coarse = pyvips.Image.perlin(WIDTH // 6, HEIGHT // 2, cell_size=110, seed=5)
    fine = pyvips.Image.perlin(WIDTH // 6, HEIGHT // 2, cell_size=36, seed=9)
    noise = (coarse + fine * 0.45).resize(6, vscale=2, kernel="cubic").gaussblur(3)
    height = pyvips.Image.xyz(WIDTH, HEIGHT)[1]
    band = (1 - ((height - 330) / 420) ** 2 > 0).ifthenelse(1 - ((height - 330) / 420) ** 2, 0)
    alpha = (noise * 200 * band).cast("uchar")
    white = land.new_from_image([255, 250, 244]).copy(interpretation="srgb")
    return land.composite(white.bandjoin(alpha), "over").flatten()


def _lake(above: pyvips.Image) -> pyvips.Image:
    """Mirror the land in water: darker, bluer, broken up by ripples that grow towards the viewer."""
    depth = HEIGHT - HORIZON
    mirror = above.crop(0, HORIZON - depth, WIDTH, depth).flip("vertical").gaussblur(2.5)
    where = pyvips.Image.xyz(WIDTH, depth)
    near = where[1] / depth
    waves = pyvips.Image.perlin(WIDTH // 10, depth, cell_size=22, seed=3).resize(10, vscale=1, kernel="cubic")
    ripples = where + (waves * near * 60).bandjoin(waves * near * 26)
    margin = 64  # more than a ripple moves a pixel
    wide = mirror.embed(margin, margin, WIDTH + 2 * margin, depth + 2 * margin, extend="mirror")
    water = wide.mapim(ripples + margin, interpolate=pyvips.Interpolate.new("bilinear"))
    return (water * [0.78, 0.86, 0.93] + waves * near * 26 - near * 22).cast("uchar").copy(interpretation="srgb")


def _shore() -> pyvips.Image:
    walk = random.Random(21)  # noqa: S311 - see above
    trees: list[str] = []
    for _ in range(210):
        x = walk.uniform(-40, 1150)
        foot = HORIZON + 40 + 330 * (1 - x / 1250) ** 2 * walk.uniform(0.1, 1)
        height = walk.uniform(90, 210) * (1.25 - x / 1900)
        shade = int(18 + 26 * walk.random())
        trees.append(_fir(x, foot, height, f"#0{shade // 3:x}{shade + 12:02x}{shade:02x}"))
    ground = (
        '<path fill="#12261f" d="M -10 1330 C 300 1310 800 1290 1240 1292 C 900 1330 620 1400 420 1560 '
        'C 300 1680 200 1860 160 2010 L -10 2010 Z"/>'
    )
    return _svg(ground + "".join(trees))


def _fir(x: float, foot: float, height: float, colour: str) -> str:
    tiers = []
    for tier in range(5):
        top = foot - height * (1 - tier * 0.17)
        half = height * (0.055 + tier * 0.038)
        tiers.append(f"M {x:.0f} {top:.0f} l {half:.0f} {height * 0.3:.0f} h {-2 * half:.0f} Z")
    return f'<path d="{" ".join(tiers)}" fill="{colour}"/>'


def _svg(content: str) -> pyvips.Image:
    text = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">{content}</svg>'
    return pyvips.Image.svgload_buffer(text.encode())


def _grain(picture: pyvips.Image) -> pyvips.Image:
    noise = pyvips.Image.gaussnoise(WIDTH, HEIGHT, sigma=2.2, mean=0, seed=1)
    return (picture.gaussblur(0.8) + noise).cast("uchar").copy(interpretation="srgb")
