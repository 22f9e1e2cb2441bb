"""What the server counts and times, for Prometheus; the one package that knows its client.

`from imgserve import metrics`, then `metrics.source_failed("https", error.code)`: one function for one fact, in
`recording`. What exists stands in `table.METRICS`; `exposition` makes the page.
"""

from imgserve.metrics.exposition import FOLDER_VARIABLE, Page, forget_process, namespace_problem, page
from imgserve.metrics.listener import serving_page
from imgserve.metrics.recording import (
    Hits,
    cache_evicted,
    cache_looked,
    cache_read,
    cache_written,
    coalesced,
    encoded,
    purged,
    refined,
    refused,
    rendered,
    request_ended,
    request_started,
    revalidated,
    sample_process,
    set_cache_size,
    source_failed,
    source_fetched,
    stale_answered,
    work_ended,
    work_started,
    worker_came_back,
    worker_stuck,
)
from imgserve.metrics.table import METRICS

__all__ = [
    "FOLDER_VARIABLE",
    "METRICS",
    "Hits",
    "Page",
    "cache_evicted",
    "cache_looked",
    "cache_read",
    "cache_written",
    "coalesced",
    "encoded",
    "forget_process",
    "namespace_problem",
    "page",
    "purged",
    "refined",
    "refused",
    "rendered",
    "request_ended",
    "request_started",
    "revalidated",
    "sample_process",
    "serving_page",
    "set_cache_size",
    "source_failed",
    "source_fetched",
    "stale_answered",
    "work_ended",
    "work_started",
    "worker_came_back",
    "worker_stuck",
]
