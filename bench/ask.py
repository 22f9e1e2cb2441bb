"""One request with all of its answer, headers included: for checks before and between the turns of a load."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.checks import WrongAnswer
from bench.load import ANSWER_TIMEOUT_S, HOST

#: A store keeps a result after its answer has gone, so it is not there at once.
KEPT_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer; header names are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")


def ask(port: int, target: str, headers: Mapping[str, str] | None = None) -> Whole:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", target, headers=dict(headers or {}))
        answer = connection.getresponse()
        fields = tuple((name.lower(), value) for name, value in answer.getheaders())
        return Whole(answer.status, fields, answer.read())
    finally:
        connection.close()


def ask_until(port: int, target: str, *, name: str, values: tuple[str, ...]) -> Whole:
    """Ask again until a header has one of the values; raises WrongAnswer when it does not come to that."""
    until = time.monotonic() + KEPT_TIMEOUT_S
    while True:
        answer = ask(port, target)
        if answer.status != 200:
            raise WrongAnswer(f"{target}: got status {answer.status}, expected 200: {answer.body[:300]!r}")
        if answer.header(name) in values:
            return answer
        if time.monotonic() > until:
            raise WrongAnswer(f"{target}: got {name}: {answer.header(name)!r}, expected one of {values}")
        time.sleep(0.05)
