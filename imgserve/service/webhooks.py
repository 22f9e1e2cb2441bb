"""Webhooks: whoever ordered a job is told that it ended, signed, and told again until it has heard.

The form of messages and signatures is that of Standard Webhooks (standardwebhooks.com).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from imgserve import metrics
from imgserve.errors import BadRequest
from imgserve.plan.sources import AllowedSources
from imgserve.ports.jobs import Job

logger = logging.getLogger(__name__)

#: The kind of work that a worker's runner knows deliveries by.
KIND: Final = "webhook"

#: In front of a secret that is base64.
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the mark of one, not one
#: As long as browsers and proxies take URLs for granted.
_MAX_URL_CHARS: Final = 2048

#: Seconds before the second try; each wait is so many times the one before: 5 s, 20 s, 80 s … 8 tries take 7.6 hours.
_FIRST_WAIT_S: Final = 5.0
_GROWTH: Final = 4.0
_LONGEST_WAIT_S: Final = 6 * 3600.0
#: Waits are longer or shorter by up to this share, so that all that failed together does not come back together.
_JITTER: Final = 0.2

_GONE: Final = 410


class Schedule(Protocol):
    """Has `payload` handed to the handler of `kind` after `delay_s`, by any worker, at least once; may block.

    Twice with one `id` is one call until it has been made.
    """

    def __call__(self, kind: str, payload: bytes, *, delay_s: float, id: str = "") -> None: ...


class Hooks(Protocol):
    """Sends one message."""

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Give the status of the answer and "", or 0 and why there was none; raises nothing for what may go wrong."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRules:
    """Which webhooks an order may have; without a secret, none."""

    secret: bytes = b""
    #: IMGSERVE_ALLOWED_WEBHOOKS.
    allowed: AllowedSources = AllowedSources()

    def refusal(self, url: str) -> str:
        """Say in a sentence why nothing is sent to a URL, "" where it may be."""
        if not self.secret:
            return "This server sends no webhooks: its operator has to set IMGSERVE_WEBHOOK_SECRET."
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port  # a port beyond 65535 is told when it is read
        except ValueError:
            return "The webhook is not a URL."
        if len(url) > _MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
            return f"The webhook must be a URL of at most {_MAX_URL_CHARS} ASCII characters."
        if parts.scheme not in ("https", "http") or not host:
            return "The webhook must be an https:// URL with a host."
        if "@" in parts.netloc:
            return "The webhook must not have a name or a password in it."
        if self.allowed.patterns:
            return "" if self.allowed.allows(url) else "The webhook is not among IMGSERVE_ALLOWED_WEBHOOKS."
        return "" if parts.scheme == "https" else "The webhook must be an https:// URL."

    def check(self, url: str) -> None:
        """Raise BadRequest where nothing is sent to this URL."""
        if sentence := self.refusal(url):
            raise BadRequest(sentence, where="webhook", got=url[:200])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """One end of a job, on its way."""

    url: str
    id: str
    body: str
    #: Counted from 1.
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Tells of jobs that ended; its methods block, as they run in the threads of workers."""

    hooks: Hooks
    rules: HookRules
    schedule: Schedule
    #: All that is told of a job.
    facts: Callable[[Job], Mapping[str, Any]]
    #: Tries in all.
    attempts: int
    clock: Callable[[], float] = time.time
    #: Gives numbers from 0 to 1.
    chance: Callable[[], float] = random.random

    def ended(self, job: Job) -> None:
        """Have it told that a job ended, if its order wants that; nothing is sent here."""
        if not job.order.webhook:
            return
        end = f"{job.order.id} {job.state.value} {job.ended_at}"
        told = {name: value for name, value in self.facts(job).items() if name not in ("owner", "worker")}
        at = datetime.fromtimestamp(job.ended_at or self.clock(), UTC).isoformat(timespec="milliseconds")
        body = {"type": f"job.{job.state.value}", "timestamp": at.replace("+00:00", "Z"), "data": told}
        # The same end has the same id, though it may be told twice: receivers keep ids to know that.
        name = "msg_" + hashlib.sha256(end.encode()).hexdigest()[:32]
        self._send_later(_Message(url=job.order.webhook, id=name, body=json.dumps(body)), 0.0)

    def handle(self, payload: bytes) -> None:
        """Send a message that was scheduled, and schedule it again where that fails."""
        message = _Message(**json.loads(payload))
        # Rules may be others than when it was ordered.
        if sentence := self.rules.refusal(message.url):
            logger.error("webhook %s to %s is dropped: %s", message.id, _host(message.url), sentence)
            return
        body = message.body.encode()
        headers = {"content-type": "application/json", **signed(message.id, body, at=self.clock(), rules=self.rules)}
        status, trouble = self.hooks.post(message.url, headers=headers, body=body)
        if 200 <= status < 300:
            metrics.webhook_tried("delivered")
            logger.info("webhook %s to %s: delivered at try %d", message.id, _host(message.url), message.attempt)
            return
        self._failed(message, trouble or f"it answered {status}", is_final=status == _GONE)

    def _failed(self, message: _Message, trouble: str, *, is_final: bool) -> None:
        said = "webhook %s to %s: try %d of %d failed: %s; %s"
        facts = (message.id, _host(message.url), message.attempt, self.attempts, trouble)
        if is_final or message.attempt >= self.attempts:
            metrics.webhook_tried("given_up")
            logger.error(said, *facts, "it is given up")
            return
        metrics.webhook_tried("failed")
        wait_s = self._wait_s(message.attempt)
        logger.warning(said, *facts, f"the next is in {wait_s:.0f} seconds")
        self._send_later(dataclasses.replace(message, attempt=message.attempt + 1), wait_s)

    def _wait_s(self, attempt: int) -> float:
        wait_s: float = min(_FIRST_WAIT_S * _GROWTH ** (attempt - 1), _LONGEST_WAIT_S)
        return wait_s * (1 + _JITTER * (2 * self.chance() - 1))

    def _send_later(self, message: _Message, delay_s: float) -> None:
        # By its id twice is one call; by the attempt, or who puts a message off would find itself in the way.
        payload = json.dumps(dataclasses.asdict(message)).encode()
        self.schedule(KIND, payload, delay_s=delay_s, id=f"{message.id}.{message.attempt}")


def signed(id: str, body: bytes, *, at: float, rules: HookRules) -> dict[str, str]:
    """Give the headers that prove who sends a message, and when: each try has a time of its own."""
    text = f"{id}.{int(at)}.".encode() + body
    digest = hmac.digest(rules.secret, text, "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def secret_bytes(text: str) -> bytes:
    """Read IMGSERVE_WEBHOOK_SECRET: `whsec_` and base64, else the text itself; raises ValueError with a sentence."""
    if not text.startswith(_SECRET_PREFIX):
        return text.encode()
    try:
        found = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except ValueError:
        found = b""
    if not found:
        raise ValueError(f"expected base64 behind {_SECRET_PREFIX}, got something else")
    return found


def _host(url: str) -> str:
    """Name a receiver in the log without its path, which may be a secret."""
    return urlsplit(url).hostname or ""
