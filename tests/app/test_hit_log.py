"""Lines of answers that went well: what `logging` would have written, many at a time."""

from __future__ import annotations

import asyncio
import json
import logging
import re

import pytest

from imgserve.app.hit_log import HitLog, hit_log
from imgserve.app.log_format import configure_logging
from imgserve.settings import load
from imgserve.web.hot import Hit

HIT = Hit("/***/w:20/plain/local:///a.jpg", 200, 1234, 0.0123, "192.0.2.1", "abc-1")
ODD = Hit('/***/fn:a"b\\c=d/plain/x', 304, 0, 0.00004, '1"2', "abc-2", "HEAD")


@pytest.fixture(autouse=True)
def as_before() -> object:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def configured(log_format: str, level: str = "info") -> HitLog | None:
    environ = {"IMGSERVE_ALLOW_UNSIGNED": "1", "IMGSERVE_LOG_FORMAT": log_format, "IMGSERVE_LOG_LEVEL": level}
    configure_logging(load(environ))
    return hit_log(log_format)


def by_logging(hit: Hit, cache: str) -> None:
    facts: dict[str, object] = {
        "request_id": hit.request_id,
        "method": hit.method,
        "path": hit.shown,
        "status": hit.status,
        "ms": round(hit.seconds * 1000, 1),
        "client_ip": hit.client,
        "bytes": hit.size,
    } | ({"cache": cache} if cache else {})
    logging.getLogger("imgserve.access").info("%s %s %d", hit.method, hit.shown, hit.status, extra={"facts": facts})


@pytest.mark.parametrize("log_format", ["pretty", "structured", "json", "gcp"])
@pytest.mark.parametrize(("hit", "cache"), [(HIT, "memory"), (HIT, "disk"), (ODD, "")])
async def test_a_line_is_what_logging_would_have_written(
    log_format: str, hit: Hit, cache: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = configured(log_format)
    assert log is not None
    log(hit, cache)
    log.flush()
    by_logging(hit, cache)
    fast, slow = capsys.readouterr().err.splitlines()
    if log_format in ("json", "gcp"):
        fast_facts, slow_facts = json.loads(fast), json.loads(slow)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fast_facts.pop("time"))
        slow_facts.pop("time")
        assert fast_facts == slow_facts
    else:
        moment = r"(time=\S+|\d\d:\d\d:\d\d)"
        assert re.sub(moment, "T", fast, count=1) == re.sub(moment, "T", slow, count=1)


async def test_a_hit_of_the_short_way_is_one_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    log = configured("json")
    assert log is not None
    log(HIT)
    log.flush()
    assert json.loads(capsys.readouterr().err)["cache"] == "memory"


async def test_lines_wait_for_each_other_but_not_long(capsys: pytest.CaptureFixture[str]) -> None:
    log = configured("pretty")
    assert log is not None
    log(HIT)
    log(HIT)
    assert capsys.readouterr().err == ""
    async with asyncio.timeout(10):
        text = ""
        while text.count("\n") < 2:
            await asyncio.sleep(0.01)
            text += capsys.readouterr().err


async def test_many_lines_do_not_wait(capsys: pytest.CaptureFixture[str]) -> None:
    log = configured("pretty")
    assert log is not None
    for _ in range(600):
        log(HIT)
    assert capsys.readouterr().err.count("\n") == 512
    log.flush()
    assert capsys.readouterr().err.count("\n") == 88


def test_a_level_without_such_lines_has_no_log() -> None:
    assert configured("pretty", level="warn") is None
