"""Answers that come line by line: the events of a job, over connections that may be cut, and the results of warming."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from imgserve.client.errors import ApiError, JobTimeout, Unreachable
from imgserve.client.values import Job, Warmed, job_of

#: A stream that is silent for so long is dead: the server sends a sign of life every five seconds.
_SILENCE_S: Final = 20.0
#: Before a stream is asked for again; the server says its own.
_PAUSE_S: Final = 2.0
#: Each pause in a row is twice the one before, up to this.
_LONGEST_PAUSE_S: Final = 30.0
#: Streams in a row that say nothing; with their pauses a minute, in which a server starts anew.
_MAX_CUTS: Final = 6

_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500


class Following:
    """What is known of a job that is followed, whoever reads the lines; the time is looked at with each of them."""

    def __init__(self, id: str, *, timeout_s: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._id = id
        self._clock = clock
        self._timeout_s = timeout_s
        self._ends_at = None if timeout_s is None else clock() + timeout_s
        self._pause_s = _PAUSE_S
        self._cuts = 0
        self._event: dict[str, str] = {}
        self._last: Job | None = None
        self.ended = False

    @property
    def silence_s(self) -> float:
        """How long the next stream may be silent."""
        return _SILENCE_S if self._ends_at is None else min(_SILENCE_S, self._left_s())

    def line(self, text: str) -> Job | None:
        """Take a line; gives the job where it is news. Raises JobTimeout while it has not ended."""
        if text:
            name, _, value = text.partition(":")
            self._event[name] = value.removeprefix(" ")
            return None
        event, self._event = self._event, {}
        if event.get("retry", "").isdigit():
            self._pause_s = int(event["retry"]) / 1000
        news = self._told(event) if "data" in event else None
        if not self.ended:
            self._left_s()
        return news

    def _told(self, event: Mapping[str, str]) -> Job | None:
        job = job_of(json.loads(event["data"]))
        self._cuts, self.ended = 0, event.get("event") == "end"
        news, self._last = job != self._last, job
        return job if news else None

    def cut(self, cause: ApiError | Unreachable | None) -> float:
        """Say how long to wait before the next stream; raises JobTimeout, and `cause` where waiting is no use."""
        self._event = {}
        cause = cause or Unreachable(f"The stream of job {self._id} ended before the job.")
        if isinstance(cause, ApiError) and cause.status != _TOO_MANY and cause.status < _SERVER_ERROR:
            raise cause
        if self._cuts == _MAX_CUTS:
            raise cause
        pause_s = min(self._pause_s * 2.0**self._cuts, _LONGEST_PAUSE_S)
        self._cuts += 1
        if isinstance(cause, ApiError) and cause.retry_after_s is not None:
            pause_s = float(cause.retry_after_s)
        return pause_s if self._ends_at is None else min(pause_s, self._left_s())

    def _left_s(self) -> float:
        if self._ends_at is None:
            return 0.0
        left_s = self._ends_at - self._clock()
        if left_s <= 0:
            state = self._last.state if self._last is not None else "not seen yet"
            raise JobTimeout(f"Job {self._id} is {state} after {self._timeout_s:g} seconds.", job=self._last)
        return left_s


class Warming:
    """The results of a warm order so far."""

    def __init__(self) -> None:
        self._results: list[Mapping[str, Any]] = []
        self._last: Mapping[str, Any] | None = None

    def line(self, text: str) -> Mapping[str, Any] | None:
        """Take a line; gives it where it tells of a result."""
        told = json.loads(text)
        if "path" not in told:
            self._last = told
            return None
        self._results.append(told)
        return dict(told)

    def whole(self) -> Warmed:
        """Give what was made; raises Unreachable where the last line has not come."""
        if self._last is None or "made" not in self._last:
            raise Unreachable(f"The answer was cut after {len(self._results)} results; ask again: they are kept.")
        counted = {name: self._last[name] for name in ("state", "made", "kept", "failed", "ms")}
        return Warmed(**counted, size_bytes=self._last["bytes"], results=tuple(self._results))
