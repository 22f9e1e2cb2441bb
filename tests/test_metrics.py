from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from imgserve import metrics
from imgserve.metrics.table import TIMES
from tests.scraping import Sums, sums

TIERS = ("memory", "disk")


@pytest.fixture
def before() -> Sums:
    """What this process has counted so far; tests look at differences."""
    return scrape()


def scrape() -> Sums:
    return sums(metrics.page("imgserve").body)


def test_everything_in_the_table_is_shown_once_it_has_counted() -> None:
    record_everything()
    shown = {name.removesuffix("_sum") for name in scrape().names if not name.endswith(("_bucket", "_count"))}
    assert shown == {f"imgserve_{row.name}" for row in metrics.METRICS if not row.shown_as}


def record_everything() -> None:
    metrics.request_started()
    metrics.request_ended(404, 0.1, error="source_not_found")
    metrics.work_started(0.1)
    metrics.work_ended(0.1)
    metrics.rendered({"load": 0.1, "encode": 0.2})
    metrics.encoded("webp", 0.2)
    metrics.worker_stuck()
    metrics.worker_came_back()
    metrics.refused("clients")
    metrics.cache_looked("disk", "miss")
    metrics.cache_written("disk", 10)
    metrics.cache_evicted("disk")
    metrics.set_cache_size("disk", 10, shared=True)
    metrics.coalesced("process")
    metrics.stale_answered("error")
    metrics.revalidated("changed")
    metrics.purged("disk", 3)
    metrics.refined()
    metrics.source_fetched("https", 0.1, 1000)
    metrics.source_failed("https", "source_timeout")
    metrics.pending_answered("fallback")
    metrics.set_jobs(queued=3, running=1)
    metrics.job_claimed(1.0)
    metrics.job_ended("failed", "job_timeout", 3.0)
    metrics.job_requeued("stopped")
    metrics.job_process_ended("idle")
    metrics.webhook_tried("delivered")
    metrics.sample_process(threads=1, vips_bytes=1, vips_max_bytes=1, vips_allocs=1)


def test_a_request_is_one_status_one_duration_and_no_more_in_progress(before: Sums) -> None:
    metrics.request_started()
    assert (scrape() - before).one("requests_in_progress") == 1
    metrics.request_ended(422, 0.2, error="image_refused")
    grown = scrape() - before
    assert grown.one("requests_in_progress") == 0
    assert grown.one("requests_total") == 1
    assert grown.one("status_codes_total", status="422") == 1
    assert grown.one("errors_total", type="image_refused") == 1
    assert grown.one("request_duration_seconds_count") == 1
    assert grown.one("request_duration_seconds_sum") == pytest.approx(0.2)
    assert grown.one("request_duration_seconds_bucket", le="0.1") == 0
    assert grown.one("request_duration_seconds_bucket", le="0.25") == 1


@pytest.mark.parametrize("seconds", [0.0, TIMES[0], TIMES[3], 0.7, TIMES[-1], 100.0])
def test_summed_hits_count_like_single_ones(before: Sums, seconds: float) -> None:
    metrics.request_started()
    metrics.cache_looked("memory", "hit")
    metrics.cache_read("memory", 5000)
    metrics.request_ended(200, seconds)
    middle = scrape()
    hits = metrics.Hits("memory")
    hits.add(200, 5000, seconds)
    assert scrape() == middle, "nothing is written before the flush"
    hits.flush()
    hits.flush()
    assert scrape() - middle == middle - before
    grown = middle - before
    assert grown.one("cache_requests_total", tier="memory", result="hit") == 1
    assert grown.one("cache_bytes_total", tier="memory", direction="read") == 5000
    assert grown.one("request_duration_seconds_count") == 1


def test_sizes_of_shared_and_own_tiers_are_one_metric() -> None:
    metrics.set_cache_size("memory", 7, shared=False)
    metrics.set_cache_size("disk", 9, shared=True)
    seen = scrape()
    assert [seen.one("cache_size_bytes", tier=tier) for tier in TIERS] == [7, 9]


def test_utilization_is_the_share_of_threads_that_work() -> None:
    metrics.pending_answered("fallback")
    metrics.job_claimed(1.0)
    metrics.job_ended("failed", "job_timeout", 3.0)
    metrics.job_requeued("stopped")
    metrics.job_process_ended("idle")
    metrics.webhook_tried("delivered")
    metrics.sample_process(threads=4, vips_bytes=0, vips_max_bytes=0, vips_allocs=0)
    busy = scrape().one("images_in_progress")
    metrics.work_started(0)
    assert scrape().one("workers_utilization") == 25 * (busy + 1)
    metrics.work_ended(0)
    assert scrape().one("workers_utilization") == 25 * busy


@pytest.mark.parametrize(("namespace", "name"), [("shop", "shop_requests_total"), ("", "requests_total")])
def test_names_begin_with_the_namespace(namespace: str, name: str) -> None:
    assert name in sums(metrics.page(namespace).body).names


@pytest.mark.parametrize("wrong", ["my-shop", "1st", "a b", 'a"', "ä"])
def test_a_namespace_that_prometheus_would_refuse_is_told(wrong: str) -> None:
    assert repr(wrong) in metrics.namespace_problem(wrong)


@pytest.mark.parametrize("fine", ["", "imgserve", "_a1"])
def test_other_namespaces_are_fine(fine: str) -> None:
    assert metrics.namespace_problem(fine) == ""


def test_openmetrics_is_for_clients_that_accept_it() -> None:
    record_everything()
    page = metrics.page("imgserve", "application/openmetrics-text;version=x;q=0.6,text/plain;q=0.5")
    assert page.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    names = {family.name for family in read_openmetrics(page.body.decode())}  # type: ignore[no-untyped-call]
    assert "imgserve_requests" in names
    assert metrics.page("imgserve", "text/plain;version=9;escaping=x").content_type.startswith("text/plain; version=0")


def test_a_file_that_was_just_made_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").touch()
    assert b"workers_utilization 0.0" in metrics.page("imgserve", folder=tmp_path).body
