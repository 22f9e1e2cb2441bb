"""What an option can do: say what it wants before any pixel is read, change the picture, or have a model change it."""

from __future__ import annotations

import dataclasses
from typing import Any

from imgserve.engine.frame import Frame
from imgserve.engine.intent import Intent
from imgserve.spec.op import Op


class Setting(Op):
    """An option that only sets values: each of its fields bears the name of the Intent field that it sets."""

    def configure(self, intent: Intent) -> Intent:
        return dataclasses.replace(intent, **self.given())

    def given(self) -> dict[str, Any]:
        """Give the fields that this option sets."""
        return {name: value for name in self.spec.params if (value := getattr(self, name)) is not None}


class Transform(Op):
    """An option that changes pixels, at its stage."""

    def configure(self, intent: Intent) -> Intent:
        """Tell the layout what this option needs (room around the picture, say); by default nothing."""
        return intent

    def apply(self, frame: Frame) -> Frame:
        """Give the frame with its picture changed; raises ImgserveError only."""
        raise NotImplementedError


class ModelStep(Op):
    """An option whose work is done ahead by a worker: what `asks` names takes the source's place."""

    def configure(self, intent: Intent) -> Intent:
        """Tell the engine what the step's result needs, as `Transform.configure`."""
        return intent
