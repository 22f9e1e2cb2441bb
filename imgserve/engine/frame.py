"""The value that goes through the pipeline: one picture, what is wanted of it, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import pyvips

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.layout import Layout, solve
from imgserve.spec.op import OpSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A picture on its way; every stage gives a new one.

    `image` holds one page, or several of the same size one below the other (`pages`).
    """

    image: pyvips.Image
    intent: Intent
    layout: Layout
    config: EngineConfig
    deadline: Deadline
    #: Name of the source's format, and of the result's.
    source_format: str
    format: str
    #: The encoded source, for loading it again at another size; None once the picture no longer stands for it.
    source: bytes | None = None
    pages: int = 1
    #: How much smaller than its natural size a vector picture was first rendered.
    vector_shrink: float = 1.0
    #: The pixels left the source's colour profile for a standard space.
    profile_imported: bool = False
    #: The source's colour profile, for conversions that lose it.
    profile: bytes | None = None
    #: The picture is in its working space already.
    in_working_space: bool = False
    #: Metadata is left to the saver to drop, or to keep.
    keep: str = "all"

    def with_image(self, image: pyvips.Image) -> Frame:
        return replace(self, image=image)

    def in_memory(self) -> Frame:
        """Compute the pixels now: for random access, or because they are read more than once."""
        image = self.deadline.watch(self.image.copy_memory())
        self.deadline.check()
        return replace(self, image=image)

    def cut(self, image: pyvips.Image) -> Frame:
        """Give the frame with another picture in the source's place: laid out anew, never loaded again."""
        layout = solve(
            self.intent, width=image.width, height=image.height, orientation=tags.orientation(image), vector=False
        )
        return replace(self, image=image, layout=layout, source=None)


class Transform(Protocol):
    """An option that changes pixels, at its stage."""

    @property
    def spec(self) -> OpSpec: ...

    def apply(self, frame: Frame) -> Frame:
        """Give the frame with its picture changed; raises ImgserveError only."""
