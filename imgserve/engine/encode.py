"""Make bytes of a finished picture: savers with the operator's parameters, quality rules, the loop for max_bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pyvips

from imgserve.engine import bitmaps, icons, scanlines, tags
from imgserve.engine.formats import FORMATS
from imgserve.engine.frame import Frame
from imgserve.engine.rounding import scale

#: libaom makes nothing smaller.
_MIN_AVIF_SIDE: Final = 16
#: The loop for max_bytes stops at this quality, however large the result is.
_LEAST_QUALITY: Final = 10


def encode(frame: Frame) -> tuple[bytes, Frame]:
    """Encode the frame's picture; the frame comes back too, since its format may have had to change."""
    frame = _format_that_holds(frame)
    frame.deadline.watch(frame.image)
    save = _SAVERS[frame.format]
    quality = quality_of(frame)
    if frame.intent.max_bytes > 0 and FORMATS[frame.format].quality:
        return _save_within(frame.in_memory(), save, quality)
    return save(frame, quality), frame


def _format_that_holds(frame: Frame) -> Frame:
    image = frame.image
    if frame.format == "avif" and min(image.width, image.height) < _MIN_AVIF_SIDE:
        return replace(frame, format="png" if image.hasalpha() else "jpeg")
    return frame


def quality_of(frame: Frame) -> int:
    """Give the quality: of the request, of the request for the format, of the operator for it, of the operator."""
    intent, config = frame.intent, frame.config
    return (
        intent.quality
        or intent.format_quality.get(frame.format, 0)
        or config.format_quality.get(frame.format, 0)
        or config.quality
    )


def _save_within(frame: Frame, save: Saver, quality: int) -> tuple[bytes, Frame]:
    """Lower the quality until the result is small enough, faster where it is far too large."""
    while True:
        frame.deadline.check()
        data = save(frame, quality)
        over = len(data) / frame.intent.max_bytes
        if over <= 1 or quality <= _LEAST_QUALITY:
            return data, frame
        factor = 0.25 if over > 3 else 0.5 if over > 1.5 else 0.75
        quality = max(1, min(quality - 1, scale(quality, factor)))


Saver = Callable[[Frame, int], bytes]


def _save(frame: Frame, operation: str, **options: Any) -> bytes:
    if frame.keep != "all":
        options["keep"] = frame.keep
    data: bytes = pyvips.Operation.call(operation, frame.image, **options)
    return data


def _jpeg(frame: Frame, quality: int) -> bytes:
    config = frame.config
    return _save(
        frame,
        "jpegsave_buffer",
        Q=quality,
        optimize_coding=True,
        interlace=config.jpeg_progressive,
        # libjpeg has scans to optimize in progressive files only; libvips warns of it in others.
        optimize_scans=config.jpeg_optimize_scans and config.jpeg_progressive,
        subsample_mode="off" if config.jpeg_no_subsample else "auto",
        trellis_quant=config.jpeg_trellis_quant,
        overshoot_deringing=config.jpeg_overshoot_deringing,
        quant_table=config.jpeg_quant_table,
    )


def _png(frame: Frame, _quality: int) -> bytes:
    config = frame.config
    if config.png_quantize:
        depth = _palette_depth(config.png_quantization_colors)
    else:
        depth = _source_palette_depth(frame.image)
    if not depth:
        return _png_in_full_colour(frame)
    return _save(
        frame,
        "pngsave_buffer",
        filter="none",
        compression=config.png_compression,
        interlace=config.png_interlaced,
        palette=True,
        bitdepth=depth,
    )


def _png_in_full_colour(frame: Frame) -> bytes:
    config = frame.config
    name, level = config.png_filter, config.png_compression
    if name == scanlines.AUTO:
        name = "all"
        if scanlines.can_choose(frame.image):
            frame = frame.in_memory()
            name, level = scanlines.choose(frame.image, level=level)
    return _save(frame, "pngsave_buffer", filter=name, compression=level, interlace=config.png_interlaced)


def _palette_depth(colours: int) -> int:
    return 8 if colours > 16 else 4 if colours > 4 else 2 if colours > 2 else 1


def _source_palette_depth(image: pyvips.Image) -> int:
    """Give the bits of the source's palette as PNG can have them (1, 2, 4, 8), 0 when it had none."""
    bits = _palette_bits(image)
    if not 0 < bits <= 8:
        return 0
    return 8 if bits > 4 else 4 if bits > 2 else bits


def _palette_bits(image: pyvips.Image) -> int:
    return tags.integer(image, "bits-per-sample", 8) if tags.integer(image, "palette", 0) else 0


def _webp(frame: Frame, quality: int) -> bytes:
    config = frame.config
    return _save(
        frame,
        "webpsave_buffer",
        Q=quality,
        effort=config.webp_effort,
        preset=config.webp_preset,
        smart_subsample=config.webp_smart_subsample,
    )


def _gif(frame: Frame, _quality: int) -> bytes:
    bits = _palette_bits(frame.image)
    return _save(frame, "gifsave_buffer", bitdepth=bits if 0 < bits <= 8 else 8)


def _avif(frame: Frame, quality: int) -> bytes:
    config = frame.config
    tune = {} if config.avif_tune == "default" else {"tune": config.avif_tune}
    return _save(frame, "heifsave_buffer", Q=quality, compression="av1", effort=9 - config.avif_speed, **tune)


def _tiff(frame: Frame, quality: int) -> bytes:
    return _save(frame, "tiffsave_buffer", Q=quality)


def _bmp(frame: Frame, _quality: int) -> bytes:
    return bitmaps.save_bmp(frame.image)


def _ico(frame: Frame, _quality: int) -> bytes:
    return icons.save_ico(frame.image, _save(frame, "pngsave_buffer"))


_SAVERS: Final[dict[str, Saver]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "gif": _gif,
    "avif": _avif,
    "tiff": _tiff,
    "bmp": _bmp,
    "ico": _ico,
}
