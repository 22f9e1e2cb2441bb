"""The watermark: the operator's picture over the result."""

from __future__ import annotations

import dataclasses

import pyvips

from imgserve.engine import geometry, tags
from imgserve.engine.colour import to_working_space
from imgserve.engine.frame import Frame
from imgserve.engine.intent import Intent
from imgserve.engine.layout import solve
from imgserve.engine.load import check_size, detect, load
from imgserve.engine.position import position
from imgserve.engine.rounding import scale_to_even, to_even
from imgserve.ops.behaviour import Transform
from imgserve.spec.op import Op, Pages, Stage, op
from imgserve.spec.params import choice, number
from imgserve.spec.shapes import COMPASS
from imgserve.spec.values import Gravity, GravityType, ResizingType

REPLICATE = GravityType.REPLICATE

_GREY = ("b-w", "grey16")


@op("watermark", "wm", stage=Stage.OVERLAY, example="watermark:0.5:soea:10:10:0.2", pages=Pages.WHOLE, spare=2)
class Watermark(Transform):
    """Put the operator's watermark over the picture; `re` tiles it over the whole of it."""

    opacity: float | None = number(min=0, max=1, default=None, doc="0 = off, times the operator's")
    position: str | None = choice(
        *(kind.value for kind in (*COMPASS, REPLICATE)), default=None, doc="where it sits, centre if left out"
    )
    x: float | None = number(default=None, doc="offset, or the space between tiles: pixels, below 1 a share")
    y: float | None = number(default=None, doc="the same for the other axis")
    scale: float | None = number(min=0, default=None, doc="share of the picture that it fits into, 0 = natural size")

    def apply(self, frame: Frame) -> Frame:
        data = frame.config.watermark
        opacity = (self.opacity or 0.0) * frame.config.watermark_opacity
        if data is None or opacity <= 0:
            return frame
        width, height = frame.image.width, frame.image.height // frame.pages
        mark = self._prepared(frame, data, width, height)
        if self.position == REPLICATE:
            mark = _tiled(mark, width, height, centred=True)
            if frame.pages > 1:
                mark = _tiled(mark, width, frame.image.height, centred=False)
            return frame.with_image(_over(frame.image, mark, 0, 0, opacity=opacity))
        gravity = Gravity(GravityType(self.position or GravityType.CENTER), self.x or 0.0, self.y or 0.0)
        left, top = position(
            (width, height), (mark.width, mark.height), gravity=gravity, dpr=frame.layout.dpr, overflow=True
        )
        if frame.pages > 1:
            # It must not reach into the frame above or below.
            cut = max(0, -top)
            mark = mark.crop(0, cut, mark.width, min(mark.height - cut, height - max(0, top)))
            top = max(0, top)
        image = frame.image
        for page in range(frame.pages):
            image = _over(image, mark, left, top + page * height, opacity=opacity)
        return frame.with_image(image)

    def _prepared(self, frame: Frame, data: bytes, width: int, height: int) -> pyvips.Image:
        """Load, scale and turn the watermark as its own little render, without metadata."""
        name = detect(data)
        intent = self._intent(frame, width, height)
        image = load(data, name, config=frame.config, deadline=frame.deadline, limits=intent.limits)
        if name != "svg":
            check_size(image.width, image.height, pages=1, limits=intent.limits)
        layout = solve(
            intent, width=image.width, height=image.height, orientation=tags.orientation(image), vector=name == "svg"
        )
        mark = Frame(
            image=image,
            intent=intent,
            layout=layout,
            config=frame.config,
            deadline=frame.deadline,
            source_format=name,
            format=name,
            source=data,
        )
        steps = (geometry.shrink_on_load, to_working_space, geometry.scale, geometry.orient, geometry.pad)
        for step in steps:
            mark = step(mark)
        return _bare(mark.in_memory().image)

    def _intent(self, frame: Frame, width: int, height: int) -> Intent:
        share = self.scale or 0.0
        intent = Intent(
            resizing_type=ResizingType.FIT,
            enlarge=True,
            width=max(1, scale_to_even(width, share)) if share else 0,
            height=max(1, scale_to_even(height, share)) if share else 0,
            preserve_hdr=frame.intent.preserve_hdr,
            limits=dataclasses.replace(frame.intent.limits, max_result_dimension=0),
        )
        if self.position != REPLICATE:
            return intent
        between_x = _space(self.x or 0.0, width, frame.layout.dpr)
        between_y = _space(self.y or 0.0, height, frame.layout.dpr)
        return dataclasses.replace(
            intent,
            padding_left=int(between_x / 2),
            padding_right=between_x - int(between_x / 2),
            padding_top=int(between_y / 2),
            padding_bottom=between_y - int(between_y / 2),
        )


def _space(offset: float, size: int, dpr: float) -> int:
    return to_even(offset * dpr) if abs(offset) >= 1 else scale_to_even(size, offset)


def _bare(image: pyvips.Image) -> pyvips.Image:
    image = image.copy()
    for name in image.get_fields():
        # What a picture cannot be without (width, bands, …) stays: `remove` leaves it alone.
        image.remove(name)
    return image


def _tiled(image: pyvips.Image, width: int, height: int, *, centred: bool) -> pyvips.Image:
    across, down = -(-width // image.width), -(-height // image.height)
    if centred:
        # An odd number has one in the middle.
        across, down = across | 1, down | 1
    tiles = image.replicate(across, down)
    left = (tiles.width - width) // 2 if centred else 0
    top = (tiles.height - height) // 2 if centred else 0
    return tiles.crop(left, top, width, height)


def _over(image: pyvips.Image, mark: pyvips.Image, left: int, top: int, *, opacity: float) -> pyvips.Image:
    """Compose in the picture's own space and format; a colourful mark makes a grey picture colourful."""
    if not mark.hasalpha():
        mark = mark.addalpha()
    if opacity < 1:
        colours = mark.extract_band(0, n=mark.bands - 1)
        mark = colours.bandjoin(mark[mark.bands - 1].linear([opacity], [0.0]))
    space = image.interpretation
    if space in _GREY and mark.interpretation not in _GREY:
        space = "srgb" if space == "b-w" else "rgb16"
    had_alpha = image.hasalpha()
    out = image.composite2(mark, "over", x=left, y=top, compositing_space=space).cast(image.format)
    return out if had_alpha or not out.hasalpha() else out.extract_band(0, n=out.bands - 1)


OPS: tuple[type[Op], ...] = (Watermark,)
