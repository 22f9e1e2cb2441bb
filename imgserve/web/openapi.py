"""GET /v1/openapi.json: the OpenAPI 3.1 document of the API, made of its table and schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import imgserve
from imgserve.errors import BadRequest, Forbidden, ImgserveError, RateLimited
from imgserve.plan.url import Grammar
from imgserve.spec.describe import presets_schema
from imgserve.spec.kinds import Schema
from imgserve.web.api import Call
from imgserve.web.exchange import Exchange
from imgserve.web.operation import Answer, Operation, Parameter
from imgserve.web.operations import OPERATIONS
from imgserve.web.process_body import FORM
from imgserve.web.responses import JSON, Response
from imgserve.web.schemas import schemas

#: Of generated clients: the document changes with the server's version and settings alone.
_CACHE: Final = "max-age=300, public"
_KEY: Final = "ApiKey"

_RATE_HEADERS: Final = {
    "X-RateLimit-Limit": "requests that the key may make a minute",
    "X-RateLimit-Remaining": "requests that are left",
    "X-RateLimit-Reset": "seconds until there are all of them again",
}


class OpenApiEndpoint:
    """Handler of the document."""

    def __init__(self, grammar: Grammar, *, prefix: str = "") -> None:
        body = json.dumps(document(grammar, prefix=prefix), ensure_ascii=False).encode()
        self._answer = Response(headers=(("content-type", JSON), ("cache-control", _CACHE)), body=body)

    async def __call__(self, exchange: Exchange, call: Call) -> None:
        await exchange.send(self._answer)


def document(grammar: Grammar, *, prefix: str = "") -> dict[str, Any]:
    """Describe the whole API, with the options that URLs of this server may have."""
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    known = [name for name in presets_schema(grammar.catalog)["properties"] if name != "doc"]
    permitted = grammar.allowed_options
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imgserve",
            "version": imgserve.__version__,
            "description": "The API beside image URLs: jobs of AI steps, caches, and what the server can do.",
        },
        "servers": [{"url": prefix or "/"}],
        "paths": paths,
        "webhooks": {"jobEnded": {"post": _webhook()}},
        "components": {
            "schemas": schemas(
                option_names=[name for name in known if permitted is None or name in permitted],
                separator=grammar.separator,
                error_codes=sorted({*_codes(ImgserveError)}),
            ),
            "headers": {
                name: {"description": doc, "schema": {"type": "integer", "minimum": 0}}
                for name, doc in _RATE_HEADERS.items()
            },
            "securitySchemes": {
                _KEY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "a key of IMGSERVE_API_KEYS; `imgserve keygen --api-key <name>` makes one",
                }
            },
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    out: dict[str, Any] = {"operationId": one.id, "summary": one.summary}
    if one.doc:
        out["description"] = one.doc
    if one.parameters:
        out["parameters"] = [_parameter(parameter) for parameter in one.parameters]
    if one.body:
        examples = {name: {"value": value} for name, value in one.examples.items()}
        content: dict[str, Any] = {JSON: {"schema": _ref(one.body), "examples": examples}}
        if one.form:
            content[FORM] = {"schema": _ref(one.form)}
        out["requestBody"] = {"required": True, "content": content}
    out["responses"] = {str(answer.status): _answer(answer, one) for answer in one.answers} | _errors(one)
    out["security"] = [{_KEY: []}] if one.keyed else []
    return out


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": one.place,
        "required": one.place == "path",
        "description": one.doc,
        "schema": one.schema,
    }


def _answer(answer: Answer, one: Operation) -> dict[str, Any]:
    headers = _rate_headers(one)
    if answer.location:
        headers["Location"] = {
            "description": "where the job is told of, for a single order",
            "schema": {"type": "string", "format": "uri-reference"},
        }
    schema = _ref(answer.schema) if answer.schema else {"type": "object" if answer.kind == JSON else "string"}
    return {"description": answer.doc, "content": {answer.kind: {"schema": schema}}} | _given("headers", headers)


def _errors(one: Operation) -> dict[str, Any]:
    """Describe the errors by status: several codes may share one."""
    common = (BadRequest, Forbidden, RateLimited) if one.keyed else ()
    by_status: dict[str, list[str]] = {}
    for error in dict.fromkeys((*common, *one.errors)):
        by_status.setdefault(str(error.status), []).append(error.code)
    headers = _given("headers", _rate_headers(one))
    content = {"content": {JSON: {"schema": _ref("Error")}}}
    return {
        status: {"description": f"`{'`, `'.join(codes)}`", **content, **headers}
        for status, codes in sorted(by_status.items())
    }


def _rate_headers(one: Operation) -> dict[str, Any]:
    counted = one.keyed and one.counted
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS} if counted else {}


def _webhook() -> dict[str, Any]:
    names = {
        "webhook-id": "the same for all tries of one end",
        "webhook-timestamp": "Unix time of the try, in seconds",
        "webhook-signature": "v1,<base64 of HMAC-SHA256 over id.timestamp.body>",
    }
    return {
        "summary": "Sent when a job ends whose order has a webhook; in the form of Standard Webhooks.",
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": doc, "schema": {"type": "string"}}
            for name, doc in names.items()
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": _ref("JobEnd")}}},
        "responses": {
            "2XX": {"description": "it was heard"},
            "410": {"description": "send no more of this one"},
            "default": {"description": "it is sent again, ever later"},
        },
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _given(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {name: value} if value else {}


def _codes(error: type[ImgserveError]) -> Iterator[str]:
    """Give the codes of a kind of error and of all below it."""
    yield error.code
    for one in error.__subclasses__():
        yield from _codes(one)
