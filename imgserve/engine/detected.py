"""What models found: which of them to ask for a class of things, and which of the things belong to it.

Faces and text have models of their own; all other classes are those of the model of objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from imgserve.engine.placement import Box
from imgserve.ports.models import Ask, Reading, Task
from imgserve.spec.values import ALL_CLASSES, class_name

#: Classes that have a task to themselves; whatever its model calls what it finds.
_TASKS: Final = {"face": Task.FACES, "text": Task.TEXT}
_NAMES: Final = {task: name for name, task in _TASKS.items()}

#: What is asked for things of every class, of those that the server has.
_ALL: Final = (Task.OBJECTS, Task.FACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing that was found."""

    #: In shares of the upright source, or in pixels of the picture (`Frame.things`).
    box: Box
    label: str
    #: 0 to 1.
    confidence: float
    weight: float

    def inside(self, width: int, height: int) -> Thing | None:
        """Give it cut to a picture of this size; None when it is elsewhere."""
        box = self.box.clipped(width, height)
        return replace(self, box=box) if box.width > 0 and box.height > 0 else None


def asks_for(classes: Iterable[str]) -> tuple[Ask, ...]:
    """Name what has to be asked to find things of these classes; none of them means every class."""
    names = tuple(classes)
    everything = not names or ALL_CLASSES in names
    asks = {task: Ask(task, optional=True) for task in _ALL} if everything else {}
    for name in names:
        if name != ALL_CLASSES:
            task = _TASKS.get(name, Task.OBJECTS)
            asks[task] = Ask(task)
    return tuple(asks.values())


def found(readings: Mapping[Task, Reading], classes: Sequence[tuple[str, float]]) -> Iterator[Thing]:
    """Give the things of these classes (name and weight; none = every class) in shares of the upright source.

    A class has its own weight before that of `all`; things of weight 0 are left out, as is what no class names.
    """
    weights = dict(classes) or {ALL_CLASSES: 1.0}
    for task, reading in readings.items():
        rest = weights.get(ALL_CLASSES, 0.0) if task in _ALL else 0.0
        for one in reading.detections:
            weight = weights.get(_NAMES.get(task) or class_name(one.label), rest)
            if weight > 0:
                box = Box(one.left, one.top, one.left + one.width, one.top + one.height)
                yield Thing(box=box, label=one.label, confidence=one.confidence, weight=weight)
