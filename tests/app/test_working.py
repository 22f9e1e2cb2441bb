"""A worker's runner: what it says of webhooks that it cannot send."""

from __future__ import annotations

import logging

import pytest

from imgserve.app.working import Untold
from imgserve.ports.jobs import Job, JobOrder, JobState
from imgserve.ports.models import Ask, Task


def ended(id: str, webhook: str = "") -> Job:
    order = JobOrder(id=id, source="local:///a.jpg", asks=(Ask(Task.BACKGROUND),), webhook=webhook)
    return Job(order=order, state=JobState.DONE)


def test_webhooks_without_a_secret_are_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    untold = Untold()
    with caplog.at_level(logging.WARNING):
        untold.ended(ended("1"))
        assert caplog.records == []
        untold.ended(ended("2", "https://hooks.test/"))
        untold.ended(ended("3", "https://hooks.test/"))
    [record] = caplog.records
    assert "job 2 has a webhook" in record.getMessage()
    assert "IMGSERVE_WEBHOOK_SECRET" in record.getMessage()
