"""POST /v1/process over a store on disk, with a task in the place of worker processes, and image URLs beside it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from imgserve.app.grammar import build_grammar
from imgserve.errors import ImgserveError
from imgserve.plan.signing import Signer, key_pairs
from imgserve.plan.sources import compile_patterns
from imgserve.plan.url import Grammar
from imgserve.ports import Source
from imgserve.ports.jobs import JobError, JobState
from imgserve.ports.models import Task
from imgserve.service.admission import Admission, ByteBudget
from imgserve.service.api_keys import ApiKeys
from imgserve.service.processing import Processing
from imgserve.service.uploads import UPLOADS, Uploads, UploadSource
from imgserve.settings import load
from imgserve.web.api import Action, ApiEndpoint
from imgserve.web.delivery import Delivery
from imgserve.web.edge import Edge, EdgePolicy, Endpoint
from imgserve.web.exchange import Exchange
from imgserve.web.http import Negotiation
from imgserve.web.image import ImageEndpoint
from imgserve.web.job_facts import JobFacts
from imgserve.web.orders import Expansion
from imgserve.web.pending import PendingAnswers
from imgserve.web.process import ProcessEndpoint
from imgserve.web.process_schemas import SCHEMAS
from imgserve.web.reading import PlanReader
from tests.engine.pictures import photo, png
from tests.service.making import MemorySource
from tests.service.modelling import Scripted, World, blob, scripted, world
from tests.web.conftest import KEY, SALT

API_KEY = "a-key-of-the-process-tests"
AUTHORIZED = {"authorization": f"Bearer {API_KEY}"}
PICTURE = png(photo(120, 80))
SOURCE = "mem://shop/mug.png"
#: Where no worker comes in time.
TIMEOUT_S = 10.0


@dataclass
class Setup:
    """What a test may want otherwise."""

    providers: list[Scripted] = field(default_factory=lambda: [scripted(Task.BACKGROUND), scripted(Task.FACES)])
    settings: dict[str, str] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()
    signed: bool = True
    prefix: str = ""
    #: Whether there is a worker.
    works: bool = True
    max_image_bytes: int = 1 << 20
    max_bytes_in_flight: int = 0
    max_calls: int = 32
    ttl_s: float = 1000
    #: Of the disk; 0 = there is none.
    disk_bytes: int = 1 << 26
    timeout_s: float = TIMEOUT_S


@functools.cache
def _grammar(**settings: str) -> Grammar:
    given = {"KEY": KEY, "SALT": SALT, **settings}
    return build_grammar(load({f"IMGSERVE_{name}": text for name, text in given.items()}))


class ProcessServer:
    """The app and its parts, and a client with a key."""

    def __init__(self, folder: Path, setup: Setup) -> None:
        self.setup = setup
        self.source = MemorySource(blob(PICTURE))
        given: dict[str, Any] = {"max_bytes": setup.disk_bytes} if setup.disk_bytes else {"stores": []}
        self.world: World = world(folder, source=self.source, providers=setup.providers, **given)
        w = self.world
        self.uploads = Uploads(tiers=w.tiers, purges=w.purges, ttl_s=setup.ttl_s, clock=w.clock)
        sources: dict[str, Source] = {"mem": self.source, "upload": UploadSource(self.uploads)}
        allowed = compile_patterns([*setup.allowed, UPLOADS] if setup.allowed else [])
        self.renderer = dataclasses.replace(
            w.renderer, sources=sources, allowed=allowed, bytes_in_flight=ByteBudget(setup.max_bytes_in_flight)
        )
        self.maker = dataclasses.replace(w.maker, sources=sources, allowed=allowed)
        self.grammar = _grammar(**setup.settings)
        self.signer = Signer(pairs=key_pairs([KEY], [SALT]) if setup.signed else ())
        self.exchanges: list[Exchange] = []
        transport = httpx.ASGITransport(self._app())
        self.client = httpx.AsyncClient(transport=transport, base_url="http://images.test", headers=AUTHORIZED)

    def _app(self) -> Starlette:
        setup, delivery = self.setup, Delivery()
        admit = self.renderer.admit
        expansion = Expansion(
            grammar=self.grammar, negotiation=Negotiation(), admit=admit, key=self.renderer.key, clock=self.world.clock
        )
        process = ProcessEndpoint(
            processing=Processing(jobs=self.world.jobs, renderer=self.renderer, wall=self.world.clock),
            uploads=self.uploads,
            expansion=expansion,
            facts=JobFacts(expansion=expansion, signer=self.signer, prefix=setup.prefix),
            max_image_bytes=setup.max_image_bytes,
            places=Admission(setup.max_calls),
        )
        image = ImageEndpoint(
            reader=PlanReader(
                grammar=self.grammar, signer=self.signer, negotiation=Negotiation(), admit=admit, prefix=setup.prefix
            ),
            renderer=self.renderer,
            delivery=delivery,
            admission=Admission(),
            pending=PendingAnswers(jobs=self.world.jobs, delivery=delivery, prefix=setup.prefix),
        )
        keys = ApiKeys({"shop": hashlib.sha256(API_KEY.encode()).hexdigest()})
        routes = [Route(f"{setup.prefix}/v1/process", ApiEndpoint({"POST": Action(handler=process)}, keys=keys))]
        policy = EdgePolicy(timeout_s=setup.timeout_s)
        app = Starlette(routes=routes, middleware=[Middleware(Edge, policy=policy, log=self.exchanges.append)])
        app.router.default = Endpoint(image)
        return app

    async def post(self, value: object, **given: Any) -> httpx.Response:
        """Send an order as JSON."""
        answer = await self.send(content=json.dumps(value), headers={"content-type": "application/json"}, **given)
        if answer.status_code == HTTPStatus.OK:
            Draft202012Validator(SCHEMAS["Process"]).validate(value)
        return answer

    async def upload(self, data: bytes = PICTURE, **fields: Any) -> httpx.Response:
        """Send an order as a form, as `curl -F image=@mug.png` does."""
        return await self.send(files={"image": ("mug.png", data)}, data=fields)

    async def send(self, **given: Any) -> httpx.Response:
        answer = await self.client.post(f"{self.setup.prefix}/v1/process", **given)
        if answer.status_code == HTTPStatus.OK:
            Draft202012Validator(SCHEMAS["Processed"], format_checker=FormatChecker()).validate(answer.json())
        return answer

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers={"authorization": ""})

    async def ordered(self) -> None:
        """Wait until somebody has ordered a job."""
        async with asyncio.timeout(5):
            while not self.world.queue.jobs:  # noqa: ASYNC110 - a queue tells nobody
                await asyncio.sleep(0.005)

    def signer_path(self, path: str) -> str:
        return f"{self.setup.prefix}/{self.signer.sign(path)}{path}"

    async def _work(self) -> None:
        """Be the worker: make what waits, one by one, and end what fails."""
        queue = self.world.queue
        while True:
            for job in list(queue.jobs.values()):
                if job.state is JobState.QUEUED:
                    try:
                        facts = await self.maker.make(job.order, lambda _task, _share: None)
                    except ImgserveError as error:
                        queue.end(job.order.id, JobState.FAILED, error=JobError(code=error.code, message=error.message))
                    else:
                        queue.end(job.order.id, JobState.DONE, facts=facts)
            await asyncio.sleep(0.005)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ProcessServer]:
        worker = asyncio.create_task(self._work()) if self.setup.works else None
        try:
            yield self
        finally:
            if worker is not None:
                worker.cancel()
                await asyncio.gather(worker, return_exceptions=True)
            await self.client.aclose()
            await self.world.settle()
            await self.world.close()
