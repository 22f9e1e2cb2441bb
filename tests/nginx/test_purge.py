"""A purge through nginx: the new picture is there when IMGSERVE_PROXY_TTL is over, whatever browsers were told."""

from __future__ import annotations

import hashlib
import json
import time
from http.client import HTTPConnection
from pathlib import Path

from tests.nginx.stack import UNTIL_S, Stack, fresh, running_stack
from tests.web.pictures import png

API_KEY = "a-key-of-this-test"


def purge(stack: Stack, body: object) -> dict[str, object]:
    """Ask the server itself: nginx lets nobody from outside reach /v1."""
    connection = HTTPConnection("127.0.0.1", stack.port, timeout=20)
    connection.request("POST", "/v1/purge", json.dumps(body), {"Authorization": f"Bearer {API_KEY}"})
    answer = connection.getresponse()
    assert answer.status == 200
    done: dict[str, object] = json.loads(answer.read())["purged"]
    connection.close()
    return done


def test_a_purged_picture_is_replaced_when_the_proxys_time_is_over(tmp_path: Path) -> None:
    settings = {
        "IMGSERVE_CACHE": "memory,disk",
        "IMGSERVE_CACHE_PATH": str(tmp_path / "results"),
        "IMGSERVE_API_KEYS": f"test:{hashlib.sha256(API_KEY.encode()).hexdigest()}",
        "IMGSERVE_PROXY_TTL": "1",
    }
    with running_stack(tmp_path, **settings) as stack:
        path = fresh()
        before = stack.ask(path)
        assert stack.ask(path).body == before.body
        (stack.root / "a.jpg").write_bytes(png())
        assert purge(stack, {"source": "local:///a.jpg"})["memory"] == 1
        ends_at = time.monotonic() + UNTIL_S
        while (after := stack.ask(path)).body == before.body:
            assert time.monotonic() < ends_at
            time.sleep(0.05)
        assert after.status == 200
        assert after.headers["cache-control"] == "max-age=31536000, public"
        # And it stays the new one: what was confirmed in between does not come back.
        assert {stack.ask(path).body for _ in range(20)} == {after.body}
