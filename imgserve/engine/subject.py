"""A source that facts are measured in: its head, and one small picture of it for all that look at pixels."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, Final

from imgserve.engine import geometry
from imgserve.engine.deadline import Deadline
from imgserve.engine.formats import FORMATS
from imgserve.engine.frame import Frame
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.engine.load import Opened, load
from imgserve.engine.pipeline import first_frame, run_stages
from imgserve.engine.placement import Box
from imgserve.engine.small import Small
from imgserve.spec.values import Gravity, GravityType

#: What the most demanding facts need: a placeholder of 64 pixels whose height may be four times its width, and the
#: places of a crop to a fraction of a percent. One size for all, so that no fact depends on what else is asked for.
SMALL_SIDE: Final = 256

#: Alpha of opaque pixels, by the space that they are in; 255 in all others.
_OPAQUE: Final = {"rgb16": 65535, "grey16": 65535, "scrgb": 1}


class Subject:
    """Opened within `engine.header.open_header`, and of use as long as that is."""

    def __init__(
        self, data: bytes, opened: Opened, *, limits: Limits, config: EngineConfig, deadline: Deadline
    ) -> None:
        self.opened = opened
        self._data = data
        # Bounds on results are for what is made of it: a panorama may be cut to a thumbnail.
        self._limits = dataclasses.replace(
            limits, max_animation_frames=1, max_result_dimension=0, max_result_side=0, max_result_pixels=0
        )
        self._config = config
        self._deadline = deadline

    @cached_property
    def small(self) -> Small:
        """Decode the first page, as small as its decoder gives it: upright, sRGB, with alpha where there is some."""
        # PNG holds whatever there may be, transparency too; nothing is encoded.
        intent = Intent(format="png", width=SMALL_SIDE, height=SMALL_SIDE, strip_metadata=False, limits=self._limits)
        return Small.of(run_stages(self._frame(intent), [], {}).image)

    def _frame(self, intent: Intent) -> Frame:
        frame, _ = first_frame(self._data, self.opened, intent=intent, config=self._config, deadline=self._deadline)
        return frame

    @property
    def has_alpha(self) -> bool:
        return bool(self.opened.image.hasalpha())

    def is_transparent(self) -> bool:
        """Tell whether any pixel lets something through; a few in a large picture show only at its full size."""
        if not self.has_alpha:
            return False
        if self.small.has_alpha:
            return True
        return not FORMATS[self.opened.format].vector and self._least_alpha_is_less()

    def _least_alpha_is_less(self) -> bool:
        image = load(self._data, self.opened.format, config=self._config, deadline=self._deadline, limits=self._limits)
        opaque = _OPAQUE.get(str(image.interpretation), 255)
        least: Any = image[image.bands - 1].min()
        return bool(least < opaque)

    def cut(self, width: float, height: float, gravity: Gravity) -> Box:
        """Give what a crop of this size takes, in shares of the upright picture."""
        intent = Intent(format="png", crop_width=width, crop_height=height, crop_gravity=gravity, limits=self._limits)
        frame = self._frame(intent)
        if gravity.type is GravityType.SMART:
            layout = frame.layout
            return self.small.smart_cut(
                _share(layout.crop_width, layout.width), _share(layout.crop_height, layout.height)
            )
        # No pixel is read for it: libvips cuts when it is asked for the result.
        return _seen(geometry.crop(frame))


def _share(part: int, whole: int) -> float:
    """Give the share of a side that a crop takes; 0 stands for all of it, as more than there is does."""
    return min(1.0, part / whole) if part else 1.0


def _seen(frame: Frame) -> Box:
    """Give the part of the upright source that a frame shows, in shares of it."""
    placed = frame.placement
    along_x = sorted((edge - placed.x0) / placed.by_x for edge in (0, frame.image.width))
    along_y = sorted((edge - placed.y0) / placed.by_y for edge in (0, frame.image.height))
    if placed.swapped:
        along_x, along_y = along_y, along_x
    return Box(along_x[0], along_y[0], along_x[1], along_y[1])
