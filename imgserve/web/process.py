"""POST /v1/process: a picture in, all that is made of it out; for back ends that want one call."""

from __future__ import annotations

import base64
import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from imgserve.errors import BadRequest, Pending
from imgserve.service.admission import Admission
from imgserve.service.processing import Output, Processed, Processing, Until, Wish
from imgserve.service.uploads import Uploads, name_upload
from imgserve.service.warm import Wanted
from imgserve.web.api import Call
from imgserve.web.exchange import Exchange
from imgserve.web.job_facts import JobFacts
from imgserve.web.orders import Expansion
from imgserve.web.process_body import read_process_body
from imgserve.web.process_orders import BASE64, URLS, ProcessOrder, read_process_order, wanted
from imgserve.web.responses import Headers, json_response

#: Calls of one process at a time: each asks the queue a few times a second.
MAX_CALLS: Final = 32
#: Of the request's time, what is left for rendering when models are no longer waited for.
_RENDER_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEndpoint:
    """Handler of POST /v1/process, which reads the body itself; see docs/api.md."""

    processing: Processing
    uploads: Uploads
    expansion: Expansion
    facts: JobFacts
    #: As of sources, 0 = no bound.
    max_image_bytes: int
    places: Admission = field(default_factory=lambda: Admission(MAX_CALLS))

    async def __call__(self, exchange: Exchange, call: Call) -> None:
        with self.places.place():
            order, source, pictures = await self._taken(exchange)
            exchange.begin_again()
            wishes = [Wish(plan=one.plan, path=self.facts.signed(one.path) or "") for one in pictures.values()]
            async with exchange.connected():
                done = await self.processing.process(wishes, owner=call.key, until=_until(exchange, order))
        named = dict(zip(pictures, done.outputs, strict=True))
        headers = _headers(done)
        await exchange.send(json_response(self._told(order, source, pictures, named, done), headers=headers))

    async def _taken(self, exchange: Exchange) -> tuple[ProcessOrder, str, dict[str, Wanted]]:
        """Read the order, and keep its picture when all else in it is right; gives its source and outputs."""
        # What a body takes counts like a source that was downloaded, until the store has it.
        with self.processing.renderer.bytes_in_flight.share() as share:
            body = await read_process_body(exchange, max_image_bytes=self.max_image_bytes, announce=share.expect)
            order = read_process_order(body)
            if order.output == URLS and not self.facts.signer.pairs:
                raise BadRequest(
                    "output: this server has no key to sign URLs with (IMGSERVE_KEY).", where="output", expected=BASE64
                )
            upload = await name_upload(order.image) if order.image is not None else None
            source = upload.url if upload is not None else order.source
            pictures = wanted(order, source, self.expansion)
            exchange.source = next(iter(pictures.values())).plan.source
            if upload is not None:
                await self.uploads.keep(upload)
        # Without the picture, which would lie in memory as long as models are waited for.
        return dataclasses.replace(order, image=None), source, pictures

    def _told(
        self,
        order: ProcessOrder,
        source: str,
        pictures: Mapping[str, Wanted],
        outputs: Mapping[str, Output],
        done: Processed,
    ) -> dict[str, Any]:
        encode = order.output == BASE64 or not self.facts.signer.pairs
        return {
            "source": source,
            "jobs": [
                {"id": job.order.id, "state": job.state.value, "status_url": self.facts.status_url(job.order.id)}
                for job in done.jobs
            ],
            "ai": _models(done),
            "outputs": {
                name: _picture(one, url=self.facts.signed(pictures[name].path), encode=encode)
                for name, one in outputs.items()
            },
        }


def _until(exchange: Exchange, order: ProcessOrder) -> Until:
    now = time.monotonic()
    latest = exchange.ends_at - _RENDER_SHARE * (exchange.ends_at - now)
    asked = now + order.timeout_s if order.timeout_s is not None else latest
    return Until(models=min(asked, latest), end=exchange.ends_at)


def _picture(output: Output, *, url: str | None, encode: bool) -> dict[str, Any]:
    picture = output.made.picture
    facts: dict[str, Any] = {
        "type": picture.mime,
        "width": picture.width,
        "height": picture.height,
        "bytes": len(picture.data),
        "ai": _state(output),
    }
    if url is not None:
        facts["url"] = url
    if encode:
        facts["data"] = base64.b64encode(picture.data).decode()
    return facts


def _state(output: Output) -> str:
    if not output.asks:
        return "none"
    return "done" if output.lacks is None else "skipped"


def _models(done: Processed) -> dict[str, Any]:
    """Tell of the AI steps of all outputs together."""
    states = [_state(one) for one in done.outputs]
    providers = dict.fromkeys(one.made.provider for one in done.outputs if one.made.provider and one.lacks is None)
    out: dict[str, Any] = {
        "state": next((state for state in ("skipped", "done") if state in states), "none"),
        "provider": ", ".join(providers) or None,
    }
    if (lacks := _first(done)) is not None:
        out["reason"] = {"code": lacks.failed or lacks.code, "message": lacks.message}
    return out


def _headers(done: Processed) -> Headers:
    """Mark an answer without its AI steps, as an image URL's is."""
    lacks = _first(done)
    if lacks is None:
        return ()
    if lacks.failed:
        return (("x-imgserve-degraded", lacks.failed),)
    return (("x-imgserve-pending", lacks.job),)


def _first(done: Processed) -> Pending | None:
    return next((one.lacks for one in done.outputs if one.lacks is not None), None)
