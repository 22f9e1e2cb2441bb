"""The composition root: settings become every part of the server, or one list of all that is wrong with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from imgserve.app.caches import NEAR, Caches, build_caches, build_uploads, keeping_rules
from imgserve.app.cpus import cpu_count
from imgserve.app.engine import default_intent, engine_config
from imgserve.app.grammar import build_grammar
from imgserve.app.measuring import check_namespace
from imgserve.app.models import build_providers
from imgserve.app.pictures import Place, load_picture
from imgserve.app.queueing import check_queue, late_queue
from imgserve.app.sources import allowed_sources, build_sources, wait_for
from imgserve.engine.effort import fast_config, small_config
from imgserve.engine.idle import IdlePool
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.libvips import configure_libvips
from imgserve.engine.pipeline import Rendered
from imgserve.engine.pool import RenderPool
from imgserve.engine.version import engine_version
from imgserve.errors import ConfigError
from imgserve.plan.signing import Signer, key_pairs
from imgserve.plan.url import Grammar
from imgserve.ports.models import Provider, Task
from imgserve.service.admission import ByteBudget
from imgserve.service.api_keys import ApiKeys
from imgserve.service.artefacts import Artefacts
from imgserve.service.intents import Intents, fingerprint, transforms_of
from imgserve.service.jobs import Jobs
from imgserve.service.modelled import Modelled
from imgserve.service.readiness import Readiness
from imgserve.service.refining import Refiner
from imgserve.service.render import Renderer
from imgserve.service.results import Job
from imgserve.service.uploads import SCHEME, Uploads, UploadSource
from imgserve.service.validators import source_validator
from imgserve.service.warm import Warmer
from imgserve.settings import Settings
from imgserve.web.conditions import Validation
from imgserve.web.delivery import Delivery
from imgserve.web.http import Freshness, Negotiation, rfc3339_time
from imgserve.web.image import Fallback

T = TypeVar("T")

#: Bound on one small encode; those of large AVIFs take tens of seconds of an idle CPU.
_REFINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every part of a running server."""

    settings: Settings
    grammar: Grammar
    signer: Signer
    renderer: Renderer
    caches: Caches
    api_keys: ApiKeys
    delivery: Delivery
    fallback: Fallback | None
    readiness: Readiness
    warmer: Warmer
    modelled: Modelled
    uploads: Uploads
    refining: Refining | None = None

    @property
    def artefacts(self) -> Artefacts:
        return self.modelled.artefacts

    @property
    def jobs(self) -> Jobs:
        return self.modelled.jobs

    async def start(self) -> None:
        """Begin what needs a running event loop."""
        await self.caches.start()

    async def close(self) -> None:
        """Give back connections and threads; nobody waits for a render any more, so one that runs gets a moment."""
        pool = self.renderer.pool
        await pool.close(timeout_s=pool.grace_s)
        if self.refining is not None:
            await self.refining.close()
        await self.warmer.close()
        await self.jobs.close()
        await self.caches.close()
        for source in dict.fromkeys(self.renderer.sources.values()):
            await source.close()


def build_services(settings: Settings) -> Services:
    """Make all parts; raises ConfigError with every mistake, and touches no port."""
    configure_libvips()
    problems: list[str] = []
    intent = default_intent(settings)
    _tried(problems, lambda: check_namespace(settings))
    grammar = _tried(problems, lambda: build_grammar(settings))
    delivery = _tried(problems, lambda: _delivery(settings))
    watermark = _tried(problems, lambda: _watermark(settings, intent))
    fallback = _tried(problems, lambda: _fallback(settings, intent))
    allowed = allowed_sources(settings)
    sources = _tried(problems, lambda: build_sources(settings, allowed))
    providers = _tried(problems, lambda: build_providers(settings))
    _tried(problems, lambda: check_queue(settings))
    caches = _tried(problems, lambda: build_caches(settings))
    if settings.jobs.webhook_secret:
        # With the first request for the API it would be too late to say that something is wrong.
        from imgserve.app.telling import hook_rules

        _tried(problems, lambda: hook_rules(settings))
    if problems or not (grammar and delivery and sources and caches) or providers is None:
        if caches is not None:
            wait_for(caches.close())
        raise ConfigError(problems)
    config = engine_config(settings, watermark=watermark)
    uploads = build_uploads(caches, settings)
    artefacts = build_artefacts(caches, providers, settings)
    modelled = Modelled(artefacts=artefacts, jobs=Jobs(queue=late_queue(settings), artefacts=artefacts))
    refines = settings.cache.refine and caches.results.tiers.any
    renderer = Renderer(
        sources={**sources, SCHEME: UploadSource(uploads)},
        allowed=allowed,
        pool=RenderPool(threads=render_threads(settings), queue_size=settings.server.requests_queue_size),
        intents=Intents(intent),
        config=fast_config(config) if refines else config,
        # Nobody makes them smaller later; what the operator set is right for requests that wait.
        final=config if refines else None,
        epoch=fingerprint(engine_version(), intent, config, *([small_config(config)] if refines else [])),
        results=caches.results,
        downloads=caches.downloads,
        bytes_in_flight=ByteBudget(settings.limits.max_bytes_in_flight),
        render_timeout_s=settings.server.render_timeout,
        modelled=modelled,
    )
    refining = Refining(renderer, small_config(config)) if refines else None
    if refining is not None:
        renderer = dataclasses.replace(renderer, drafts=refining.refiner.offer)
    return Services(
        settings=settings,
        grammar=grammar,
        signer=build_signer(settings),
        renderer=renderer,
        caches=caches,
        api_keys=ApiKeys(dict(pair.split(":", 1) for pair in settings.cache.api_keys)),
        delivery=delivery,
        fallback=fallback,
        readiness=Readiness(),
        # It answers nobody in time, so its first results are final.
        warmer=Warmer(renderer, config=small_config(config) if refines else config),
        modelled=modelled,
        uploads=uploads,
        refining=refining,
    )


def build_artefacts(caches: Caches, providers: Mapping[Task, Provider], settings: Settings) -> Artefacts:
    """Make what finds and keeps artefacts: past the memory of processes, whose room is for results."""
    return Artefacts(
        tiers=caches.results.below_memory().tiers,
        purges=caches.purges,
        rules=keeping_rules(settings),
        providers=providers,
        near=NEAR,
    )


class Refining:
    """What makes drafts small: a process beside this one, and the queue before it."""

    def __init__(self, renderer: Renderer, config: EngineConfig) -> None:
        self._renderer = renderer
        self._config = config
        self._pool = IdlePool(timeout_s=_REFINE_S)
        self.refiner = Refiner(results=renderer.results, remake=self._remake, busy=lambda: renderer.pool.pending > 0)

    async def _remake(self, job: Job) -> tuple[Rendered, str]:
        intent = self._renderer.intent(job.plan)
        blob = await self._renderer.fetch(job.plan, intent, headers={})
        picture = await self._pool.render(
            blob.data, intent=intent, transforms=transforms_of(job.plan), config=self._config
        )
        return picture, source_validator(blob)

    async def close(self) -> None:
        await self.refiner.close()
        self._pool.close()


def _tried(problems: list[str], make: Callable[[], T]) -> T | None:
    """Make one part; its mistakes join the others'."""
    try:
        return make()
    except ConfigError as wrong:
        problems += wrong.problems
        return None


def build_signer(settings: Settings) -> Signer:
    url = settings.url
    return Signer(pairs=key_pairs(url.key, url.salt), size=url.signature_size, trusted=url.trusted_signatures)


def _delivery(settings: Settings) -> Delivery:
    caching, negotiation = settings.caching, settings.negotiation
    buster: float | None = None
    if caching.last_modified_buster:
        try:
            buster = rfc3339_time(caching.last_modified_buster)
        except ValueError as wrong:
            expected = "expected a time like 2026-01-31T12:00:00Z (RFC 3339)"
            got = repr(caching.last_modified_buster)
            raise ConfigError([f"IMGSERVE_LAST_MODIFIED_BUSTER: {expected}, got {got}"]) from wrong
    return Delivery(
        freshness=Freshness(
            ttl_s=caching.ttl,
            passthrough=caching.cache_control_passthrough,
            source_error_ttl_s=caching.source_error_ttl,
            fallback_ttl_s=settings.fallback.fallback_image_ttl,
        ),
        validation=Validation(
            use_etag=caching.use_etag,
            etag_buster=caching.etag_buster,
            use_last_modified=caching.use_last_modified,
            last_modified_buster=buster,
        ),
        negotiation=Negotiation(
            auto=_chosen(avif=negotiation.auto_avif, webp=negotiation.auto_webp),
            enforced=_chosen(avif=negotiation.enforce_avif, webp=negotiation.enforce_webp),
            client_hints=negotiation.enable_client_hints,
        ),
        return_attachment=caching.return_attachment,
        canonical=caching.set_canonical_header,
        debug_headers=caching.enable_debug_headers,
        tag_headers=settings.cache.cache_tag_headers,
        proxy_ttl_s=settings.cache.proxy_ttl,
    )


def _chosen(**formats: bool) -> tuple[str, ...]:
    return tuple(name for name, wanted in formats.items() if wanted)


def _watermark(settings: Settings, intent: Intent) -> bytes | None:
    part = settings.watermark
    place = Place(
        setting="IMGSERVE_WATERMARK", data=part.watermark_data, path=part.watermark_path, url=part.watermark_url
    )
    return load_picture(place, settings, intent=intent, config=EngineConfig())


def _fallback(settings: Settings, intent: Intent) -> Fallback | None:
    part = settings.fallback
    place = Place(
        setting="IMGSERVE_FALLBACK_IMAGE",
        data=part.fallback_image_data,
        path=part.fallback_image_path,
        url=part.fallback_image_url,
    )
    code = part.fallback_image_http_code
    if code and code < _FIRST_FINAL_STATUS:
        raise ConfigError([f"IMGSERVE_FALLBACK_IMAGE_HTTP_CODE: expected 0 or a status from 200 to 599, got {code}"])
    data = load_picture(place, settings, intent=intent, config=EngineConfig())
    return None if data is None else Fallback(data=data, status=code)


#: A picture cannot be an interim answer.
_FIRST_FINAL_STATUS = 200


def render_threads(settings: Settings) -> int:
    """Give the threads of one process: as set, else its share of the CPUs."""
    server = settings.server
    return server.render_threads or max(1, cpu_count() // (server.workers or cpu_count()))
