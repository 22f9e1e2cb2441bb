"""What encoder settings cost and give: CPU time, bytes and likeness, each against imgproxy's setting of the format.

Photographs are decoded and resized as the server does (shrunk on load, then Lanczos); graphics are encoded at their own
size, since resizing blurs what makes them graphics. Settings take turns on one picture, in another order each time, and
their CPU times are divided within a turn: a slow minute of the machine divides out.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pyvips

from bench.graphics import draw_graphics
from bench.photo import write_photo
from bench.quality import decode, psnr, seen, ssim
from bench.raw import configure
from bench.report import grid
from bench.workshop import WORKSHOP
from imgserve.engine import scanlines

WIDTHS: Final = (400, 800, 1600)
#: What a server would refuse is not measured (its default, IMGSERVE_MAX_SRC_RESOLUTION).
_MAX_PIXELS: Final = 50_000_000
#: Less than this is no picture of a page.
_LEAST_WIDTH: Final = 300
_LOSSY: Final = frozenset({"jpegload", "webpload", "heifload"})
_LOSSLESS: Final = frozenset({"pngload"})
_SEED: Final = 8


@dataclass(frozen=True, slots=True)
class Setting:
    """Arguments of libvips' saver; `name` is what the table calls them."""

    name: str
    saver: Mapping[str, object]


def _settings(base: Mapping[str, object], *candidates: tuple[str, Mapping[str, object]]) -> tuple[Setting, ...]:
    return tuple(Setting(name, {**base, **saver, "keep": "none"}) for name, saver in candidates)


def _png(*candidates: str) -> tuple[Setting, ...]:
    """Read settings such as `avg 3`: filter and level."""
    return tuple(
        Setting(name, {"filter": name.split()[0], "compression": int(name.split()[1]), "keep": "none"})
        for name in candidates
    )


#: By format; the first of each is imgproxy's.
CANDIDATES: Final[Mapping[str, tuple[Setting, ...]]] = {
    "jpeg": _settings(
        {"Q": 80, "optimize_coding": True},
        ("optimize_coding", {}),
        ("none", {"optimize_coding": False}),
        ("overshoot_deringing", {"overshoot_deringing": True}),
        ("quant_table 3", {"quant_table": 3}),
        ("progressive", {"interlace": True}),
        ("progressive, optimize_scans", {"interlace": True, "optimize_scans": True}),
        ("trellis_quant", {"trellis_quant": True}),
        ("trellis_quant, Q 83", {"trellis_quant": True, "Q": 83}),
        ("trellis, deringing, quant_table 3", {"trellis_quant": True, "overshoot_deringing": True, "quant_table": 3}),
        ("no subsampling", {"subsample_mode": "off"}),
    ),
    "webp": _settings(
        {"Q": 79},
        ("effort 4", {"effort": 4}),
        *((f"effort {effort}", {"effort": effort}) for effort in (0, 1, 2, 3, 5, 6)),
        ("effort 2, Q 80", {"effort": 2, "Q": 80}),
        ("effort 2, preset photo", {"effort": 2, "preset": "photo"}),
        ("effort 4, preset photo", {"effort": 4, "preset": "photo"}),
        ("effort 4, smart_subsample", {"effort": 4, "smart_subsample": True}),
    ),
    "avif": _settings(
        {"Q": 63, "compression": "av1"},
        ("speed 8", {"effort": 1}),
        ("speed 9", {"effort": 0}),
        ("speed 7", {"effort": 2}),
        ("speed 6", {"effort": 3}),
        ("speed 8, tune=ssim", {"effort": 1, "tune": "ssim"}),
        ("speed 9, tune=ssim", {"effort": 0, "tune": "ssim"}),
        ("speed 7, tune=ssim", {"effort": 2, "tune": "ssim"}),
        ("speed 8, bitdepth 8", {"effort": 1, "bitdepth": 8}),
    ),
    "png": _png(
        "all 6", "auto 6", "auto 9", "all 3", "all 4", "all 7", "all 9", "none 3", "none 6", "none 9", "sub 3", "sub 6",
        "up 3", "paeth 3", "paeth 6", "avg 1", "avg 2", "avg 3", "avg 4", "avg 6", "avg 9",
    ),
}  # fmt: skip
_SUFFIXES: Final = {"jpeg": ".jpg", "webp": ".webp", "avif": ".avif", "png": ".png"}


def formats_named(names: str) -> tuple[str, ...]:
    """Choose formats by a list such as `webp,png`; raises ValueError for a name that is none."""
    unknown = [name for name in names.split(",") if name not in CANDIDATES]
    if unknown:
        raise ValueError(f"got {unknown[0]!r}, expected a list of {', '.join(CANDIDATES)}")
    return tuple(names.split(","))


@dataclass(frozen=True, slots=True)
class Picture:
    """Something to encode, in memory; `decode_s` is the CPU time that decoding and resizing it takes."""

    name: str
    image: pyvips.Image
    decode_s: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One setting on one picture; the ratios are to imgproxy's setting."""

    setting: str
    cpu_ms: float
    cpu: float
    #: Ratio of decode + resize + encode.
    whole: float
    size: float
    psnr: float
    ssim: float
    #: Decibels between this result and imgproxy's.
    apart: float


def _cpu(work: Callable[[], object]) -> float:
    """CPU time of all threads: the AVIF encoder has some of its own."""
    start = time.process_time()
    work()
    return time.process_time() - start


def _save(image: pyvips.Image, format: str, setting: Setting) -> bytes:
    saver = dict(setting.saver)
    if saver.get("filter") == scanlines.AUTO:  # of this server's engine, not of libvips
        saver["filter"], saver["compression"] = scanlines.choose(image, level=int(str(saver["compression"])))
    data: bytes = image.write_to_buffer(_SUFFIXES[format], **saver)
    return data


def measure(picture: Picture, format: str, *, repetitions: int) -> list[Figure]:
    """Encode with each setting in turns; the settings of the format, in the order of the table."""
    settings = CANDIDATES[format]
    results = {setting.name: _save(picture.image, format, setting) for setting in settings}
    turns: list[dict[str, float]] = []
    order, shuffle = list(settings), random.Random(_SEED)
    for _ in range(repetitions):
        shuffle.shuffle(order)
        turns.append({one.name: _cpu(partial(_save, picture.image, format, one)) for one in order})
    reference = settings[0].name
    original, imgproxys = seen(picture.image).copy_memory(), decode(results[reference])
    figures = []
    for setting in settings:
        decoded = decode(results[setting.name])
        figures.append(
            Figure(
                setting=setting.name,
                cpu_ms=statistics.median(turn[setting.name] for turn in turns) * 1000,
                cpu=statistics.median(turn[setting.name] / turn[reference] for turn in turns),
                whole=statistics.median(
                    (turn[setting.name] + picture.decode_s) / (turn[reference] + picture.decode_s) for turn in turns
                ),
                size=len(results[setting.name]) / len(results[reference]),
                psnr=psnr(original, decoded),
                ssim=ssim(original, decoded),
                apart=psnr(imgproxys, decoded),
            )
        )
    return figures


def files_of(given: Sequence[Path]) -> Iterator[Path]:
    for path in given:
        yield from sorted(path.iterdir()) if path.is_dir() else (path,)


def _header(path: Path) -> pyvips.Image | None:
    """Open what libvips can read and a server would serve; a folder of test images has both kinds."""
    try:
        image = pyvips.Image.new_from_file(str(path))
    except pyvips.Error:
        return None
    return image if image.width * image.height <= _MAX_PIXELS and image.width >= _LEAST_WIDTH else None


def _loader(image: pyvips.Image) -> str:
    return str(image.get("vips-loader")).removesuffix("_buffer") if image.get_typeof("vips-loader") else ""


def photographs(files: Iterable[Path], *, widths: Sequence[int], repetitions: int) -> Iterator[Picture]:
    """Scale files of lossy formats to each width that does not enlarge them; unreadable ones are left out."""
    for path in files:
        header = _header(path)
        if header is None or _loader(header) not in _LOSSY:
            continue
        source = path.read_bytes()
        for width in (width for width in widths if width <= header.width):
            try:
                image = _scaled(source, width)
            except pyvips.Error:  # told only while it decodes
                break
            times = [_cpu(partial(_scaled, source, width)) for _ in range(repetitions)]
            yield Picture(f"{path.name} {width}", image, statistics.median(times))


def _scaled(source: bytes, width: int) -> pyvips.Image:
    image = pyvips.Image.thumbnail_buffer(source, width, height=1 << 24)
    return image.colourspace("srgb").copy_memory()


def graphics(files: Iterable[Path]) -> Iterator[Picture]:
    """Drawn ones, and files of lossless formats at their own size, in their own channels."""
    for name, image in draw_graphics().items():
        yield Picture(name, image, 0.0)
    for path in files:
        header = _header(path)
        if header is None or _loader(header) not in _LOSSLESS or header.format != "uchar":
            continue
        try:
            yield Picture(path.name, header.copy_memory(), 0.0)
        except pyvips.Error:
            continue


def _mean(values: Iterable[float]) -> float:
    return statistics.geometric_mean(list(values))


def summary(figures: Mapping[str, Sequence[Figure]]) -> str:
    """One row a setting: geometric means of the ratios over the pictures, and the worst picture's bytes."""
    rows = []
    for index, first in enumerate(next(iter(figures.values()))):
        of = [one[index] for one in figures.values()]
        reference = [one[0] for one in figures.values()]
        gained = statistics.mean(_gain(mine.psnr, theirs.psnr) for mine, theirs in zip(of, reference, strict=True))
        closer = statistics.mean(mine.ssim - theirs.ssim for mine, theirs in zip(of, reference, strict=True))
        sizes = [one.size for one in of]
        rows.append(
            (
                first.setting, f"{_mean(one.cpu for one in of):.2f}", f"{1 / _mean(one.whole for one in of):.2f}",
                f"{_mean(sizes):.3f}", f"{min(sizes):.2f}-{max(sizes):.2f}",
                f"{gained:+.2f}", f"{closer * 1000:+.1f}", _decibels(min(one.apart for one in of)),
            )
        )  # fmt: skip
    head = (
        "setting",
        "encoder CPU",
        "whole request faster",
        "bytes",
        "bytes min-max",
        "PSNR dB",
        "SSIM x1000",
        "apart dB",
    )
    return "\n".join(grid(head, rows))


def detail(figures: Mapping[str, Sequence[Figure]]) -> str:
    """One row a picture and setting."""
    rows = [
        (
            name, one.setting, f"{one.cpu_ms:.1f}", f"{one.cpu:.2f}", f"{1 / one.whole:.2f}",
            f"{one.size:.3f}", _decibels(one.psnr), f"{one.ssim:.4f}", _decibels(one.apart),
        )
        for name, of in figures.items()
        for one in of
    ]  # fmt: skip
    head = ("picture", "setting", "CPU ms", "encoder CPU", "whole faster", "bytes", "PSNR dB", "SSIM", "apart dB")
    return "\n".join(grid(head, rows))


def _gain(mine: float, theirs: float) -> float:
    return 0.0 if math.isinf(mine) and math.isinf(theirs) else mine - theirs


def _decibels(value: float) -> str:
    return "same" if math.isinf(value) else f"{value:.1f}"


def report(
    given: Sequence[Path], *, formats: Sequence[str], widths: Sequence[int], repetitions: int, details: bool
) -> str:
    """Measure every format on the photographs, and PNG on graphics as well; gives Markdown."""
    configure()
    files = list(files_of(given))
    if not files:
        drawn = WORKSHOP / "photos" / "drawn.jpg"
        drawn.parent.mkdir(parents=True, exist_ok=True)
        write_photo(drawn)
        files = [drawn]
    photos = list(photographs(files, widths=widths, repetitions=repetitions))
    jobs = [(name, "photographs", photos) for name in formats if photos]
    if "png" in formats:
        jobs.append(("png", "graphics", list(graphics(files))))
    parts = []
    for name, kind, pictures in jobs:
        figures = {one.name: measure(one, name, repetitions=repetitions) for one in pictures}
        parts += [f"## {name}, {len(pictures)} {kind}", summary(figures)]
        if details:
            parts.append(detail(figures))
    return "\n\n".join(parts)
