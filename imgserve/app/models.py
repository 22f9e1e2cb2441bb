"""From settings to providers of AI steps, by task; what is heavy is loaded by a worker's first job, not here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import Final

from imgserve.app.plugins import plugged_provider
from imgserve.engine.enlarge import LibvipsUpscale
from imgserve.errors import ConfigError
from imgserve.ports.models import Provider, Task
from imgserve.settings import Settings
from imgserve.settings.models import Models

OFF: Final = "off"
AUTO: Final = "auto"

#: A provider's model runs on one core: several workers share the others.
_THREADS: Final = 1
_MEGA: Final = 1_000_000

Make = Callable[[Models], Provider]


# Imported by the one that is chosen: together they cost every process of a server 0.1 s.


def _grabcut(_models: Models) -> Provider:
    from imgserve.adapters.providers.grabcut import GrabCut

    return GrabCut()


def _onnx_background(models: Models) -> Provider:
    from imgserve.adapters.providers.onnx_background import OnnxBackground

    return OnnxBackground(
        models.background_model,
        family=models.background_family,
        setting="IMGSERVE_BACKGROUND_MODEL",
        threads=_THREADS,
    )


def _service(name: str) -> Make:
    def make(models: Models) -> Provider:
        from imgserve.adapters.providers.http_background import HttpBackground

        return HttpBackground(name, url=models.background_url, api_key=models.background_api_key)

    return make


def _libvips(models: Models) -> Provider:
    return LibvipsUpscale(max_output_pixels=round(models.max_upscale_resolution * _MEGA))


def _onnx_upscale(models: Models) -> Provider:
    from imgserve.adapters.providers.onnx_file import OnnxFile
    from imgserve.adapters.providers.onnx_upscale import OnnxUpscale

    file = OnnxFile(models.upscale_model, setting="IMGSERVE_UPSCALE_MODEL", threads=_THREADS)
    return OnnxUpscale(file, max_output_pixels=round(models.max_upscale_resolution * _MEGA))


def _cascade(models: Models) -> Provider:
    from imgserve.adapters.providers.cascade_faces import CascadeFaces

    return CascadeFaces(models.faces_cascade)


def _yolo(models: Models) -> Provider:
    from imgserve.adapters.providers.labels import COCO, Labels
    from imgserve.adapters.providers.onnx_file import OnnxFile
    from imgserve.adapters.providers.yolo_layouts import Layout
    from imgserve.adapters.providers.yolo_objects import YoloObjects

    return YoloObjects(
        OnnxFile(models.object_detection_net, setting="IMGSERVE_OBJECT_DETECTION_NET", threads=_THREADS),
        labels=Labels(models.object_detection_classes, built_in=COCO),
        layout=Layout(models.object_detection_net_type),
        side=models.object_detection_net_size,
        min_confidence=models.object_detection_confidence_threshold,
        max_overlap=models.object_detection_nms_threshold,
    )


def _tesseract(models: Models) -> Provider:
    from imgserve.adapters.providers.tesseract_text import TesseractText

    return TesseractText(languages=models.ocr_languages)


def _classify(models: Models) -> Provider:
    return _classifier(models.classification_net, models.classification_classes, Task.CLASSIFY)


def _nsfw(models: Models) -> Provider:
    return _classifier(models.nsfw_net, models.nsfw_classes, Task.NSFW)


def _classifier(net: str, classes: str, task: Task) -> Provider:
    from imgserve.adapters.providers.labels import Labels
    from imgserve.adapters.providers.onnx_classifier import OnnxClassifier
    from imgserve.adapters.providers.onnx_file import OnnxFile

    return OnnxClassifier(OnnxFile(net, threads=_THREADS), task=task, labels=Labels(classes))


#: What comes with the server, by task: the setting's word and how it is made.
SHIPPED: Final[Mapping[Task, Mapping[str, Make]]] = {
    Task.BACKGROUND: {
        "grabcut": _grabcut,
        "onnx": _onnx_background,
        "removebg": _service("removebg"),
        "api4ai": _service("api4ai"),
    },
    Task.UPSCALE: {"libvips": _libvips, "onnx": _onnx_upscale},
    Task.FACES: {"cascade": _cascade},
    Task.OBJECTS: {"yolo": _yolo},
    Task.TEXT: {"tesseract": _tesseract},
    Task.CLASSIFY: {"onnx": _classify},
    Task.NSFW: {"onnx": _nsfw},
}


def build_providers(settings: Settings) -> dict[Task, Provider]:
    """Make the provider of each task that has one; raises ConfigError with every mistake."""
    models = settings.models
    made: dict[Task, Provider] = {}
    problems: list[str] = []
    for task, (word, variable) in _chosen(models).items():
        if word == OFF:
            continue
        try:
            made[task] = _made(task, word, variable, models)
        except ConfigError as wrong:
            problems += wrong.problems
        except ValueError as wrong:
            problems.append(f"{variable}: {wrong}")
    if problems:
        raise ConfigError(problems)
    return made


def _chosen(models: Models) -> Mapping[Task, tuple[str, str]]:
    """Give what does each task, and the variable that says so; what has no file where it needs one is off."""
    return {
        Task.BACKGROUND: (models.background, "IMGSERVE_BACKGROUND"),
        Task.UPSCALE: (models.upscale, "IMGSERVE_UPSCALE"),
        Task.FACES: (models.faces, "IMGSERVE_FACES"),
        Task.OBJECTS: (_auto(models.objects, "yolo", models.object_detection_net), "IMGSERVE_OBJECTS"),
        Task.TEXT: (_auto(models.ocr, "tesseract", shutil.which("tesseract")), "IMGSERVE_OCR"),
        Task.CLASSIFY: ("onnx" if models.classification_net else OFF, "IMGSERVE_CLASSIFICATION_NET"),
        Task.NSFW: ("onnx" if models.nsfw_net else OFF, "IMGSERVE_NSFW_NET"),
    }


def _auto(word: str, name: str, there: object) -> str:
    return (name if there else OFF) if word == AUTO else word


def _made(task: Task, word: str, variable: str, models: Models) -> Provider:
    make = SHIPPED[task].get(word)
    if make is not None:
        return make(models)
    return plugged_provider(word, task, variable=variable, ours=(*SHIPPED[task], OFF))
