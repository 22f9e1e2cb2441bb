"""The ASGI app: routes, the one middleware and the lifespan, as data over Services."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
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

from imgserve import metrics
from imgserve import settings as configuration
from imgserve.app.caches import cache_problems
from imgserve.app.exits import EXIT_CONFIG
from imgserve.app.hit_log import hit_log
from imgserve.app.late import LateRoutes
from imgserve.app.log_format import configure_logging, log_problems
from imgserve.app.logs import log_exchange, visible_target
from imgserve.app.measuring import measuring
from imgserve.app.recycle import leave, recycle_when_stuck
from imgserve.app.services import Services, build_services
from imgserve.app.sources import wait_for
from imgserve.errors import ConfigError
from imgserve.ops.info import INFO, info_grammar
from imgserve.service.admission import Admission
from imgserve.service.info import Inspector
from imgserve.service.readiness import Readiness
from imgserve.settings import Settings
from imgserve.web.edge import Edge, EdgePolicy, Endpoint
from imgserve.web.hot import HotPaths, LogHit
from imgserve.web.http import Negotiation
from imgserve.web.image import ImageEndpoint
from imgserve.web.info import InfoEndpoint
from imgserve.web.meta import EXPLAIN, Explain, Health, Metrics, landing, nothing
from imgserve.web.pending import PendingAnswers, PendingPolicy
from imgserve.web.reading import PlanReader

logger = logging.getLogger("imgserve")


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
    gc.enable()
    return app


def check(settings: Settings) -> list[str]:
    """Try everything that a start does but opening the port; give all mistakes."""
    problems: list[str] = []
    try:
        # Each process opens its caches itself, which sweeps their folders.
        services = build_services(settings.without_cache())
        wait_for(services.close())
    except ConfigError as wrong:
        problems += wrong.problems
    return problems + cache_problems(settings)


def build_app(settings: Settings) -> Starlette:
    """Make the app of these settings; raises ConfigError with every mistake."""
    return app_of(build_services(settings))


def app_of(services: Services, *, end: Callable[[], None] = leave) -> Starlette:
    """Put the parts behind their routes; `end` ends the process when no render thread is left."""
    settings = services.settings
    prefix = settings.url.route_prefix
    reader = PlanReader(
        grammar=services.grammar,
        signer=services.signer,
        negotiation=services.delivery.negotiation,
        admit=services.renderer.admit,
        prefix=prefix,
    )
    policy = EdgePolicy(
        timeout_s=settings.server.timeout,
        source_error_ttl_s=settings.caching.source_error_ttl,
        allow_origin=settings.server.allow_origin,
    )
    hits = hit_log(settings.server.log_format)
    hot = _hot_paths(services, policy, prefix, hits)
    admission = Admission(settings.server.max_clients)
    pending = PendingAnswers(
        jobs=services.modelled.jobs,
        delivery=services.delivery,
        policy=PendingPolicy.parse(settings.jobs.pending),
        prefix=prefix,
    )
    image = ImageEndpoint(
        reader=reader,
        renderer=services.renderer,
        delivery=services.delivery,
        admission=admission,
        fallback=services.fallback,
        pending=pending,
        hot=hot,
    )
    info = _info(services, reader, admission, pending)
    app = Starlette(
        routes=_routes(services, reader, info, prefix),
        middleware=[Middleware(Edge, policy=policy, log=functools.partial(log_exchange, prefix=prefix, fast=hits))],
        lifespan=functools.partial(_lifespan, services, hot, hits, end),
    )
    # Not a route: patterns match decoded paths, and an image URL is whatever no route takes.
    app.router.redirect_slashes = False
    app.router.default = Endpoint(image, secret=settings.server.secret, counted=True)
    app.state.services = services
    app.state.hot = hot
    return app


def _hot_paths(services: Services, policy: EdgePolicy, prefix: str, log: LogHit | None) -> HotPaths | None:
    """Make the short way, where every request that has the same path and `Accept` may have the same answer."""
    settings, caches = services.settings, services.caches
    memory = caches.results.tiers.memory
    if memory is None or settings.server.secret or settings.negotiation.enable_client_hints:
        return None
    return HotPaths(
        memory=memory,
        changed=caches.purges.changed,
        always=policy.headers(),
        log=log,
        shown=functools.partial(visible_target, prefix=prefix),
    )


def _info(services: Services, reader: PlanReader, admission: Admission, pending: PendingAnswers) -> InfoEndpoint:
    # What is said of a picture does not depend on what the client accepts.
    return InfoEndpoint(
        reader=dataclasses.replace(
            reader,
            grammar=info_grammar(services.grammar),
            negotiation=Negotiation(),
            prefix=reader.prefix + INFO,
        ),
        inspector=Inspector(renderer=services.renderer, modelled=services.modelled),
        delivery=dataclasses.replace(services.delivery, negotiation=Negotiation()),
        pending=pending,
        admission=admission,
    )


def _routes(services: Services, reader: PlanReader, info: InfoEndpoint, prefix: str) -> list[BaseRoute]:
    """List every route but that of images; health answers without the prefix too, for checks inside a network."""
    server, monitoring = services.settings.server, services.settings.monitoring
    health = Endpoint(Health(services.readiness, basic=functools.cache(lambda: basic_providers(services))))
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
    page = Endpoint(nothing)
    if monitoring.metrics and not monitoring.prometheus_bind:
        page = Endpoint(Metrics(monitoring.prometheus_namespace), secret=server.secret)
    routes += [Route(path, page) for path in dict.fromkeys(("/metrics", f"{prefix}/metrics"))]
    routes.append(Route(f"{prefix}{INFO}/{{path:path}}", Endpoint(info, secret=server.secret, counted=True)))
    if server.development:
        explain = Explain(reader=reader, renderer=services.renderer, prefix=prefix)
        routes.append(Route(f"{prefix}{EXPLAIN}/{{path:path}}", Endpoint(explain, secret=server.secret)))
    return [*routes, *_late(services, reader, prefix)]


def basic_providers(services: Services) -> str:
    """Name the providers that do their task without a model."""
    known = [one.capability for one in services.artefacts.providers.values()]
    return ", ".join(f"{one.task}={one.name}" for one in known if one.basic)


def _late(services: Services, reader: PlanReader, prefix: str) -> list[BaseRoute]:
    """List the routes of the API and its pages, which are made with the first request for one of them."""

    def make() -> list[BaseRoute]:
        from imgserve.app.api import api_routes

        return api_routes(services, reader, prefix)

    late = LateRoutes(make)
    firsts = ("/v1", "/console", "/playground")
    return [Route(f"{prefix}{first}{rest}", late) for first in firsts for rest in ("", "/{rest:path}")]


@contextlib.asynccontextmanager
async def _lifespan(
    services: Services, hot: HotPaths | None, hits: LogHit | None, end: Callable[[], None], _app: Starlette
) -> AsyncIterator[None]:
    renderer = services.renderer
    watch = asyncio.create_task(recycle_when_stuck(renderer.pool, services.readiness, end=end))
    try:
        await services.start()
        with (
            measuring(renderer.pool, flush=functools.partial(_count, services, hot)),
            _draining_on_sigterm(services.readiness),
        ):
            yield
    finally:
        watch.cancel()
        if hits is not None:
            hits.flush()
        await services.close()


def _count(services: Services, hot: HotPaths | None) -> None:
    """Tell the metrics what is counted elsewhere."""
    if hot is not None:
        hot.flush()
    if (memory := services.caches.results.tiers.memory) is not None:
        metrics.set_cache_size(memory.name, memory.bytes, shared=False)


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
