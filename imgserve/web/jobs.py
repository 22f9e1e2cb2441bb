"""/v1/jobs: AI steps ordered ahead, listed, looked at, cancelled and begun anew."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imgserve.errors import JobEnded, NotFound
from imgserve.ports.jobs import Job, JobState
from imgserve.service.jobs import Jobs
from imgserve.web.api import ApiHandler, Call, demand
from imgserve.web.exchange import Exchange
from imgserve.web.job_facts import JobFacts
from imgserve.web.job_orders import JobOrders
from imgserve.web.operations import LIMIT, MAX_AFTER_CHARS, MAX_LIMIT
from imgserve.web.responses import Headers, json_response

_ID: Final = re.compile(r"[0-9a-f]{64}")
_COUNT: Final = re.compile(r"[0-9]{1,4}")
#: Told between two turns of the event loop: each takes 40 microseconds, most of it for signed paths.
_BATCH: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsApi:
    """Handlers of /v1/jobs; see docs/api.md."""

    jobs: Jobs
    orders: JobOrders
    facts: JobFacts

    def handlers(self) -> dict[str, ApiHandler]:
        """Give the handlers by their operations' ids."""
        return {
            "submitJobs": self.submit,
            "listJobs": self.listed,
            "getJob": self.one,
            "cancelJob": self.cancel,
            "retryJob": self.retry,
        }

    async def submit(self, exchange: Exchange, call: Call) -> None:
        requests = self.orders.read(exchange, call.value)
        jobs = await self.jobs.submit(requests, owner=call.key)
        entries: list[dict[str, Any]] = []
        for at, (request, made) in enumerate(zip(requests, jobs, strict=True)):
            # A job that somebody ordered before shows the picture of that order.
            for job, told in zip(made, await self._told(made), strict=True):
                # Its webhook is that of the order that began it, and was told if it has ended.
                hears = job.order.webhook == request.webhook and not job.state.ended if request.webhook else None
                entries.append({**told, "order": at, "url": request.path or None, "webhook_waits": hears})
        done = all(job.state is JobState.DONE for made in jobs for job in made)
        headers: Headers = () if "jobs" in call.value else (("location", entries[0]["status_url"]),)
        await exchange.send(json_response({"jobs": entries}, status=200 if done else 202, headers=headers))

    async def listed(self, exchange: Exchange, call: Call) -> None:
        state, limit, after = _read_query(call.query)
        page = await self.jobs.listed(state=state, limit=limit, after=after)
        counts = await self.jobs.counts()
        told = {
            "jobs": await self._told(page.jobs),
            "next": page.next or None,
            "counts": {one.value: counts.get(one.value, 0) for one in JobState},
        }
        await exchange.send(json_response(told))

    async def one(self, exchange: Exchange, call: Call) -> None:
        job = await self.jobs.get(job_id(call))
        await exchange.send(json_response(self.facts(job)))

    async def cancel(self, exchange: Exchange, call: Call) -> None:
        job = await self.jobs.cancel(job_id(call))
        if job.state in (JobState.DONE, JobState.FAILED):
            raise JobEnded(
                f"The job is {job.state.value}: only one that has not ended can be cancelled.",
                where="state",
                got=job.state.value,
                expected=f"{JobState.QUEUED.value} or {JobState.RUNNING.value}",
            )
        await exchange.send(json_response(self.facts(job)))

    async def retry(self, exchange: Exchange, call: Call) -> None:
        job = await self.jobs.retry(job_id(call))
        await exchange.send(json_response(self.facts(job), status=200 if job.state is JobState.DONE else 202))

    async def _told(self, jobs: Iterable[Job]) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        for job in jobs:
            out.append(self.facts(job))
            if len(out) % _BATCH == 0:
                await asyncio.sleep(0)
        return out


def job_id(call: Call) -> str:
    """Give the job's id in the path; raises NotFound for what cannot be one."""
    given = call.parameters["id"]
    if not _ID.fullmatch(given):
        raise NotFound("There is no such job: ids of jobs have 64 hexadecimal digits.", where="id", got=given[:80])
    return given


def _read_query(query: Mapping[str, str]) -> tuple[JobState | None, int, str]:
    """Read state, limit and after; raises BadRequest."""
    state, limit, after = query.get("state"), query.get("limit", str(LIMIT)), query.get("after")
    states = [one.value for one in JobState]
    demand(state is None or state in states, "state", state, f"one of {', '.join(states)}")
    within = _COUNT.fullmatch(limit) and 1 <= int(limit) <= MAX_LIMIT
    demand(within, "limit", limit, f"a whole number from 1 to {MAX_LIMIT}")
    demand(after is None or 0 < len(after) <= MAX_AFTER_CHARS, "after", after, "what the page before had as next")
    return JobState(state) if state is not None else None, int(limit), after or ""
