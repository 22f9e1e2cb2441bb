from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from time import time

import pytest

from imgserve.adapters.providers.remote import Breaker, Limits, Remote, host_of
from imgserve.errors import ProviderUnavailable
from tests.adapters.providers.background_server import Reply, Service, serving


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


def test_a_breaker_opens_after_failures_in_a_row_and_closes_after_its_time() -> None:
    clock = Clock()
    breaker = Breaker(2, open_s=30, clock=clock)
    breaker.failed()
    breaker.worked()
    breaker.failed()
    assert breaker.wait_s() == 0
    breaker.failed()
    assert breaker.wait_s() == 30
    clock.now += 30
    assert breaker.wait_s() == 0


def test_a_breaker_that_was_open_opens_again_at_the_first_failure() -> None:
    clock = Clock()
    breaker = Breaker(2, open_s=30, clock=clock)
    breaker.failed()
    breaker.failed()
    clock.now += 31
    breaker.failed()
    assert breaker.wait_s() == 30
    clock.now += 31
    breaker.worked()
    breaker.failed()
    assert breaker.wait_s() == 0


def test_a_retry_after_date_is_understood(service: Service) -> None:
    service.replies = [Reply(status=429, headers={"retry-after": formatdate(time() + 100, usegmt=True)})]
    remote = Remote("It", url=service.url, headers={}, limits=Limits(timeout_s=5), explain=lambda body: "")
    with pytest.raises(ProviderUnavailable) as caught:
        remote.post("/", fields={}, files={"f": b"x"}, query={})
    remote.close()
    assert caught.value.retry_after_s == pytest.approx(100, abs=3)


@pytest.mark.parametrize("text", ["", "soon", "-3"])
def test_a_retry_after_that_says_nothing_is_the_usual_pause(service: Service, text: str) -> None:
    service.replies = [Reply(status=429, headers={"retry-after": text}), Reply(body=b"yes")]
    limits = Limits(timeout_s=5, pause_s=0.01)
    remote = Remote("It", url=service.url, headers={}, limits=limits, explain=lambda body: "")
    assert remote.post("/", fields={}, files={"f": b"x"}, query={}) == b"yes"
    remote.close()


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://a.b:8/x", "a.b"), ("http://[::1]:3", "::1"), ("ftp://a", ""), ("a.b", ""), ("http://[", "")],
)
def test_the_host_of_an_address(url: str, host: str) -> None:
    assert host_of(url) == host
