"""POST /v1/warm: variants of sources made ahead, told of one by one as lines of JSON while it goes on."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from imgserve.errors import BadRequest
from imgserve.plan.signing import Signer
from imgserve.service.readiness import Readiness
from imgserve.service.warm import Outcome, Wanted, Warmed, Warmer
from imgserve.web.api import Call, check_fields
from imgserve.web.beats import with_beats
from imgserve.web.exchange import Exchange
from imgserve.web.orders import FIELDS, Expansion, Order, read_order

#: Caches keep nothing of it, and nginx passes each line on at once.
_HEADERS: Final = (
    ("content-type", "application/x-ndjson"),
    ("cache-control", "no-store"),
    ("x-accel-buffering", "no"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmEndpoint:
    """Handler of POST /v1/warm; see docs/warming.md."""

    warmer: Warmer
    expansion: Expansion
    signer: Signer
    readiness: Readiness
    prefix: str = ""
    #: A line is sent at least so often, so that neither the edge nor a proxy takes the answer for dead.
    beat_s: float = 5.0

    async def __call__(self, exchange: Exchange, call: Call) -> None:
        check_fields(call.value, FIELDS)
        if not self.warmer.keeps:
            raise BadRequest(
                "There is nothing to warm: this server keeps results in the memory of each process, or not at all.",
                where="IMGSERVE_CACHE",
                expected="disk, redis or s3",
            )
        sources, order = read_order(call.value)
        sources = list(dict.fromkeys(sources))
        # All that can be wrong before the first line, which says 200: one source with all variants, all with one.
        self.expansion.wanted(sources[0], order)
        for source in sources:
            self.expansion.wanted(source, order.first())
        async with self.warmer.order(), exchange.connected():
            await exchange.stream(200, _HEADERS, self._lines(sources, order))

    async def _lines(self, sources: Sequence[str], order: Order) -> AsyncGenerator[bytes, None]:
        started, counts, size = time.monotonic(), Counter[Outcome](), 0
        async with aclosing(with_beats(self._all(sources, order), self.beat_s)) as going:
            async for finished in going:
                if finished is None:
                    yield _line({"state": "working"})
                    continue
                source, one = finished
                counts[one.outcome] += 1
                size += one.bytes
                yield _line(self._told(source, one))
        summary = {outcome.value: counts[outcome] for outcome in Outcome}
        stopped = not self.readiness.ready
        ms = round((time.monotonic() - started) * 1000)
        yield _line({"state": "stopped" if stopped else "done", **summary, "bytes": size, "ms": ms})

    async def _all(self, sources: Sequence[str], order: Order) -> AsyncGenerator[tuple[str, Warmed], None]:
        for source in sources:
            async with aclosing(self.warmer.warm(self.expansion.wanted(source, order))) as variants:
                async for one in variants:
                    yield source, one
                    if not self.readiness.ready:
                        # The process is about to end; what is left is made when it is asked for again.
                        return

    def _told(self, source: str, one: Warmed) -> dict[str, Any]:
        wanted = one.wanted
        facts: dict[str, Any] = {"source": source, "path": wanted.path}
        if self.signer.pairs:
            facts["url"] = self._signed(wanted)
        if wanted.accept is not None:
            facts["accept"] = wanted.accept
        facts |= {"state": one.outcome.value, "bytes": one.bytes, "ms": round(one.seconds * 1000)}
        if one.error is not None:
            facts["error"] = {"code": one.error.code, "message": one.error.message}
        return facts

    def _signed(self, wanted: Wanted) -> str:
        return f"{self.prefix}/{self.signer.sign(wanted.path)}{wanted.path}"


def _line(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts).encode() + b"\n"
