"""Answers as values, and the one place that turns an error into an answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from imgserve.errors import ImgserveError, MethodNotAllowed, Pending

Headers = tuple[tuple[str, str], ...]

TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"

#: Methods of everything that is only read.
READ_METHODS: Final = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer: header names in lower case, values without control characters."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    #: The code of the error that it tells of, for the log.
    error: str = ""


def text_response(text: str, *, status: int = 200, content_type: str = TEXT, cache: str = "no-cache") -> Response:
    """Make a short answer for people."""
    headers = (("content-type", content_type), ("cache-control", cache))
    return Response(status=status, headers=headers, body=text.encode())


def json_response(value: object, *, status: int = 200, cache: str = "no-store", headers: Headers = ()) -> Response:
    """Make an answer for programs."""
    body = json.dumps(value, indent=2).encode() + b"\n"
    return Response(status=status, headers=(("content-type", JSON), ("cache-control", cache), *headers), body=body)


def preflight_response(methods: tuple[str, ...] = READ_METHODS) -> Response:
    """Answer OPTIONS; what the browser may read of real answers is said by the headers that all of them have."""
    return Response(
        status=204,
        headers=(
            ("allow", ", ".join(methods)),
            *([] if methods == READ_METHODS else [("access-control-allow-methods", ", ".join(methods))]),
            ("access-control-allow-headers", "Authorization, Content-Type, Range, X-Request-ID"),
            ("access-control-max-age", "86400"),
        ),
    )


def error_response(error: ImgserveError, *, request_id: str, as_json: bool, source_error_ttl_s: int) -> Response:
    """Say what is wrong: one sentence, or its facts as JSON.

    No cache keeps it, but for errors that depend on the source alone: those for `source_error_ttl_s` (0 = not either).
    """
    fresh = error.cacheable and source_error_ttl_s > 0
    headers = [
        ("content-type", JSON if as_json else TEXT),
        ("cache-control", f"max-age={source_error_ttl_s}, public" if fresh else "no-store"),
        # The same error is text to one client and JSON to another.
        ("vary", "Accept"),
    ]
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(error.retry_after_s)))
    if isinstance(error, Pending) and error.job:
        headers.append(("x-imgserve-pending", error.job))
    if isinstance(error, MethodNotAllowed) and error.expected:
        headers.append(("allow", error.expected))
    body = _json_body(error, request_id) if as_json else error.message.encode("utf-8", "backslashreplace") + b"\n"
    return Response(status=error.status, headers=tuple(headers), body=body, error=error.code)


def _json_body(error: ImgserveError, request_id: str) -> bytes:
    facts = {"code": error.code, "message": error.message, **error.facts(), "request_id": request_id}
    return json.dumps({"error": facts}).encode() + b"\n"
