"""The seam to AI models: a provider looks at a picture and gives a mask, a larger picture, or what it sees in it.

Providers run in a worker's process, one call at a time, and may block. They know pixels and nothing of plans, URLs or
stores. Making one must be cheap (a server makes all of them to know their names); what is heavy, a model or a library,
is loaded by the first `run`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class Task(StrEnum):
    """What a provider can be asked to do; one word for it in settings, jobs, docs and metrics."""

    #: Gives a Mask.
    BACKGROUND = "background"
    #: Gives an Enlarged picture.
    UPSCALE = "upscale"
    #: These give a Reading with boxes.
    FACES = "faces"
    OBJECTS = "objects"
    TEXT = "text"
    #: These give a Reading with scores of the whole picture.
    CLASSIFY = "classify"
    NSFW = "nsfw"

    @property
    def pictorial(self) -> bool:
        """Whether the answer takes the picture's place; others only tell of it."""
        return self in (Task.BACKGROUND, Task.UPSCALE)


class Ask(NamedTuple):
    """One thing that is asked of a provider; `argument` is what the option says in its canonical text."""

    task: Task
    argument: str = ""
    #: Left out where no provider does it: one of several ways to find things.
    optional: bool = False
    #: The picture must not be shown without it.
    vital: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Pixels of 8 bits, row by row from the top, bands interleaved, no padding: `data` has width * height * bands."""

    data: bytes
    width: int
    height: int
    #: 1 = a mask, 3 = sRGB, 4 = sRGB and alpha (not premultiplied).
    bands: int


class Picture(Protocol):
    """A source as providers see it: upright, sRGB, 8 bits, without alpha (transparent parts lie on white)."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    def pixels(self, *, max_side: int | None = None) -> Pixels:
        """Give three bands, scaled down so that no side is longer than `max_side`; never enlarged."""
        ...

    def stretched(self, width: int, height: int) -> Pixels:
        """Give three bands of exactly this size, whatever the shape of the picture."""
        ...

    def encoded(self, *, format: str = "jpeg", max_side: int | None = None) -> bytes:
        """Give an image file (jpeg or png), scaled down as by `pixels`, for providers far away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """How much of each place belongs to the object: one band, 255 = all, of any size; stretched over the picture."""

    pixels: Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlarged:
    """A larger picture of three bands; alpha is enlarged by whoever asked."""

    pixels: Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One thing that was seen; the box in shares (0 to 1) of the upright picture."""

    label: str
    #: 0 to 1.
    confidence: float
    left: float
    top: float
    width: float
    height: float
    #: What is written there.
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How sure a classifier is of a label; 0 to 1."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a detector or classifier says: most confident first."""

    detections: tuple[Detection, ...] = ()
    scores: tuple[Score, ...] = ()


Answer = Mask | Enlarged | Reading

#: Told from time to time which share (0 to 1) is done; it may raise to end the work.
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What a provider is, for /v1/capabilities, /health, headers and keys."""

    task: Task
    #: As in settings: grabcut, onnx, removebg …
    name: str
    #: Changes whenever the same picture may get another answer (model file, parameters); part of artefacts' keys.
    identity: str
    #: Works without any model file, and not as well.
    basic: bool = False
    #: Of the model or the service, as far as it is known.
    licence: str = ""
    #: Larger pictures are refused before the provider is asked.
    max_pixels: int = 50_000_000
    #: A call takes no longer: it sees to that itself, or the worker's own limit of a job does.
    timeout_s: float = 60.0
    #: It sends pictures away, to this host.
    remote: str = ""


class Provider(Protocol):
    """One way to do one task."""

    @property
    def capability(self) -> Capability: ...

    def trouble(self) -> str | None:
        """Say in a sentence why it cannot work (file missing or corrupt, extra not installed); None when it can.

        Cheap and without side effects: asked by the server on start, in /health and before a job is taken.
        """
        ...

    def run(self, picture: Picture, argument: str, progress: Progress) -> Answer:
        """Do the task; `argument` is what the option says in its canonical text ("2" for upscale:2), else "".

        Raises ProviderRefused where trying again is useless and ProviderUnavailable where it may help.
        """
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...
