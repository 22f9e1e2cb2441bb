"""Settings of AI steps: which provider does which task, with which files; and of the jobs that run them."""

from __future__ import annotations

from typing import Final

from imgserve.settings.declare import choice, group, integer, number, text, texts

MEBIBYTE: Final = 1024 * 1024


@group
class Models:
    """AI steps"""

    background: str = text(
        default="grabcut", doc="what removes backgrounds: grabcut, onnx, removebg, api4ai, a plug-in's name, or off"
    )
    background_model: str = text(default="", doc="ONNX file for `background` onnx: u2net, isnet or birefnet")
    background_family: str = choice(
        "auto", "u2net", "isnet", "birefnet",
        default="auto", doc="how that model wants its input; auto = by its file's name and shape",
    )  # fmt: skip
    background_url: str = text(default="", doc="address of the service for removebg and api4ai; empty = its public one")
    background_api_key: str = text(default="", doc="key for that service")
    upscale: str = text(default="libvips", doc="what enlarges: libvips, onnx, a plug-in's name, or off")
    upscale_model: str = text(default="", doc="ONNX super-resolution file for `upscale` onnx")
    max_upscale_resolution: float = number(default=50, min=1, max=1000, doc="megapixels of an enlarged picture")
    faces: str = text(default="cascade", doc="what finds faces: cascade, a plug-in's name, or off")
    faces_cascade: str = text(default="", doc="OpenCV cascade file; empty = the one that OpenCV comes with")
    objects: str = text(
        default="auto", doc="what finds objects: yolo, a plug-in's name, off; auto = yolo where it has a file"
    )
    object_detection_net: str = text(default="", doc="YOLO file (ONNX)")
    object_detection_net_type: str = choice(
        "auto", "yolox", "yolov5", "yolov8", "yolov10",
        default="auto", doc="its layout; that of yolov8 is also that of v9 and v11",
    )  # fmt: skip
    object_detection_net_size: int = integer(
        default=0, min=0, max=4096, doc="side of its input in pixels, 0 = as the file says"
    )
    object_detection_classes: str = text(default="", doc="file of class names, one a line; empty = those of COCO")
    object_detection_confidence_threshold: float = number(default=0.2, min=0, max=1, doc="less sure ones are left out")
    object_detection_nms_threshold: float = number(
        default=0.4, min=0, max=1, doc="of boxes that overlap more than this the surest is kept"
    )
    classification_net: str = text(default="", doc="classifier file (ONNX) for `classify`")
    classification_classes: str = text(default="", doc="file of its class names, one a line")
    nsfw_net: str = text(default="", doc="classifier file (ONNX) for `nsfw`")
    nsfw_classes: str = text(default="", doc="file of its class names, one a line")
    ocr: str = text(default="auto", doc="what reads text: tesseract, a plug-in's name, off; auto = what is installed")
    ocr_languages: str = text(default="eng", doc="languages of Tesseract, joined by +")
    plugins: tuple[str, ...] = texts(default=(), doc="names of installed plug-ins whose options URLs may have")


@group
class JobSettings:
    """Jobs"""

    pending: str = text(
        default="fallback",
        doc="how a URL is answered whose AI step is not ready: fallback (202, without it), wait:<ms>, error (409)",
    )
    queue_redis_url: str = text(
        default="", doc="redis:// of the queue, for workers on many machines; empty = `redis_url`, else a file here"
    )
    queue_workers: int = integer(
        default=1, min=0, max=64, doc="jobs at a time that the server itself works on, 0 = only `imgserve worker` does"
    )
    job_attempts: int = integer(default=3, min=1, max=100, doc="tries of a job before it has failed")
    job_timeout: float = number(default=120, min=1, max=86_400, doc="seconds of one try before its process is ended")
    job_memory: int = integer(
        default=4096 * MEBIBYTE, min=64 * MEBIBYTE, max=1 << 50, doc="bytes of a worker process before it is ended"
    )
    job_lease: float = number(
        default=15, min=1, max=3600, doc="seconds without a sign of life before a job is given to another worker"
    )
    job_ttl: int = integer(default=604_800, min=60, doc="seconds that the record of an ended job is kept")
    max_jobs: int = integer(default=10_000, min=1, doc="jobs that may wait before more are answered 429")
    upload_ttl: int = integer(
        default=604_800, min=60, doc="seconds that an uploaded picture is kept, and that its URLs work"
    )
    api_rate: int = integer(default=600, min=0, doc="requests to /v1 that a key may make a minute, 0 = any number")
    webhook_secret: str = text(default="", doc="signs webhooks; without it there are none")
    webhook_attempts: int = integer(default=8, min=1, max=50, doc="tries to deliver a webhook, ever further apart")
    webhook_timeout: float = number(default=5, min=0.1, max=60, doc="seconds that one try may take")
    allowed_webhooks: tuple[str, ...] = texts(
        default=(), doc="beginnings of URLs that webhooks may have; empty = all public ones"
    )
