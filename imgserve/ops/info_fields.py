"""What a field of /info is: an option that asks for a part of the answer, and how much of the source it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Final

from imgserve.engine.load import Opened
from imgserve.engine.subject import Subject
from imgserve.ports.models import Ask, Reading, Task
from imgserve.spec.op import Op, Stage

#: Fields decide the answer and nothing before it.
ANSWER: Final = Stage.ENCODE

ENABLED: Final = "whether to tell it"


class Extent(IntEnum):
    """How much of a source is needed to tell something of it; the largest need of a request decides."""

    #: Its first bytes, as far as the decoder reads to know what it is.
    HEAD = 1
    #: All bytes, none of them decoded.
    WHOLE = 2
    #: All bytes, decoded.
    PIXELS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A source whose header has been read."""

    #: Bytes of the whole source.
    size: int
    opened: Opened


class Field(Op):
    """An option that asks for a part of the answer."""

    extent: ClassVar[Extent]
    enabled: bool

    @property
    def wanted(self) -> bool:
        return self.enabled


class HeadField(Field):
    """A field that the head of the source has; blocks, but decodes nothing."""

    extent = Extent.HEAD
    #: It is told unless the URL says no.
    usual: ClassVar[bool] = False

    def told(self, head: Head) -> dict[str, Any]:
        """Give its part of the answer."""
        raise NotImplementedError


class BytesField(Field):
    """A field that is computed of the bytes; blocks."""

    extent = Extent.WHOLE

    def told(self, data: bytes) -> dict[str, Any]:
        """Give its part of the answer."""
        raise NotImplementedError


class PixelField(Field):
    """A field that is measured in the pixels; blocks."""

    extent = Extent.PIXELS

    def told(self, subject: Subject) -> dict[str, Any]:
        """Give its part of the answer; raises what decoding raises."""
        raise NotImplementedError


class ReadingField(Field):
    """A field that a model has to look at the picture for, in a job of its own."""

    extent = Extent.WHOLE
    task: ClassVar[Task]
    #: Name of its part of the answer.
    part: ClassVar[str]

    def asks(self) -> Sequence[Ask]:
        return (Ask(self.task),) if self.wanted else ()

    def told(self, reading: Reading) -> dict[str, Any]:
        """Give its part of the answer."""
        return {self.part: self.listed(reading)}

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        raise NotImplementedError
