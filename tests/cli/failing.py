"""Apps that fail in the ways that a supervisor is for; made in the processes that it starts."""

from __future__ import annotations

import os
import sys
import threading
from typing import NoReturn

from starlette.applications import Starlette
from starlette.routing import Route

from imgserve.app.main import app_of
from imgserve.app.services import build_services
from imgserve.engine.deadline import Deadline
from imgserve.settings import load
from imgserve.web.edge import Endpoint
from imgserve.web.exchange import Exchange
from imgserve.web.responses import text_response


def that_can_hang() -> Starlette:
    """The real app, and two paths: /pid tells the process, /hang takes a render thread for ever."""
    services = build_services(load())
    pool = services.renderer.pool
    pool.grace_s = 0.01

    async def pid(exchange: Exchange) -> None:
        await exchange.send(text_response(str(os.getpid())))

    async def hang(exchange: Exchange) -> None:
        await pool.run(threading.Event().wait, deadline=Deadline(0.05))

    app = app_of(services)
    app.router.routes[:0] = [Route("/pid", Endpoint(pid)), Route("/hang", Endpoint(hang))]
    return app


def that_dies_at_once() -> NoReturn:
    sys.stderr.write("starting to die\n")
    sys.stderr.flush()
    os._exit(71)


def that_raises() -> NoReturn:
    raise RuntimeError("no app today")
