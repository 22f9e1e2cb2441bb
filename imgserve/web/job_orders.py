"""What an order of jobs says: signed paths, or sources with options, and how urgent they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from imgserve.errors import BadRequest, ImgserveError, NotFound
from imgserve.plan.model import Plan
from imgserve.service.artefacts import Artefacts
from imgserve.service.jobs import JobRequest
from imgserve.service.webhooks import HookRules
from imgserve.web.api import MAX_NAMED, check_fields, demand, text_in, texts_in
from imgserve.web.exchange import Exchange
from imgserve.web.job_facts import JobFacts
from imgserve.web.orders import Expansion, order_of
from imgserve.web.reading import PlanReader

FIELDS: Final = ("path", "source", "presets", "options", "priority", "webhook")
MAX_PRIORITY: Final = 100
_NAMED: Final = "path or source"

#: Host and all before it of a whole URL: the signature says whose URL it is, whatever names this server goes by.
_HOST: Final = re.compile(r"\Ahttps?://[^/?#]+(?=/)", re.IGNORECASE)
#: As in an image request, where it is not sent.
_FRAGMENT: Final = re.compile(r"#.*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrders:
    """What it takes to read orders of jobs."""

    reader: PlanReader
    expansion: Expansion
    artefacts: Artefacts
    hooks: HookRules
    facts: JobFacts

    def read(self, exchange: Exchange, value: Mapping[str, Any]) -> list[JobRequest]:
        """Understand one order, or all of {"jobs": […]}; raises what is wrong with the first that cannot be done."""
        if "jobs" not in value:
            return [self._one(exchange, value)]
        check_fields(value, ("jobs",))
        many = value["jobs"]
        fits = isinstance(many, list) and 0 < len(many) <= MAX_NAMED
        demand(fits, "jobs", many, f"a list of 1 to {MAX_NAMED} orders")
        out: list[JobRequest] = []
        for at, one in enumerate(many):
            demand(isinstance(one, dict), f"jobs[{at}]", one, "a JSON object")
            with _placed(f"jobs[{at}]"):
                out.append(self._one(exchange, one))
        return out

    def _one(self, exchange: Exchange, value: Mapping[str, Any]) -> JobRequest:
        check_fields(value, FIELDS)
        priority = value.get("priority", 0)
        whole = isinstance(priority, int) and not isinstance(priority, bool)
        demand(
            whole and abs(priority) <= MAX_PRIORITY,
            "priority",
            priority,
            f"a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}",
        )
        webhook = text_in(value, "webhook") if "webhook" in value else ""
        if webhook:
            self.hooks.check(webhook)
        plan, path = self._of_path(exchange, value) if "path" in value else self._of_source(value)
        if not self.artefacts.needs(plan):
            raise BadRequest(
                "This picture needs no AI step, so there is nothing to do ahead; POST /v1/warm makes it.",
                where="path" if "path" in value else "options",
                expected="an option that asks a model, such as remove_background:1",
            )
        return JobRequest(plan=plan, path=path, priority=priority, webhook=webhook)

    def _of_path(self, exchange: Exchange, value: Mapping[str, Any]) -> tuple[Plan, str]:
        for other in ("source", "presets", "options"):
            demand(other not in value, other, "it beside path", "path alone, which says it all, or source without path")
        given = text_in(value, "path")
        path, _, query = _FRAGMENT.sub("", _HOST.sub("", given)).partition("?")
        demand(path.startswith("/"), "path", given, "a path from its leading / on, with its signature, or a whole URL")
        try:
            plan = self.reader.read(exchange, path.encode(), query.encode())
        except NotFound as missing:
            # Of the path that was asked about, not of the request.
            raise BadRequest(missing.message, where="path", got=path[:80]) from None
        return plan, f"{path}?{plan.picked}" if plan.picked else path

    def _of_source(self, value: Mapping[str, Any]) -> tuple[Plan, str]:
        if "source" not in value:
            raise BadRequest("The order names no picture: expected path or source.", where="source", expected=_NAMED)
        presets, options = texts_in(value, "presets"), texts_in(value, "options")
        order_of(presets=presets, options=options)
        joined = order_of(presets=_joined(presets, self.expansion.grammar.separator), options=_joined(options, "/"))
        [wanted] = self.expansion.wanted(text_in(value, "source"), joined, models=True)
        return wanted.plan, self.facts.signed(wanted.path) or ""


def _joined(texts: Sequence[str], separator: str) -> list[str]:
    return [separator.join(texts)] if texts else []


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """Say of errors in which of many orders they are."""
    try:
        yield
    except ImgserveError as error:
        raise type(error)(
            f"{place}: {error.message}",
            where=f"{place}.{error.where}" if error.where else place,
            got=error.got,
            expected=error.expected,
            retry_after_s=error.retry_after_s,
        ) from None
