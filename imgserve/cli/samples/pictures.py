"""The list of sample pictures, and how each is drawn and saved."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pyvips

from imgserve.cli.samples import landscape

_HERE: Final = Path(__file__).parent

ORBIT_SIZE: Final = 320
ORBIT_FRAMES: Final = 24
ORBIT_DELAY_MS: Final = 50


def _mug() -> pyvips.Image:
    return pyvips.Image.svgload(str(_HERE / "mug.svg"))


def draw_product(path: Path) -> None:
    """A product shot: a mug on light paper, with a photograph's slight softness and grain."""
    shot = pyvips.Image.svgload(str(_HERE / "studio.svg")).composite(_mug(), "over").flatten()
    noise = pyvips.Image.gaussnoise(shot.width, shot.height, sigma=1.6, mean=0, seed=1)
    grainy = (shot.gaussblur(0.7) + noise).cast("uchar").copy(interpretation="srgb")
    grainy.jpegsave(str(path), Q=90)


def draw_cutout(path: Path) -> None:
    """The same mug without its background."""
    _mug().pngsave(str(path), compression=6)


def draw_landscape(path: Path) -> None:
    """A landscape of 6 megapixels."""
    landscape.draw().jpegsave(str(path), Q=88)


def draw_portrait(path: Path) -> None:
    """A picture taller than wide, stored lying down with EXIF orientation 6, as telephones do."""
    upright = pyvips.Image.svgload(str(_HERE / "lighthouse.svg")).flatten()
    noise = pyvips.Image.gaussnoise(upright.width, upright.height, sigma=2, mean=0, seed=2)
    lying = (upright + noise).cast("uchar").copy(interpretation="srgb").rot270()
    tagged = lying.copy()
    tagged.set_type(pyvips.GValue.gint_type, "orientation", 6)
    tagged.jpegsave(str(path), Q=88)


def draw_logo_png(path: Path) -> None:
    """The project's mark with transparency."""
    pyvips.Image.svgload(str(_HERE / "logo.svg")).pngsave(str(path), compression=9)


def copy_logo_svg(path: Path) -> None:
    """The project's mark as it is drawn."""
    shutil.copyfile(_HERE / "logo.svg", path)


def draw_orbit_gif(path: Path) -> None:
    """An animation of 24 frames."""
    _orbit().gifsave(str(path))


def draw_orbit_webp(path: Path) -> None:
    """The same animation as WebP."""
    _orbit().webpsave(str(path), Q=80)


def _orbit() -> pyvips.Image:
    frames = [pyvips.Image.svgload_buffer(_orbit_frame(at).encode()) for at in range(ORBIT_FRAMES)]
    strip = pyvips.Image.arrayjoin([frame.flatten(background=[18, 38, 46]) for frame in frames], across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", ORBIT_SIZE)
    strip.set_type(pyvips.GValue.array_int_type, "delay", [ORBIT_DELAY_MS] * ORBIT_FRAMES)
    strip.set_type(pyvips.GValue.gint_type, "loop", 0)
    return strip


def _orbit_frame(at: int) -> str:
    angle = 360 * at / ORBIT_FRAMES
    dots = "".join(
        f'<g transform="rotate({angle * speed + lag} 160 160)" opacity="{1 - lag / -100:.2f}">'
        f'<circle cx="160" cy="{160 - radius}" r="{size * (1 + lag / 160):.1f}" fill="{colour}"/></g>'
        for radius, size, colour, speed in ((112, 18, "#e6a15c", 1), (68, 13, "#3b9da6", -1), (30, 9, "#f4f3f1", 2))
        for lag in range(-72, 1, 12)
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{ORBIT_SIZE}" height="{ORBIT_SIZE}">{dots}</svg>'


#: File name and what draws it; the slowest first.
PICTURES: Final[tuple[tuple[str, Callable[[Path], None]], ...]] = (
    ("mug.jpg", draw_product),
    ("mug-cutout.png", draw_cutout),
    ("landscape.jpg", draw_landscape),
    ("portrait.jpg", draw_portrait),
    ("orbit.gif", draw_orbit_gif),
    ("orbit.webp", draw_orbit_webp),
    ("logo.png", draw_logo_png),
    ("logo.svg", copy_logo_svg),
)


def draw_missing(folder: Path) -> Iterator[Path]:
    """Draw the pictures that are not in `folder` yet, several at a time; yields each as it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [(folder / name, draw) for name, draw in PICTURES if not (folder / name).exists()]

    def make(task: tuple[Path, Callable[[Path], None]]) -> Path:
        path, draw = task
        unfinished = path.with_name(f".{os.getpid()}-{path.name}")
        draw(unfinished)
        unfinished.replace(path)
        return path

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(make, missing)
