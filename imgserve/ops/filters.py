"""Options that filter the picture at its final size."""

from __future__ import annotations

import dataclasses

from imgserve.engine.frame import Frame
from imgserve.engine.intent import Filtering, Intent
from imgserve.ops.behaviour import Transform
from imgserve.spec.op import Op, Stage, op
from imgserve.spec.params import integer, number

#: libvips takes no larger sigma for its sharpening.
_MAX_SHARPEN_SIGMA = 10
#: A blur of this size leaves one colour of any picture that is served.
_MAX_BLUR_SIGMA = 1000
#: libvips takes no smaller sigma; less than this changes nothing.
_LEAST_SIGMA = 0.01


def _filtering(intent: Intent, need: Filtering) -> Intent:
    return dataclasses.replace(intent, filtering=max(intent.filtering, need))


@op("blur", "bl", stage=Stage.FILTER, example="blur:5")
class Blur(Transform):
    """Blur the picture."""

    sigma: float = number(min=0, max=_MAX_BLUR_SIGMA, doc="standard deviation in result pixels, 0 = off")

    def configure(self, intent: Intent) -> Intent:
        return _filtering(intent, Filtering.PREMULTIPLIED) if self.sigma >= _LEAST_SIGMA else intent

    def apply(self, frame: Frame) -> Frame:
        if self.sigma < _LEAST_SIGMA:
            return frame
        return frame.with_image(frame.image.gaussblur(self.sigma))


@op("sharpen", "sh", stage=Stage.FILTER, example="sharpen:0.5")
class Sharpen(Transform):
    """Sharpen the picture."""

    sigma: float = number(min=0, max=_MAX_SHARPEN_SIGMA, doc="standard deviation in result pixels, 0 = off")

    def configure(self, intent: Intent) -> Intent:
        return _filtering(intent, Filtering.PREMULTIPLIED) if self.sigma >= _LEAST_SIGMA else intent

    def apply(self, frame: Frame) -> Frame:
        if self.sigma < _LEAST_SIGMA:
            return frame
        return frame.with_image(frame.image.sharpen(sigma=self.sigma))


@op("pixelate", "pix", stage=Stage.FILTER, example="pixelate:10")
class Pixelate(Transform):
    """Show the picture in blocks of one colour each."""

    size: int = integer(min=0, doc="side of a block in result pixels, 0 or 1 = off")

    def configure(self, intent: Intent) -> Intent:
        return _filtering(intent, Filtering.STRAIGHT) if self.size > 1 else intent

    def apply(self, frame: Frame) -> Frame:
        image = frame.image
        width, height = image.width, image.height
        block = min(self.size, max(width, height))
        if block <= 1:
            return frame
        # Whole blocks at the right and lower edge, filled with what is next to them.
        whole_width, whole_height = -(-width // block) * block, -(-height // block) * block
        if (whole_width, whole_height) != (width, height):
            image = image.embed(0, 0, whole_width, whole_height, extend="mirror")
        image = image.shrink(block, block).zoom(block, block)
        if (whole_width, whole_height) != (width, height):
            image = image.crop(0, 0, width, height)
        return frame.with_image(image)


OPS: tuple[type[Op], ...] = (Blur, Sharpen, Pixelate)
