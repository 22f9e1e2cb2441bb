"""The ASGI app: routes, the one middleware and the lifespan, as data over Services."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from imgserve import settings as configuration
from imgserve.app.logs import configure_logging, log_exchange, log_problems
from imgserve.app.recycle import leave, recycle_when_stuck
from imgserve.app.services import Services, build_services
from imgserve.app.sources import wait_for
from imgserve.errors import ConfigError
from imgserve.service.admission import Admission
from imgserve.service.readiness import Readiness
from imgserve.settings import Settings
from imgserve.web.edge import Edge, EdgePolicy, Endpoint
from imgserve.web.image import ImageEndpoint
from imgserve.web.meta import EXPLAIN, Explain, Health, landing, nothing
from imgserve.web.reading import PlanReader

logger = logging.getLogger("imgserve")

#: EX_CONFIG of sysexits.h.
EXIT_CONFIG = 78


def create_app() -> Starlette:
    """Make the app from the environment: uvicorn's factory. Exits with 78 where the settings are wrong."""
    try:
        settings = configuration.load()
        configure_logging(settings)
        for sentence in settings.warnings:
            logger.warning("%s", sentence)
        app = build_app(settings)
    except ConfigError as wrong:
        log_problems(wrong)
        raise SystemExit(EXIT_CONFIG) from wrong
    # What is alive now stays alive: full collections that walk it took 50 of a request's 300 microseconds.
    gc.collect()
    gc.freeze()
    return app


def check(settings: Settings) -> list[str]:
    """Try everything that a start does but opening the port; give all mistakes."""
    try:
        services = build_services(settings)
    except ConfigError as wrong:
        return wrong.problems
    wait_for(services.close())
    return []


def build_app(settings: Settings) -> Starlette:
    """Make the app of these settings; raises ConfigError with every mistake."""
    return app_of(build_services(settings))


def app_of(services: Services, *, end: Callable[[], None] = leave) -> Starlette:
    """Put the parts behind their routes; `end` ends the process when no render thread is left."""
    settings = services.settings
    prefix = route_prefix(settings)
    reader = PlanReader(
        grammar=services.grammar,
        signer=services.signer,
        negotiation=services.delivery.negotiation,
        admit=services.renderer.admit,
        prefix=prefix,
    )
    image = ImageEndpoint(
        reader=reader,
        renderer=services.renderer,
        delivery=services.delivery,
        admission=Admission(settings.server.max_clients),
        fallback=services.fallback,
    )
    policy = EdgePolicy(
        timeout_s=settings.server.timeout,
        source_error_ttl_s=settings.caching.source_error_ttl,
        allow_origin=settings.server.allow_origin,
    )
    app = Starlette(
        routes=_routes(services, reader, prefix),
        middleware=[Middleware(Edge, policy=policy, log=functools.partial(log_exchange, prefix=prefix))],
        lifespan=functools.partial(_lifespan, services, end),
    )
    # Not a route: patterns match decoded paths, and an image URL is whatever no route takes.
    app.router.redirect_slashes = False
    app.router.default = Endpoint(image, secret=settings.server.secret)
    app.state.services = services
    return app


def route_prefix(settings: Settings) -> str:
    """Spell the path prefix with a slash in front and none behind, "" for none."""
    path = settings.url.path_prefix.strip("/")
    return f"/{path}" if path else ""


def _routes(services: Services, reader: PlanReader, prefix: str) -> list[BaseRoute]:
    """List every route but that of images; health answers without the prefix too, for checks inside a network."""
    server = services.settings.server
    health = Endpoint(Health(services.readiness))
    routes = [
        Route("/health", health),
        Route(f"{prefix}/", Endpoint(landing)),
        Route("/favicon.ico", Endpoint(nothing)),
        Route("/.well-known/{rest:path}", Endpoint(nothing)),
    ]
    if prefix:
        routes.append(Route(f"{prefix}/health", health))
    if server.health_check_path:
        routes.append(Route(f"{prefix}/{server.health_check_path.lstrip('/')}", health))
    if server.development:
        explain = Explain(reader=reader, renderer=services.renderer, prefix=prefix)
        routes.append(Route(f"{prefix}{EXPLAIN}/{{path:path}}", Endpoint(explain, secret=server.secret)))
    return [*routes]


@contextlib.asynccontextmanager
async def _lifespan(services: Services, end: Callable[[], None], _app: Starlette) -> AsyncIterator[None]:
    renderer = services.renderer
    watch = asyncio.create_task(recycle_when_stuck(renderer.pool, services.readiness, end=end))
    try:
        with _draining_on_sigterm(services.readiness):
            yield
    finally:
        watch.cancel()
        await services.close()


@contextlib.contextmanager
def _draining_on_sigterm(readiness: Readiness) -> Iterator[None]:
    """Note SIGTERM before the server's own handler acts on it: /health then says so on connections that are open."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: FrameType | None) -> None:
        readiness.drain()
        if callable(before):
            before(number, frame)
        elif before is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    signal.signal(signal.SIGTERM, drain)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is drain:
            signal.signal(signal.SIGTERM, before)
