"""Solve the geometry of one picture from numbers alone: no pixels, no libvips.

`solve` answers every question of size that the pipeline will ask, so that a result which would be too large is refused
before any pixel is made. The arithmetic is imgproxy's (reference c.1 to c.4), to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from imgserve.engine.intent import Intent, Limits
from imgserve.engine.rounding import min_non_zero, scale, scale_to_even
from imgserve.errors import ImageRefused
from imgserve.spec.values import Gravity, ResizingType

#: EXIF orientation -> clockwise degrees, and mirrored left to right afterwards.
EXIF_ANGLES: Final = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
EXIF_MIRRORED: Final = (2, 4, 5, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All sizes of one render, in pixels; the axes are those of the result (after EXIF and `rotate`)."""

    #: The picture as it enters, upright.
    width: int
    height: int
    #: Clockwise degrees of EXIF, and whether EXIF mirrors left to right after that.
    angle: int
    mirror: bool
    #: The cut out of the source; 0 = none on this side.
    crop_width: int
    crop_height: int
    crop_gravity: Gravity
    #: Factors of the resize; 1 and 1 = none.
    scale_x: float
    scale_y: float
    #: `dpr`, less what the source is too small for; offsets, padding and margins are multiplied by it.
    dpr: float
    #: What was asked for; 0 = automatic.
    target_width: int
    target_height: int
    #: After crop and resize.
    scaled_width: int
    scaled_height: int
    #: The cut to the result; 0 = none on this side.
    fit_width: int
    fit_height: int
    #: The canvas of the wanted aspect ratio; 0 = not needed.
    canvas_width: int
    canvas_height: int
    #: Room for effects and padding: top, right, bottom, left.
    margins: tuple[int, int, int, int]
    padding: tuple[int, int, int, int]
    #: What comes out.
    result_width: int
    result_height: int

    def turned(self, rotate: int) -> bool:
        """Tell whether width and height of the stored picture are swapped in the result."""
        return (self.angle + rotate) % 180 != 0


def exif_turn(orientation: int, *, auto_rotate: bool) -> tuple[int, bool]:
    """Give the clockwise angle and the mirroring that make a picture with this EXIF orientation upright."""
    if not auto_rotate:
        return 0, False
    return EXIF_ANGLES.get(orientation, 0), orientation in EXIF_MIRRORED


def solve(
    intent: Intent, *, width: int, height: int, orientation: int = 1, vector: bool = False, pages: int = 1
) -> Layout:
    """Lay out a picture that is stored as `width` x `height` pixels with an EXIF orientation of 1 to 8.

    A vector picture has no size of its own and may always be enlarged. Raises ImageRefused when the result, or the
    enlarged picture on the way to it, is beyond `intent.limits`; all `pages` of an animation count.
    """
    angle, mirror = exif_turn(orientation, auto_rotate=intent.auto_rotate)
    width, height = (height, width) if (angle + intent.rotate) % 180 else (width, height)
    crop_width, crop_height = crop_size(width, intent.crop_width), crop_size(height, intent.crop_height)
    source = (min_non_zero(crop_width, width), min_non_zero(crop_height, height))
    box = _box(intent)
    sizes = _limited(intent, box, source, _scales(intent, box, source, vector=vector))
    layout = Layout(
        width=width,
        height=height,
        angle=angle,
        mirror=mirror,
        crop_width=crop_width,
        crop_height=crop_height,
        crop_gravity=intent.gravity if intent.crop_gravity is None else intent.crop_gravity,
        scale_x=sizes.scales.x,
        scale_y=sizes.scales.y,
        dpr=sizes.scales.dpr,
        target_width=sizes.target[0],
        target_height=sizes.target[1],
        scaled_width=sizes.scaled[0],
        scaled_height=sizes.scaled[1],
        fit_width=sizes.fit[0],
        fit_height=sizes.fit[1],
        canvas_width=sizes.canvas[0],
        canvas_height=sizes.canvas[1],
        margins=sizes.margins,
        padding=sizes.padding,
        result_width=sizes.result[0],
        result_height=sizes.result[1],
    )
    _check(layout, intent.limits, pages=pages)
    return layout


def crop_size(size: int, wanted: float) -> int:
    """Give the pixels of a crop side: 0 = none, below 1 a share of `size`, else pixels."""
    if wanted == 0:
        return 0
    return int(wanted) if wanted >= 1 else max(1, scale(size, wanted))


@dataclass(frozen=True, slots=True)
class _Scales:
    x: float
    y: float
    dpr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    scales: _Scales
    target: tuple[int, int]
    scaled: tuple[int, int]
    fit: tuple[int, int]
    canvas: tuple[int, int]
    margins: tuple[int, int, int, int]
    padding: tuple[int, int, int, int]
    result: tuple[int, int]


def _box(intent: Intent) -> tuple[int, int]:
    """Give the wanted size less the room for effects; 0 = automatic."""
    top, right, bottom, left = intent.margins
    width = max(1, intent.width - left - right) if intent.width else 0
    return width, max(1, intent.height - top - bottom) if intent.height else 0


def _scales(intent: Intent, box: tuple[int, int], source: tuple[int, int], *, vector: bool) -> _Scales:
    source_width, source_height = source
    shrink_x, shrink_y = _shrinks(intent, box, source)
    shrink_x /= intent.zoom_x
    shrink_y /= intent.zoom_y
    dpr = intent.dpr
    if not intent.enlarge and not vector:
        least = min(shrink_x, shrink_y)
        if least < 1:
            shrink_x /= least
            shrink_y /= least
            # The source is too small for the target already: a dpr below 1 must not take more away. With `extend`
            # the composition stays the same at every dpr instead.
            if not intent.extend:
                dpr /= least
        dpr = min(dpr, shrink_x, shrink_y)
    if intent.min_width and source_width / intent.min_width < shrink_x:
        shrink_y /= shrink_x / (source_width / intent.min_width)
        shrink_x = source_width / intent.min_width
    if intent.min_height and source_height / intent.min_height < shrink_y:
        shrink_x /= shrink_y / (source_height / intent.min_height)
        shrink_y = source_height / intent.min_height
    return _Scales(1.0 / min(shrink_x / dpr, source_width), 1.0 / min(shrink_y / dpr, source_height), dpr)


def _shrinks(intent: Intent, box: tuple[int, int], source: tuple[int, int]) -> tuple[float, float]:
    width, height = box[0] or source[0], box[1] or source[1]
    shrink_x, shrink_y = source[0] / width, source[1] / height
    if shrink_x == 1 and shrink_y == 1:
        return shrink_x, shrink_y
    kind = intent.resizing_type
    if kind is ResizingType.AUTO:
        same = (source[0] - source[1] >= 0) == (width - height >= 0)
        kind = ResizingType.FILL if same else ResizingType.FIT
    if kind is ResizingType.FORCE:
        return shrink_x, shrink_y
    if not box[0]:
        return shrink_y, shrink_y
    if not box[1]:
        return shrink_x, shrink_x
    both = max(shrink_x, shrink_y) if kind is ResizingType.FIT else min(shrink_x, shrink_y)
    return both, both


def _sizes(intent: Intent, box: tuple[int, int], source: tuple[int, int], scales: _Scales) -> _Sizes:
    target = scale(box[0], scales.dpr * intent.zoom_x), scale(box[1], scales.dpr * intent.zoom_y)
    scaled = scale(source[0], scales.x), scale(source[1], scales.y)
    fit = target
    if intent.resizing_type is ResizingType.FILL_DOWN and not intent.enlarge:
        fit = _fill_down(target, scaled)
    out = min_non_zero(scaled[0], fit[0]), min_non_zero(scaled[1], fit[1])
    canvas = _aspect_canvas(target, out) if intent.extend_aspect_ratio and all(target) else (0, 0)
    if intent.extend:
        out = max(out[0], target[0]), max(out[1], target[1])
    if intent.extend_aspect_ratio:
        out = max(out[0], canvas[0]), max(out[1], canvas[1])
    margins = _margins(intent, target, out, scales.dpr)
    padding = (
        scale_to_even(intent.padding_top, scales.dpr),
        scale_to_even(intent.padding_right, scales.dpr),
        scale_to_even(intent.padding_bottom, scales.dpr),
        scale_to_even(intent.padding_left, scales.dpr),
    )
    result = (
        out[0] + margins[1] + margins[3] + padding[1] + padding[3],
        out[1] + margins[0] + margins[2] + padding[0] + padding[2],
    )
    return _Sizes(
        scales=scales,
        target=target,
        scaled=scaled,
        fit=fit,
        canvas=canvas,
        margins=margins,
        padding=padding,
        result=result,
    )


def _fill_down(target: tuple[int, int], scaled: tuple[int, int]) -> tuple[int, int]:
    """Give the largest box of the target's aspect ratio inside the scaled picture, where that is too small."""
    over_x, over_y = target[0] / scaled[0], target[1] / scaled[1]
    if over_x > over_y and over_x > 1:
        return scaled[0], scale(scaled[0], target[1] / target[0])
    if over_y > over_x and over_y > 1:
        return scale(scaled[1], target[0] / target[1]), scaled[1]
    return target


def _aspect_canvas(target: tuple[int, int], out: tuple[int, int]) -> tuple[int, int]:
    """Give the smallest box of the target's aspect ratio around `out`, (0, 0) when `out` has it."""
    over_x, over_y = target[0] / out[0], target[1] / out[1]
    if over_y > over_x:
        return out[0], scale(out[0], target[1] / target[0])
    if over_x > over_y:
        return scale(out[1], target[0] / target[1]), out[1]
    return 0, 0


def _margins(intent: Intent, target: tuple[int, int], out: tuple[int, int], dpr: float) -> tuple[int, int, int, int]:
    if not any(intent.margins):
        return intent.margins
    top, right, bottom, left = (scale_to_even(margin, dpr) for margin in intent.margins)
    if intent.width and out[0] >= target[0] - 1:
        left, right = _shared(scale(intent.width, dpr * intent.zoom_x) - out[0], left)
    if intent.height and out[1] >= target[1] - 1:
        top, bottom = _shared(scale(intent.height, dpr * intent.zoom_y) - out[1], top)
    return top, right, bottom, left


def _shared(room: int, near: int) -> tuple[int, int]:
    """Share the room of one axis: rounding box and margins one by one may miss its size by a pixel."""
    near = min(near, max(0, room))
    return near, max(0, room) - near


def _limited(intent: Intent, box: tuple[int, int], source: tuple[int, int], scales: _Scales) -> _Sizes:
    sizes = _sizes(intent, box, source, scales)
    limit = intent.limits.max_result_dimension
    if limit <= 0 or max(sizes.result) <= limit:
        return sizes
    down = limit / max(sizes.result)
    smaller = _Scales(max(scales.x * down, 1.0 / source[0]), max(scales.y * down, 1.0 / source[1]), scales.dpr * down)
    return _sizes(intent, box, source, smaller)


def _check(layout: Layout, limits: Limits, *, pages: int) -> None:
    width, height = layout.result_width, layout.result_height
    if limits.max_result_side and max(width, height) > limits.max_result_side:
        raise ImageRefused(
            f"The result would be {width}x{height} pixels; a side may have at most {limits.max_result_side}.",
            where="size",
            got=f"{width}x{height}",
            expected=f"at most {limits.max_result_side} pixels a side",
        )
    enlarged = layout.scaled_width * layout.scaled_height if max(layout.scale_x, layout.scale_y) > 1 else 0
    if limits.max_result_pixels and pages * max(width * height, enlarged) > limits.max_result_pixels:
        raise ImageRefused(
            "The result would have too many pixels; ask for a smaller one.",
            where="size",
            got=f"{width}x{height}" + (f", {pages} frames" if pages > 1 else ""),
            expected=f"at most {limits.max_result_pixels} pixels",
        )
