"""The /info endpoint: a signed path becomes facts of its source as JSON, or a 304."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imgserve import metrics
from imgserve.errors import BadOption, BadRequest, Pending
from imgserve.plan.model import Plan
from imgserve.service.admission import Admission
from imgserve.service.conditions import Unchanged
from imgserve.service.info import Info, Inspector, Lack
from imgserve.web.conditions import Condition, etag, read_condition
from imgserve.web.delivery import Delivery, tag_headers
from imgserve.web.exchange import Exchange
from imgserve.web.pending import PendingAnswers, Policy, refusal
from imgserve.web.reading import PlanReader
from imgserve.web.responses import JSON, Headers, Response

#: 202: some of what was asked for (D7).
_ACCEPTED: Final = 202

_DEFAULT_RETRY_S: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoEndpoint:
    """Handler of /info/<signature>/<options>/<source>."""

    #: Of `ops.info.info_grammar`, with INFO behind its prefix; nothing is negotiated.
    reader: PlanReader
    inspector: Inspector
    #: Nothing is negotiated here either.
    delivery: Delivery
    pending: PendingAnswers
    admission: Admission
    clock: Callable[[], float] = time.time

    async def __call__(self, exchange: Exchange) -> None:
        exchange.json = True
        plan = self._read(exchange)
        with self.admission.place():
            async with exchange.connected():
                response = await self._answer(exchange, plan)
            await exchange.send(response)

    def _read(self, exchange: Exchange) -> Plan:
        try:
            return self.reader.read(exchange, exchange.raw_path, exchange.query)
        except BadOption as wrong:
            # The grammar takes it for the option `format`, which is another one here.
            if (wrong.where or "").startswith("extension "):
                raise BadRequest(
                    "An info URL has no extension: leave out what follows the source (@… or .…).", where="source"
                ) from None
            raise

    async def _answer(self, exchange: Exchange, plan: Plan) -> Response:
        condition = read_condition(
            self.inspector.key(plan),
            self.delivery.validation,
            exchange.header("if-none-match"),
            exchange.header("if-modified-since"),
        )
        found = await self.inspector.answer(plan, condition, ends_at=exchange.ends_at)
        if isinstance(found, Info) and found.lacking and await self._waited(found, ends_at=exchange.ends_at):
            metrics.pending_answered("waited")
            found = await self.inspector.answer(plan, condition, ends_at=exchange.ends_at)
        if isinstance(found, Unchanged):
            return self._unchanged(plan, found, condition)
        return self._partial(exchange, plan, found) if found.lacking else self._whole(plan, found, condition)

    async def _waited(self, info: Info, *, ends_at: float) -> bool:
        """Wait for all that is being read, as long as the operator wants; True when something of it has ended."""
        waiting = [one for one in info.lacking.values() if isinstance(one, Pending)]
        ended = await asyncio.gather(*(self.pending.waited(one, ends_at=ends_at) for one in waiting))
        return any(ended)

    def _unchanged(self, plan: Plan, answer: Unchanged, condition: Condition) -> Response:
        validator = condition.validator_of(answer.origin) if answer.validator is None else answer.validator
        tag = etag(condition.key, validator, self.delivery.validation) if validator else ""
        headers = self.delivery.common(plan, answer.origin, now=self.clock())
        return Response(status=304, headers=(*headers, ("etag", tag)) if tag else headers)

    def _whole(self, plan: Plan, info: Info, condition: Condition) -> Response:
        headers = [*self.delivery.common(plan, info.origin, now=self.clock()), *self._about(plan, info)]
        if tag := etag(condition.key, info.validator, self.delivery.validation):
            headers.append(("etag", tag))
        return _response(info.facts, headers=tuple(headers))

    def _partial(self, exchange: Exchange, plan: Plan, info: Info) -> Response:
        """Answer what is known, and say what is being worked on and what has failed."""
        self._refuse(info)
        failed = {name: one for name, one in info.lacking.items() if _failure(one)}
        waiting = {name: one for name, one in info.lacking.items() if isinstance(one, Pending) and not one.failed}
        exchange.detail = next(iter(info.lacking.values())).message
        metrics.pending_answered("fallback" if waiting else "degraded")
        facts, told = dict(info.facts), list[tuple[str, str]]()
        if waiting:
            first = next(iter(waiting.values()))
            facts["pending"] = {"job": first.job, "jobs": {name: one.job for name, one in waiting.items()}}
            told += [
                ("location", f"{self.pending.prefix}/v1/jobs/{first.job}"),
                ("x-imgserve-pending", first.job),
                ("retry-after", str(first.retry_after_s or _DEFAULT_RETRY_S)),
            ]
        if failed:
            facts["failed"] = {name: {"code": _failure(one), "message": one.message} for name, one in failed.items()}
            told.append(("x-imgserve-degraded", _failure(next(iter(failed.values())))))
        # What has failed may work in a moment; what is being worked on is there then.
        passing = self.delivery.passing_cache_control(plan, now=self.clock(), origin=info.origin)
        control = "no-store" if waiting else passing
        headers = [
            ("cache-control", control),
            *self.delivery.for_proxy(plan, control, passing=True),
            *self._about(plan, info),
            *told,
        ]
        return _response(facts, status=_ACCEPTED if waiting else 200, headers=tuple(headers))

    def _refuse(self, info: Info) -> None:
        """Raise what is lacking where the operator wants no answer without it."""
        if self.pending.policy.policy is not Policy.ERROR:
            return
        metrics.pending_answered("error")
        # What will not come by itself goes first: there is no use in asking again.
        lack = min(info.lacking.values(), key=lambda one: not _failure(one))
        if isinstance(lack, Pending) and lack.failed:
            raise refusal(lack)
        raise lack

    def _about(self, plan: Plan, info: Info) -> Headers:
        provider = (("x-imgserve-provider", info.provider),) if info.provider else ()
        return (*provider, *(tag_headers(plan) if self.delivery.tag_headers else ()))


def _failure(lack: Lack) -> str:
    """Give the code of what went wrong, "" for what is being worked on."""
    return lack.failed if isinstance(lack, Pending) else lack.code


def _response(facts: Mapping[str, Any], *, status: int = 200, headers: Headers) -> Response:
    body = json.dumps(facts, indent=2).encode() + b"\n"
    return Response(status=status, headers=(("content-type", JSON), *headers), body=body)
