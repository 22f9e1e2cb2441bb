"""The value that goes through the pipeline: one picture, what is wanted of it, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import pyvips

from imgserve.engine import tags
from imgserve.engine.deadline import Deadline
from imgserve.engine.detected import Thing, found
from imgserve.engine.formats import FORMATS
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.layout import Layout, solve
from imgserve.engine.placement import Placement
from imgserve.ports.models import Reading, Task
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
    #: How many pages the result will have; this picture may be one of them.
    of_pages: int = 1
    #: What models saw in the upright source, and where that source now lies. Steps that add canvas come after all who
    #: ask, and leave it alone.
    readings: Mapping[Task, Reading] = field(default_factory=dict)
    placement: Placement = Placement()
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

    def cropped(self, left: int, top: int, width: int, height: int) -> Frame:
        return replace(
            self, image=self.image.crop(left, top, width, height), placement=self.placement.moved(-left, -top)
        )

    def resized(self, image: pyvips.Image) -> Frame:
        """Give the frame with the same picture at another size."""
        placement = self.placement.scaled(image.width / self.image.width, image.height / self.image.height)
        return replace(self, image=image, placement=placement)

    def cut(self, image: pyvips.Image, *, left: int, top: int) -> Frame:
        """Give the frame with another picture in the source's place: laid out anew, never loaded again.

        `left` and `top` are where its corner was in the picture before.
        """
        layout = solve(
            self.intent, width=image.width, height=image.height, orientation=tags.orientation(image), vector=False
        )
        return replace(self, image=image, layout=layout, source=None, placement=self.placement.moved(-left, -top))

    def laid_out(self, intent: Intent) -> Frame:
        """Give the same picture with another intent, laid out anew; before its source is loaded at another size."""
        image = self.image
        layout = solve(
            intent,
            width=image.width,
            height=image.height,
            orientation=tags.orientation(image),
            vector=self.source is not None and FORMATS[self.source_format].vector,
            pages=self.of_pages,
        )
        return replace(self, intent=intent, layout=layout)

    def things(self, classes: Sequence[tuple[str, float]]) -> list[Thing]:
        """Give what was found of these classes (name and weight, none = all) and is in the picture, in its pixels."""
        if not self.readings:
            return []
        seen = found(self.readings, classes)
        placed = (replace(one, box=self.placement.box(one.box)) for one in seen)
        return [one for one in (one.inside(self.image.width, self.image.height) for one in placed) if one is not None]


class Transform(Protocol):
    """An option that changes pixels, at its stage."""

    @property
    def spec(self) -> OpSpec: ...

    def apply(self, frame: Frame) -> Frame:
        """Give the frame with its picture changed; raises ImgserveError only."""
