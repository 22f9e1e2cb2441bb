"""Options of the encoded result: format, quality, metadata, background."""

from __future__ import annotations

import dataclasses
from typing import Self

from imgserve.engine.intent import Intent
from imgserve.ops.behaviour import Setting
from imgserve.spec.op import Op, Stage, op
from imgserve.spec.params import colour, flag, format_values, image_format, image_formats, integer
from imgserve.spec.values import Colour


@op("background", "bg", stage=Stage.FLATTEN, example="background:ffddee")
class Background(Setting):
    """Put the picture on a colour, which takes the place of transparency; empty turns it off again."""

    background: Colour | None = colour(rgb=True, default=None, doc="hex digits or R:G:B, empty = off")

    def merge(self, earlier: Self) -> Self:
        # Empty means off, not "as before".
        return self

    def configure(self, intent: Intent) -> Intent:
        return dataclasses.replace(intent, background=self.background)


@op("strip_metadata", "sm", stage=Stage.STRIP, example="strip_metadata:1")
class StripMetadata(Setting):
    """Leave EXIF, IPTC and XMP out of the result."""

    strip_metadata: bool = flag(doc="whether to strip")


@op("keep_copyright", "kcr", stage=Stage.STRIP, example="keep_copyright:1")
class KeepCopyright(Setting):
    """Keep copyright and author when metadata is stripped."""

    keep_copyright: bool = flag(doc="whether to keep")


@op("strip_color_profile", "scp", stage=Stage.OUTPUT_SPACE, example="strip_color_profile:1")
class StripColorProfile(Setting):
    """Convert to sRGB and leave the colour profile out of the result."""

    strip_color_profile: bool = flag(doc="whether to strip")


@op("preserve_hdr", "ph", stage=Stage.WORKING_SPACE, example="preserve_hdr:1")
class PreserveHdr(Setting):
    """Keep 16 bits a channel where the result's format can hold them."""

    preserve_hdr: bool = flag(doc="whether to keep")


@op("enforce_thumbnail", "eth", stage=Stage.SHRINK, example="enforce_thumbnail:1")
class EnforceThumbnail(Setting):
    """Work on the thumbnail inside an AVIF or HEIC source when there is one."""

    enforce_thumbnail: bool = flag(doc="whether to use it")


@op("quality", "q", stage=Stage.ENCODE, example="quality:75")
class Quality(Setting):
    """The quality of lossy formats; 0 takes the default of the format."""

    quality: int = integer(min=0, max=100, doc="1 to 100, 0 = automatic")


@op("format_quality", "fq", stage=Stage.ENCODE, example="format_quality:jpeg:75:webp:70")
class FormatQuality(Setting):
    """Qualities for single formats, used where `quality` is not given."""

    format_quality: tuple[tuple[str, int], ...] = format_values(min=0, max=100, doc="format and quality in turn")

    def merge(self, earlier: Self) -> Self:
        return dataclasses.replace(
            self, format_quality=tuple({**dict(earlier.format_quality), **dict(self.format_quality)}.items())
        )

    def configure(self, intent: Intent) -> Intent:
        return dataclasses.replace(intent, format_quality={**intent.format_quality, **dict(self.format_quality)})


@op("max_bytes", "mb", stage=Stage.ENCODE, example="max_bytes:20000")
class MaxBytes(Setting):
    """Lower the quality until the result has at most this many bytes."""

    max_bytes: int = integer(min=0, doc="bytes, 0 = no bound")


@op("format", "f", "ext", stage=Stage.ENCODE, example="format:webp")
class Format(Setting):
    """The format of the result; without it the best one that the client accepts, or the source's."""

    format: str = image_format(doc="a format name")


@op("negotiate", "ng", stage=Stage.ENCODE, example="negotiate:1", own=True)
class Negotiate(Op):
    """Answer with the best of AVIF and WebP that the client accepts, where the URL names no format.

    It does for one URL what IMGSERVE_AUTO_AVIF and IMGSERVE_AUTO_WEBP do for all.
    """

    negotiate: bool = flag(doc="whether to negotiate")


@op("skip_processing", "skp", stage=Stage.SHRINK, example="skip_processing:svg:gif")
class SkipProcessing(Setting):
    """Serve sources of these formats as they are."""

    skip_processing: tuple[str, ...] = image_formats(doc="format names")

    def merge(self, earlier: Self) -> Self:
        # imgproxy adds to the list.
        return dataclasses.replace(
            self, skip_processing=tuple(dict.fromkeys((*earlier.skip_processing, *self.skip_processing)))
        )

    def configure(self, intent: Intent) -> Intent:
        return dataclasses.replace(intent, skip_processing=(*intent.skip_processing, *self.skip_processing))


@op("raw", stage=Stage.SHRINK, example="raw:1")
class Raw(Op):
    """Stream the source's bytes untouched."""

    raw: bool = flag(doc="whether to stream")


OPS: tuple[type[Op], ...] = (
    Background,
    StripMetadata,
    KeepCopyright,
    StripColorProfile,
    PreserveHdr,
    EnforceThumbnail,
    Quality,
    FormatQuality,
    MaxBytes,
    Format,
    Negotiate,
    SkipProcessing,
    Raw,
)
