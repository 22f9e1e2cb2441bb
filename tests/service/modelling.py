"""A renderer with AI steps over a store on disk, a queue in memory, and providers that do as a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imgserve.adapters.stores.disk import DiskStore
from imgserve.adapters.stores.memory import MemoryStore
from imgserve.engine.intent import EngineConfig, Intent, Limits
from imgserve.engine.libvips import configure_libvips
from imgserve.engine.pool import RenderPool
from imgserve.plan.needs import Need
from imgserve.plan.sources import AllowedSources
from imgserve.ports import Blob, Origin, Store
from imgserve.ports.jobs import Job, JobOrder, JobState
from imgserve.ports.models import Answer, Ask, Capability, Enlarged, Mask, Picture, Pixels, Progress, Reading, Task
from imgserve.service.admission import ByteBudget
from imgserve.service.artefacts import Artefact, Artefacts
from imgserve.service.freshness import KeepingRules
from imgserve.service.intents import Intents
from imgserve.service.jobs import Jobs
from imgserve.service.making import ArtefactMaker, Facts
from imgserve.service.modelled import Modelled
from imgserve.service.negatives import Negatives
from imgserve.service.purges import Purges
from imgserve.service.render import Renderer
from imgserve.service.results import ResultCache
from imgserve.service.source_cache import SourceCache
from imgserve.service.tiers import Tiers
from tests.engine.pictures import photo, png
from tests.service.making import Clock, MemorySource
from tests.web.memory_queue import MemoryQueue

SOURCE = "mem://a.jpg"
CUT, GROW, FACES = Ask(Task.BACKGROUND), Ask(Task.UPSCALE, "2"), Ask(Task.FACES)
RULES = KeepingRules(ttl_s=100, stale_while_revalidate_s=100, stale_if_error_s=1000)


@dataclass
class Scripted:
    """A provider that gives the same answer each time; cheap to make, like a real one."""

    capability: Capability
    answer: Callable[[Picture, str], Answer]
    broken: str | None = None
    calls: list[tuple[int, int, str]] = field(default_factory=list)

    def trouble(self) -> str | None:
        return self.broken

    def run(self, picture: Picture, argument: str, progress: Progress) -> Answer:
        self.calls.append((picture.width, picture.height, argument))
        progress(0.5)
        return self.answer(picture, argument)

    def close(self) -> None:
        pass


def _left_half(_picture: Picture, _argument: str) -> Answer:
    return Mask(pixels=Pixels(data=bytes([255, 0]) * 2, width=2, height=2, bands=1))


def _twice(picture: Picture, _argument: str) -> Answer:
    width, height = picture.width * 2, picture.height * 2
    return Enlarged(pixels=Pixels(data=bytes([9, 99, 199]) * (width * height), width=width, height=height, bands=3))


def _nothing(_picture: Picture, _argument: str) -> Answer:
    return Reading()


_ANSWERS: Mapping[Task, Callable[[Picture, str], Answer]] = {Task.BACKGROUND: _left_half, Task.UPSCALE: _twice}


def scripted(task: Task, *, identity: str = "1", **facts: Any) -> Scripted:
    capability = Capability(task=task, name=f"a-{task}", identity=f"{task} {identity}", **facts)
    return Scripted(capability, _ANSWERS.get(task, _nothing))


class CountingQueue(MemoryQueue):
    """Remembers what it was given, and lets a test see what was begun."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.begun: list[str] = []
        self.asked = 0

    async def submit(self, orders: Sequence[JobOrder], *, again: bool = False) -> list[Job]:
        self.asked += 1
        return await super().submit(orders, again=again)

    def _begin(self, order: JobOrder) -> None:
        self.begun.append(order.id)
        super()._begin(order)


def blob(data: bytes | None = None, **origin: Any) -> Blob:
    return Blob(data=png(photo(60, 40)) if data is None else data, origin=Origin(**{"etag": '"1"', **origin}))


@dataclass
class World:
    """All that is around AI steps."""

    source: MemorySource
    clock: Clock
    tiers: Tiers
    purges: Purges
    queue: CountingQueue
    artefacts: Artefacts
    jobs: Jobs
    renderer: Renderer
    maker: ArtefactMaker
    providers: dict[Task, Scripted]

    async def make(self, *asks: Ask, source: str = SOURCE, told: Callable[[str, float], None] | None = None) -> Facts:
        """Do what a worker does with an order for these asks."""
        need = Need(source, asks)
        order = JobOrder(id=self.artefacts.key(need), source=source, asks=asks)
        return await self.maker.make(order, told or (lambda _task, _share: None))

    async def work(self) -> int:
        """Make all jobs that wait, as a worker; gives how many they were."""
        waiting = [job for job in self.queue.jobs.values() if job.state is JobState.QUEUED]
        for job in waiting:
            facts = await self.maker.make(job.order, lambda _task, _share: None)
            self.queue.end(job.order.id, JobState.DONE, facts=facts)
        return len(waiting)

    async def found(self, *asks: Ask, source: str = SOURCE) -> Artefact | None:
        return await self.artefacts.find(Need(source, asks))

    async def settle(self) -> None:
        for _ in range(2):
            await self.renderer.results.close(timeout_s=5)
            await self.tiers.background.close(timeout_s=5)

    async def close(self) -> None:
        await self.renderer.pool.close(timeout_s=5)
        await self.tiers.close(timeout_s=5)


def world(
    folder: Path,
    *,
    source: MemorySource | None = None,
    providers: Sequence[Scripted] | None = None,
    rules: KeepingRules = RULES,
    near: tuple[str, ...] = (),
    stores: Sequence[Store] | None = None,
    memory: bool = False,
    limits: Limits | None = None,
    max_bytes: int = 1 << 26,
) -> World:
    """Make it; the store is a folder of the test's own."""
    configure_libvips()
    clock, source = Clock(), source or MemorySource(blob())
    made = [scripted(task) for task in (Task.BACKGROUND, Task.UPSCALE, Task.FACES)] if providers is None else providers
    by_task = {one.capability.task: one for one in made}
    below: list[Store] = [DiskStore(folder / "results", max_bytes, clock=clock)] if stores is None else [*stores]
    tiers = Tiers(below, memory=MemoryStore(1 << 24, clock=clock) if memory else None)
    negatives = Negatives(ttl_s=10)
    purges = Purges(results=tiers, sources=Tiers(), negatives=negatives, clock=clock)
    results = ResultCache(tiers=tiers, purges=purges, rules=rules, negatives=negatives, near=near, clock=clock)
    downloads = SourceCache(tiers=Tiers(), purges=purges, rules=rules, negatives=negatives, unkept=near, clock=clock)
    artefacts = Artefacts(
        tiers=results.below_memory().tiers, purges=purges, rules=rules, providers=by_task, near=near, clock=clock
    )
    queue = CountingQueue(clock)
    jobs = Jobs(queue=queue, artefacts=artefacts, clock=clock)
    intent = Intent(limits=limits or Limits())
    renderer = Renderer(
        sources={"mem": source},
        allowed=AllowedSources(),
        pool=RenderPool(threads=1, queue_size=200),
        intents=Intents(intent),
        config=EngineConfig(),
        epoch="1",
        results=results,
        downloads=downloads,
        bytes_in_flight=ByteBudget(0),
        modelled=Modelled(artefacts=artefacts, jobs=jobs),
    )
    maker = ArtefactMaker(
        sources={"mem": source},
        allowed=AllowedSources(),
        downloads=downloads,
        artefacts=artefacts,
        limits=intent.limits,
        config=EngineConfig(),
        timeout_s=30,
    )
    return World(source, clock, tiers, purges, queue, artefacts, jobs, renderer, maker, by_task)


def without(task: Task) -> list[Scripted]:
    return [scripted(one) for one in (Task.BACKGROUND, Task.UPSCALE, Task.FACES) if one is not task]
