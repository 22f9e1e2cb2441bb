"""Steps that move, scale, turn and surround the picture; sizes come from the layout."""

from __future__ import annotations

from dataclasses import replace

import pyvips

from imgserve.engine import colour, tags
from imgserve.engine.formats import FORMATS
from imgserve.engine.frame import Frame
from imgserve.engine.layout import exif_turn
from imgserve.engine.load import load, load_thumbnail
from imgserve.engine.objects import around
from imgserve.engine.placement import oriented
from imgserve.engine.position import before_orientation, position
from imgserve.engine.preshrink import jpeg_shrink, preshrink, preshrunk
from imgserve.engine.rounding import min_non_zero
from imgserve.spec.values import Gravity, GravityType


def loader_shrink(frame: Frame) -> float:
    """Give the factor by which the frame's source would be loaded smaller; 1 when it is read as it is.

    An AVIF or HEIC may turn out to have no thumbnail of a useful size, and is then read as it is after all.
    """
    if frame.source is None:
        return 1.0
    factor = preshrink(frame.layout) * frame.vector_shrink
    kind = FORMATS[frame.source_format]
    if kind.vector:
        return factor
    if factor <= 1 or frame.config.disable_shrink_on_load:
        return 1.0
    if frame.source_format == "jpeg":
        return jpeg_shrink(factor)
    return factor if kind.thumbnail or frame.source_format == "webp" else 1.0


def shrink_on_load(frame: Frame) -> Frame:
    """Load the source again, smaller, where its loader can do part of the scaling."""
    factor = loader_shrink(frame)
    if frame.source is None or factor == 1:
        return frame
    if FORMATS[frame.source_format].thumbnail:
        try:
            smaller = load_thumbnail(frame.source, deadline=frame.deadline)
        except pyvips.Error:
            # A broken thumbnail is no loss: the picture itself is there.
            return frame
    else:
        smaller = load(
            frame.source,
            frame.source_format,
            config=frame.config,
            deadline=frame.deadline,
            limits=frame.intent.limits,
            shrink=factor,
        )
    return take_smaller(frame, smaller, factor)


def take_smaller(frame: Frame, smaller: pyvips.Image, factor: float) -> Frame:
    """Give the frame with a picture of the whole source that is about `factor` times smaller, laid out for it."""
    layout = frame.layout
    angle, mirror = exif_turn(tags.orientation(smaller), auto_rotate=frame.intent.auto_rotate)
    turned = (angle + frame.intent.rotate) % 180 != 0
    width, height = (smaller.height, smaller.width) if turned else (smaller.width, smaller.height)
    down = (layout.width / width, layout.height / height)
    if FORMATS[frame.source_format].thumbnail and (min(down) <= 1 or max(down) > factor):
        # There is no thumbnail, or it is too small.
        return frame
    layout = replace(preshrunk(layout, width=width, height=height), angle=angle, mirror=mirror)
    return replace(frame.resized(smaller), layout=layout)


def crop(frame: Frame) -> Frame:
    """Cut the wanted part out of the source, in the source's own orientation."""
    layout, intent = frame.layout, frame.intent
    width, height = layout.crop_width, layout.crop_height
    if not width and not height:
        return frame
    gravity = before_orientation(
        layout.crop_gravity, angle=intent.rotate, mirror_x=intent.flip_horizontal, mirror_y=intent.flip_vertical
    )
    gravity = before_orientation(gravity, angle=layout.angle, mirror_x=layout.mirror, mirror_y=False)
    if layout.turned(intent.rotate):
        width, height = height, width
    at = before_orientation(
        intent.objects_position, angle=intent.rotate, mirror_x=intent.flip_horizontal, mirror_y=intent.flip_vertical
    )
    at = before_orientation(at, angle=layout.angle, mirror_x=layout.mirror, mirror_y=False)
    return _cut(frame, width, height, gravity=gravity, objects_at=at, dpr=1.0)


def fit(frame: Frame) -> Frame:
    """Cut what hangs over the wanted result."""
    layout = frame.layout
    if not layout.fit_width and not layout.fit_height:
        return frame
    gravity, at = frame.intent.gravity, frame.intent.objects_position
    return _cut(frame, layout.fit_width, layout.fit_height, gravity=gravity, objects_at=at, dpr=layout.dpr)


def _cut(frame: Frame, width: int, height: int, *, gravity: Gravity, objects_at: Gravity, dpr: float) -> Frame:
    outer = frame.image.width, frame.image.height
    inner = min_non_zero(width, outer[0]), min_non_zero(height, outer[1])
    if inner[0] >= outer[0] and inner[1] >= outer[1]:
        return frame
    things = frame.things(gravity.classes) if gravity.by_objects else []
    if things:
        left, top = around(things, outer, inner, at=objects_at, dpr=dpr)
    elif gravity.by_objects or gravity.type is GravityType.SMART:
        return _smart_cut(frame, inner)
    else:
        left, top = position(outer, inner, gravity=gravity, dpr=dpr)
    return frame.cropped(left, top, *inner)


def _smart_cut(frame: Frame, inner: tuple[int, int]) -> Frame:
    # The search reads all pixels before the cut does.
    frame = frame.in_memory()
    image = frame.image.smartcrop(*inner)
    # libvips notes where a cut was made, as what has to be added to come back.
    return replace(frame, image=image, placement=frame.placement.moved(image.xoffset, image.yoffset))


def scale(frame: Frame) -> Frame:
    """Resize by the layout's factors."""
    layout = frame.layout
    if layout.scale_x == 1 and layout.scale_y == 1:
        return frame
    factors = (layout.scale_x, layout.scale_y)
    if layout.turned(frame.intent.rotate):
        factors = factors[::-1]
    if not frame.config.use_linear_colorspace:
        return frame.resized(resize(frame.image, *factors))
    space = str(frame.image.interpretation)
    frame = colour.to_space(colour.import_profile(frame), "scrgb")
    return colour.to_space(frame.resized(resize(frame.image, *factors)), space)


def resize(image: pyvips.Image, factor_x: float, factor_y: float) -> pyvips.Image:
    """Resize with Lanczos; colours of transparent pixels do not bleed."""
    if not image.hasalpha():
        return image.resize(factor_x, vscale=factor_y)
    band_format = image.format
    scaled = image.premultiply().cast(band_format).resize(factor_x, vscale=factor_y)
    return scaled.unpremultiply().cast(band_format)


def orient(frame: Frame) -> Frame:
    """Turn upright by EXIF, then as the request says."""
    layout, intent = frame.layout, frame.intent
    if not (layout.angle or layout.mirror or intent.rotate or intent.flip_horizontal or intent.flip_vertical):
        return frame
    frame = frame.in_memory()
    placement = oriented(frame.placement, (frame.image.width, frame.image.height), layout=layout, intent=intent)
    image = _turned(frame.image, layout.angle)
    if layout.mirror:
        image = image.flip("horizontal")
    image = _turned(image, intent.rotate)
    if intent.flip_horizontal:
        image = image.flip("horizontal")
    if intent.flip_vertical:
        image = image.flip("vertical")
    # The flips and turns made a picture of its own, so the tags can go without a copy.
    tags.remove(image, "orientation", "exif-ifd0-Orientation")
    return replace(frame, image=image, placement=placement)


def _turned(image: pyvips.Image, angle: int) -> pyvips.Image:
    return image.rot(f"d{angle}") if angle else image


def extend(frame: Frame) -> Frame:
    """Fill up to the wanted size, and to the wanted aspect ratio, with transparency."""
    layout, intent = frame.layout, frame.intent
    if intent.extend:
        frame = _extended(frame, layout.target_width, layout.target_height, intent.extend_gravity)
    if layout.canvas_width and layout.canvas_height:
        frame = _extended(frame, layout.canvas_width, layout.canvas_height, intent.extend_aspect_ratio_gravity)
    return frame


def _extended(frame: Frame, width: int, height: int, gravity: Gravity) -> Frame:
    inner = frame.image.width, frame.image.height
    if width <= inner[0] and height <= inner[1]:
        return frame
    outer = width or inner[0], height or inner[1]
    left, top = position(outer, inner, gravity=gravity, dpr=frame.layout.dpr)
    return frame.with_image(embed(frame.image, left, top, *outer))


def pad(frame: Frame) -> Frame:
    """Add the padding, transparent."""
    intent = frame.intent
    if not (intent.padding_top or intent.padding_right or intent.padding_bottom or intent.padding_left):
        return frame
    top, right, bottom, left = frame.layout.padding
    image = frame.image
    return frame.with_image(embed(image, left, top, image.width + left + right, image.height + top + bottom))


def embed(image: pyvips.Image, left: int, top: int, width: int, height: int) -> pyvips.Image:
    """Put the picture on a transparent canvas."""
    if not image.hasalpha():
        image = image.addalpha()
    return image.embed(left, top, width, height, extend="black")


def limit(frame: Frame) -> Frame:
    """Shrink to what the result's format can hold."""
    kind = FORMATS[frame.format]
    if not kind.max_side and not kind.max_pixels:
        return frame
    width, height = frame.image.width, frame.image.height
    over = max(width, height) / kind.max_side if kind.max_side else 0.0
    factor = 1.0 / over if over > 1 else 1.0
    if kind.max_pixels:
        over = max(over, width * height / kind.max_pixels)
        factor = (1.0 / over) ** 0.5 if over > 1 else 1.0
    return frame if factor == 1 else frame.with_image(resize(frame.image, factor, factor))
