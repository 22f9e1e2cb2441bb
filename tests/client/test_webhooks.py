"""Messages that the server's own code has made, and what somebody else could send."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

import pytest

from imgserve.client import WebhookRefused, verify_webhook
from imgserve.ports.jobs import JobState
from imgserve.service.webhooks import Deliveries, HookRules, secret_bytes, signed
from tests.service.test_webhooks import NOW, Answers, Desk, job

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, of 32 byt").decode()


def message(secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """Give body and headers as the server sends them."""
    answers = Answers([204])
    desk = Desk(answers, rules=HookRules(secret=secret_bytes(secret)))
    desk.deliveries.ended(job())
    desk.deliveries.handle(desk.waiting.pop())
    [(_, headers, body)] = answers.sent
    return body, headers


def test_the_parts_of_the_server_are_those_that_are_tested_here() -> None:
    assert isinstance(Desk(Answers([204])).deliveries, Deliveries)


@pytest.mark.parametrize("secret", [SECRET, "any text, too"])
def test_what_the_server_sends_is_read(secret: str) -> None:
    body, headers = message(secret)
    end = verify_webhook(body, headers, secret, now=NOW)
    assert (end.type, end.id) == ("job.done", headers["webhook-id"])
    assert end.timestamp == datetime.fromtimestamp(NOW - 5, UTC).replace(microsecond=900_000)
    assert (end.job.id, end.job.state, end.job.owner) == ("a" * 64, JobState.DONE.value, None)


def test_names_of_headers_are_in_any_case() -> None:
    body, headers = message()
    assert verify_webhook(body, {name.title(): text for name, text in headers.items()}, SECRET, now=NOW)


def test_one_of_several_signatures_is_enough() -> None:
    body, headers = message()
    headers["webhook-signature"] = f"v1a,x v1,AAAA ä {headers['webhook-signature']}"
    assert verify_webhook(body, headers, SECRET, now=NOW)


@pytest.mark.parametrize("off_s", [-301, 301, 86_400])
def test_old_messages_and_those_of_the_future_are_refused(off_s: float) -> None:
    body, headers = message()
    with pytest.raises(WebhookRefused, match="too old"):
        verify_webhook(body, headers, SECRET, now=int(NOW) + off_s)
    assert verify_webhook(body, headers, SECRET, now=int(NOW) + off_s, tolerance_s=abs(off_s))


def test_the_time_is_the_clocks() -> None:
    body, _ = message()
    rules = HookRules(secret=secret_bytes(SECRET))
    assert verify_webhook(body, signed("msg_1", body, at=time.time(), rules=rules), SECRET).id == "msg_1"
    with pytest.raises(WebhookRefused):
        verify_webhook(body, signed("msg_1", body, at=NOW, rules=rules), SECRET)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_what_is_signed_cannot_be_changed_or_left_out(name: str) -> None:
    body, headers = message()
    with pytest.raises(WebhookRefused, match="signature does not fit"):
        verify_webhook(body, headers | {name: headers[name] + "0"}, SECRET, now=NOW)
    del headers[name]
    with pytest.raises(WebhookRefused, match=f"no header {name}"):
        verify_webhook(body, headers, SECRET, now=NOW)


def test_another_body_or_secret_is_refused() -> None:
    body, headers = message()
    assert json.loads(body + b" ") == json.loads(body)
    with pytest.raises(WebhookRefused):
        verify_webhook(body + b" ", headers, SECRET, now=NOW)
    with pytest.raises(WebhookRefused):
        verify_webhook(body, headers, SECRET[:-4] + "AAA=", now=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_no base64"])
def test_a_secret_that_is_none_is_no_key_that_anybody_could_guess(secret: str) -> None:
    body, headers = message()
    with pytest.raises(ValueError, match="secret: expected"):
        verify_webhook(body, headers, secret, now=NOW)
