"""`imgserve serve`: check the settings, take the address, start the processes."""

from __future__ import annotations

import ctypes
import dataclasses
import logging
import os
import socket
import sys
from typing import Final

import click
import uvicorn

from imgserve import __version__
from imgserve.app.cpus import cpu_count
from imgserve.app.log_format import configure_logging
from imgserve.app.working import work_beside, works_on_jobs
from imgserve.cli.address import BACKLOG, address_of, address_problems, reserve
from imgserve.cli.beside import Beside
from imgserve.cli.counts import counting
from imgserve.cli.environment import refuse, settings_or_exit
from imgserve.cli.protocol import ConnectionBounds, bounded_protocol
from imgserve.cli.supervisor import Supervisor
from imgserve.errors import ConfigError
from imgserve.settings import Settings

logger = logging.getLogger("imgserve")

#: Built again in every process: imported by name because processes are spawned, never forked (libvips has threads).
APP: Final = "imgserve.app.main:create_app"

#: M_ARENA_MAX of glibc's malloc.h, and how many arenas libvips' own checklist advises for servers.
_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2

#: A process that does not answer its supervisor for so long is killed; one that starts on a crowded CPU takes seconds.
_HEALTHCHECK_S: Final = 15


@click.command()
def serve() -> None:
    """Serve images until SIGTERM or Ctrl-C, then finish what was begun."""
    settings = settings_or_exit()
    if problems := address_problems(settings):
        refuse(problems)
    # The rest (presets, pictures, caches) is checked by the first process, before the port opens and the others start:
    # to make all of it here as well would double the time to the first answer.
    config = uvicorn_config(settings, workers=settings.server.workers or cpu_count())
    try:
        with reserve(address_of(settings.server.bind)) as port, counting(settings) as gone:
            _cap_malloc_arenas()
            configure_logging(settings)
            # It would tell of each process that it stops; those tell it themselves.
            logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
            # One process is supervised too: it may give itself up (app.recycle), and somebody has to start the next.
            supervisor = Supervisor(
                config,
                [port],
                gone=gone,
                began=lambda: logger.info("%s", start_line(settings, port, config.workers)),
                beside=[Beside("worker of AI jobs", work_beside)] if works_on_jobs(settings) else [],
            )
            supervisor.run()
    except ConfigError as wrong:
        refuse(wrong.problems)
    sys.exit(supervisor.exit_code)


def start_line(settings: Settings, port: socket.socket, processes: int) -> str:
    """Say in one line what serves, where, and where it keeps results."""
    address = dataclasses.replace(address_of(settings.server.bind), port=port.getsockname()[1])
    where = address.url if address.host else f"{address.url} (all addresses)"
    tiers = ",".join(settings.cache.cache)
    cache = tiers if tiers == "off" else f"{tiers} ({settings.cache.folder})"
    count = "1 process" if processes == 1 else f"{processes} processes"
    return f"imgserve {__version__} on {where}, {count}, cache {cache}"


def uvicorn_config(settings: Settings, *, workers: int) -> uvicorn.Config:
    """Say how uvicorn runs: bounds from the settings, headers and log lines left to the app."""
    return uvicorn.Config(
        APP,
        factory=True,
        workers=workers,
        http=bounded_protocol(connection_bounds(settings)),
        ws="none",
        lifespan="on",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, round(settings.server.keep_alive_timeout)),
        timeout_graceful_shutdown=max(1, round(settings.server.stop_timeout)),
        timeout_worker_healthcheck=_HEALTHCHECK_S,
    )


def connection_bounds(settings: Settings) -> ConnectionBounds:
    """Say what a connection may take: twice the image requests, so that idle ones and /health have room beside them."""
    server = settings.server
    return ConnectionBounds(timeout_s=server.timeout, max_connections=2 * server.max_clients)


def _cap_malloc_arenas() -> None:
    """Keep glibc from spreading pictures over an arena for each thread; without effect under jemalloc."""
    os.environ.setdefault("MALLOC_ARENA_MAX", str(_ARENAS))  # for the processes that are spawned
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
