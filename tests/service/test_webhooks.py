"""Webhooks from the end of a job to a receiver that has heard it: signatures, tries, and what is given up."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import hmac
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from imgserve import metrics
from imgserve.adapters.hooks import HookSender
from imgserve.adapters.sources.guard import AddressRules
from imgserve.errors import BadRequest
from imgserve.plan.sources import compile_patterns
from imgserve.ports.jobs import Job, JobOrder, JobState
from imgserve.ports.models import Ask, Task
from imgserve.service.webhooks import KIND, Deliveries, HookRules, secret_bytes
from tests.adapters.hook_receiver import receiving
from tests.scraping import sums

SECRET = b"a secret of the tests"
NOW = 1_800_000_000.9
URL = "https://hooks.test/t0ken"
DOCS = Path(__file__).parent.parent.parent / "docs" / "api.md"


def job(state: JobState = JobState.DONE, *, webhook: str = URL, ended_at: float = NOW - 5) -> Job:
    order = JobOrder(
        id="a" * 64, source="https://a.test/a.jpg", asks=(Ask(Task.UPSCALE, "2"),), webhook=webhook, owner="shop"
    )
    return Job(order=order, state=state, ended_at=ended_at)


def facts(job: Job) -> dict[str, Any]:
    return {"id": job.order.id, "state": job.state.value, "owner": job.order.owner, "worker": "here:1"}


@dataclasses.dataclass
class Answers:
    """A receiver in memory: says the next of its statuses, the last one for ever."""

    statuses: list[int]
    trouble: str = ""
    sent: list[tuple[str, dict[str, str], bytes]] = dataclasses.field(default_factory=list)

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        self.sent.append((url, dict(headers), body))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return status, "" if status else self.trouble


class Desk:
    """Deliveries, with a runner that has what was scheduled done at once, and a clock that has waited."""

    def __init__(self, hooks: Any, *, attempts: int = 8, rules: HookRules | None = None, chance: float = 0.5) -> None:
        self.waiting: list[bytes] = []
        self.delays: list[float] = []
        self.now = NOW
        self.deliveries = Deliveries(
            hooks=hooks,
            rules=rules or HookRules(secret=SECRET),
            schedule=self.schedule,
            facts=facts,
            attempts=attempts,
            clock=lambda: self.now,
            chance=lambda: chance,
        )

    def schedule(self, kind: str, payload: bytes, *, delay_s: float, id: str = "") -> None:
        assert kind == KIND
        self.waiting.append(payload)
        self.delays.append(delay_s)

    def run(self) -> None:
        while self.waiting:
            self.now += self.delays[-1]
            self.deliveries.handle(self.waiting.pop())


def test_the_end_of_a_job_is_told_signed() -> None:
    hooks = Answers([204])
    desk = Desk(hooks)
    desk.deliveries.ended(job())
    assert hooks.sent == []  # whoever ends a job waits for nobody
    desk.run()
    [(url, headers, body)] = hooks.sent
    assert (url, headers["content-type"]) == (URL, "application/json")
    assert json.loads(body) == {
        "type": "job.done",
        "timestamp": "2027-01-15T07:59:55.900Z",
        "data": {"id": "a" * 64, "state": "done"},
    }
    assert re.fullmatch(r"msg_[0-9a-f]{32}", headers["webhook-id"])
    assert headers["webhook-timestamp"] == "1800000000"
    text = f"{headers['webhook-id']}.1800000000.".encode() + body
    signature = base64.b64encode(hmac.new(SECRET, text, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{signature}"
    assert desk.delays == [0.0]


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_other_ends_have_types_of_their_own(state: JobState) -> None:
    hooks = Answers([200])
    desk = Desk(hooks)
    desk.deliveries.ended(job(state))
    desk.run()
    assert json.loads(hooks.sent[0][2])["type"] == f"job.{state.value}"


def test_a_job_without_a_webhook_tells_nobody() -> None:
    desk = Desk(Answers([200]))
    desk.deliveries.ended(job(webhook=""))
    assert desk.waiting == []


def test_the_same_end_has_the_same_id_and_another_end_another() -> None:
    hooks = Answers([200])
    desk = Desk(hooks)
    for one in (job(), job(), job(ended_at=NOW), job(JobState.FAILED)):
        desk.deliveries.ended(one)
    desk.run()
    found = [headers["webhook-id"] for _, headers, _ in hooks.sent]
    assert (len(found), len(set(found)), found[-1]) == (4, 3, found[-2])


def test_a_receiver_that_fails_is_asked_ever_later_with_a_new_signature_of_the_same_message() -> None:
    hooks = Answers([500, 0, 302, 404, 200], trouble="it could not be reached")
    desk = Desk(hooks)
    desk.deliveries.ended(job())
    desk.run()
    assert desk.delays == [0.0, 5.0, 20.0, 80.0, 320.0]
    assert len({(headers["webhook-id"], body) for _, headers, body in hooks.sent}) == 1
    assert [int(headers["webhook-timestamp"]) for _, headers, _ in hooks.sent] == [
        1_800_000_000 + passed for passed in (0, 5, 25, 105, 425)
    ]
    assert len({headers["webhook-signature"] for _, headers, _ in hooks.sent}) == 5


def test_waits_are_bounded_and_differ() -> None:
    low, high = Desk(Answers([500]), attempts=12, chance=0.0), Desk(Answers([500]), attempts=12, chance=1.0)
    for desk in (low, high):
        desk.deliveries.ended(job())
        desk.run()
        assert len(desk.delays) == 12
    assert (low.delays[1], high.delays[1]) == (4.0, 6.0)
    assert (max(low.delays), max(high.delays)) == pytest.approx((6 * 3600 * 0.8, 6 * 3600 * 1.2))


def test_each_failed_try_is_one_line_in_the_log_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(Answers([500, 0], trouble="its host has no address"), attempts=3)
    with caplog.at_level(logging.INFO):
        desk.deliveries.ended(job())
        desk.run()
    lines = [re.sub("msg_[0-9a-f]+", "msg", record.getMessage()) for record in caplog.records]
    assert lines == [
        "webhook msg to hooks.test: try 1 of 3 failed: it answered 500; the next is in 5 seconds",
        "webhook msg to hooks.test: try 2 of 3 failed: its host has no address; the next is in 20 seconds",
        "webhook msg to hooks.test: try 3 of 3 failed: its host has no address; it is given up",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "ERROR"]


def test_tries_are_counted_by_what_became_of_them() -> None:
    before = sums(metrics.page("imgserve").body)
    for statuses, attempts in (([500, 200], 3), ([500], 2)):
        desk = Desk(Answers(statuses), attempts=attempts)
        desk.deliveries.ended(job())
        desk.run()
    grown = sums(metrics.page("imgserve").body) - before
    counted = {result: grown.one("webhooks_total", result=result) for result in ("delivered", "failed", "given_up")}
    assert counted == {"delivered": 1, "failed": 2, "given_up": 1}


def test_a_receiver_that_is_gone_is_left_alone() -> None:
    hooks = Answers([410])
    desk = Desk(hooks)
    desk.deliveries.ended(job())
    desk.run()
    assert len(hooks.sent) == 1


def test_what_the_operator_forbids_meanwhile_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    hooks = Answers([500, 200])
    desk = Desk(hooks)
    desk.deliveries.ended(job())
    narrow = HookRules(secret=SECRET, allowed=compile_patterns(["https://other.test/"]))
    desk.deliveries = dataclasses.replace(desk.deliveries, rules=narrow)
    desk.run()
    assert hooks.sent == []
    assert "IMGSERVE_ALLOWED_WEBHOOKS" in caplog.text
    assert "t0ken" not in caplog.text


async def test_a_receiver_over_a_socket_can_check_who_sent_it_by_the_recipe_of_the_docs() -> None:
    [recipe] = re.findall(r"```python\n(import base64.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    known: dict[str, Any] = {}
    exec(recipe, known)  # noqa: S102 - the recipe is ours
    async with receiving(b"HTTP/1.1 503 X\r\n\r\n", b"HTTP/1.1 200 X\r\n\r\n") as receiver:
        base = f"http://127.0.0.1:{receiver.port}/"
        rules = HookRules(secret=SECRET, allowed=compile_patterns([base]))
        hooks = HookSender(AddressRules(allow_loopback=True), timeout_s=5, user_agent="imgserve/test")
        desk = Desk(hooks, rules=rules)
        desk.deliveries.ended(job(webhook=base + "done"))
        await asyncio.to_thread(desk.run)
    assert [message.target for message in receiver.received] == ["POST /done HTTP/1.1"] * 2
    for message in receiver.received:
        for secret in (SECRET.decode(), "whsec_" + base64.b64encode(SECRET).decode()):
            told = known["verified"](message.body, message.headers, secret=secret, now=NOW)
            assert told["type"] == "job.done"
        for changes in ({"webhook-timestamp": "1800000001"}, {"webhook-id": "msg_1"}, {"webhook-signature": "v1,AAAA"}):
            with pytest.raises(ValueError, match="signature"):
                known["verified"](message.body, {**message.headers, **changes}, secret=SECRET.decode(), now=NOW)
        with pytest.raises(ValueError, match="old"):
            known["verified"](message.body, message.headers, secret=SECRET.decode(), now=NOW + 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain text", b"plain text"), ("whsec_AAEC", b"\x00\x01\x02"), ("ü", "ü".encode())],
)
def test_a_secret_is_text_or_base64(text: str, expected: bytes) -> None:
    assert secret_bytes(text) == expected


@pytest.mark.parametrize("text", ["whsec_", "whsec_A", "whsec_A B=", "whsec_ü"])
def test_a_secret_that_is_cut_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        secret_bytes(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.test/", "https://", "https:///path", "hooks.test", "https://a@hooks.test/", "https://[::1/",
        "https://hooks.test:99999/", "https://hooks.test:http/",
        "https://hooks.test/\n", "https://hooks.test/a b", "https://höoks.test/", "https://hooks.test/" + "a" * 2048,
    ],
)  # fmt: skip
def test_urls_that_no_webhook_may_have(url: str) -> None:
    with pytest.raises(BadRequest) as wrong:
        HookRules(secret=SECRET).check(url)
    assert wrong.value.where == "webhook"
    assert HookRules(secret=SECRET).refusal("https://hooks.test:8443/a?b=c") == ""
