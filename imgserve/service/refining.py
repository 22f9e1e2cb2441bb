"""Fast now, small later: results that were encoded fast are made again, smaller, when the CPU has nothing to do."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from imgserve import metrics
from imgserve.engine.pipeline import Rendered
from imgserve.errors import ImgserveError
from imgserve.service.entry import Made
from imgserve.service.results import Job, ResultCache

logger = logging.getLogger(__name__)

#: Drafts that wait; one that finds no room is offered again when it is next asked for.
_MAX_WAITING: Final = 1000
#: How often it is looked whether the server has become idle.
_LOOK_EVERY_S: Final = 0.1
#: How long the lock on a result is waited for.
_LOCK_S: Final = 5.0

Remake = Callable[[Job], Awaitable[tuple[Rendered, str]]]


class Refiner:
    """Takes drafts; `remake` makes the small picture and names its source's version, `busy` tells of live requests."""

    def __init__(self, *, results: ResultCache, remake: Remake, busy: Callable[[], bool]) -> None:
        self._results = results
        self._remake = remake
        self._busy = busy
        self._waiting: OrderedDict[str, Job] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def offer(self, job: Job) -> None:
        """Note a draft that is kept, or about to be."""
        if job.key in self._waiting or len(self._waiting) >= _MAX_WAITING:
            return
        # Without the source, which would fill the memory; it is in the source cache.
        self._waiting[job.key] = dataclasses.replace(job, blob=None)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def _work(self) -> None:
        while self._waiting:
            while self._busy():  # noqa: ASYNC110 - nothing tells when the last request has gone, and nobody waits
                await asyncio.sleep(_LOOK_EVERY_S)
            job = next(iter(self._waiting.values()))
            try:
                async with self._results.refining(job) as mine:
                    if mine:
                        await self._refine(job)
            except ImgserveError as error:
                logger.info("a draft could not be made smaller: %s", error.message)
            except Exception:
                logger.exception("a draft could not be made smaller")
            finally:
                self._waiting.pop(job.key, None)

    async def _refine(self, job: Job) -> None:
        """Put the small picture in the draft's place, unless that has gone or changed meanwhile."""
        mark = self._results.purges.mark()
        draft = await self._results.find(job)
        if draft is None or not draft.draft:
            return
        picture, validator = await self._remake(job)
        # Whoever checks the draft's source meanwhile puts another in its place, under this lock.
        async with self._results.holding(job, left_s=_LOCK_S):
            still = await self._results.find(job)
            if validator != draft.validator or still is None or not still.draft or still.stored_at != draft.stored_at:
                return
            smaller = picture if len(picture.data) < len(draft.picture.data) else draft.picture
            await self._results.replace(job, _finished(draft, smaller), mark=mark)
        metrics.refined()

    async def close(self) -> None:
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _finished(draft: Made, picture: Rendered) -> Made:
    return dataclasses.replace(draft, picture=picture, draft=False)
