"""JSON Schemas of POST /v1/sign, by the names that the OpenAPI document has for them."""

from __future__ import annotations

from typing import Final

from imgserve.spec.kinds import Schema

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_OPTIONS: Final[Schema] = {"$ref": "#/components/schemas/Options"}

_FIELDS: Final[dict[str, Schema]] = {
    "source": {**_TEXT, "description": "the source as it stands in URLs, before escaping"},
    "presets": {
        "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
        "description": "names of presets, joined; options win over what they set",
    },
    "options": {
        "description": "options by name, each a table by field name or the value of its first field; or as in a URL",
        "anyOf": [
            {"type": "object", "propertyNames": {"$ref": "#/components/schemas/OptionName"}},
            _OPTIONS,
            {"type": "array", "items": _OPTIONS},
        ],
    },
    "choose": {
        "description": "what clients may pick in the query: values, or ranges such as 50-90, by the option's name",
        "type": "object",
        "additionalProperties": {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}},
    },
    "base64": {"type": "boolean", "default": False, "description": "encode the source instead of writing it out"},
    "explain": {"type": "boolean", "default": False, "description": "also tell what the URL would do"},
    "accept": {**_TEXT, "description": "with explain, kind of client: avif, webp, none, or an Accept header"},
}

_OPTION: Final[Schema] = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "stage": _TEXT,
        "text": {**_TEXT, "description": "as in a URL"},
        "fields": {"type": "object"},
    },
    "required": ["name", "stage", "text", "fields"],
    "additionalProperties": False,
}
_NAMES: Final[Schema] = {"type": "array", "items": _TEXT}

_EXPLANATION: Final[Schema] = {
    "type": "object",
    "description": "sizes are those before a trim, which is known only when it is made",
    "properties": {
        "canonical": {**_TEXT, "description": "what decides the result's bytes"},
        "key": {**_TEXT, "description": "what the result is kept under"},
        "source": _TEXT,
        "options": {"type": "array", "items": _OPTION},
        "delivery": {"type": "array", "items": _OPTION},
        "negotiated": {
            "type": "object",
            "properties": {"preferred": _NAMES, "enforced": _NAMES},
            "required": ["preferred", "enforced"],
            "additionalProperties": False,
        },
        "source_image": {
            "type": "object",
            "properties": {
                "format": _TEXT,
                "bytes": _COUNT,
                "width": _COUNT,
                "height": _COUNT,
                "orientation": _COUNT,
                "animated": {"type": "boolean"},
            },
            "required": ["format", "bytes", "width", "height", "orientation", "animated"],
            "additionalProperties": False,
        },
        "layout": {"type": "object", "description": "all sizes of the render, in pixels"},
    },
    "required": ["canonical", "key", "source", "options", "delivery", "negotiated", "source_image", "layout"],
    "additionalProperties": False,
}

SCHEMAS: Final[dict[str, Schema]] = {
    "Sign": {"type": "object", "properties": _FIELDS, "required": ["source"], "additionalProperties": False},
    "Signed": {
        "type": "object",
        "properties": {
            "path": {**_TEXT, "description": "what the signature is of"},
            "url": {"type": "string", "format": "uri-reference", "description": "signed path of the picture"},
            "options": {"type": "string", "description": "the options in their one spelling, as in the URL"},
            "explanation": _EXPLANATION,
        },
        "required": ["path", "url", "options"],
        "additionalProperties": False,
    },
}
