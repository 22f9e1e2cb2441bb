"""What a request wants of the engine, as plain values: no URL, no text, no pixels.

Options that only set a value (`width`, `quality`, …) name a field of Intent; the operator's settings give its defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from imgserve.spec.values import Colour, Gravity, ResizingType


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what one request may cost; 0 means no bound unless said otherwise."""

    max_src_pixels: int = 50_000_000
    max_src_bytes: int = 50 * 1024 * 1024
    max_animation_frames: int = 1
    #: Pixels of one frame; when > 0 it replaces max_src_pixels for animations.
    max_animation_frame_pixels: int = 0
    #: A larger result is scaled down to it (option and setting max_result_dimension of imgproxy).
    max_result_dimension: int = 0
    #: A result beyond these is refused (422), whatever the options say.
    max_result_side: int = 16_384
    max_result_pixels: int = 100_000_000


class Filtering(IntEnum):
    """What the filters of a request need of the picture; the largest need wins."""

    NONE = 0
    #: Filters that only move or drop pixels.
    STRAIGHT = 1
    #: Filters that mix neighbouring colours: without premultiplied alpha, transparent pixels would bleed in.
    PREMULTIPLIED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Everything the options and the operator's defaults say about one picture."""

    # Geometry; sizes in result pixels before `dpr`, 0 = automatic.
    resizing_type: ResizingType = ResizingType.FIT
    width: int = 0
    height: int = 0
    min_width: int = 0
    min_height: int = 0
    zoom_x: float = 1.0
    zoom_y: float = 1.0
    dpr: float = 1.0
    enlarge: bool = False
    extend: bool = False
    extend_gravity: Gravity = Gravity()
    extend_aspect_ratio: bool = False
    extend_aspect_ratio_gravity: Gravity = Gravity()
    gravity: Gravity = Gravity()
    #: Where the objects of a gravity by objects sit in what is cut out around them.
    objects_position: Gravity = Gravity()
    #: 0 = the whole side, < 1 = a share of the source, >= 1 = source pixels.
    crop_width: float = 0.0
    crop_height: float = 0.0
    #: None = the general gravity.
    crop_gravity: Gravity | None = None
    padding_top: int = 0
    padding_right: int = 0
    padding_bottom: int = 0
    padding_left: int = 0
    auto_rotate: bool = True
    #: Clockwise degrees, a multiple of 90, in 0..270.
    rotate: int = 0
    flip_horizontal: bool = False
    flip_vertical: bool = False
    #: Room that effects (a drop shadow) need around the picture inside width x height, in result pixels before `dpr`:
    #: top, right, bottom, left.
    margins: tuple[int, int, int, int] = (0, 0, 0, 0)
    #: An option makes parts of the result transparent, so a format that can hold it is chosen.
    transparent: bool = False
    filtering: Filtering = Filtering.NONE
    #: Something in the picture must not be recognised: it is never served as it is.
    conceals: bool = False

    # Colour and output.
    background: Colour | None = None
    #: A canonical format name, or None: chosen from the source and what the client accepts.
    format: str | None = None
    #: 0 = from format_quality, then the default of the format.
    quality: int = 0
    format_quality: Mapping[str, int] = field(default_factory=dict)
    max_bytes: int = 0
    strip_metadata: bool = True
    keep_copyright: bool = True
    strip_color_profile: bool = True
    preserve_hdr: bool = False
    enforce_thumbnail: bool = False
    skip_processing: tuple[str, ...] = ()
    #: Formats that the client accepts and the operator prefers, best first (negotiated, AUTO_*).
    preferred: tuple[str, ...] = ()
    #: Formats that win even over an explicit `format` (ENFORCE_*), best first.
    enforced: tuple[str, ...] = ()

    limits: Limits = Limits()
    #: Format of the source that a model's artefact stands for, "" = it is the source itself.
    source_format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """The operator's choices for the engine; the same for every request of a process."""

    quality: int = 80
    format_quality: Mapping[str, int] = field(default_factory=lambda: {"webp": 79, "avif": 63, "jxl": 77})
    jpeg_progressive: bool = False
    jpeg_no_subsample: bool = False
    jpeg_trellis_quant: bool = False
    jpeg_overshoot_deringing: bool = False
    jpeg_optimize_scans: bool = False
    jpeg_quant_table: int = 0
    png_interlaced: bool = False
    png_quantize: bool = False
    png_quantization_colors: int = 256
    #: A filter of libpng, or `auto`: by the picture (engine.scanlines).
    png_filter: str = "auto"
    png_compression: int = 6
    webp_effort: int = 2
    webp_preset: str = "default"
    webp_smart_subsample: bool = False
    avif_speed: int = 9
    #: `default` leaves it to libvips.
    avif_tune: str = "default"
    preferred_formats: tuple[str, ...] = ("jpeg", "png", "gif")
    always_rasterize_svg: bool = False
    sanitize_svg: bool = True
    use_linear_colorspace: bool = False
    disable_shrink_on_load: bool = False
    png_unlimited: bool = False
    svg_unlimited: bool = False
    tiff_unlimited: bool = False
    #: The encoded watermark picture, None = none configured; its opacity multiplies that of the option.
    watermark: bytes | None = None
    watermark_opacity: float = 1.0
