"""JSON Schemas of what the /v1 API takes and gives, by the names that the OpenAPI document has for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from imgserve.ports.jobs import JobState
from imgserve.ports.models import Task
from imgserve.service.warm import Outcome
from imgserve.spec.kinds import Schema
from imgserve.web.api import MAX_NAMED
from imgserve.web.job_orders import MAX_PRIORITY
from imgserve.web.orders import MAX_SOURCES
from imgserve.web.process_schemas import SCHEMAS as PROCESS_SCHEMAS
from imgserve.web.sign_schemas import SCHEMAS as SIGN_SCHEMAS

_STRING: Final[Schema] = {"type": "string"}
_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_TASK: Final[Schema] = {"type": "string", "enum": [task.value for task in Task]}
_STATE: Final[Schema] = {"type": "string", "enum": [state.value for state in JobState]}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Mapping[str, Schema], *, optional: Sequence[str] = (), doc: str = "") -> Schema:
    """Describe an object that has these fields and no others."""
    return {
        "type": "object",
        **({"description": doc} if doc else {}),
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _request(properties: Mapping[str, Schema], *, required: Sequence[str] = (), doc: str = "") -> Schema:
    return _object(properties, optional=[name for name in properties if name not in required], doc=doc)


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _described(schema: Schema, doc: str) -> Schema:
    return {**schema, "description": doc}


def _texts(doc: str, item: Schema = _TEXT, *, at_most: int | None = None) -> Schema:
    """Describe one text, or a list of them."""
    bound = {} if at_most is None else {"maxItems": at_most}
    return {"description": doc, "anyOf": [item, {"type": "array", "items": item, **bound}]}


def _numbers(doc: str, item: Schema) -> Schema:
    return {"description": doc, "anyOf": [item, {"type": "array", "items": item}]}


_TIME: Final = _or_null({"type": "string", "format": "date-time"})
_PATH: Final = _or_null({"type": "string", "format": "uri-reference"})

_JOB: Final[dict[str, Schema]] = {
    "id": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "names the artefact as well"},
    "state": _STATE,
    "task": _described(_TASK, "what is being done, or will be first"),
    "progress": {"type": "number", "minimum": 0, "maximum": 1},
    "attempts": _described(_COUNT, "counted when a worker begins"),
    "max_attempts": _COUNT,
    "priority": {"type": "integer", "description": "higher comes first"},
    "source": {"type": "string", "description": "as it is fetched"},
    "asks": {
        "type": "array",
        "minItems": 1,
        "items": _object({"task": _TASK, "argument": {"type": "string"}}),
        "description": "what models are asked, in this order",
    },
    "owner": _described(_or_null(_TEXT), "name of the API key that asked, null = an image request"),
    "worker": _described(_or_null(_TEXT), "who works on it"),
    "created_at": _TIME,
    "started_at": _TIME,
    "ended_at": _TIME,
    "due_at": _described(_TIME, "it is not tried again before then"),
    "error": _described(
        _or_null(_object({"code": _TEXT, "message": _TEXT})), "why it failed, or why it is tried again"
    ),
    "facts": {
        "type": "object",
        "additionalProperties": {"type": ["string", "number"]},
        "description": "of a job that is done: sizes, providers, seconds",
    },
    "status_url": {"type": "string", "format": "uri-reference"},
    "events_url": {"type": "string", "format": "uri-reference"},
    "url": _described(_PATH, "signed path of the result"),
    "before_url": _described(_PATH, "signed path of the source, scaled to fit 600 pixels"),
}

_ORDER: Final[dict[str, Schema]] = {
    "path": _described(_TEXT, "an image URL of this server, or its path, with its signature"),
    "source": _described(_TEXT, "in place of path: the source as it stands in URLs, before escaping"),
    "presets": _texts("with source: names of presets, joined"),
    "options": _texts("with source: options as in a URL, joined", _named("Options")),
    "priority": {"type": "integer", "minimum": -MAX_PRIORITY, "maximum": MAX_PRIORITY, "default": 0},
    "webhook": {"type": "string", "format": "uri", "description": "told when the job ends"},
}

#: What is told of a job beside the job, to who has just ordered it.
_ORDERED: Final[dict[str, Schema]] = {
    "order": _described(_COUNT, "place of the order, from 0"),
    "webhook_waits": _described(
        _or_null({"type": "boolean"}),
        "whether the order's webhook will be told; false = the job has ended already, or was begun by another order, "
        "and is to be asked about; null = the order has no webhook",
    ),
}

_PROVIDER: Final = _object(
    {
        "name": _TEXT,
        "available": {"type": "boolean"},
        "trouble": _described(_or_null(_TEXT), "why it cannot work"),
        "basic": {"type": "boolean", "description": "works without a model file, and not as well"},
        "licence": _or_null(_TEXT),
        "remote": _described(_or_null(_TEXT), "the host that pictures are sent to"),
        "max_pixels": _COUNT,
        "timeout_s": {"type": "number", "exclusiveMinimum": 0},
    }
)


def schemas(*, option_names: Sequence[str], separator: str, error_codes: Sequence[str]) -> dict[str, Schema]:
    """Give every schema by its name; `option_names` are those that URLs of this server may have."""
    return {
        **PROCESS_SCHEMAS,
        **SIGN_SCHEMAS,
        "Error": _error(error_codes),
        "OptionName": {"type": "string", "enum": list(option_names)},
        "Options": _options(option_names, separator),
        "Purge": _purge(),
        "Purged": _object(
            {
                "purged": {"type": "object", "additionalProperties": _COUNT},
                "unknown": {"type": "array", "items": _TEXT, "description": "presets that are not configured"},
            },
            optional=("unknown",),
        ),
        "Warm": _warm(),
        "WarmLine": _warm_line(),
        "Job": _object(_JOB),
        "JobOrder": {
            **_request(_ORDER),
            "oneOf": [{"required": ["path"]}, {"required": ["source"]}],
        },
        "JobOrders": {
            "anyOf": [
                _named("JobOrder"),
                _object(
                    {
                        "jobs": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MAX_NAMED,
                            "items": _named("JobOrder"),
                        }
                    }
                ),
            ]
        },
        "SubmittedJobs": _object(
            {
                "jobs": {
                    "type": "array",
                    "minItems": 1,
                    "items": _object({**_JOB, **_ORDERED}),
                }
            }
        ),
        "JobPage": _object(
            {
                "jobs": {"type": "array", "items": _named("Job")},
                "next": _described(_or_null(_TEXT), "`after` of the next page"),
                "counts": _object({state.value: _COUNT for state in JobState}),
            }
        ),
        "EndedJob": _object({name: one for name, one in _JOB.items() if name not in ("owner", "worker")}),
        "JobEnd": _job_end(),
        "Capabilities": _object(
            {
                "version": _TEXT,
                "providers": _object({task.value: _or_null(_PROVIDER) for task in Task}, doc="null = nobody does it"),
                "formats": _object({name: {"type": "array", "items": _TEXT} for name in ("in", "out")}),
                "options": _described(_COUNT, "how many options there are"),
                "plugins": _described({"type": "array", "items": _TEXT}, "plug-ins that have added options"),
                "presets": {"type": "array", "items": _object({"name": _TEXT, "doc": _STRING, "options": _STRING})},
                "urls": _object({"separator": _TEXT, "signature_size": _COUNT}, doc="how URLs are written"),
                "queue": _described(_TEXT, "what keeps the jobs"),
                "pending": _described(_TEXT, "how an image URL is answered whose AI step is not ready"),
            }
        ),
    }


def _job_end() -> Schema:
    return _object(
        {
            "type": {"type": "string", "enum": [f"job.{state.value}" for state in JobState if state.ended]},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": _named("EndedJob"),
        },
        doc="body of a webhook",
    )


def _error(codes: Sequence[str]) -> Schema:
    return _object(
        {
            "error": _object(
                {
                    "code": {"type": "string", "enum": list(codes)},
                    "message": _described(_TEXT, "a sentence that says what to change"),
                    "where": {"type": "string"},
                    "got": {"type": "string"},
                    "expected": {"type": "string"},
                    "retry_after_s": _COUNT,
                    "request_id": _TEXT,
                },
                optional=("where", "got", "expected", "retry_after_s"),
            )
        }
    )


def _options(names: Sequence[str], separator: str) -> Schema:
    """Describe options as they stand in a URL; names need no escape in a pattern."""
    option = f"(?:{'|'.join(names)}){re.escape(separator)}[^/]*"
    return {"type": "string", "pattern": f"^{option}(?:/{option})*$"}


def _purge() -> Schema:
    named = {
        "source": "sources, as they are fetched",
        "prefix": "what sources begin with",
        "tag": "tags of results",
        "preset": "names of presets",
    }
    return {
        "oneOf": [
            {
                **_request({name: _texts(doc, at_most=MAX_NAMED) for name, doc in named.items()}),
                "minProperties": 1,
            },
            _object({"everything": {"const": True}}),
        ]
    }


def _warm() -> Schema:
    return _request(
        {
            "sources": _texts("as they stand in URLs, before escaping", at_most=MAX_SOURCES),
            "presets": _texts("names of presets, several joined as in a URL"),
            "options": _texts("options as in a URL", _named("Options")),
            "widths": _numbers("adds the option width", {"type": "integer", "minimum": 1}),
            "formats": _texts("adds the option format"),
            "accept": _texts("kinds of client, where no format is given: avif, webp, none, or an Accept header"),
            "dpr": _numbers("adds the option dpr", {"type": "number", "exclusiveMinimum": 0}),
        },
        required=("sources",),
    )


def _warm_line() -> Schema:
    """Describe a line: of a result, a sign of life, or the last one."""
    result = _object(
        {
            "source": _TEXT,
            "path": _TEXT,
            "url": _TEXT,
            "accept": _TEXT,
            "state": {"type": "string", "enum": [outcome.value for outcome in Outcome]},
            "bytes": _COUNT,
            "ms": _COUNT,
            "error": _object({"code": _TEXT, "message": _TEXT}),
        },
        optional=("url", "accept", "error"),
    )
    last = _object(
        {
            "state": {"type": "string", "enum": ["done", "stopped"]},
            **{outcome.value: _COUNT for outcome in Outcome},
            "bytes": _COUNT,
            "ms": _COUNT,
        }
    )
    return {"anyOf": [result, _object({"state": {"const": "working"}}), last]}
