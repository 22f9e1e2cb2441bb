"""What a worker's child process is made of: sources, caches and providers, for one job after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from imgserve.app.caches import Caches, build_caches, build_uploads, cache_problems
from imgserve.app.engine import default_intent, engine_config
from imgserve.app.models import build_providers
from imgserve.app.services import build_artefacts
from imgserve.app.sources import allowed_sources, build_sources
from imgserve.app.working import SHARED
from imgserve.engine.libvips import configure_libvips
from imgserve.errors import ConfigError
from imgserve.ports.jobs import JobOrder
from imgserve.service.making import ArtefactMaker, Facts
from imgserve.service.uploads import SCHEME, UploadSource
from imgserve.settings import Settings

#: Bound on writing a source to disk after its job.
_BACKGROUND_S: Final = 10.0


class JobMaker:
    """Makes jobs in one event loop, which runs while there is one to make."""

    def __init__(self, settings: Settings) -> None:
        configure_libvips()
        self._runner = asyncio.Runner()
        # A job is done when its artefact is where every server finds it, so that no tier is left to the background.
        self._caches: Caches = build_caches(settings, slow=())
        allowed = allowed_sources(settings)
        self._maker = ArtefactMaker(
            sources={**build_sources(settings, allowed), SCHEME: UploadSource(build_uploads(self._caches, settings))},
            allowed=allowed,
            downloads=self._caches.downloads,
            artefacts=build_artefacts(self._caches, build_providers(settings), settings),
            limits=default_intent(settings).limits,
            config=engine_config(settings, watermark=None),
            timeout_s=settings.jobs.job_timeout,
        )
        self._runner.run(self._caches.start())

    def make(self, order: JobOrder, progress: Callable[[str, float], None]) -> Mapping[str, str | int | float]:
        """Make and keep what the order says; raises ImgserveError."""
        return self._runner.run(self._made(order, progress))

    async def _made(self, order: JobOrder, progress: Callable[[str, float], None]) -> Facts:
        facts = await self._maker.make(order, progress)
        # What the source cache still writes would wait for the next job: the loop stands still between them.
        await self._caches.sources.background.close(timeout_s=_BACKGROUND_S)
        return facts


def job_problems(settings: Settings) -> list[str]:
    """Try what a worker needs without opening it; gives the mistakes."""
    problems: list[str] = []
    try:
        build_providers(settings)
    except ConfigError as wrong:
        problems += wrong.problems
    if not any(tier in settings.cache.cache for tier in SHARED):
        problems.append(
            f"IMGSERVE_CACHE: expected disk, redis or s3 among the tiers, where servers find what is made, got "
            f"{','.join(settings.cache.cache)!r}"
        )
    return problems + cache_problems(settings)
