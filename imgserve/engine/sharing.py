"""Which variants of one source have work in common: values and rules, no pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from imgserve.engine import geometry
from imgserve.engine.formats import FORMATS
from imgserve.engine.frame import Frame, Transform
from imgserve.engine.intent import Intent, Limits
from imgserve.ports.models import Reading, Task

#: What decides how a source is opened: for its thumbnail or not, and the limits, because some formats are decoded then.
Opening = tuple[bool, Limits]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One result, described as `render` takes it."""

    intent: Intent
    transforms: Sequence[Transform] = ()
    readings: Mapping[Task, Reading] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Start:
    """A variant whose source's header has been read, and whose layout is solved."""

    index: int
    variant: Variant
    frame: Frame
    #: Of the source, upright.
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Level:
    """One size at which the source is decoded."""

    opening: Opening
    #: How many times smaller than the source.
    factor: float
    #: It may be made of a larger level.
    pyramid: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Variants that have the same pixels until their formats differ."""

    starts: list[Start]
    #: Groups of the same level read the same decoded picture; None: this one decodes for itself.
    level: Level | None
    #: The first variant's, its picture as the loader gives it at this level.
    frame: Frame


def opening_of(intent: Intent) -> Opening:
    return intent.enforce_thumbnail, intent.limits


def alike(starts: Sequence[Start]) -> list[list[Start]]:
    """Put variants together that differ only in what the last stages look at."""
    groups: list[tuple[object, list[Start]]] = []
    for start in starts:
        intent = start.variant.intent
        # Mappings in it have no hash, so it is compared.
        pixels = (
            replace(intent, format=None, quality=0, format_quality={}, max_bytes=0, preferred=(), enforced=()),
            list(start.variant.transforms),
            start.variant.readings,
            # colour.to_working_space is the one earlier step that asks for the format.
            intent.preserve_hdr and FORMATS[start.frame.format].deep,
        )
        same = next((members for other, members in groups if other == pixels), None)
        if same is None:
            groups.append((pixels, [start]))
        else:
            same.append(start)
    return [members for _, members in groups]


def parts(head: Frame, starts: Sequence[Start]) -> list[list[Start]]:
    """Put variants together for whose formats the last stages do the same."""
    found: dict[tuple[object, ...], list[Start]] = {}
    for start in starts:
        name, intent = start.frame.format, start.variant.intent
        kind = FORMATS[name]
        # What geometry.limit, colour.flatten and colour.to_output_space ask.
        limited = geometry.limit(replace(head, format=name)).image is not head.image
        asked = (name if limited else "", head.image.hasalpha() and not kind.alpha, kind.profile)
        found.setdefault(asked if not intent.strip_color_profile else asked[:2], []).append(start)
    return list(found.values())
