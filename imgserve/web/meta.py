"""Routes that are no pictures: health, metrics, landing page, paths that browsers ask for on their own, /explain."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from imgserve import metrics
from imgserve.errors import NotFound
from imgserve.service.explain import explain
from imgserve.service.readiness import Readiness
from imgserve.service.render import Renderer
from imgserve.web.exchange import Exchange
from imgserve.web.reading import PlanReader
from imgserve.web.responses import HTML, Response, json_response, text_response

EXPLAIN: Final = "/explain"

_LANDING: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>imgserve</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>
<h1>imgserve is running</h1>
<p>It makes images on request: <code>/&lt;signature&gt;/&lt;options&gt;/plain/&lt;source URL&gt;</code></p>
</html>
"""


async def landing(exchange: Exchange) -> None:
    """Tell a person who opens the server's address what it is."""
    await exchange.send(text_response(_LANDING, content_type=HTML))


async def nothing(exchange: Exchange) -> None:
    """Answer 404 to what browsers and crawlers ask every host for."""
    raise NotFound("There is nothing here.", where="path")


@dataclass(frozen=True, slots=True)
class Health:
    """Handler of /health: 200 while new work may come here, 503 when not; it never waits for a render."""

    readiness: Readiness
    #: Names providers that do their task without a model, as `task=name`.
    basic: Callable[[], str] = str

    async def __call__(self, exchange: Exchange) -> None:
        if basic := self.basic():
            exchange.also(("x-imgserve-basic", basic))
        if self.readiness.ready:
            await exchange.send(text_response("imgserve is running\n"))
            return
        answer = text_response(f"{self.readiness.reason}\n", status=503)
        await exchange.send(dataclasses.replace(answer, error="unavailable"))


@dataclass(frozen=True, slots=True)
class Metrics:
    """Handler of /metrics: the counts of all processes of this server, for Prometheus."""

    namespace: str

    async def __call__(self, exchange: Exchange) -> None:
        # In a thread: the files of many processes take milliseconds, and pictures in memory must not wait for them.
        made = await asyncio.to_thread(metrics.page, self.namespace, exchange.header("accept") or "")
        headers = (("content-type", made.content_type), ("cache-control", "no-store"))
        await exchange.send(Response(headers=headers, body=made.body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    """Handler of /explain/<image path>, a development switch: what the path would do, as JSON."""

    reader: PlanReader
    renderer: Renderer
    prefix: str = ""

    async def __call__(self, exchange: Exchange) -> None:
        path = exchange.raw_path.removeprefix(self.prefix.encode()).removeprefix(EXPLAIN.encode())
        plan = self.reader.read(exchange, self.prefix.encode() + path, exchange.query)
        async with exchange.connected():
            found = await explain(self.renderer, plan, ends_at=exchange.ends_at)
        await exchange.send(json_response(found))
