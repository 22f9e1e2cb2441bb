"""What surrounds the filters, so that all of them see the same kind of pixels (imgproxy, reference c.8)."""

from __future__ import annotations

from collections.abc import Sequence

from imgserve.engine.colour import to_space
from imgserve.engine.frame import Frame, Transform
from imgserve.engine.intent import Filtering


def run_filters(frame: Frame, filters: Sequence[Transform]) -> Frame:
    """Run the filters on sRGB in memory, premultiplied when one of them mixes neighbouring pixels."""
    need = frame.intent.filtering
    if need is Filtering.NONE:
        return frame
    frame = to_space(frame.in_memory(), "srgb")
    band_format = frame.image.format
    premultiplied = need is Filtering.PREMULTIPLIED and frame.image.hasalpha()
    if premultiplied:
        frame = frame.with_image(frame.image.premultiply().cast(band_format))
    for one in filters:
        frame = one.apply(frame)
    image = frame.image
    if premultiplied:
        image = image.unpremultiply()
    if image.interpretation != "srgb":
        image = image.colourspace("srgb")
    return frame.with_image(image if image.format == band_format else image.cast(band_format)).in_memory()
