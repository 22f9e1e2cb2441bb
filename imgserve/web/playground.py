"""The playground at /playground: what its page is told of the options, and in development of the server's pictures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from imgserve.engine.pipeline import PIPELINE
from imgserve.errors import NotFound, RequestError
from imgserve.plan.presets import Preset
from imgserve.plan.url import Grammar
from imgserve.spec.describe import options_schema
from imgserve.spec.op import OpSpec
from imgserve.web.api import Call
from imgserve.web.capabilities import CapabilitiesEndpoint
from imgserve.web.exchange import Exchange
from imgserve.web.pages import PageFile, page_file
from imgserve.web.responses import JSON, json_response
from imgserve.web.signing import SignOrders

PLAYGROUND: Final = "/playground"

#: Side of the small pictures of sources, for screens with two pixels a point.
_THUMB_PX: Final = 144


async def no_playground(exchange: Exchange) -> None:
    """Answer where nobody could use it."""
    raise NotFound(
        "There is no playground here: set IMGSERVE_DEVELOPMENT=true on your own machine, or IMGSERVE_API_KEYS.",
        where="path",
    )


async def no_file(exchange: Exchange) -> None:
    """Answer for files that the playground does not have."""
    raise NotFound("There is nothing here: the playground is at /playground.", where="path")


def catalog_file(grammar: Grammar, *, development: bool) -> PageFile:
    """Give what the page makes its controls of: every option that URLs may have, and the order of the pipeline."""
    schema = options_schema(grammar.catalog)
    permitted = {cls.spec.name for cls in grammar.catalog.ops if _is_permitted(grammar, cls.spec)}
    schema["properties"] = {name: one for name, one in schema["properties"].items() if name in permitted}
    told = {
        "development": development,
        "stages": [{"name": stage.value} for stage, _, _ in PIPELINE],
        "options": schema,
    }
    return page_file(json.dumps(told, ensure_ascii=False).encode(), JSON)


def _is_permitted(grammar: Grammar, spec: OpSpec) -> bool:
    if grammar.only_presets:
        return spec.name == Preset.spec.name
    named = grammar.allowed_options is None or any(name in grammar.allowed_options for name in spec.names)
    return named and (not spec.guarded or grammar.allow_security_options)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundRoom:
    """Handler of what is told in development alone: what the server can do, and the pictures under its local root."""

    capabilities: CapabilitiesEndpoint
    orders: SignOrders
    #: Names sources; looks at a disk.
    samples: Callable[[], Sequence[str]]

    async def __call__(self, exchange: Exchange, call: Call) -> None:
        told, sources = await self.capabilities.told(), await asyncio.to_thread(self.samples)
        await exchange.send(json_response({**told, "samples": [self._sample(source) for source in sources]}))

    def _sample(self, source: str) -> dict[str, str | None]:
        fitted = {"type": "fill", "width": _THUMB_PX, "height": _THUMB_PX}
        try:
            thumb = self.orders.url(self.orders.read({"source": source, "options": {"resize": fitted}}))
        except RequestError:
            return {"source": source, "thumb": None}
        return {"source": source, "thumb": thumb}
