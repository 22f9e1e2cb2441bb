"""A worker of AI jobs in the process of a test's server: takes jobs from its queue and makes them, when told to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from imgserve.adapters.queue.claims import Claim, claim, fail, finish
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.listing import listed
from imgserve.app.engine import default_intent, engine_config
from imgserve.app.queueing import ledger_of
from imgserve.errors import ImgserveError
from imgserve.ports.jobs import Job, JobError, JobState
from imgserve.ports.models import Answer, Capability, Picture, Progress, Provider, Task
from imgserve.service.making import ArtefactMaker
from tests.web.conftest import Server


@dataclass
class Counted:
    """A real provider, and how often it was asked."""

    provider: Provider
    calls: int = 0

    @property
    def capability(self) -> Capability:
        return self.provider.capability

    def trouble(self) -> str | None:
        return self.provider.trouble()

    def run(self, picture: Picture, argument: str, progress: Progress) -> Answer:
        self.calls += 1
        return self.provider.run(picture, argument, progress)

    def close(self) -> None:
        self.provider.close()


@dataclass
class Worker:
    """Over the parts of a server, as a worker's child process has parts of its own."""

    server: Server
    counted: dict[Task, Counted] = field(default_factory=dict)

    def __post_init__(self) -> None:
        services = self.server.services
        self.counted = {task: Counted(one) for task, one in services.artefacts.providers.items()}
        services.artefacts.providers = dict(self.counted)
        self._ledger: Ledger = ledger_of(services.settings)
        self._maker = ArtefactMaker(
            sources=services.renderer.sources,
            allowed=services.renderer.allowed,
            downloads=services.caches.downloads,
            artefacts=services.artefacts,
            limits=default_intent(services.settings).limits,
            config=engine_config(services.settings, watermark=None),
            timeout_s=30,
        )

    async def jobs(self, state: JobState | None = None) -> list[Job]:
        page = await asyncio.to_thread(listed, self._ledger, state=state, limit=100, after="")
        return list(page.jobs)

    async def work(self) -> int:
        """Make all jobs that wait; gives how many they were."""
        waiting = await self.jobs(JobState.QUEUED)
        for job in waiting:
            await self._make(job)
        return len(waiting)

    async def _make(self, job: Job) -> None:
        id = job.order.id
        known = (await asyncio.to_thread(self._ledger.found, [id]))[id]
        mine = await asyncio.to_thread(
            claim, self._ledger, id=id, generation=known.record.generation, worker="the test"
        )
        assert isinstance(mine, Claim)
        try:
            facts = await self._maker.make(job.order, lambda _task, _share: None)
        except ImgserveError as error:
            await asyncio.to_thread(fail, self._ledger, mine, JobError(code=error.code, message=error.message))
        else:
            await asyncio.to_thread(finish, self._ledger, mine, facts)

    async def close(self) -> None:
        await asyncio.to_thread(self._ledger.storage.close)
