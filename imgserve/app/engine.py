"""From settings to what the engine is told: defaults of every request, configuration, limits."""

from __future__ import annotations

from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.ops.limits import MEGAPIXEL
from imgserve.settings import Settings


def default_intent(settings: Settings) -> Intent:
    """Say what a URL without options wants."""
    processing = settings.processing
    return Intent(
        auto_rotate=processing.auto_rotate,
        strip_metadata=processing.strip_metadata,
        keep_copyright=processing.keep_copyright,
        strip_color_profile=processing.strip_color_profile,
        preserve_hdr=processing.preserve_hdr,
        enforce_thumbnail=processing.enforce_thumbnail,
        skip_processing=settings.negotiation.skip_processing_formats,
        limits=_limits(settings),
    )


def _limits(settings: Settings) -> Limits:
    limits = settings.limits
    return Limits(
        max_src_pixels=int(limits.max_src_resolution * MEGAPIXEL),
        max_src_bytes=limits.max_src_file_size,
        max_animation_frames=limits.max_animation_frames,
        max_animation_frame_pixels=int(limits.max_animation_frame_resolution * MEGAPIXEL),
        max_result_dimension=limits.max_result_dimension,
        max_result_side=limits.max_result_side,
        max_result_pixels=int(limits.max_result_resolution * MEGAPIXEL),
    )


def engine_config(settings: Settings, *, watermark: bytes | None) -> EngineConfig:
    """Say what holds for every request of a process."""
    encoding, processing, limits = settings.encoding, settings.processing, settings.limits
    return EngineConfig(
        quality=encoding.quality,
        format_quality=dict(encoding.format_quality),
        jpeg_progressive=encoding.jpeg_progressive,
        jpeg_no_subsample=encoding.jpeg_no_subsample,
        jpeg_trellis_quant=encoding.jpeg_trellis_quant,
        jpeg_overshoot_deringing=encoding.jpeg_overshoot_deringing,
        jpeg_optimize_scans=encoding.jpeg_optimize_scans,
        jpeg_quant_table=encoding.jpeg_quant_table,
        png_interlaced=encoding.png_interlaced,
        png_quantize=encoding.png_quantize,
        png_quantization_colors=encoding.png_quantization_colors,
        png_filter=encoding.png_filter,
        png_compression=encoding.png_compression,
        webp_effort=encoding.webp_effort,
        webp_preset=encoding.webp_preset,
        webp_smart_subsample=encoding.webp_smart_subsample,
        avif_speed=encoding.avif_speed,
        avif_tune=encoding.avif_tune,
        preferred_formats=settings.negotiation.preferred_formats,
        always_rasterize_svg=settings.negotiation.always_rasterize_svg,
        sanitize_svg=settings.security.sanitize_svg,
        use_linear_colorspace=processing.use_linear_colorspace,
        disable_shrink_on_load=processing.disable_shrink_on_load,
        png_unlimited=limits.png_unlimited,
        svg_unlimited=limits.svg_unlimited,
        tiff_unlimited=limits.tiff_unlimited,
        watermark=watermark,
        watermark_opacity=settings.watermark.watermark_opacity,
    )
