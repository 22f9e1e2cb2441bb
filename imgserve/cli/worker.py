"""`imgserve worker`: work on AI jobs, on this machine, for all servers that share its queue."""

from __future__ import annotations

import logging

import click

from imgserve import __version__
from imgserve.app.cpus import cpu_count
from imgserve.app.log_format import configure_logging
from imgserve.app.making import job_problems
from imgserve.app.queueing import queue_name
from imgserve.app.working import run_worker
from imgserve.cli.environment import refuse, settings_or_exit
from imgserve.errors import ConfigError

logger = logging.getLogger("imgserve")


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), default=None, help="Jobs at a time; one a CPU if not given.")
def worker(workers: int | None) -> None:
    """Work on AI jobs until SIGTERM or Ctrl-C, then finish or give back what was begun.

    Reads the settings of the server: the same queue, a cache that both reach, the same model files.
    """
    settings = settings_or_exit(key_needed=False)
    if problems := job_problems(settings):
        refuse(problems)
    configure_logging(settings)
    count = workers or cpu_count()
    try:
        logger.info("imgserve %s works on jobs, %d at a time, queue %s", __version__, count, queue_name(settings))
        run_worker(settings, workers=count)
    except ConfigError as wrong:
        refuse(wrong.problems)
