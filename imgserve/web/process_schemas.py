"""JSON Schemas of POST /v1/process, by the names that the OpenAPI document has for them."""

from __future__ import annotations

from typing import Final

from imgserve.ports.jobs import JobState
from imgserve.spec.kinds import Schema
from imgserve.web.process_orders import BASE64, DEFAULT_PRESETS, MAX_OUTPUTS, STANDARD, URLS

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_TEXTS: Final[Schema] = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_STANDARD: Final[Schema] = {"type": "string", "enum": list(STANDARD)}
_PATH: Final[Schema] = {"type": "string", "format": "uri-reference"}
#: "none" = it needs none.
_MODELS: Final[Schema] = {"type": "string", "enum": ["done", "skipped", "none"]}

_FIELDS: Final[dict[str, Schema]] = {
    "source": {**_TEXT, "description": "in place of image: the source as it stands in URLs, before escaping"},
    "presets": {**_TEXTS, "default": list(DEFAULT_PRESETS), "description": "what comes first in every output"},
    "outputs": {
        "description": f"names of outputs, all by default; or outputs of your own by name, at most {MAX_OUTPUTS}",
        "anyOf": [
            _STANDARD,
            {"type": "array", "items": _STANDARD, "minItems": 1},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": MAX_OUTPUTS,
                "propertyNames": {"pattern": "^[A-Za-z0-9_-]{1,40}$"},
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "presets": {**_TEXTS, "description": "in place of the order's"},
                        "options": {**_TEXTS, "description": "options as in a URL, joined"},
                    },
                    "additionalProperties": False,
                },
            },
        ],
    },
    "output": {
        "type": "string",
        "enum": [BASE64, URLS],
        "description": f"{URLS} by default, {BASE64} where the server cannot sign URLs",
    },
    "format": {**_TEXT, "description": "of all outputs, such as webp"},
    "timeout": {
        "type": "number",
        "minimum": 0,
        "description": "seconds from the start of the request for which AI steps are waited for; as long as the "
        "server's own time allows by default",
    },
}

_PICTURE: Final[Schema] = {
    "type": "object",
    "properties": {
        "type": {**_TEXT, "description": "media type"},
        "width": _COUNT,
        "height": _COUNT,
        "bytes": _COUNT,
        "ai": _MODELS,
        "url": {**_PATH, "description": "signed path of the picture, with its AI steps once they are made"},
        "data": {"type": "string", "contentEncoding": "base64"},
    },
    "required": ["type", "width", "height", "bytes", "ai"],
    "additionalProperties": False,
}

#: For the components of the document.
SCHEMAS: Final[dict[str, Schema]] = {
    "Process": {
        "type": "object",
        "properties": {
            "image": {**_TEXT, "description": "a picture as base64, or as a data: URL in base64"},
            **_FIELDS,
        },
        "oneOf": [{"required": ["image"]}, {"required": ["source"]}],
        "additionalProperties": False,
    },
    "ProcessForm": {
        "type": "object",
        "description": "The same as a form: the picture as a file, lists and objects as JSON texts.",
        "properties": {
            "image": {"type": "string", "contentMediaType": "application/octet-stream"},
            **_FIELDS,
        },
        "oneOf": [{"required": ["image"]}, {"required": ["source"]}],
        "additionalProperties": False,
    },
    "Processed": {
        "type": "object",
        "properties": {
            "source": {**_TEXT, "description": "upload:///<SHA-256> of a picture that was sent"},
            "jobs": {
                "type": "array",
                "description": "jobs of the AI steps, as they were last seen",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                        "state": {"type": "string", "enum": [state.value for state in JobState]},
                        "status_url": _PATH,
                    },
                    "required": ["id", "state", "status_url"],
                    "additionalProperties": False,
                },
            },
            "ai": {
                "type": "object",
                "properties": {
                    "state": {**_MODELS, "description": "skipped = not all outputs have their AI steps"},
                    "provider": {"anyOf": [_TEXT, {"type": "null"}], "description": "who made the AI steps"},
                    "reason": {
                        "type": "object",
                        "description": "why they are skipped",
                        "properties": {"code": _TEXT, "message": _TEXT},
                        "required": ["code", "message"],
                        "additionalProperties": False,
                    },
                },
                "required": ["state", "provider"],
                "additionalProperties": False,
            },
            "outputs": {"type": "object", "minProperties": 1, "additionalProperties": _PICTURE},
        },
        "required": ["source", "jobs", "ai", "outputs"],
        "additionalProperties": False,
    },
}
