"""The table of the /v1 API: which method does what at which path; routes and the OpenAPI document are made of it."""

from __future__ import annotations

from typing import Final

from imgserve.errors import (
    BadOption,
    BadSignature,
    BodyTypeRefused,
    Expired,
    ImageRefused,
    JobEnded,
    ModelFailed,
    NoProvider,
    NotFound,
    NotKept,
    OptionForbidden,
    Pending,
    ProviderUnavailable,
    PurgeIncomplete,
    QueueFull,
    QueueUnavailable,
    RateLimited,
    RenderTimeout,
    SourceForbidden,
    SourceNotFound,
    SourceTimeout,
    SourceTooLarge,
    SourceUnreachable,
    Unavailable,
    UnsupportedImage,
)
from imgserve.ports.jobs import JobState
from imgserve.web.operation import Answer, Operation, Parameter

NDJSON: Final = "application/x-ndjson"
EVENTS: Final = "text/event-stream"

#: Of a page of jobs.
MAX_LIMIT: Final = 500
LIMIT: Final = 50
#: Far more than any queue's word for a place in its list.
MAX_AFTER_CHARS: Final = 500


_ID: Final = Parameter(
    name="id",
    place="path",
    doc="Id of a job, as it was given when the job was ordered.",
    schema={"type": "string", "pattern": "^[0-9a-f]{64}$"},
)
_ORDER_ERRORS: Final = (
    BadOption,
    BadSignature,
    OptionForbidden,
    SourceForbidden,
    Expired,
    ProviderUnavailable,
    NoProvider,
    QueueFull,
    QueueUnavailable,
)
_JOB: Final = "/v1/jobs/{id}"
_SOURCE: Final = "https://shop.example.com/mug.jpg"


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        id="purge",
        method="POST",
        path="/v1/purge",
        summary="Forget results, and sources, in all tiers of the cache.",
        body="Purge",
        answers=(Answer(doc="What was there and is gone, by tier.", schema="Purged"),),
        errors=(PurgeIncomplete,),
        examples={"source": {"source": _SOURCE}, "everything": {"everything": True}},
    ),
    Operation(
        id="warm",
        method="POST",
        path="/v1/warm",
        summary="Make results ahead.",
        doc="Every list is multiplied with every other. The answer tells of each result as soon as it is kept.",
        body="Warm",
        answers=(Answer(doc="Lines of JSON, one a result; each is a WarmLine.", schema="WarmLine", kind=NDJSON),),
        errors=(BadOption, OptionForbidden, SourceForbidden, Expired, QueueFull),
        examples={"widths": {"sources": [_SOURCE], "widths": [320, 640], "accept": ["avif", "none"]}},
    ),
    Operation(
        id="process",
        method="POST",
        path="/v1/process",
        summary="Give the finished pictures of a picture.",
        doc="Waits for AI steps; what is not ready in time, or cannot be made, is left out and told.",
        body="Process",
        form="ProcessForm",
        streams=True,
        answers=(
            Answer(
                doc="The pictures; X-Imgserve-Pending or X-Imgserve-Degraded where they are without AI steps.",
                schema="Processed",
            ),
        ),
        errors=(
            BodyTypeRefused,
            BadOption,
            OptionForbidden,
            SourceForbidden,
            Expired,
            SourceNotFound,
            SourceTooLarge,
            SourceUnreachable,
            SourceTimeout,
            UnsupportedImage,
            ImageRefused,
            ModelFailed,
            Pending,
            QueueFull,
            Unavailable,
            NotKept,
            RenderTimeout,
        ),
        examples={
            "source": {"source": _SOURCE},
            "own": {"source": _SOURCE, "outputs": {"tile": {"options": ["w:300"]}}},
        },
    ),
    Operation(
        id="sign",
        method="POST",
        path="/v1/sign",
        summary="Sign the URL of a picture.",
        doc="What a request for the URL would be refused for is told at once. With `explain` the source is looked at.",
        body="Sign",
        answers=(Answer(doc="The URL.", schema="Signed"),),
        errors=(
            BadOption,
            OptionForbidden,
            SourceForbidden,
            SourceNotFound,
            SourceTooLarge,
            SourceUnreachable,
            SourceTimeout,
            UnsupportedImage,
            ImageRefused,
            Unavailable,
            RenderTimeout,
        ),
        examples={
            "named": {"source": _SOURCE, "options": {"width": 600, "format": "webp"}, "presets": ["shadow"]},
            "choices": {"source": _SOURCE, "choose": {"w": [320, 640, 1280], "q": ["75", "50-90"]}},
        },
    ),
    Operation(
        id="submitJobs",
        method="POST",
        path="/v1/jobs",
        summary="Have the AI steps of pictures made.",
        doc="One order, or up to 100. All are checked before any is taken. Asking twice is one job.",
        body="JobOrders",
        answers=(
            Answer(doc="All that was ordered is there.", schema="SubmittedJobs", location=True),
            Answer(
                doc="The jobs, in the order of the orders; Location is that of the first job of a single order.",
                schema="SubmittedJobs",
                status=202,
                location=True,
            ),
        ),
        errors=_ORDER_ERRORS,
        examples={
            "source": {"source": _SOURCE, "options": ["remove_background:1", "w:600"], "priority": 10},
            "many": {"jobs": [{"path": "/<signature>/upscale:2/plain/" + _SOURCE}]},
        },
    ),
    Operation(
        id="listJobs",
        method="GET",
        path="/v1/jobs",
        summary="List jobs, youngest first.",
        parameters=(
            Parameter(
                name="state",
                doc="Those in this state alone.",
                schema={"type": "string", "enum": [state.value for state in JobState]},
            ),
            Parameter(
                name="limit",
                doc="How many.",
                schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": LIMIT},
            ),
            Parameter(
                name="after",
                doc="`next` of the page before.",
                schema={"type": "string", "minLength": 1, "maxLength": MAX_AFTER_CHARS},
            ),
        ),
        answers=(Answer(doc="A page of jobs, and how many there are in each state.", schema="JobPage"),),
        errors=(QueueUnavailable,),
    ),
    Operation(
        id="getJob",
        method="GET",
        path=_JOB,
        summary="Tell of a job.",
        parameters=(_ID,),
        answers=(Answer(doc="The job as it is now.", schema="Job"),),
        errors=(NotFound, QueueUnavailable),
    ),
    Operation(
        id="cancelJob",
        method="DELETE",
        path=_JOB,
        summary="Cancel a job that has not ended.",
        doc="One that is being worked on is stopped within seconds. Its record stays.",
        parameters=(_ID,),
        answers=(Answer(doc="The job.", schema="Job"),),
        errors=(NotFound, JobEnded, QueueUnavailable),
    ),
    Operation(
        id="retryJob",
        method="POST",
        path=f"{_JOB}/retry",
        summary="Begin a job that failed or was cancelled anew.",
        parameters=(_ID,),
        answers=(
            Answer(doc="The job was done, and is as it was.", schema="Job"),
            Answer(doc="The job waits, or is being worked on.", schema="Job", status=202),
        ),
        errors=(NotFound, QueueUnavailable),
    ),
    Operation(
        id="followJob",
        method="GET",
        path=f"{_JOB}/events",
        summary="Follow a job as server-sent events.",
        doc="An event `job` with the Job as JSON at once and on each change; `end`, with the same, when it has ended. "
        "Not counted as a request of the key.",
        parameters=(_ID,),
        answers=(Answer(doc="The events.", kind=EVENTS),),
        errors=(NotFound, RateLimited, QueueUnavailable),
        counted=False,
    ),
    Operation(
        id="capabilities",
        method="GET",
        path="/v1/capabilities",
        summary="Tell what this server can do.",
        answers=(Answer(doc="Providers of AI steps, formats and policies.", schema="Capabilities"),),
    ),
    Operation(
        id="openapi",
        method="GET",
        path="/v1/openapi.json",
        summary="Give this document.",
        answers=(Answer(doc="An OpenAPI 3.1 document."),),
        keyed=False,
        counted=False,
    ),
)
