"""Choose how the scanlines of a PNG are filtered before they are deflated, and how hard deflate tries.

The five filters predict a byte from its neighbours. libpng's `all` tries each on every row, which is the best single
choice and takes as long as deflate itself. What it gains depends on the picture, and a look at some rows tells
(docs/performance.md, Encoder settings): a photograph loses about 2 % when every row takes `avg`, and is encoded in half
the time; a screenshot is smaller with no filter at all, and quicker too; `avg` would make it a third larger.
"""

from __future__ import annotations

from typing import Final

import pyvips

#: What a filter setting says in place of a filter's name.
AUTO: Final = "auto"
#: Rows looked at for telling photographs: 64 tell nothing more, and take a millisecond in place of a third of one.
_ROWS: Final = 16
#: Below this share of bytes that equal their left neighbour's, noise decides the size, and `avg` does as well as any.
_NOISY: Final = 0.38
#: Above it most of the picture is flat, and deflate may do better with the bytes as they are.
_FLAT: Final = 0.7
#: What is encoded on trial: strips, since deflate finds a row again in the rows before it.
_STRIPS: Final = 4
_STRIP_ROWS: Final = 8
#: The trial takes 3 ms at least, as long as a smaller picture itself.
_LEAST_TRIAL_PIXELS: Final = 250_000
#: More than these are not kept in memory only to be looked at (75 MB of 8-bit colour).
_MOST_PIXELS: Final = 25_000_000
#: zlib-ng's levels above 6 look for better matches at several times the cost: whoever sets them wants bytes, not time.
_MOST_QUICK_LEVEL: Final = 6
_PHOTO_LEVEL: Final = 3


def can_choose(image: pyvips.Image) -> bool:
    return image.width * image.height <= _MOST_PIXELS


def choose(image: pyvips.Image, *, level: int) -> tuple[str, int]:
    """Give the filter and the level for a picture in memory; `level` is the one that the operator wants."""
    flat, quick = flatness(image), level <= _MOST_QUICK_LEVEL
    if quick and flat < _NOISY:
        return "avg", min(level, _PHOTO_LEVEL)
    worth_a_trial = not quick or image.width * image.height >= _LEAST_TRIAL_PIXELS
    if flat > _FLAT and worth_a_trial and _smaller_unfiltered(image, level):
        return "none", level
    return "all", level


def flatness(image: pyvips.Image) -> float:
    """Give the share of bytes that equal the same channel's of the pixel to the left, in some of the rows."""
    rows = image.subsample(1, max(1, image.height // _ROWS)).write_to_memory()
    pixel_bits = 8 * image.bands * (2 if image.format == "ushort" else 1)
    # One XOR of whole numbers in place of five libvips operations, whose setting up would take longer. Where a
    # row begins it compares with the end of the row before: one pixel of a row.
    number = int.from_bytes(rows, "little")
    differences = (number ^ (number >> pixel_bits)).to_bytes(len(rows), "little")
    return differences.count(0) / len(differences)


def _smaller_unfiltered(image: pyvips.Image, level: int) -> bool:
    sample = _strips(image)
    plain, filtered = (
        len(pyvips.Operation.call("pngsave_buffer", sample, filter=name, compression=level, keep="none"))
        for name in ("none", "all")
    )
    return plain < filtered


def _strips(image: pyvips.Image) -> pyvips.Image:
    if image.height <= _STRIPS * _STRIP_ROWS:
        return image
    step = (image.height - _STRIP_ROWS) / (_STRIPS - 1)
    strips = [image.crop(0, int(step * n), image.width, _STRIP_ROWS) for n in range(_STRIPS)]
    return pyvips.Image.arrayjoin(strips, across=1)
