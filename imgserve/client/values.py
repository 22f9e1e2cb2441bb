"""What the server tells and is told, as values: jobs, pages of them, orders, pictures.

Fields that a newer server adds are read over.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

_ENDS: Final = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A picture whose AI steps are to be made: a `source` with options, or in its place a signed `path`."""

    source: str = ""
    options: Sequence[str] = ()
    presets: Sequence[str] = ()
    #: An image URL of the server with its signature, whole or from its path on.
    path: str = ""
    #: -100 to 100, higher comes first.
    priority: int = 0
    #: Told when the job ends, "" = nobody.
    webhook: str = ""

    def body(self) -> dict[str, Any]:
        """Give the JSON object of POST /v1/jobs."""
        given = {
            "path": self.path,
            "source": self.source,
            "presets": list(self.presets),
            "options": list(self.options),
            "priority": self.priority,
            "webhook": self.webhook,
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why the last attempt failed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it was when the server told of it; the fields are those of docs/api.md, times are aware."""

    id: str
    #: queued, running, done, failed or cancelled.
    state: str
    task: str = ""
    #: 0 to 1.
    progress: float = 0.0
    attempts: int = 0
    max_attempts: int = 0
    priority: int = 0
    source: str = ""
    asks: tuple[Mapping[str, str], ...] = ()
    owner: str | None = None
    worker: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None
    error: JobError | None = None
    facts: Mapping[str, str | float] = field(default_factory=dict)
    status_url: str = ""
    events_url: str = ""
    #: Signed path of the result, None where none is known.
    url: str | None = None
    before_url: str | None = None

    @property
    def ended(self) -> bool:
        return self.state in _ENDS

    @property
    def done(self) -> bool:
        """Whether it ended well."""
        return self.state == "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedJob(Job):
    """A job that was just ordered."""

    #: Place of its order, from 0: one order can be two jobs.
    order: int = 0
    #: Whether the order's webhook will be told, None without one.
    webhook_waits: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Jobs, youngest first."""

    jobs: tuple[Job, ...]
    #: What the next page comes `after`, None on the last one.
    next: str | None
    #: How many there are in each state.
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What is gone."""

    #: Entries by tier.
    entries: Mapping[str, int]
    #: Presets that the server does not have.
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """What a warm order made."""

    #: done, or stopped where the server was about to end.
    state: str
    made: int
    kept: int
    failed: int
    size_bytes: int
    ms: int
    #: A line for each result, as in docs/warming.md.
    results: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A finished picture of a processed one."""

    type: str
    width: int
    height: int
    size_bytes: int
    #: done, skipped or none: of its AI steps.
    ai: str
    #: Signed path, None on a server that cannot sign.
    url: str | None
    #: The picture itself, with `output="base64"`.
    data: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """A picture's pictures."""

    source: str
    #: Id and state of each job.
    jobs: tuple[Mapping[str, str], ...]
    #: done, skipped (not all have their AI steps) or none (nothing asks for any).
    ai: str
    #: Why they are skipped.
    reason: JobError | None
    provider: str | None
    outputs: Mapping[str, Picture]


def job_of(value: Mapping[str, Any]) -> Job:
    """Read a job of the server's JSON."""
    return Job(**_job_fields(value))


def ordered_job_of(value: Mapping[str, Any]) -> OrderedJob:
    return OrderedJob(order=value["order"], webhook_waits=value["webhook_waits"], **_job_fields(value))


def processed_of(value: Mapping[str, Any]) -> Processed:
    """Read the answer of POST /v1/process."""
    ai = value["ai"]
    return Processed(
        source=value["source"],
        jobs=tuple(value["jobs"]),
        ai=ai["state"],
        reason=_error_of(ai.get("reason")),
        provider=ai["provider"],
        outputs={name: _picture_of(one) for name, one in value["outputs"].items()},
    )


def _job_fields(value: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: value[name] for name in Job.__dataclass_fields__ if name in value}
    for name in ("created_at", "started_at", "ended_at", "due_at"):
        text = fields.get(name)
        fields[name] = None if text is None else datetime.fromisoformat(text)
    return fields | {"asks": tuple(fields.get("asks", ())), "error": _error_of(fields.get("error"))}


def _error_of(value: Mapping[str, str] | None) -> JobError | None:
    return None if value is None else JobError(code=value["code"], message=value["message"])


def _picture_of(value: Mapping[str, Any]) -> Picture:
    data = value.get("data")
    return Picture(
        type=value["type"],
        width=value["width"],
        height=value["height"],
        size_bytes=value["bytes"],
        ai=value["ai"],
        url=value.get("url"),
        data=None if data is None else base64.b64decode(data),
    )
