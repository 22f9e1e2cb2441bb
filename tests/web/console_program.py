"""A server process for the tests of the console: images, API and console as the app has them, jobs set by the test.

Started with an inherited socket. POST /test/<word> with a JSON object steers the jobs, in the place of workers.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from imgserve.app.main import app_of
from imgserve.app.services import Services, build_services
from imgserve.plan.url import parse
from imgserve.ports.jobs import Job, JobError, JobOrder, JobState
from imgserve.ports.models import Ask, Task
from imgserve.service.artefacts import Artefact
from imgserve.service.jobs import Jobs
from imgserve.service.validators import source_validator
from imgserve.settings import load
from tests.web.memory_queue import MAX_ATTEMPTS, MemoryQueue


class Program:
    """The app, and the test's hands in it."""

    def __init__(self, services: Services) -> None:
        self.queue = MemoryQueue()
        modelled = dataclasses.replace(
            services.modelled, jobs=Jobs(queue=self.queue, artefacts=services.modelled.artefacts)
        )
        renderer = dataclasses.replace(services.renderer, modelled=modelled)
        self.services = dataclasses.replace(services, modelled=modelled, renderer=renderer)

    def app(self) -> Starlette:
        app = app_of(self.services, end=lambda: None)
        hands = (self.clear, self.job, self.change, self.keep, self.broken, self.spend)
        app.router.routes[:0] = [Route(f"/test/{hand.__name__}", hand, methods=["POST"]) for hand in hands]
        return app

    async def clear(self, _request: Request) -> JSONResponse:
        """Begin as on the first day."""
        self.queue.jobs, self.queue.broken = {}, False
        return JSONResponse({})

    async def job(self, request: Request) -> JSONResponse:
        """Put a job there: `name`, `source`, `tasks` and any field of a job."""
        given: dict[str, Any] = await request.json()
        name, tasks = given.pop("name"), given.pop("tasks", ["background"])
        asks = tuple(Ask(Task(word), argument) for word, _, argument in (task.partition(":") for task in tasks))
        id = hashlib.sha256(name.encode()).hexdigest()
        order = JobOrder(
            id=id,
            source=given.pop("source", "local:///a.jpg"),
            asks=asks,
            priority=given.pop("priority", 0),
            owner=given.pop("owner", "tests"),
            path=given.pop("path", ""),
        )
        state = JobState(given.pop("state", "queued"))
        self.queue.jobs[id] = Job(order=order, state=state, max_attempts=MAX_ATTEMPTS, **_fields(given))
        return JSONResponse({"id": id})

    async def change(self, request: Request) -> JSONResponse:
        """Change the job `id`, as a worker would."""
        given: dict[str, Any] = await request.json()
        id = given.pop("id")
        if "state" in given:
            given["state"] = JobState(given["state"])
        self.queue.jobs[id] = dataclasses.replace(self.queue.jobs[id], **_fields(given))
        return JSONResponse({"id": id})

    async def keep(self, request: Request) -> JSONResponse:
        """Keep the file `result` as what models made of `source` for `options`; gives the signed path of both."""
        given: dict[str, str] = await request.json()
        path = f"/{given['options']}/plain/{given['source']}"
        plan = parse(path.removeprefix("/"), self.services.grammar)
        [need] = self.services.artefacts.needs(plan)
        renderer = self.services.renderer
        blob = await renderer.fetch(plan, renderer.intent(plan), headers={})
        root = self.services.settings.sources.local_filesystem_root
        artefact = Artefact(
            data=await asyncio.to_thread(Path(root, given["result"]).read_bytes),
            origin=blob.origin,
            validator=source_validator(blob),
            source_bytes=len(blob.data),
            source_format="jpeg",
        )
        await self.services.artefacts.keep(need, artefact, since=await self.services.artefacts.mark())
        signature = self.services.signer.sign(path)
        return JSONResponse({"path": f"{self.services.settings.url.route_prefix}/{signature}{path}"})

    async def broken(self, request: Request) -> JSONResponse:
        """Break the queue, or mend it."""
        self.queue.broken = (await request.json())["broken"]
        return JSONResponse({})

    async def spend(self, request: Request) -> JSONResponse:
        """Say how many requests all keys have made in this minute."""
        count: int = (await request.json())["count"]
        self.queue.taken = dict.fromkeys(self.queue.taken, count)
        return JSONResponse({})


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give fields of a job from JSON values."""
    error = given.get("error")
    return {**given, **({"error": JobError(**error)} if error else {})}


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    program = Program(build_services(load()))
    listener = socket.socket(fileno=int(sys.argv[1]))
    uvicorn.Server(uvicorn.Config(program.app(), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
