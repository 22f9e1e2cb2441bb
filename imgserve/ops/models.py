"""AI steps that change the picture: their heavy part is made ahead by workers, and replaces the source."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from imgserve.engine.intent import Intent
from imgserve.ops.behaviour import ModelStep
from imgserve.ports.models import Ask, Task
from imgserve.spec.kinds import number_text
from imgserve.spec.op import Op, Stage, op
from imgserve.spec.params import flag, number

#: Beyond it, pictures grow by more than 64 times.
_MAX_FACTOR: Final = 8


@op("remove_background", "rmbg", stage=Stage.MODEL, example="remove_background:1", own=True)
class RemoveBackground(ModelStep):
    """Make all but the object transparent; a worker finds the object, once for all sizes and formats."""

    on: bool = flag(doc="1 = do it")

    def asks(self) -> Sequence[Ask]:
        return (Ask(Task.BACKGROUND),) if self.on else ()

    def configure(self, intent: Intent) -> Intent:
        return dataclasses.replace(intent, transparent=True) if self.on else intent


@op("upscale", "up", stage=Stage.MODEL, example="upscale:2", own=True)
class Upscale(ModelStep):
    """Enlarge the source by a model before anything else is done with it."""

    factor: float = number(min=1, max=_MAX_FACTOR, default=2.0, doc="how many times as wide and as high")

    def asks(self) -> Sequence[Ask]:
        return (Ask(Task.UPSCALE, number_text(self.factor)),) if self.factor != 1 else ()


OPS: tuple[type[Op], ...] = (RemoveBackground, Upscale)
