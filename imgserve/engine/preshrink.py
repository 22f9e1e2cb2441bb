"""Let the loader shrink: how far it may go, and the layout of what comes out (imgproxy, reference c.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from imgserve.engine.layout import Layout
from imgserve.engine.rounding import scale, shrink, to_even
from imgserve.spec.values import GravityType

#: JPEG decoders shrink by these for nothing; larger first.
JPEG_SHRINKS: Final = (8, 4, 2)


def preshrink(layout: Layout) -> float:
    """Give the factor by which the loader may shrink without the resize having to enlarge; below 1 it may enlarge."""
    return min(
        layout.width / max(1, scale(layout.width, layout.scale_x)),
        layout.height / max(1, scale(layout.height, layout.scale_y)),
    )


def jpeg_shrink(factor: float) -> int:
    """Give the largest factor that JPEG decoders know and that is not above `factor`."""
    return next((shrink for shrink in JPEG_SHRINKS if factor >= shrink), 1)


def preshrunk(layout: Layout, *, width: int, height: int) -> Layout:
    """Adjust a layout to a picture that came out of the loader smaller, now `width` x `height` upright."""
    down_x, down_y = layout.width / width, layout.height / height
    scale_x, scale_y = layout.scale_x * down_x, layout.scale_y * down_y
    gravity = layout.crop_gravity
    if gravity.type is not GravityType.FOCUS_POINT:
        # Rounded, or an offset of one pixel would become a share.
        gravity = replace(
            gravity,
            x=to_even(gravity.x / down_x) if abs(gravity.x) >= 1 else gravity.x,
            y=to_even(gravity.y / down_y) if abs(gravity.y) >= 1 else gravity.y,
        )
    return replace(
        layout,
        # Where the loader hit the size exactly, no second pass is needed.
        scale_x=1.0 if scale(width, scale_x) == width else scale_x,
        scale_y=1.0 if scale(height, scale_y) == height else scale_y,
        crop_width=max(1, shrink(layout.crop_width, down_x)) if layout.crop_width else 0,
        crop_height=max(1, shrink(layout.crop_height, down_y)) if layout.crop_height else 0,
        crop_gravity=gravity,
    )
