"""The image endpoint: a signed path becomes a picture, a 304, or the fallback picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from imgserve import metrics
from imgserve.engine.formats import FORMATS
from imgserve.errors import ImageError, ImgserveError, Pending, ProviderUnavailable, SourceError
from imgserve.plan.model import Plan
from imgserve.service.admission import Admission
from imgserve.service.conditions import Unchanged
from imgserve.service.entry import MEMORY, Made
from imgserve.service.render import Renderer
from imgserve.web.conditions import Condition, etag, read_condition
from imgserve.web.delivery import Delivery
from imgserve.web.exchange import Exchange
from imgserve.web.hot import HotPaths
from imgserve.web.http import canonical_link, counts_down, is_raw, vary
from imgserve.web.pending import PendingAnswers, refusal
from imgserve.web.raw import send_raw
from imgserve.web.reading import PlanReader
from imgserve.web.responses import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """The picture that answers when the source or its processing fails."""

    data: bytes
    #: Status of such answers, 0 = that of the error.
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEndpoint:
    """Handler of every path that no other route takes."""

    reader: PlanReader
    renderer: Renderer
    delivery: Delivery
    admission: Admission
    fallback: Fallback | None = None
    #: What is answered while AI steps are not ready; None = errors.
    pending: PendingAnswers | None = None
    #: Where answers from memory are remembered.
    hot: HotPaths | None = None
    clock: Callable[[], float] = time.time

    async def __call__(self, exchange: Exchange) -> None:
        plan = self.reader.read(exchange, exchange.raw_path, exchange.query)
        with self.admission.place():
            await self._serve(exchange, plan)

    async def _serve(self, exchange: Exchange, plan: Plan) -> None:
        async with exchange.connected():
            if is_raw(plan):
                await send_raw(exchange, plan, self.renderer, self.delivery, now=self.clock())
                return
            response = await self._answer(exchange, plan)
        await exchange.send(response)

    async def _answer(self, exchange: Exchange, plan: Plan) -> Response:
        try:
            condition = read_condition(
                self.renderer.key(plan),
                self.delivery.validation,
                exchange.header("if-none-match"),
                exchange.header("if-modified-since"),
            )
            answer = await self._made(exchange, plan, condition)
        except (Pending, ProviderUnavailable) as error:
            return await self._without_models(exchange, plan, error)
        except (SourceError, ImageError) as error:
            if self.fallback is None:
                raise
            return await self._fallback_response(exchange, plan, self.fallback, error)
        if isinstance(answer, Unchanged):
            return self._unchanged(plan, answer, condition)
        exchange.cache = answer.cache
        response = self._picture(plan, answer, condition)
        frozen = not counts_down(answer.origin, self.delivery.freshness)
        if self.hot is not None and answer.cache == MEMORY and frozen:
            names = vary(plan, self.delivery.negotiation)
            self.hot.remember(exchange, plan, answer, key=condition.key, headers=response.headers, vary=names)
        return response

    async def _made(self, exchange: Exchange, plan: Plan, condition: Condition) -> Made | Unchanged:
        """Give the picture; where an AI step is not ready, wait for it as the operator wants."""
        try:
            return await self.renderer.answer(plan, condition, ends_at=exchange.ends_at)
        except Pending as pending:
            if self.pending is None or not await self.pending.waited(pending, ends_at=exchange.ends_at):
                raise
        metrics.pending_answered("waited")
        return await self.renderer.answer(plan, condition, ends_at=exchange.ends_at)

    async def _without_models(self, exchange: Exchange, plan: Plan, error: Pending | ProviderUnavailable) -> Response:
        """Answer the picture without its AI steps, where it may be shown so."""
        pending = error
        if not isinstance(pending, Pending):
            is_vital = any(ask.vital for one in plan.ops for ask in one.asks())
            pending = Pending(error.message, job="", failed=error.code, vital=is_vital)
        if self.pending is None or not self.pending.falls_back(pending):
            metrics.pending_answered("error")
            if pending is error and pending.failed:
                raise refusal(pending) from None
            raise error
        metrics.pending_answered("degraded" if pending.failed else "fallback")
        exchange.detail = pending.message
        made = await self.renderer.without_models(plan, ends_at=exchange.ends_at)
        exchange.cache = made.cache
        return self.pending.response(plan, made, pending, now=self.clock())

    def _unchanged(self, plan: Plan, answer: Unchanged, condition: Condition) -> Response:
        validator = condition.validator_of(answer.origin) if answer.validator is None else answer.validator
        tag = etag(condition.key, validator, self.delivery.validation, draft=answer.draft) if validator else ""
        headers = self.delivery.common(plan, answer.origin, now=self.clock(), passing=answer.passing)
        return Response(status=304, headers=(*headers, ("etag", tag)) if tag else headers)

    def _picture(self, plan: Plan, made: Made, condition: Condition) -> Response:
        picture, delivery, now = made.picture, self.delivery, self.clock()
        headers = [
            ("content-type", picture.mime),
            ("content-disposition", delivery.disposition(plan, FORMATS[picture.format].extension)),
            *delivery.common(plan, made.origin, now=now, passing=made.passing),
            *delivery.about_cache(plan, made, now=now),
        ]
        if tag := etag(condition.key, made.validator, delivery.validation, draft=made.draft):
            headers.append(("etag", tag))
        if delivery.canonical and (link := canonical_link(plan.source)):
            headers.append(("link", link))
        if delivery.debug_headers:
            headers += [
                ("x-origin-content-length", str(made.source_bytes)),
                ("x-origin-width", str(picture.source_width)),
                ("x-origin-height", str(picture.source_height)),
                ("x-result-width", str(picture.width)),
                ("x-result-height", str(picture.height)),
            ]
        return Response(headers=tuple(headers), body=picture.data)

    async def _fallback_response(
        self, exchange: Exchange, plan: Plan, fallback: Fallback, error: ImgserveError
    ) -> Response:
        """Render the fallback picture by the same options; where that fails too, the first error stands."""
        intent = self.renderer.intent(plan)
        exchange.detail = error.message
        try:
            picture = await self.renderer.run(plan, intent, fallback.data, ends_at=exchange.ends_at)
        except ImgserveError:
            raise error from None
        status = fallback.status or error.status
        control = self.delivery.fallback_cache_control(plan, error, status, now=self.clock())
        headers = [
            ("content-type", picture.mime),
            ("content-disposition", self.delivery.disposition(plan, FORMATS[picture.format].extension)),
            ("cache-control", control),
            *self.delivery.for_proxy(plan, control),
            ("x-imgserve-fallback", error.code),
        ]
        if names := vary(plan, self.delivery.negotiation):
            headers.append(("vary", names))
        return Response(status=status, headers=tuple(headers), body=picture.data, error=error.code)
