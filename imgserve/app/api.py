"""The routes of /v1, and of the pages that speak to it."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from imgserve.app.queueing import queue_kind
from imgserve.app.services import Services
from imgserve.app.telling import hook_rules
from imgserve.service.processing import Processing
from imgserve.web.api import ApiHandler, NoEndpoint, endpoints
from imgserve.web.capabilities import CapabilitiesEndpoint
from imgserve.web.edge import Endpoint
from imgserve.web.events import FollowJob
from imgserve.web.job_facts import JobFacts
from imgserve.web.job_orders import JobOrders
from imgserve.web.jobs import JobsApi
from imgserve.web.openapi import OpenApiEndpoint
from imgserve.web.orders import Expansion
from imgserve.web.pages import console_handlers
from imgserve.web.process import ProcessEndpoint
from imgserve.web.purge import PurgeEndpoint
from imgserve.web.rates import Rates
from imgserve.web.reading import PlanReader
from imgserve.web.warm import WarmEndpoint

#: Between signs of life of an answer that takes minutes.
_BEAT_S = 5.0


def api_routes(services: Services, reader: PlanReader, prefix: str) -> list[BaseRoute]:
    """List the routes of /v1; the last ones are for all that is none of them."""
    handlers = _handlers(services, reader, prefix)
    made = endpoints(
        handlers,
        keys=services.api_keys,
        has_keys=bool(services.settings.cache.api_keys),
        rates=Rates(take=services.jobs.take, limit=services.settings.jobs.api_rate),
    )
    routes: list[BaseRoute] = [Route(prefix + path, app) for path, app in made.items()]
    # Without IMGSERVE_SECRET: the page holds nothing, and browsers could not send it.
    routes += [Route(prefix + path, Endpoint(page)) for path, page in console_handlers().items()]
    return [*routes, *(Route(f"{prefix}/v1{rest}", NoEndpoint()) for rest in ("", "/{rest:path}"))]


def _handlers(services: Services, reader: PlanReader, prefix: str) -> dict[str, ApiHandler]:
    settings = services.settings
    expansion = expansion_of(services)
    facts = JobFacts(expansion=expansion, signer=services.signer, prefix=prefix)
    orders = JobOrders(
        reader=reader, expansion=expansion, artefacts=services.artefacts, hooks=hook_rules(settings), facts=facts
    )
    # Well within the time that the edge gives each piece of an answer, and proxies give an answer that pauses.
    beat_s = min(_BEAT_S, settings.server.timeout / 2)
    return {
        "purge": PurgeEndpoint(services.caches.purges, services.grammar),
        "warm": WarmEndpoint(
            warmer=services.warmer,
            expansion=expansion,
            signer=services.signer,
            readiness=services.readiness,
            prefix=prefix,
            beat_s=beat_s,
        ),
        "process": ProcessEndpoint(
            processing=Processing(jobs=services.jobs, renderer=services.renderer),
            uploads=services.uploads,
            expansion=expansion,
            facts=facts,
            max_image_bytes=settings.limits.max_src_file_size,
        ),
        **JobsApi(jobs=services.jobs, orders=orders, facts=facts).handlers(),
        "followJob": FollowJob(jobs=services.jobs, facts=facts, readiness=services.readiness, beat_s=beat_s),
        "capabilities": CapabilitiesEndpoint(
            providers=services.artefacts.providers,
            queue=queue_kind(settings),
            pending=settings.jobs.pending,
            options=len(services.grammar.catalog.ops),
            plugins=settings.models.plugins,
        ),
        "openapi": OpenApiEndpoint(services.grammar, prefix=prefix),
    }


def expansion_of(services: Services) -> Expansion:
    """Give what makes plans of orders, here and in `imgserve warm`."""
    return Expansion(
        grammar=services.grammar,
        negotiation=services.delivery.negotiation,
        admit=services.renderer.admit,
        key=services.renderer.key,
    )
