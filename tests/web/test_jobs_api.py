"""What all routes of /v1 share: keys, rates, methods, queries, and what the server says that it can do."""

from __future__ import annotations

import logging

import pytest

import imgserve
from imgserve.ops.catalog import CATALOG
from imgserve.ports.models import Task
from imgserve.web.capabilities import CapabilitiesEndpoint
from imgserve.web.operations import OPERATIONS
from tests.web.jobs_server import JobsServer, Setup, provider

CUT = {"source": "https://shop.test/a.jpg", "options": "rmbg:1"}


async def test_answers_and_errors_tell_what_is_left_of_a_minute() -> None:
    server = JobsServer(Setup(rate=3))
    answers = [
        await server.post("/v1/jobs", CUT),
        await server.post("/v1/purge", {}),
        await server.ask("/v1/capabilities"),
        await server.ask("/v1/jobs"),
        await server.post("/v1/purge", {"everything": True}),
    ]
    assert [answer.status_code for answer in answers] == [202, 400, 200, 429, 429]
    told = [[answer.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")] for answer in answers]
    assert told == [["3", left, "60"] for left in ("2", "1", "0", "0", "0")]
    error = answers[-1].json()["error"]
    assert (error["code"], error["retry_after_s"], answers[-1].headers["retry-after"]) == ("rate_limited", 60, "60")
    assert server.queue.taken == {"api:tests": 5}


async def test_requests_without_a_known_key_count_for_nobody() -> None:
    server = JobsServer(Setup(rate=1))
    for authorization in ("", "Bearer wrong"):
        answer = await server.client.get("/v1/jobs", headers={"authorization": authorization})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        assert "x-ratelimit-limit" not in answer.headers
    assert server.queue.taken == {}


async def test_without_a_limit_nothing_is_counted() -> None:
    server = JobsServer(Setup())
    assert "x-ratelimit-limit" not in (await server.ask("/v1/jobs")).headers
    assert server.queue.taken == {}


async def test_a_purge_works_while_the_queue_does_not(caplog: pytest.LogCaptureFixture) -> None:
    server = JobsServer(Setup(rate=1))
    server.queue.broken = True
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            answer = await server.post("/v1/purge", {"everything": True})
            assert (answer.status_code, "x-ratelimit-limit" in answer.headers) == (200, False)
    assert [record.getMessage() for record in caplog.records if "counted" in record.getMessage()] == [
        "requests of API key tests are not counted: The queue of jobs cannot be used now: broken by the test"
    ] * 2


@pytest.mark.parametrize("path", sorted({one.path for one in OPERATIONS if one.id not in ("warm", "process", "sign")}))
async def test_other_methods_are_named_with_those_that_there_are(path: str) -> None:
    server = JobsServer(Setup())
    allowed = {one.method for one in OPERATIONS if one.path == path} | {"OPTIONS"}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    asked = path.replace("{id}", "0" * 64)
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - allowed:
        answer = await server.client.request(method, asked)
        assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, allowed)
        assert answer.headers["content-type"] == "application/json"
    preflight = await server.client.options(asked, headers={"authorization": ""})
    assert (preflight.status_code, set(preflight.headers["allow"].split(", "))) == (204, allowed)


async def test_pages_of_other_origins_may_use_all_methods_where_the_operator_allows_them() -> None:
    server = JobsServer(Setup(allow_origin="*"))
    preflight = await server.client.options("/v1/jobs/" + "0" * 64)
    assert {"GET", "DELETE"} <= set(preflight.headers["access-control-allow-methods"].split(", "))
    assert "Content-Type" in preflight.headers["access-control-allow-headers"]


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/job", "/v1/jobs/", "/v1/jobs/a/b", "/v1/purge/all"])
async def test_what_is_no_route_says_what_there_is(path: str) -> None:
    server = JobsServer(Setup())
    for method in ("GET", "POST"):
        error = (await server.client.request(method, path)).json()["error"]
        assert error["code"] == "not_found"
        assert [one.path for one in OPERATIONS if f"{one.method} {one.path}" not in error["message"]] == []


async def test_a_query_where_none_is_known_is_a_mistake() -> None:
    answer = await JobsServer(Setup()).client.post("/v1/purge?everything=true", content="{}")
    assert (answer.status_code, answer.json()["error"]["expected"]) == (400, "no query")


async def test_what_changes_something_is_logged_with_the_name_of_the_key(caplog: pytest.LogCaptureFixture) -> None:
    server = JobsServer(Setup())
    with caplog.at_level(logging.INFO, "imgserve.web.api"):
        [entry] = await server.order(CUT)
        await server.ask("/v1/jobs")
        await server.ask(entry["status_url"], method="DELETE", template="/v1/jobs/{id}")
    assert [record.getMessage() for record in caplog.records if record.name == "imgserve.web.api"] == [
        "API key tests: POST /v1/jobs",
        f"API key tests: DELETE {entry['status_url']}",
    ]


async def test_capabilities_tell_who_does_what_and_why_not() -> None:
    broken = provider(Task.UPSCALE, remote="api.test", licence="MIT")
    broken.broken = "The file of IMGSERVE_UPSCALE_MODEL is missing."
    server = JobsServer(Setup(providers={Task.BACKGROUND: provider(Task.BACKGROUND, basic=True), Task.UPSCALE: broken}))
    told = (await server.ask("/v1/capabilities")).json()
    assert told["providers"]["faces"] is None
    assert told["providers"]["background"] == {
        "name": "none",
        "available": True,
        "trouble": None,
        "basic": True,
        "licence": None,
        "remote": None,
        "max_pixels": 50_000_000,
        "timeout_s": 60.0,
    }
    upscale = told["providers"]["upscale"]
    assert (upscale["available"], upscale["trouble"]) == (False, broken.broken)
    assert (upscale["licence"], upscale["remote"]) == ("MIT", "api.test")
    assert {"jpeg", "svg"} <= set(told["formats"]["in"])
    assert "svg" not in told["formats"]["out"]
    assert (told["version"], told["options"]) == (imgserve.__version__, len(CATALOG.ops))
    assert (told["queue"], told["pending"], told["plugins"]) == ("memory", "fallback", [])


async def test_providers_look_at_their_files_once_in_five_seconds() -> None:
    one, now = provider(Task.FACES), [100.0]
    endpoint = CapabilitiesEndpoint(providers={Task.FACES: one}, queue="memory", pending="error", clock=lambda: now[0])
    looks = []
    for at in (100.0, 104.9, 105.0, 105.1):
        now[0] = at
        await endpoint.told()
        looks.append(one.looks)
    assert looks == [1, 1, 2, 2]
