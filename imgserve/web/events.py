"""GET /v1/jobs/<id>/events: a job followed as server-sent events until it has ended."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Final

from imgserve.errors import RateLimited
from imgserve.ports.jobs import Job
from imgserve.service.jobs import Jobs
from imgserve.service.readiness import Readiness
from imgserve.web.api import Call
from imgserve.web.beats import with_beats
from imgserve.web.exchange import Exchange
from imgserve.web.job_facts import JobFacts
from imgserve.web.jobs import job_id
from imgserve.web.operations import EVENTS

#: Streams of one process: each asks the queue twice a second.
MAX_STREAMS: Final = 100
#: When clients that lost their connection come back.
_RETRY_MS: Final = 2000
#: How soon a stream sees that the process is about to end.
_LOOK_S: Final = 0.5
#: For a client that finds no place.
_WAIT_S: Final = 5

#: Caches keep nothing of it, and nginx passes each event on at once.
_HEADERS: Final = (("content-type", EVENTS), ("cache-control", "no-store"), ("x-accel-buffering", "no"))


class FollowJob:
    """Handler of the events of a job."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        facts: JobFacts,
        readiness: Readiness,
        beat_s: float = 5.0,
        max_streams: int = MAX_STREAMS,
    ) -> None:
        """A comment is sent every `beat_s`, so that neither the edge nor a proxy takes the answer for dead."""
        self._jobs = jobs
        self._facts = facts
        self._readiness = readiness
        self._beat_s = beat_s
        self._max_streams = max_streams
        self._streams = 0

    async def __call__(self, exchange: Exchange, call: Call) -> None:
        wanted = job_id(call)
        # What is wrong is told before the first event, which says 200.
        await self._jobs.get(wanted)
        with self._place():
            async with exchange.connected():
                await exchange.stream(200, _HEADERS, self._events(wanted))

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._streams >= self._max_streams:
            raise RateLimited(
                f"This process follows {self._max_streams} jobs already; ask for the job itself now and then.",
                retry_after_s=_WAIT_S,
            )
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    async def _events(self, id: str) -> AsyncGenerator[bytes, None]:
        yield f"retry: {_RETRY_MS}\n\n".encode()
        count, sent_at = 0, time.monotonic()
        last: Job | None = None
        async with aclosing(with_beats(self._jobs.changes(id), min(_LOOK_S, self._beat_s))) as changes:
            async for job in changes:
                if job is not None:
                    count, last = count + 1, job
                    yield _event("job", count, self._facts(job))
                elif time.monotonic() - sent_at >= self._beat_s:
                    yield b": working\n\n"
                elif self._readiness.ready:
                    continue
                sent_at = time.monotonic()
                if not self._readiness.ready:
                    # The process is about to end; the client comes back, to another one.
                    return
        if last is not None:
            yield _event("end", count + 1, self._facts(last))


def _event(name: str, count: int, facts: Mapping[str, Any]) -> bytes:
    return f"event: {name}\nid: {count}\ndata: {json.dumps(facts)}\n\n".encode()
