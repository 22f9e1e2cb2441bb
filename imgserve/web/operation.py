"""How the /v1 API declares what one method does at one path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from imgserve.errors import ImgserveError
from imgserve.web.responses import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value in the path or in the query; `schema` is its JSON Schema."""

    name: str
    doc: str
    schema: dict[str, Any]
    place: str = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is no error; `schema` names a component, "" = a text of this `kind`."""

    doc: str
    schema: str = ""
    kind: str = JSON
    status: int = 200
    #: Where the answer says what it is about.
    location: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one method does at one path."""

    #: Handlers go by it, and functions of generated clients are called by it.
    id: str
    method: str
    path: str
    #: One sentence, and all that has to be said.
    summary: str
    doc: str = ""
    parameters: tuple[Parameter, ...] = ()
    #: Component of the JSON object in the body, "" = no body is read here.
    body: str = ""
    #: Component of the form that may be sent in its place.
    form: str = ""
    #: Whether the handler reads the body itself.
    streams: bool = False
    answers: tuple[Answer, ...]
    #: Beside those of every operation.
    errors: tuple[type[ImgserveError], ...] = ()
    #: Whether it wants a key, and counts as a request of it.
    keyed: bool = True
    counted: bool = True
    #: Of the body, by name.
    examples: dict[str, Any] = field(default_factory=dict)
