"""How much time encoders take: the configuration for a request that somebody waits for, and for a machine that is idle.

What each choice saves and costs is in docs/performance.md, Encoder settings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from imgserve.engine.intent import EngineConfig

_SMALL_PNG_LEVEL: Final = 9
_SMALL_WEBP_EFFORT: Final = 6
#: Speed 7 saves as many bytes of a photograph in half the time, and fewer of soft pictures, at lower quality.
_SMALL_AVIF_SPEED: Final = 6
_FAST_PNG_LEVEL: Final = 6
_FAST_WEBP_EFFORT: Final = 2
_FAST_AVIF_SPEED: Final = 9


def small_config(config: EngineConfig) -> EngineConfig:
    """Give the configuration that takes several times as long for fewer bytes, at no lower quality.

    JPEG keeps its pixels exactly (progressive scans in their best order), PNG too; WebP and AVIF come nearer to the
    picture than with the default efforts. What the operator set higher stays so. Keep the smaller of the two results:
    on a noisy picture the PNG may come out a hair larger.
    """
    return replace(
        config,
        jpeg_progressive=True,
        jpeg_optimize_scans=True,
        png_compression=max(config.png_compression, _SMALL_PNG_LEVEL),
        webp_effort=max(config.webp_effort, _SMALL_WEBP_EFFORT),
        avif_speed=min(config.avif_speed, _SMALL_AVIF_SPEED),
    )


def fast_config(config: EngineConfig) -> EngineConfig:
    """Give the configuration for a first answer: the default efforts, or less where the operator set less.

    Nothing quicker is sensible: WebP's efforts 0 and 1 make files 9 to 15 % larger than effort 2 to save 10 to 20 % of
    a request, AVIF has no higher speed, and JPEG without optimized coding saves a tenth and may be a third larger.
    """
    return replace(
        config,
        jpeg_optimize_scans=False,
        jpeg_trellis_quant=False,
        png_compression=min(config.png_compression, _FAST_PNG_LEVEL),
        webp_effort=min(config.webp_effort, _FAST_WEBP_EFFORT),
        webp_smart_subsample=False,
        avif_speed=max(config.avif_speed, _FAST_AVIF_SPEED),
    )
