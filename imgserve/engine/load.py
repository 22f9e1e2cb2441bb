"""Make pictures of encoded bytes: a page or an animation, shrunk while loading, checked before decoding."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Final

import pyvips

from imgserve.engine import bitmaps, icons, tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.formats import FORMATS, sniff
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.errors import ImageRefused, UnsupportedImage

#: SVG is sized in CSS pixels (96 to the inch), libvips counts points (72).
SVG_DPI: Final = 96.0
POINT_DPI: Final = 72.0

#: Cyan, magenta, yellow, black and alpha. No picture needs more, but a TIFF may have 65,535 of them, each as large as
#: the picture, and the bounds are in pixels.
_MAX_BANDS: Final = 5

#: The classes of libvips that the loaders here need; every other one stays blocked.
LOADERS: Final = (
    "VipsForeignLoadJpeg",
    "VipsForeignLoadPng",
    "VipsForeignLoadWebp",
    "VipsForeignLoadNsgif",
    "VipsForeignLoadHeif",
    "VipsForeignLoadTiff",
    "VipsForeignLoadSvg",
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A source whose header has been read; its pixels come when they are asked for."""

    image: pyvips.Image
    format: str
    #: The picture is the embedded thumbnail, as was asked.
    thumbnail: bool = False

    @property
    def animated(self) -> bool:
        image = self.image
        return bool(image.get_typeof("delay") and image.get_typeof("loop") and image.get_n_pages() > 1)


def detect(data: bytes) -> str:
    """Name the format of a source that can be read; raises UnsupportedImage (415)."""
    name = sniff(data)
    if name is None:
        raise UnsupportedImage("The source is not an image of a known format.")
    if not FORMATS[name].load:
        raise UnsupportedImage(f"The source is {name.upper()}; this server has no decoder for it.", got=name)
    return name


def open_source(data: bytes, *, intent: Intent, config: EngineConfig, deadline: Deadline) -> Opened:
    """Read the header of a source's first page."""
    name = detect(data)
    if intent.enforce_thumbnail and FORMATS[name].thumbnail:
        # A broken thumbnail is no loss: the picture itself is there.
        with contextlib.suppress(pyvips.Error):
            return Opened(load_thumbnail(data, deadline=deadline), name, thumbnail=True)
    return Opened(load(data, name, config=config, deadline=deadline, limits=intent.limits), name)


def load(
    data: bytes,
    name: str,
    *,
    config: EngineConfig,
    deadline: Deadline,
    limits: Limits,
    shrink: float = 1.0,
    pages: int = 1,
) -> pyvips.Image:
    """Open bytes of a known format, `shrink` times smaller where the loader can do that."""
    if name in ("bmp", "ico"):
        read = bitmaps.load_bmp if name == "bmp" else icons.load_ico
        image = read(data, limits, deadline=deadline)
    else:
        operation, options = _loader(name, config, shrink=shrink, pages=pages)
        image = _opened(operation, data, **options)
    _check_bands(image)
    if name == "tiff":
        image = _mend_float_tiff(image)
    return deadline.watch(image)


def _opened(operation: str, data: bytes, **options: Any) -> pyvips.Image:
    """Open bytes where they are: as a buffer pyvips would copy them at each load, which took 5 % of a JPEG's render."""
    source = pyvips.Source.new_from_memory(data)
    image: pyvips.Image = pyvips.Operation.call(operation, source, access="sequential", **options)
    # As pyvips does for its own ways to open things: what is made of the picture inherits it, so the bytes stay.
    image._references.append(source)  # noqa: SLF001
    return image


def _loader(name: str, config: EngineConfig, *, shrink: float, pages: int) -> tuple[str, dict[str, Any]]:
    match name:
        case "jpeg":
            return "jpegload_source", {"shrink": int(shrink)} if shrink > 1 else {}
        case "png":
            return "pngload_source", {"unlimited": True} if config.png_unlimited else {}
        case "webp":
            return "webpload_source", {"scale": 1.0 / shrink, "n": pages}
        case "gif":
            return "gifload_source", {"n": pages}
        case "svg":
            # In this order of operations: the last bit can decide how a size is rounded.
            scale = 1.0 / shrink * POINT_DPI / SVG_DPI
            return "svgload_source", {"dpi": SVG_DPI, "scale": scale, "unlimited": config.svg_unlimited}
        case "tiff":
            return "tiffload_source", {"n": pages, "unlimited": config.tiff_unlimited}
        case _:
            return "heifload_source", {}


def load_thumbnail(data: bytes, *, deadline: Deadline) -> pyvips.Image:
    """Open the thumbnail inside an AVIF or HEIC, the picture itself when there is none."""
    return deadline.watch(_opened("heifload_source", data, thumbnail=True))


def reload_animated(
    opened: Opened, data: bytes, *, intent: Intent, config: EngineConfig, deadline: Deadline
) -> pyvips.Image:
    """Open all the pages that the limits allow, one below the other."""
    pages = min(opened.image.get_n_pages(), intent.limits.max_animation_frames)
    return load(data, opened.format, config=config, deadline=deadline, limits=intent.limits, pages=pages)


def upright_size(image: pyvips.Image, *, page_height: int) -> tuple[int, int]:
    """Give width and height of one page as EXIF wants it seen."""
    turned = tags.orientation(image) in (5, 6, 7, 8)
    return (page_height, image.width) if turned else (image.width, page_height)


def check_size(width: int, height: int, *, pages: int, limits: Limits) -> None:
    """Refuse a source with too many pixels; raises ImageRefused (422)."""
    per_frame = pages > 1 and limits.max_animation_frame_pixels > 0
    bound = limits.max_animation_frame_pixels if per_frame else limits.max_src_pixels
    pixels = width * height * (1 if per_frame else pages)
    if bound and pixels > bound:
        raise ImageRefused(
            f"The source has {pixels} pixels; at most {bound} are read.",
            got=f"{width}x{height}" + (f", {pages} frames" if pages > 1 else ""),
            expected=f"at most {bound} pixels",
        )


def _check_bands(image: pyvips.Image) -> None:
    if image.bands > _MAX_BANDS:
        raise ImageRefused(
            f"The source has {image.bands} channels; at most {_MAX_BANDS} are read.",
            got=f"{image.bands} channels",
            expected=f"at most {_MAX_BANDS} channels",
        )


def _mend_float_tiff(image: pyvips.Image) -> pyvips.Image:
    """Turn a linear grey TIFF, which libvips takes for gamma-coded, into 16-bit grey."""
    if image.interpretation not in ("b-w", "grey16") or image.format not in ("float", "double"):
        return image
    grey = image[0]
    coded = grey.bandjoin(grey).bandjoin(grey).colourspace("grey16", source_space="scrgb")
    if image.bands > 1:
        alpha = (image.extract_band(1, n=image.bands - 1) * 65535.0).cast("ushort").copy(interpretation="grey16")
        coded = coded.bandjoin(alpha)
    coded = coded.copy()
    tags.remove(coded, "icc-profile-data")
    return coded
