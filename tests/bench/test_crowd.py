"""The crowd and the origin that delays, over real sockets; refusals that are waited for."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from bench.ask import ask
from bench.crowd import Seen, crowd, patience
from bench.load import Answer
from bench.probe import probe
from tests.bench.conftest import BODY


def test_a_refused_client_waits_what_it_was_told_and_up_to_as_much_again() -> None:
    chance = random.Random(1)
    waits = [patience(Answer(429, "text/plain", b"", "2"), chance) for _ in range(200)]
    assert 2.0 <= min(waits) < 2.2
    assert 3.8 < max(waits) <= 4.0
    assert patience(Answer(503, "text/plain", b""), chance) == 0.0


def test_refusals_are_no_goodput() -> None:
    seen = Seen(seconds=2.0)
    for status, milliseconds in ((200, 10.0), (200, 30.0), (429, 1.0), (404, 5.0)):
        seen.add(Answer(status, "image/jpeg", b""), milliseconds)
    assert seen.goodput == 1.0
    assert (seen.good_ms, seen.refused_ms, seen.statuses[404]) == ([10.0, 30.0], [1.0], 1)


def test_a_crowd_asks_until_its_window_closes(port: int) -> None:
    targets = (f"/{n}" for n in itertools.count())
    seen = crowd(port, targets, clients=3, settle_s=0.0, seconds=0.2, patient=True)
    assert seen.answers == {Answer(200, "image/jpeg", BODY)}
    assert seen.goodput > 0


def test_the_origin_delays_what_asks_for_it(port: int) -> None:
    began = time.monotonic()
    assert ask(port, "/a?n=1&delay=0.3").body == BODY
    assert time.monotonic() - began >= 0.3


def test_the_probe_asks_as_often_as_it_is_told(port: int) -> None:
    assert len(probe(port, "/health", hertz=50, seconds=0.2)) == 10


def test_the_probe_does_not_hide_that_nobody_answers() -> None:
    with pytest.raises(ConnectionRefusedError):
        probe(1, "/health", hertz=10, seconds=0.1)
