"""Which models are asked for a class, and what of their readings belongs to it."""

from __future__ import annotations

import pytest

from imgserve.engine.detected import asks_for, found
from imgserve.ports.models import Ask, Detection, Reading, Task


def seen(*labels: str) -> Reading:
    return Reading(
        detections=tuple(
            Detection(label=label, confidence=0.5, left=0.1, top=0.2, width=0.3, height=0.4) for label in labels
        )
    )


READINGS = {
    Task.OBJECTS: seen("Dog", "Traffic light", "person"),
    Task.FACES: seen("frontal"),
    Task.TEXT: seen("line"),
}
ALL = (Ask(Task.OBJECTS, optional=True), Ask(Task.FACES, optional=True))


@pytest.mark.parametrize(
    ("classes", "asks"),
    [
        ((), ALL),
        (("all",), ALL),
        (("face",), (Ask(Task.FACES),)),
        (("text",), (Ask(Task.TEXT),)),
        (("dog", "cat"), (Ask(Task.OBJECTS),)),
        (("all", "face"), (ALL[0], Ask(Task.FACES))),
        (("face", "dog"), (Ask(Task.FACES), Ask(Task.OBJECTS))),
    ],
)
def test_a_class_has_the_model_that_knows_it(classes: tuple[str, ...], asks: tuple[Ask, ...]) -> None:
    assert asks_for(classes) == asks


@pytest.mark.parametrize(
    ("classes", "weights"),
    [
        ((), {"Dog": 1, "Traffic light": 1, "person": 1, "frontal": 1}),
        ((("all", 1.0),), {"Dog": 1, "Traffic light": 1, "person": 1, "frontal": 1}),
        ((("traffic_light", 1.0), ("dog", 2.0)), {"Dog": 2, "Traffic light": 1}),
        ((("face", 3.0),), {"frontal": 3}),
        ((("text", 1.0),), {"line": 1}),
        ((("all", 2.0), ("person", 0.0), ("face", 5.0)), {"Dog": 2, "Traffic light": 2, "frontal": 5}),
        ((("cat", 1.0),), {}),
    ],
)
def test_things_have_the_weight_of_their_class(
    classes: tuple[tuple[str, float], ...], weights: dict[str, float]
) -> None:
    assert {one.label: one.weight for one in found(READINGS, classes)} == weights


def test_without_readings_nothing_is_found() -> None:
    assert list(found({}, ())) == []
