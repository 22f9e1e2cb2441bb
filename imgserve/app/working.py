"""Working on jobs: a runner of the settings' queue, in a process of its own.

Light on purpose: this process looks after others, in which models and pictures are.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Final

from imgserve import settings as configuration
from imgserve.app.log_format import configure_logging
from imgserve.settings import Settings

if TYPE_CHECKING:
    from imgserve.adapters.queue.ledger import Ledger
    from imgserve.adapters.queue.making import Maker
    from imgserve.ports.jobs import Job
    from imgserve.service.webhooks import Deliveries

logger = logging.getLogger(__name__)

#: Tiers that other processes read too.
SHARED: Final = ("disk", "redis", "s3")

#: As metrics.FOLDER_VARIABLE, which cannot be asked: it is read once, when the metrics are imported.
COUNTS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def works_on_jobs(settings: Settings) -> bool:
    """Tell whether the server itself works on jobs."""
    return bool(settings.jobs.queue_workers) and any(tier in settings.cache.cache for tier in SHARED)


def work_beside() -> None:
    """Work on jobs beside `imgserve serve`, which has checked the settings."""
    settings = configuration.load(key_needed=False)
    configure_logging(settings)
    run_worker(settings, workers=settings.jobs.queue_workers)


def build_maker() -> Maker:
    """Make what makes jobs: called in the child processes."""
    # Five files for each such process would stay when it ends, a minute after its last job, and each page of metrics
    # would read them all: what happens to jobs is counted by the process that looks after it.
    os.environ.pop(COUNTS_FOLDER, None)
    # Late, as the process that spawns them does without pictures and models: it takes 40 MB less.
    from imgserve.app.making import JobMaker

    settings = configuration.load(key_needed=False)
    configure_logging(settings)
    return JobMaker(settings)


def run_worker(settings: Settings, *, workers: int) -> None:
    """Work on jobs until SIGTERM or SIGINT; raises ConfigError."""
    from imgserve.adapters.queue.runner import Runner
    from imgserve.app.job_metrics import JobMetrics
    from imgserve.app.queueing import ledger_of
    from imgserve.service.webhooks import KIND

    jobs = settings.jobs
    # It tells at length how it is set up; what happens to jobs is told here.
    logging.getLogger("huey").setLevel(logging.WARNING)
    ledger = ledger_of(settings)
    deliveries = deliveries_of(settings, ledger)
    runner = Runner(
        ledger,
        build_maker,
        workers=workers,
        job_timeout_s=jobs.job_timeout,
        max_bytes=jobs.job_memory,
        ended=deliveries.ended if deliveries is not None else Untold().ended,
        handlers={KIND: deliveries.handle} if deliveries is not None else None,
        watch=JobMetrics(ledger),
    )
    try:
        runner.run(grace_s=settings.server.stop_timeout)
    finally:
        ledger.storage.close()


class Untold:
    """What hears of ended jobs in a worker that cannot sign webhooks: it says so once."""

    def __init__(self) -> None:
        self._is_told = False

    def ended(self, job: Job) -> None:
        """Warn where somebody waits for a webhook."""
        if not job.order.webhook or self._is_told:
            return
        self._is_told = True
        logger.warning(
            "job %s has a webhook, and this worker sends none: give it the IMGSERVE_WEBHOOK_SECRET of the server "
            "(said once)",
            job.order.id,
        )


def deliveries_of(settings: Settings, ledger: Ledger) -> Deliveries | None:
    """Make what tells of ended jobs, where there are webhooks."""
    if not settings.jobs.webhook_secret:
        return None
    from imgserve.adapters.queue.calls import schedule
    from imgserve.app.telling import build_deliveries

    return build_deliveries(settings, partial(schedule, ledger.storage))
