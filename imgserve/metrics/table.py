"""METRICS: everything that is counted and timed, as data; docs/metrics.md is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final


class Kind(Enum):
    """How Prometheus reads it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Across(Enum):
    """How the gauges of several processes become one; counters and histograms are summed, the dead ones included."""

    SUM = "livesum"
    #: One value a process, told apart by the label pid.
    EACH = "liveall"
    #: What all share and one of them looked at last.
    LAST = "mostrecent"
    #: Computed of other metrics when the page is made.
    DERIVED = "derived"


#: Seconds. Answers out of memory take less than one millisecond, a large AVIF takes ten seconds.
TIMES: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: The same, coarser: there are twenty stages, and every bound is one more series of each.
STAGE_TIMES: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)

#: Seconds of jobs: from a thumbnail's mask to a large model on a busy machine.
JOB_TIMES: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

#: Sets the sizes of tiers apart that each process has for itself and that all share; one metric for the reader.
SHARED_SIZE: Final = "cache_shared_size_bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; `labels` says which values each may have."""

    name: str
    kind: Kind
    doc: str
    labels: Mapping[str, str] = field(default_factory=dict)
    bounds: tuple[float, ...] = ()
    across: Across = Across.SUM
    #: Shown under this name, together with the metric that has it.
    shown_as: str = ""


def _counter(name: str, doc: str, **labels: str) -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, doc=doc, labels=labels)


def _gauge(name: str, doc: str, *, across: Across = Across.SUM, shown_as: str = "", **labels: str) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, doc=doc, labels=labels, across=across, shown_as=shown_as)


def _times(name: str, doc: str, *, bounds: tuple[float, ...] = TIMES, **labels: str) -> Metric:
    return Metric(name=name, kind=Kind.HISTOGRAM, doc=doc, labels=labels, bounds=bounds)


_TIER: Final = "memory, disk, redis or s3; sources = downloads on disk"
_SCHEME: Final = "http, https, local or s3"

METRICS: Final[tuple[Metric, ...]] = (
    # imgproxy's, so that its dashboards and alerts work with another prefix.
    _counter("requests_total", "Image requests that were answered or given up."),
    _counter(
        "status_codes_total",
        "Answers to image requests by HTTP status.",
        status="the status; 499 = the client left before its answer",
    ),
    _counter("errors_total", "Image requests that ended with an error.", type="the code of the error"),
    _times("request_duration_seconds", "From reading an image request to the end of its answer."),
    _times(
        "request_span_duration_seconds",
        "Parts of image requests.",
        span="queue (waiting for a thread), downloading (the source) or processing (in a thread)",
    ),
    _gauge("workers", "Render threads."),
    _gauge("requests_in_progress", "Image requests that are not answered yet."),
    _gauge("images_in_progress", "Images that a render thread works on."),
    _gauge("workers_utilization", "Percent of the render threads that work.", across=Across.DERIVED),
    _gauge("vips_memory_bytes", "Memory that libvips tracks, of all processes together."),
    _gauge("vips_max_memory_bytes", "Most memory that libvips has tracked: the sum of each process' most."),
    _gauge("vips_allocs", "Allocations of libvips that are alive."),
    # Ours.
    _times("queue_wait_seconds", "From asking for a render thread to getting one."),
    _times(
        "stage_duration_seconds",
        "What a render spent in one stage, all frames of an animation together; stages that had nothing to do are left"
        " out. libvips works when pixels are asked for, so most of the work shows in encode.",
        bounds=STAGE_TIMES,
        stage="load, or a stage of the pipeline",
    ),
    _times("encode_duration_seconds", "The stage encode by format.", bounds=STAGE_TIMES, format="format of the result"),
    _gauge("workers_stuck", "Render threads that did not come back after their work was stopped."),
    _counter(
        "refusals_total",
        "Image requests that were refused to protect the server.",
        reason="queue (all threads and their queue taken), clients (IMGSERVE_MAX_CLIENTS),"
        " bytes (IMGSERVE_MAX_BYTES_IN_FLIGHT), stuck or closing",
    ),
    _counter("cache_requests_total", "Looks into a cache.", tier=_TIER, result="hit, miss or error"),
    _counter("cache_bytes_total", "Bytes of results in and out of a cache.", tier=_TIER, direction="read or written"),
    _gauge(
        "cache_size_bytes",
        "What a cache holds; that of memory is the sum over all processes.",
        tier=_TIER,
    ),
    _gauge(SHARED_SIZE, "See there.", across=Across.LAST, shown_as="cache_size_bytes", tier=_TIER),
    _counter("cache_evictions_total", "Results that made room for others.", tier=_TIER),
    _counter(
        "coalesced_requests_total",
        "Requests that waited for the same picture, which another one had made.",
        scope="process (this one) or other (another process or server)",
    ),
    _counter(
        "stale_answers_total",
        "Answers with a result past its time.",
        reason="revalidating (it is being refreshed) or error (it cannot be)",
    ),
    _counter(
        "revalidations_total",
        "Questions to origins whether the source has changed.",
        result="unchanged, changed or error",
    ),
    _counter("purged_entries_total", "Results that were removed on request.", tier=_TIER),
    _counter("refined_results_total", "Results that were replaced by better ones after the first answer."),
    _times("source_duration_seconds", "Downloads of sources that succeeded.", scheme=_SCHEME),
    _counter("source_bytes_total", "Bytes of sources that were downloaded.", scheme=_SCHEME),
    _counter("source_errors_total", "Downloads of sources that failed.", scheme=_SCHEME, code="the code of the error"),
    _counter(
        "pending_answers_total",
        "Image requests whose AI steps were not ready.",
        result="fallback (without the steps), degraded (the same, as the job has failed), waited (ready in time) or"
        " error",
    ),
    _gauge(
        "jobs",
        "AI jobs that have not ended, as a worker counted them last: each sweep, some 5 seconds.",
        across=Across.LAST,
        state="queued or running",
    ),
    _times("job_wait_seconds", "From taking an AI job to the begin of an attempt.", bounds=JOB_TIMES),
    _times(
        "job_duration_seconds",
        "Jobs that ended, from the begin of their last attempt.",
        bounds=JOB_TIMES,
        state="done, failed or cancelled",
    ),
    _counter("jobs_ended_total", "Jobs that ended.", state="done, failed or cancelled", code="the code of the error"),
    _counter("jobs_requeued_total", "Jobs that are tried again.", code="the code of the error, or stopped"),
    _counter(
        "job_processes_ended_total",
        "Processes of models that ended.",
        reason="died, timeout, memory, cancelled, lost, stopped, idle or old",
    ),
    _counter("webhooks_total", "Tries to deliver a webhook.", result="delivered, failed or given_up"),
    _gauge("process_resident_memory_bytes", "Memory of each serving process.", across=Across.EACH),
)
