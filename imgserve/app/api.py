"""The routes of /v1, and of the pages that speak to it."""

from __future__ import annotations

import functools

from starlette.routing import BaseRoute, Route

from imgserve.app.queueing import queue_kind
from imgserve.app.samples import samples_under
from imgserve.app.services import Services
from imgserve.app.telling import hook_rules
from imgserve.service.processing import Processing
from imgserve.web.api import Action, ApiEndpoint, ApiHandler, NoEndpoint, endpoints
from imgserve.web.capabilities import CapabilitiesEndpoint
from imgserve.web.edge import Endpoint, Handler
from imgserve.web.events import FollowJob
from imgserve.web.job_facts import JobFacts
from imgserve.web.job_orders import JobOrders
from imgserve.web.jobs import JobsApi
from imgserve.web.openapi import OpenApiEndpoint
from imgserve.web.orders import Expansion
from imgserve.web.own_pages import OwnPages
from imgserve.web.pages import CONSOLE, page_handlers
from imgserve.web.playground import PLAYGROUND, PlaygroundRoom, catalog_file, no_file, no_playground
from imgserve.web.process import ProcessEndpoint
from imgserve.web.purge import PurgeEndpoint
from imgserve.web.rates import Rates
from imgserve.web.reading import PlanReader
from imgserve.web.signing import SignEndpoint, SignOrders
from imgserve.web.warm import WarmEndpoint

#: Between signs of life of an answer that takes minutes.
_BEAT_S = 5.0


def api_routes(services: Services, reader: PlanReader, prefix: str) -> list[BaseRoute]:
    """List the routes of /v1 and of its pages; the last ones are for all of /v1 that is none of them."""
    sign, capabilities = _sign(services, prefix), _capabilities(services)
    made = endpoints(
        {**_handlers(services, reader, prefix), "sign": sign, "capabilities": capabilities},
        keys=services.api_keys,
        has_keys=bool(services.settings.cache.api_keys),
        rates=Rates(take=services.jobs.take, limit=services.settings.jobs.api_rate),
    )
    routes: list[BaseRoute] = [Route(prefix + path, app) for path, app in made.items()]
    # Without IMGSERVE_SECRET: the page holds nothing, and browsers could not send it.
    routes += [Route(prefix + path, Endpoint(page)) for path, page in page_handlers(CONSOLE).items()]
    routes += _playground(services, sign, capabilities, prefix)
    return [*routes, *(Route(f"{prefix}/v1{rest}", NoEndpoint()) for rest in ("", "/{rest:path}"))]


def _playground(
    services: Services, sign: SignEndpoint, capabilities: CapabilitiesEndpoint, prefix: str
) -> list[BaseRoute]:
    """List the routes of the playground; without a key it signs in development alone, and for its own page alone."""
    settings, base = services.settings, prefix + PLAYGROUND
    development = settings.server.development
    if not (development or settings.cache.api_keys):
        return [Route(base + rest, Endpoint(no_playground)) for rest in ("", "/{rest:path}")]
    files: dict[str, Handler] = page_handlers(PLAYGROUND)
    files[f"{PLAYGROUND}/catalog.json"] = catalog_file(services.grammar, development=development)
    routes: list[BaseRoute] = [Route(prefix + path, Endpoint(file)) for path, file in files.items()]
    if development:
        root = settings.sources.local_filesystem_root
        room = PlaygroundRoom(
            capabilities=capabilities, orders=sign.orders, samples=functools.partial(samples_under, root)
        )
        host = settings.server.bind.rpartition(":")[0].strip("[]")
        handlers: dict[str, ApiHandler] = {"sign": sign, "room": room}
        for name, handler in handlers.items():
            app = ApiEndpoint({"POST": Action(handler=handler, reads=True, keyed=False)}, keys=services.api_keys)
            routes.append(Route(f"{base}/{name}", OwnPages(app=app, host=host)))
    return [*routes, Route(f"{base}/{{rest:path}}", Endpoint(no_file))]


def _sign(services: Services, prefix: str) -> SignEndpoint:
    orders = SignOrders(expansion=expansion_of(services), signer=services.signer, prefix=prefix)
    return SignEndpoint(orders=orders, renderer=services.renderer)


def _capabilities(services: Services) -> CapabilitiesEndpoint:
    return CapabilitiesEndpoint(
        providers=services.artefacts.providers,
        queue=queue_kind(services.settings),
        pending=services.settings.jobs.pending,
        options=len(services.grammar.catalog.ops),
        plugins=services.settings.models.plugins,
        presets=services.grammar.presets,
        separator=services.grammar.separator,
        signature_size=services.signer.size,
    )


def _handlers(services: Services, reader: PlanReader, prefix: str) -> dict[str, ApiHandler]:
    """Give the handlers of the other operations by their ids."""
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
