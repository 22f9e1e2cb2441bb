"""Options that URLs may have where IMGSERVE_PLUGINS names this plug-in."""

from __future__ import annotations

import dataclasses

from imgserve.engine.frame import Frame
from imgserve.engine.intent import Filtering, Intent
from imgserve.ops.behaviour import Transform
from imgserve.spec.op import Op, Stage, op
from imgserve.spec.params import flag


@op("negative", "neg", stage=Stage.FILTER, example="negative:1", own=True)
class Negative(Transform):
    """Turn light into dark."""

    on: bool = flag(doc="1 = do it")

    def configure(self, intent: Intent) -> Intent:
        if not self.on:
            return intent
        return dataclasses.replace(intent, filtering=max(intent.filtering, Filtering.STRAIGHT))

    def apply(self, frame: Frame) -> Frame:
        if not self.on:
            return frame
        image = frame.image
        colours = image.extract_band(0, n=3).invert()
        return frame.with_image(colours.bandjoin(image[3]) if image.hasalpha() else colours)


OPTIONS: tuple[type[Op], ...] = (Negative,)
