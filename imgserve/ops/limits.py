"""Options that move the bounds of one request; refused unless the operator permits them."""

from __future__ import annotations

import dataclasses

from imgserve.engine.intent import Intent
from imgserve.ops.behaviour import Setting
from imgserve.spec.op import Stage, op
from imgserve.spec.params import integer, number

#: Pixels in a megapixel, as imgproxy counts them.
MEGAPIXEL = 1_000_000


class Limit(Setting):
    """An option that replaces one field of Intent.limits."""

    def configure(self, intent: Intent) -> Intent:
        return dataclasses.replace(intent, limits=dataclasses.replace(intent.limits, **self.bounds()))

    def bounds(self) -> dict[str, int]:
        raise NotImplementedError


@op("max_src_resolution", "msr", stage=Stage.LIMITS, example="max_src_resolution:25", guarded=True)
class MaxSrcResolution(Limit):
    """Refuse sources with more pixels."""

    megapixels: float = number(min=0, doc="megapixels, 0 = no bound")

    def bounds(self) -> dict[str, int]:
        return {"max_src_pixels": int(self.megapixels * MEGAPIXEL)}


@op("max_src_file_size", "msfs", stage=Stage.LIMITS, example="max_src_file_size:10000000", guarded=True)
class MaxSrcFileSize(Limit):
    """Refuse sources with more bytes."""

    size_bytes: int = integer(min=0, doc="bytes, 0 = no bound")

    def bounds(self) -> dict[str, int]:
        return {"max_src_bytes": self.size_bytes}


@op("max_animation_frames", "maf", stage=Stage.LIMITS, example="max_animation_frames:50", guarded=True)
class MaxAnimationFrames(Limit):
    """Read at most this many frames of an animation."""

    frames: int = integer(min=1, doc="frames")

    def bounds(self) -> dict[str, int]:
        return {"max_animation_frames": self.frames}


@op(
    "max_animation_frame_resolution",
    "mafr",
    stage=Stage.LIMITS,
    example="max_animation_frame_resolution:2",
    guarded=True,
)
class MaxAnimationFrameResolution(Limit):
    """Refuse animations with more pixels a frame."""

    megapixels: float = number(min=0, doc="megapixels, 0 = no bound of its own")

    def bounds(self) -> dict[str, int]:
        return {"max_animation_frame_pixels": int(self.megapixels * MEGAPIXEL)}


@op("max_result_dimension", "mrd", stage=Stage.LIMITS, example="max_result_dimension:2000", guarded=True)
class MaxResultDimension(Limit):
    """Scale larger results down to this size."""

    pixels: int = integer(doc="pixels a side, 0 or less = no bound")

    def bounds(self) -> dict[str, int]:
        return {"max_result_dimension": max(0, self.pixels)}


OPS = (MaxSrcResolution, MaxSrcFileSize, MaxAnimationFrames, MaxAnimationFrameResolution, MaxResultDimension)
