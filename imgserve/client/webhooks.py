"""Messages of the server that a job has ended: whether they are its own, and what they say."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from imgserve.client.errors import WebhookRefused
from imgserve.client.values import Job, job_of

#: In front of a secret that is base64 (Standard Webhooks).
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the mark of one, not one
#: What Standard Webhooks' own libraries have.
TOLERANCE_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """A job has ended."""

    #: The same for all tries of one message: keep it, to deal with each end once.
    id: str
    #: job.done, job.failed or job.cancelled.
    type: str
    timestamp: datetime
    job: Job


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> JobEnd:
    """Give what a message says, after its signature and time are checked.

    `body` is the request's as it came, `headers` may have names in any case, `secret` is IMGSERVE_WEBHOOK_SECRET.
    `now` is the Unix time, the clock's by default. Raises WebhookRefused, and ValueError for a secret that is none.
    """
    key = _key(secret)
    given = {name.lower(): value for name, value in headers.items()}
    try:
        id, at, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise WebhookRefused(f"The message has no header {missing.args[0]}.") from None
    digest = hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256")
    expected = b"v1," + base64.b64encode(digest)
    if not any(hmac.compare_digest(expected, one.encode()) for one in signatures.split(" ")):
        raise WebhookRefused("The signature does not fit: another secret, or the body is not as it came.")
    if abs((time.time() if now is None else now) - int(at)) > tolerance_s:
        raise WebhookRefused("The message is too old, or this clock is wrong.")
    return _message(id, json.loads(body))


def _message(id: str, told: Mapping[str, Any]) -> JobEnd:
    return JobEnd(
        id=id, type=told["type"], timestamp=datetime.fromisoformat(told["timestamp"]), job=job_of(told["data"])
    )


def _key(secret: str) -> bytes:
    """Read a secret as the server does."""
    if not secret.startswith(_SECRET_PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
        except binascii.Error:
            key = b""
    if not key:
        raise ValueError(f"secret: expected a text, or {_SECRET_PREFIX} and base64")
    return key
