"""Fields of /info that models tell."""

from __future__ import annotations

from typing import Any

from imgserve.ops.info_fields import ANSWER, ENABLED, ReadingField
from imgserve.ports.models import Detection, Reading, Task
from imgserve.spec.op import op
from imgserve.spec.params import classes, flag, integer
from imgserve.spec.values import class_name


@op("detect_objects", "do", stage=ANSWER, example="detect_objects:1")
class DetectObjects(ReadingField):
    """`objects`: what things are where in the picture, each with its `class_name` and box."""

    task = Task.OBJECTS
    part = "objects"
    enabled: bool = flag(doc=ENABLED)

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return [{"class_name": one.label, **_box(one)} for one in reading.detections]


@op("faces", stage=ANSWER, example="faces:1", own=True)
class Faces(ReadingField):
    """`faces`: where faces are in the picture, a box each."""

    task = Task.FACES
    part = "faces"
    enabled: bool = flag(doc=ENABLED)

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return [_box(one) for one in reading.detections]


@op("text", stage=ANSWER, example="text:1", own=True)
class ReadText(ReadingField):
    """`text`: what is written in the picture (`text`), and where, a box each."""

    task = Task.TEXT
    part = "text"
    enabled: bool = flag(doc=ENABLED)

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return [{"text": one.text, **_box(one)} for one in reading.detections]


@op("classify", "cl", stage=ANSWER, example="classify:3")
class Classify(ReadingField):
    """`classify`: what the whole picture is of (`name`, `confidence`), most likely first."""

    task = Task.CLASSIFY
    part = "classify"
    top_k: int = integer(min=0, doc="how many classes at most, 0 = none")
    classes: tuple[str, ...] = classes(doc="tell only of these")

    @property
    def wanted(self) -> bool:
        return self.top_k > 0

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return [one for one in _scores(reading) if not self.classes or class_name(one["name"]) in self.classes][
            : self.top_k
        ]


@op("nsfw", stage=ANSWER, example="nsfw:1", own=True)
class Nsfw(ReadingField):
    """`nsfw`: how safe for work the picture is (`name`, `confidence`), in the classes of the model."""

    task = Task.NSFW
    part = "nsfw"
    enabled: bool = flag(doc=ENABLED)

    def listed(self, reading: Reading) -> list[dict[str, Any]]:
        return _scores(reading)


def _box(one: Detection) -> dict[str, Any]:
    return {
        "confidence": one.confidence,
        "left": one.left,
        "top": one.top,
        "width": one.width,
        "height": one.height,
    }


def _scores(reading: Reading) -> list[dict[str, Any]]:
    return [{"name": one.label, "confidence": one.confidence} for one in reading.scores]
