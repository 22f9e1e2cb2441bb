"""One function for each fact worth counting, cheap enough for every request.

With several processes a counter or a gauge takes 0.7 microseconds, a histogram 2 (one lock, memory shared by a file).
Label values are words of ours, never text of a client: each new value is a new series for ever.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from imgserve.metrics.client import Labelled, counter, gauge, times
from imgserve.metrics.table import SHARED_SIZE, TIMES

_REQUESTS: Final = counter("requests_total")
_STATUS_CODES: Final = Labelled(counter("status_codes_total"))
_ERRORS: Final = Labelled(counter("errors_total"))
_REQUEST_TIMES: Final = times("request_duration_seconds")
_SPANS: Final = Labelled(times("request_span_duration_seconds"))
_WORKERS: Final = gauge("workers")
_REQUESTS_IN_PROGRESS: Final = gauge("requests_in_progress")
_IMAGES_IN_PROGRESS: Final = gauge("images_in_progress")
_VIPS_MEMORY: Final = gauge("vips_memory_bytes")
_VIPS_MAX_MEMORY: Final = gauge("vips_max_memory_bytes")
_VIPS_ALLOCS: Final = gauge("vips_allocs")
_QUEUE_WAIT: Final = times("queue_wait_seconds")
_STAGES: Final = Labelled(times("stage_duration_seconds"))
_ENCODERS: Final = Labelled(times("encode_duration_seconds"))
_STUCK: Final = gauge("workers_stuck")
_REFUSALS: Final = Labelled(counter("refusals_total"))
_CACHE_REQUESTS: Final = Labelled(counter("cache_requests_total"))
_CACHE_BYTES: Final = Labelled(counter("cache_bytes_total"))
_CACHE_SIZE: Final = Labelled(gauge("cache_size_bytes"))
_CACHE_SHARED_SIZE: Final = Labelled(gauge(SHARED_SIZE))
_EVICTIONS: Final = Labelled(counter("cache_evictions_total"))
_COALESCED: Final = Labelled(counter("coalesced_requests_total"))
_STALE: Final = Labelled(counter("stale_answers_total"))
_REVALIDATIONS: Final = Labelled(counter("revalidations_total"))
_PURGED: Final = Labelled(counter("purged_entries_total"))
_REFINED: Final = counter("refined_results_total")
_SOURCE_TIMES: Final = Labelled(times("source_duration_seconds"))
_SOURCE_BYTES: Final = Labelled(counter("source_bytes_total"))
_SOURCE_ERRORS: Final = Labelled(counter("source_errors_total"))
_PENDING: Final = Labelled(counter("pending_answers_total"))
_JOBS: Final = Labelled(gauge("jobs"))
_JOB_WAIT: Final = times("job_wait_seconds")
_JOB_TIMES: Final = Labelled(times("job_duration_seconds"))
_JOBS_ENDED: Final = Labelled(counter("jobs_ended_total"))
_JOBS_REQUEUED: Final = Labelled(counter("jobs_requeued_total"))
_JOB_PROCESSES: Final = Labelled(counter("job_processes_ended_total"))
_WEBHOOKS: Final = Labelled(counter("webhooks_total"))
_RSS: Final = gauge("process_resident_memory_bytes")


def request_started() -> None:
    """Count an image request in; `request_ended` counts it out, whatever happens."""
    _REQUESTS_IN_PROGRESS.inc()


def request_ended(status: int, seconds: float, *, error: str = "") -> None:
    """Count an image request out; `error` is its code, "" when it ended well."""
    _REQUESTS_IN_PROGRESS.dec()
    _REQUESTS.inc()
    _STATUS_CODES[status].inc()
    _REQUEST_TIMES.observe(seconds)
    if error:
        _ERRORS[error].inc()


def work_started(waited_s: float) -> None:
    """Note that a render thread took up a piece of work, which had waited."""
    _QUEUE_WAIT.observe(waited_s)
    _SPANS["queue"].observe(waited_s)
    _IMAGES_IN_PROGRESS.inc()


def work_ended(seconds: float) -> None:
    """Note that a render thread is through with it."""
    _IMAGES_IN_PROGRESS.dec()
    _SPANS["processing"].observe(seconds)


def rendered(stages: Mapping[str, float]) -> None:
    """Note what a render spent in each stage, in seconds, also when it failed in the next."""
    for stage, seconds in stages.items():
        _STAGES[stage].observe(seconds)


def encoded(name: str, seconds: float) -> None:
    """Note what making the bytes of a format took."""
    _ENCODERS[name].observe(seconds)


def worker_stuck() -> None:
    """Note that a render thread did not come back."""
    _STUCK.inc()


def worker_came_back() -> None:
    """Note that one that was given up did come back."""
    _STUCK.dec()


def refused(reason: Literal["queue", "clients", "bytes", "stuck", "closing"]) -> None:
    """Count an image request that the server had no room for."""
    _REFUSALS[reason].inc()


def cache_looked(tier: str, result: Literal["hit", "miss", "error"]) -> None:
    """Count a look into one tier."""
    _CACHE_REQUESTS[tier, result].inc()


def cache_read(tier: str, size: int) -> None:
    """Count the bytes of a hit."""
    _CACHE_BYTES[tier, "read"].inc(size)


def cache_written(tier: str, size: int) -> None:
    """Count the bytes of a result that was stored."""
    _CACHE_BYTES[tier, "written"].inc(size)


def cache_evicted(tier: str, entries: int = 1) -> None:
    """Count results that made room."""
    _EVICTIONS[tier].inc(entries)


def set_cache_size(tier: str, size: int, *, shared: bool) -> None:
    """Say what a tier holds, in bytes; `shared` when all processes see the same one (disk), not each its own."""
    (_CACHE_SHARED_SIZE if shared else _CACHE_SIZE)[tier].set(size)


def coalesced(scope: Literal["process", "other"]) -> None:
    """Count a request that got the picture another one had made meanwhile."""
    _COALESCED[scope].inc()


def stale_answered(reason: Literal["revalidating", "error"]) -> None:
    """Count an answer with a result past its time."""
    _STALE[reason].inc()


def revalidated(result: Literal["unchanged", "changed", "error"]) -> None:
    """Count a question to an origin whether the source has changed."""
    _REVALIDATIONS[result].inc()


def purged(tier: str, entries: int) -> None:
    """Count results that were removed on request."""
    _PURGED[tier].inc(entries)


def refined() -> None:
    """Count a result that was replaced by a better one."""
    _REFINED.inc()


def source_fetched(scheme: str, seconds: float, size: int) -> None:
    """Note a download that succeeded (a 304 is one, of no bytes); `scheme` is one that is enabled."""
    _SOURCE_TIMES[scheme].observe(seconds)
    _SPANS["downloading"].observe(seconds)
    _SOURCE_BYTES[scheme].inc(size)


def source_failed(scheme: str, code: str) -> None:
    """Note a download that failed; `code` is that of our error."""
    _SOURCE_ERRORS[scheme, code].inc()


def sample_process(*, threads: int, vips_bytes: int, vips_max_bytes: int, vips_allocs: int) -> None:
    """Note what this process is and takes; for a timer, as nothing tells when it changes."""
    _WORKERS.set(threads)
    _VIPS_MEMORY.set(vips_bytes)
    _VIPS_MAX_MEMORY.set(vips_max_bytes)
    _VIPS_ALLOCS.set(vips_allocs)
    _RSS.set(_resident_bytes())


def _resident_bytes() -> int:
    """Read the memory of this process; 0 where there is no /proc."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Hits:
    """Sums of image requests that one tier answered, for a path too short to write each into the shared file.

    Of one thread. `add` is a few additions; `flush`, once a second and at the end, counts all of them as
    `request_started`, `request_ended`, `cache_looked` and `cache_read` would have.
    """

    __slots__ = ("_bounds", "_bytes", "_seconds", "_statuses", "tier")

    def __init__(self, tier: str) -> None:
        self.tier = tier
        self._clear()

    def _clear(self) -> None:
        self._statuses: dict[int, int] = {}
        self._bounds = [0] * (len(TIMES) + 1)
        self._bytes = 0
        self._seconds = 0.0

    def add(self, status: int, size: int, seconds: float) -> None:
        """Add an answer with `size` bytes of the entry (0 for a 304)."""
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._bytes += size
        self._seconds += seconds
        self._bounds[bisect_left(TIMES, seconds)] += 1

    def flush(self) -> None:
        """Count what was added since the last time."""
        if not self._statuses:
            return
        statuses, counts, size, seconds = self._statuses, self._bounds, self._bytes, self._seconds
        self._clear()
        _REQUEST_TIMES.observe_sums(seconds, counts)
        for status, count in statuses.items():
            _STATUS_CODES[status].inc(count)
        hits = sum(statuses.values())
        _REQUESTS.inc(hits)
        _CACHE_REQUESTS[self.tier, "hit"].inc(hits)
        _CACHE_BYTES[self.tier, "read"].inc(size)


def pending_answered(result: Literal["fallback", "degraded", "waited", "error"]) -> None:
    """Count an image request whose AI steps were not ready."""
    _PENDING[result].inc()


def set_jobs(*, queued: int, running: int) -> None:
    _JOBS["queued"].set(queued)
    _JOBS["running"].set(running)


def job_claimed(waited_s: float) -> None:
    _JOB_WAIT.observe(waited_s)


def job_ended(state: str, code: str, seconds: float) -> None:
    """Count the end of a job; `seconds` of its last attempt, 0 where it had none."""
    _JOBS_ENDED[state, code].inc()
    if seconds:
        _JOB_TIMES[state].observe(seconds)


def job_requeued(code: str) -> None:
    _JOBS_REQUEUED[code].inc()


def job_process_ended(reason: str) -> None:
    _JOB_PROCESSES[reason].inc()


def webhook_tried(result: Literal["delivered", "failed", "given_up"]) -> None:
    _WEBHOOKS[result].inc()
