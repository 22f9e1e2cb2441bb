"""Which format the result has, and whether the source is served as it is (imgproxy, reference c.12)."""

from __future__ import annotations

from collections.abc import Iterable

from imgserve.engine.formats import FORMATS
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.errors import ImageRefused


def passes_through(source_format: str, *, intent: Intent, config: EngineConfig) -> bool:
    """Tell whether the source's own bytes are the answer; raises ImageRefused where they show what must be hidden."""
    through = _passes_through(source_format, intent=intent, config=config)
    if through and intent.conceals:
        raise ImageRefused(
            "The source would be served as it is, with what is to be hidden in it; ask for another format.",
            where="format",
            got=source_format,
            expected="a format that the picture is rendered for",
        )
    return through


def _passes_through(source_format: str, *, intent: Intent, config: EngineConfig) -> bool:
    skipped = source_format in intent.skip_processing
    if source_format != "svg":
        return skipped and intent.format in (None, source_format)
    if intent.format is None:
        return not config.always_rasterize_svg or skipped
    return intent.format == "svg"


def choose_format(
    source_format: str, *, intent: Intent, config: EngineConfig, animated: bool, transparent: bool
) -> str:
    """Name the format of the result: asked for, negotiated, the source's, or the first that can hold the picture.

    Raises ImageRefused when the format asked for cannot be made.
    """
    name = _wanted(source_format, intent=intent, config=config, animated=animated, transparent=transparent)
    if not FORMATS[name].save:
        raise ImageRefused(
            f"This server cannot make {name.upper()} of this image; ask for another format.",
            where="format",
            got=name,
            expected=", ".join(one.name for one in FORMATS.values() if one.save),
        )
    return name


def _wanted(source_format: str, *, intent: Intent, config: EngineConfig, animated: bool, transparent: bool) -> str:
    if intent.format is not None:
        if intent.format == "svg":
            return "svg"
        return _first_savable(intent.enforced, animated=animated) or intent.format
    negotiated = _first_savable((*intent.preferred, *intent.enforced), animated=animated)
    if negotiated:
        return negotiated
    # imgproxy keeps the source's format even when padding or `extend` make parts transparent; our own effects would be
    # lost with that.
    holds = FORMATS[source_format].alpha or not intent.transparent or intent.background is not None
    if source_format in config.preferred_formats and FORMATS[source_format].save and holds:
        return source_format
    for name in config.preferred_formats:
        kind = FORMATS[name]
        if (kind.animation_save or not animated) and (kind.alpha or not transparent) and kind.save:
            return name
    return next(iter(config.preferred_formats), "png" if transparent else "jpeg")


def _first_savable(names: Iterable[str], *, animated: bool) -> str | None:
    for name in names:
        kind = FORMATS[name]
        if kind.save and (kind.animation_save or not animated):
            return name
    return None
