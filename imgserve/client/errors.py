"""What a client can fail with; wrong options of URLs are `imgserve.errors.BadOption`, as the server's are."""

from __future__ import annotations

from typing import Any

import httpx

from imgserve.client.values import Job

#: Of an answer that is no error of imgserve: some other program's, between here and there.
UNEXPECTED = "unexpected_answer"
#: Of such an answer, in a message.
_SHOWN_CHARS = 200


class ClientError(Exception):
    """Base of all that a client raises about the server."""


class ApiError(ClientError):
    """The server answered, and it was no.

    `code` is stable and for programs, `message` is a sentence for people. `where`, `got`, `expected` and
    `retry_after_s` are None where the server does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str = UNEXPECTED,
        where: str | None = None,
        got: str | None = None,
        expected: str | None = None,
        request_id: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.message = message
        self.status = status
        self.code = code
        self.where = where
        self.got = got
        self.expected = expected
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class Unreachable(ClientError):
    """No answer came: no connection, none in time, or it was cut."""


class JobTimeout(ClientError, TimeoutError):
    """A job has not ended in the time that was given; `job` is how it was last seen, None where it never was."""

    def __init__(self, message: str, *, job: Job | None) -> None:
        super().__init__(message)
        self.job = job


class WebhookRefused(ClientError):
    """A message is not from the server, or not of now: answer it with 400 and do nothing."""


def api_error(answer: httpx.Response) -> ApiError:
    """Read the error of an answer whose body has been read."""
    facts = _facts(answer)
    if facts is None:
        shown = " ".join(answer.text[:_SHOWN_CHARS].split())
        return ApiError(
            f"{answer.request.url} gave no answer of imgserve (is this the base URL?): {shown!r}",
            status=answer.status_code,
            retry_after_s=_retry_after_s(answer),
        )
    named = {name: facts.get(name) for name in ("where", "got", "expected", "request_id")}
    return ApiError(
        str(facts.get("message", "")),
        status=answer.status_code,
        code=str(facts.get("code", UNEXPECTED)),
        retry_after_s=facts.get("retry_after_s", _retry_after_s(answer)),
        **named,
    )


def unreachable(error: httpx.RequestError) -> Unreachable:
    """Say what httpx could not do, and where; its own words can be empty."""
    url = error.request.url
    return Unreachable(f"{url.scheme}://{url.netloc.decode()}{url.path}: {str(error) or type(error).__name__}")


def _facts(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        facts = answer.json()["error"]
    except (ValueError, LookupError, TypeError):
        return None
    return facts if isinstance(facts, dict) else None


def _retry_after_s(answer: httpx.Response) -> int | None:
    """Read the header where it has seconds; the server writes no dates."""
    text = answer.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() else None
