"""A worker's job: fetch a source, ask providers, keep the artefact."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from imgserve.engine.cutout import cut_out, encode_artefact, enlarged
from imgserve.engine.deadline import Deadline
from imgserve.engine.formats import FORMATS
from imgserve.engine.intent import EngineConfig, Limits
from imgserve.engine.upright import PictureOf, Upright, open_upright
from imgserve.errors import BadRequest, ProviderRefused, ProviderUnavailable
from imgserve.plan.needs import Need
from imgserve.plan.sources import AllowedSources, scheme_of
from imgserve.ports import Source
from imgserve.ports.jobs import JobOrder
from imgserve.ports.models import Ask, Enlarged, Mask, Provider, Reading, Task
from imgserve.service.artefacts import Artefact, Artefacts, check_kept
from imgserve.service.source_cache import SourceCache
from imgserve.service.validators import source_validator

#: Told the task that is being done, and the share of it.
Told = Callable[[str, float], None]
Facts = Mapping[str, str | int | float]

_ANSWERS: Final = {Task.BACKGROUND: Mask, Task.UPSCALE: Enlarged}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtefactMaker:
    """Everything that a job needs; one at a time."""

    sources: Mapping[str, Source]
    allowed: AllowedSources
    downloads: SourceCache
    artefacts: Artefacts
    limits: Limits
    config: EngineConfig
    timeout_s: float

    async def make(self, order: JobOrder, told: Told) -> Facts:
        """Make and keep an artefact; gives facts of it. Raises ImgserveError, and has then kept nothing."""
        began = time.monotonic()
        need = Need(order.source, order.asks)
        providers = [self._provider(ask) for ask in need.asks]
        if self.artefacts.key(need) != order.id:
            raise ProviderUnavailable(
                "This worker has other providers or model files than the server that took the job; give both the same "
                "settings, and restart the server if a file was put in place since.",
                where=need.asks[0].task.value,
            )
        mark = await self.artefacts.mark()
        source = self._source(need.source)
        blob = await self.downloads.fetch(source, need.source, max_bytes=self.limits.max_src_bytes, headers={})
        check_kept(blob.origin)  # a model may take a minute
        work = partial(self._asked, blob.data, list(zip(need.asks, providers, strict=True)), told)
        upright, data, reading = await asyncio.to_thread(work)
        artefact = Artefact(
            data=data,
            reading=reading,
            origin=blob.origin,
            validator=source_validator(blob),
            source_bytes=len(blob.data),
            # Pixels are made of a drawing, and stay pixels.
            source_format="png" if FORMATS[upright.format].vector else upright.format,
            providers=tuple(one.capability.name for one in providers),
            basic=any(one.capability.basic for one in providers),
        )
        await self.artefacts.keep(need, artefact, since=mark)
        return {
            "providers": ", ".join(artefact.providers),
            "width": int(upright.image.width),
            "height": int(upright.image.height),
            "bytes": len(data),
            "seconds": round(time.monotonic() - began, 3),
        }

    def _provider(self, ask: Ask) -> Provider:
        provider = self.artefacts.providers.get(ask.task)
        if provider is None:
            raise ProviderUnavailable(f"This worker has nothing that does {ask.task}.", where=ask.task.value)
        if (trouble := provider.trouble()) is not None:
            raise ProviderUnavailable(trouble, where=ask.task.value)
        return provider

    def _source(self, url: str) -> Source:
        self.allowed.check(url)
        source = self.sources.get(scheme_of(url))
        if source is None:
            raise BadRequest("This worker does not read such sources.", where="source", got=scheme_of(url)[:40])
        return source

    def _asked(
        self, data: bytes, asked: list[tuple[Ask, Provider]], told: Told
    ) -> tuple[Upright, bytes, Reading | None]:
        """Ask the providers in turn; gives the picture that they made, encoded, or the reading."""
        upright = open_upright(data, limits=self.limits, config=self.config, deadline=Deadline(self.timeout_s))
        image, reading = upright.image, None
        for ask, provider in asked:
            told(ask.task.value, 0.0)
            picture = PictureOf(image)
            _check_size(picture, provider)
            answer = provider.run(picture, ask.argument, partial(told, ask.task.value))
            if not isinstance(answer, _ANSWERS.get(ask.task, Reading)):
                raise ProviderRefused(f"{provider.capability.name} answers another question than {ask.task}.")
            if isinstance(answer, Mask):
                image = cut_out(image, answer).copy_memory()
            elif isinstance(answer, Enlarged):
                image = enlarged(image, answer).copy_memory()
            else:
                reading = answer
        upright = Upright(image, upright.format)
        return upright, b"" if reading is not None else encode_artefact(image), reading


def _check_size(picture: PictureOf, provider: Provider) -> None:
    pixels, most = picture.width * picture.height, provider.capability.max_pixels
    if pixels > most:
        raise ProviderRefused(
            f"The picture has {pixels / 1e6:.1f} megapixels; {provider.capability.name} takes at most {most / 1e6:g}.",
            where=provider.capability.task.value,
        )
