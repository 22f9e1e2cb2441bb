"""The requests of the /v1 API as values, and what their answers mean: all that does not depend on how one waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import httpx

from imgserve.client.errors import api_error
from imgserve.client.values import (
    Job,
    JobPage,
    Order,
    OrderedJob,
    Processed,
    Purged,
    job_of,
    ordered_job_of,
    processed_of,
)

T = TypeVar("T")

#: One text, or several.
Texts = str | Sequence[str]

#: A server waits for AI steps and renders, and sends nothing meanwhile; longer than any server is set up for.
_PROCESS_S: Final = 300.0
#: Attempts of a call that the server refuses with `Retry-After`, the first one too.
_MAX_TRIES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A request, and how its answer is read."""

    method: str
    #: Behind the base URL; or a whole URL.
    path: str
    read: Callable[[Any], T]
    query: Mapping[str, str] = field(default_factory=dict)
    #: A JSON object.
    body: Mapping[str, Any] | None = None
    #: In place of a body: fields and one file of a form.
    form: Mapping[str, str] | None = None
    file: tuple[str, bytes] | None = None
    #: Whether the API key goes with it.
    keyed: bool = True
    #: Whether it may be sent again after it was refused for now.
    repeats: bool = True
    #: In place of the client's.
    timeout_s: float | None = None

    def answer(self, answer: httpx.Response) -> T:
        """Read a whole answer; raises ApiError."""
        if not answer.is_success:
            raise api_error(answer)
        try:
            return self.read(answer.json())
        except (ValueError, LookupError, TypeError) as exc:
            raise api_error(answer) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go, and what goes with all of them."""

    base_url: str
    #: Not in its repr, which reports of errors show.
    api_key: str = field(repr=False)
    timeout_s: float

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url: expected http://… or https://…, got {self.base_url!r}")

    def request(self, http: httpx.Client | httpx.AsyncClient, call: Call[T]) -> httpx.Request:
        """Make the request of a call; connections are the given client's."""
        whole = call.path.startswith(("http://", "https://"))
        return http.build_request(
            call.method,
            call.path if whole else self.base_url.rstrip("/") + call.path,
            params=call.query or None,
            json=call.body,
            data=call.form,
            files=None if call.file is None else {call.file[0]: ("image", call.file[1])},
            headers={"authorization": f"Bearer {self.api_key}"} if call.keyed and self.api_key else None,
            timeout=call.timeout_s or self.timeout_s,
        )


class Patience:
    """Decides whether a call that was refused for now is sent again; it waits no longer than a call may take."""

    def __init__(self, timeout_s: float) -> None:
        self._left_s = timeout_s
        self._tries = 1

    def wait_s(self, call: Call[T], answer: httpx.Response) -> float | None:
        """Say how long to wait before the same again, None = the answer is final."""
        if not call.repeats or answer.status_code not in (429, 503) or self._tries == _MAX_TRIES:
            return None
        wait_s = api_error(answer).retry_after_s
        if wait_s is None or wait_s > self._left_s:
            return None
        self._tries += 1
        self._left_s -= wait_s
        return wait_s


def submit(orders: Sequence[Order]) -> Call[tuple[OrderedJob, ...]]:
    bodies = [one.body() for one in orders]
    # Of a single order, the server says what is wrong without saying with which.
    body = bodies[0] if len(bodies) == 1 else {"jobs": bodies}
    return Call(method="POST", path="/v1/jobs", body=body, read=_ordered)


def get(id: str) -> Call[Job]:
    return Call(method="GET", path=_job_path(id), read=job_of)


def cancel(id: str) -> Call[Job]:
    return Call(method="DELETE", path=_job_path(id), read=job_of)


def retry(id: str) -> Call[Job]:
    return Call(method="POST", path=f"{_job_path(id)}/retry", read=job_of)


def follow(id: str, *, timeout_s: float) -> Call[None]:
    # Whoever follows has a patience of its own.
    return Call(method="GET", path=f"{_job_path(id)}/events", read=_nothing, repeats=False, timeout_s=timeout_s)


def page(*, state: str, limit: int | None, after: str) -> Call[JobPage]:
    query = {"state": state, "limit": "" if limit is None else str(limit), "after": after}
    return Call(method="GET", path="/v1/jobs", query={name: text for name, text in query.items() if text}, read=_page)


def purge(*, source: Texts, prefix: Texts, tag: Texts, preset: Texts, everything: bool) -> Call[Purged]:
    given: dict[str, Any] = {"source": source, "prefix": prefix, "tag": tag, "preset": preset}
    body = {name: _listed(value) for name, value in given.items() if value}
    if everything:
        body["everything"] = True
    return Call(method="POST", path="/v1/purge", body=body, read=_purged)


def warm(sources: Texts, **order: object) -> Call[None]:
    given = {"sources": sources, **order}
    body = {name: _listed(value) for name, value in given.items() if value}
    return Call(method="POST", path="/v1/warm", body=body, read=_nothing)


def process(
    *,
    image: bytes,
    source: str,
    presets: Sequence[str] | None,
    outputs: Texts | Mapping[str, Mapping[str, Any]] | None,
    output: str,
    format: str,
    wait_s: float | None,
) -> Call[Processed]:
    if bool(image) == bool(source):
        raise ValueError("process: give image or source, one of them")
    listed = list(outputs) if isinstance(outputs, Sequence) and not isinstance(outputs, str) else outputs
    given: dict[str, Any] = {
        "source": source or None,
        "presets": None if presets is None else list(presets),
        "outputs": listed,
        "output": output or None,
        "format": format or None,
        "timeout": wait_s,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    sent: dict[str, Any] = {"body": fields}
    if image:
        # Lists and objects are JSON in a form.
        form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        sent = {"form": form, "file": ("image", image)}
    # Work that was done in vain is not to be done again by itself.
    return Call(method="POST", path="/v1/process", read=processed_of, repeats=False, timeout_s=_PROCESS_S, **sent)


def capabilities() -> Call[dict[str, Any]]:
    return Call(method="GET", path="/v1/capabilities", read=_object)


def info(url: str) -> Call[dict[str, Any]]:
    # It is signed; who holds the URL needs no key, and it may lead through a CDN.
    return Call(method="GET", path=url, read=_object, keyed=False)


def _job_path(id: str) -> str:
    if not id.isalnum():
        raise ValueError(f"id: expected the 64 hexadecimal digits of a job, got {id!r}")
    return f"/v1/jobs/{id}"


def _listed(value: object) -> object:
    """Give what JSON can hold: tuples and the like become lists."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _ordered(value: Mapping[str, Any]) -> tuple[OrderedJob, ...]:
    return tuple(map(ordered_job_of, value["jobs"]))


def _page(value: Mapping[str, Any]) -> JobPage:
    return JobPage(jobs=tuple(map(job_of, value["jobs"])), next=value["next"], counts=value["counts"])


def _purged(value: Mapping[str, Any]) -> Purged:
    return Purged(entries=value["purged"], unknown=tuple(value.get("unknown", ())))


def _object(value: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _nothing(_value: object) -> None:
    """Streams are read line by line."""
