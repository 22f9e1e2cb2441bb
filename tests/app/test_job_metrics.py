"""What a runner of jobs tells, counted."""

from __future__ import annotations

from pathlib import Path

from imgserve import metrics
from imgserve.adapters.queue.client import open_ledger
from imgserve.adapters.queue.sweep import Swept
from imgserve.app.job_metrics import JobMetrics
from imgserve.ports.jobs import JobOrder
from imgserve.ports.models import Ask, Task
from tests.scraping import sums


def test_a_sweep_tells_how_many_jobs_wait(tmp_path: Path) -> None:
    ledger = open_ledger(redis_url="", file=tmp_path / "jobs.sqlite3", max_attempts=3, lease_s=5, ttl_s=60, max_jobs=10)
    orders = [JobOrder(id=str(n) * 64, source="local:///a.jpg", asks=(Ask(Task.FACES),)) for n in range(3)]
    ledger.submit(orders)
    JobMetrics(ledger).swept(Swept())
    found = sums(metrics.page("imgserve").body)
    assert (found.one("jobs", state="queued"), found.one("jobs", state="running")) == (3, 0)
    ledger.storage.close()
