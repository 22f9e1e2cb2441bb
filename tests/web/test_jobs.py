"""/v1/jobs as a client sees it: what an order may say, what is taken, and what is told of jobs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from imgserve.plan.needs import Need
from imgserve.plan.sources import compile_patterns
from imgserve.ports.jobs import JobError, JobState
from imgserve.ports.models import Ask, Task
from imgserve.service.webhooks import HookRules
from tests.web.jobs_server import HOOKS, JobsServer, Setup, provider, providers

A = "https://shop.test/a.jpg"
CUT = {"source": A, "options": "rmbg:1/w:300"}
HOOK = "https://hooks.test/done"


def ids(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["id"] for entry in entries]


async def test_an_order_by_source_becomes_a_job_that_shows_where_its_result_will_be() -> None:
    server = JobsServer(Setup())
    answer = await server.post("/v1/jobs", {**CUT, "priority": 7})
    [entry] = answer.json()["jobs"]
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/jobs/{entry['id']}")
    assert entry["url"] == server.signed(f"/rmbg:1/w:300/plain/{A}")
    assert (entry["state"], entry["order"], entry["priority"], entry["owner"]) == ("queued", 0, 7, "tests")
    assert entry["asks"] == [{"task": "background", "argument": ""}]
    order = server.queue.jobs[entry["id"]].order
    assert (order.source, order.owner, order.path) == (A, "tests", entry["url"])


@pytest.mark.parametrize("host", ["", "https://images.test", "http://cdn.test:8080"])
@pytest.mark.parametrize("prefix", ["", "/img"])
async def test_an_order_by_signed_path_is_the_same_job_as_by_source(host: str, prefix: str) -> None:
    server = JobsServer(Setup(prefix=prefix))
    path = server.signed(f"/rmbg:1/w:20/plain/{A}")
    [by_path] = await server.order({"path": f"{host}{path}?utm=1"})
    [by_source] = await server.order(CUT)
    assert by_path["id"] == by_source["id"]
    assert (by_path["url"], len(server.queue.jobs)) == (path, 1)
    assert by_path["status_url"] == f"{prefix}/v1/jobs/{by_path['id']}"


async def test_an_order_by_path_has_the_pick_of_its_query() -> None:
    server = JobsServer(Setup())
    path = server.signed(f"/choose:up:2:3/plain/{A}")
    [entry] = await server.order({"path": f"https://images.test{path}?utm=1&up=3#top"})
    assert entry["url"] == f"{path}?up=3"
    assert entry["asks"] == [{"task": "upscale", "argument": "3"}]
    refusal = await server.post("/v1/jobs", {"path": f"{path}?up=4"})
    assert (refusal.status_code, refusal.json()["error"]["where"]) == (400, "query up")


async def test_presets_and_options_of_an_order_are_joined() -> None:
    server = JobsServer(Setup())
    order = {"source": A, "presets": ["cut", "big"], "options": ["w:300", "q:80/f:webp"]}
    [entry] = await server.order(order)
    assert [ask["task"] for ask in entry["asks"]] == ["background", "upscale"]
    assert entry["url"] == server.signed(f"/pr:cut:big/w:300/q:80/f:webp/plain/{A}")


async def test_a_picture_that_needs_several_artefacts_becomes_several_jobs() -> None:
    server = JobsServer(Setup())
    entries = await server.order({"jobs": [CUT, {"source": A, "options": "rmbg:1/rs:fill:9:9/g:obj:face"}]})
    assert [(entry["order"], entry["task"]) for entry in entries] == [
        (0, "background"),
        (1, "background"),
        (1, "faces"),
    ]
    assert len(server.queue.jobs) == 2
    assert "location" not in (await server.post("/v1/jobs", {"jobs": [CUT]})).headers


async def test_orders_keep_their_own_priority_and_webhook() -> None:
    server = JobsServer(Setup())
    orders = [{**CUT, "source": f"https://shop.test/{at}.jpg", "priority": at % 2, "webhook": HOOK} for at in range(4)]
    entries = await server.order({"jobs": [*orders, CUT]})
    assert [entry["order"] for entry in entries] == [0, 1, 2, 3, 4]
    kept = [server.queue.jobs[entry["id"]].order for entry in entries]
    assert [order.priority for order in kept] == [0, 1, 0, 1, 0]
    assert [order.webhook for order in kept] == [HOOK] * 4 + [""]


async def test_asking_again_tells_how_far_it_is_and_that_it_is_done() -> None:
    server = JobsServer(Setup())
    [first] = await server.order(CUT)
    server.queue.set(first["id"], state=JobState.RUNNING, progress=0.5, worker="here:1")
    [again] = await server.order(CUT)
    assert (again["id"], again["state"], again["progress"]) == (first["id"], "running", 0.5)
    await server.keep(Need(A, (Ask(Task.BACKGROUND),)))
    server.queue.end(first["id"], JobState.DONE)
    other = {**CUT, "source": "https://shop.test/b.jpg"}
    [done] = await server.order(CUT, status=200)
    assert done["state"] == "done"
    assert [one["state"] for one in await server.order({"jobs": [CUT, other]})] == ["done", "queued"]


async def test_a_job_tells_everything_of_itself() -> None:
    server = JobsServer(Setup())
    [entry] = await server.order({**CUT, "priority": -3})
    server.queue.end(
        entry["id"],
        JobState.FAILED,
        attempts=3,
        started_at=1_800_000_002.25,
        error=JobError(code="image_refused", message="The picture is broken."),
        facts={"seconds": 1.5, "provider": "grabcut"},
    )
    answer = await server.ask(entry["status_url"], template="/v1/jobs/{id}")
    assert answer.json() == {
        **{name: value for name, value in entry.items() if name not in ("order", "webhook_waits")},
        "state": "failed",
        "attempts": 3,
        "started_at": "2027-01-15T08:00:02.250Z",
        "created_at": "2027-01-15T08:00:01.000Z",
        "ended_at": "2027-01-15T08:00:03.000Z",
        "due_at": None,
        "worker": None,
        "error": {"code": "image_refused", "message": "The picture is broken."},
        "facts": {"seconds": 1.5, "provider": "grabcut"},
        "events_url": entry["status_url"] + "/events",
        "before_url": server.signed(f"/rs:fit:600:600/plain/{A}"),
    }
    assert answer.headers["cache-control"] == "no-store"
    head = await server.client.head(entry["status_url"])
    assert (head.status_code, head.content, int(head.headers["content-length"])) == (200, b"", len(answer.content))


@pytest.mark.parametrize(
    ("grammar", "before"),
    [
        ({"allowed_options": frozenset(["rmbg", "resize", "w"])}, f"/resize:fit:600:600/plain/{A}"),
        ({"allowed_options": frozenset(["rmbg", "w"])}, None),
        ({"base_url": "https://shop.test/"}, f"/rs:fit:600:600/plain/{A}"),
        (
            {"url_replacements": ((re.compile("^https://shop"), "https://other.shop"),)},
            "/rs:fit:600:600/plain/https://other.shop.test/a.jpg",
        ),
        # What URLs say would be replaced once more.
        ({"url_replacements": ((re.compile("^https://"), "https://other."),)}, None),
    ],
)
async def test_the_picture_before_is_shown_where_a_url_may_say_it(grammar: dict[str, Any], before: str | None) -> None:
    server = JobsServer(Setup(grammar=grammar))
    [entry] = await server.order(CUT)
    assert entry["before_url"] == (server.signed(before) if before else None)


async def test_a_server_without_a_key_of_its_own_shows_paths_that_it_was_given_alone() -> None:
    server = JobsServer(Setup(signed=False))
    [entry] = await server.order(CUT)
    assert (entry["url"], entry["before_url"]) == (None, None)
    [entry] = await server.order({"path": f"/unsafe/up:2/plain/{A}"})
    assert entry["url"] == f"/unsafe/up:2/plain/{A}"


PATH = "https://images.test"


@pytest.mark.parametrize(
    ("body", "where", "sentence"),
    [
        ({}, "source", "expected path or source"),
        ([], "body", "not an object"),
        ({"source": A}, "options", "needs no AI step"),
        ({"source": A, "options": "w:300"}, "options", "needs no AI step"),
        ({"source": A, "options": "rmbg:0"}, "options", "needs no AI step"),
        ({**CUT, "path": "/a/b"}, "source", "path alone"),
        ({"path": "/a/b", "options": "w:1"}, "options", "path alone"),
        ({"path": 7}, "path", "a text"),
        ({"path": ""}, "path", "not empty"),
        ({"path": "a/b"}, "path", "leading /"),
        ({"path": f"{PATH}"}, "path", "leading /"),
        ({"path": "/onlyone"}, "path", "an image URL is"),
        ({"path": "ftp://images.test/a/b"}, "path", "leading /"),
        ({"source": [A], "options": "rmbg:1"}, "source", "a text"),
        ({"source": "\ud800", "options": "rmbg:1"}, "source", "a text, not empty"),
        ({"source": "a.jpg", "options": "rmbg:1"}, "source", "URL with a scheme"),
        ({**CUT, "priority": 101}, "priority", "-100 to 100"),
        ({**CUT, "priority": 1.5}, "priority", "whole number"),
        ({**CUT, "priority": True}, "priority", "whole number"),
        ({**CUT, "priority": "1"}, "priority", "whole number"),
        ({**CUT, "prio": 1}, "prio", "no field called"),
        ({**CUT, "options": "rmbg:1?w:2"}, "options[0]", "options as in a URL"),
        ({**CUT, "options": ["rmbg:1", "nothing:1"]}, "nothing", "no option called"),
        ({**CUT, "presets": "nothing"}, "preset", "no preset called"),
        ({**CUT, "options": "rmbg:1/raw:1"}, "raw", "nothing to make"),
        ({**CUT, "webhook": "http://hooks.test/"}, "webhook", "https://"),
        ({**CUT, "webhook": "https://"}, "webhook", "with a host"),
        ({**CUT, "webhook": "https://a:b@hooks.test/"}, "webhook", "password"),
        ({**CUT, "webhook": "file:///etc/passwd"}, "webhook", "https://"),
        ({**CUT, "webhook": 7}, "webhook", "a text"),
        ({**CUT, "webhook": None}, "webhook", "a text"),
        ({**CUT, "webhook": ""}, "webhook", "not empty"),
        ({"jobs": []}, "jobs", "1 to 100 orders"),
        ({"jobs": [CUT] * 101}, "jobs", "1 to 100 orders"),
        ({"jobs": CUT}, "jobs", "1 to 100 orders"),
        ({"jobs": [CUT], "priority": 1}, "priority", "no field called"),
        ({"jobs": [CUT, 7]}, "jobs[1]", "a JSON object"),
        ({"jobs": [CUT, CUT, {**CUT, "priority": 200}]}, "jobs[2].priority", "jobs[2]: priority: expected"),
        ({"jobs": [CUT, {"source": "a.jpg", "options": "up:2"}]}, "jobs[1].source", "jobs[1]: The source"),
        ({"jobs": [CUT, {"jobs": []}]}, "jobs[1].jobs", "no field called"),
    ],
)
async def test_an_order_that_is_not_clear_is_refused_before_any_is_taken(
    body: object, where: str, sentence: str
) -> None:
    server = JobsServer(Setup())
    answer = await server.post("/v1/jobs", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["where"]) == (400, where), answer.text
    assert sentence in error["message"]
    assert server.queue.jobs == {}


async def test_a_key_may_order_what_a_signed_url_may_ask_for() -> None:
    server = JobsServer(Setup(grammar={"allowed_options": frozenset(["rmbg", "w"])}))
    for body, code in (
        ({"path": f"/wrong/rmbg:1/plain/{A}"}, "bad_signature"),
        ({"path": f"/rmbg:1/plain/{A}"}, "bad_signature"),
        ({"source": A, "options": "up:2"}, "option_forbidden"),
        ({"source": "http://shop.test/a.jpg", "options": "rmbg:1"}, "source_forbidden"),
    ):
        answer = await server.post("/v1/jobs", {"jobs": [{"source": A, "options": "rmbg:1"}, body]})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (403, code)
        assert error["where"].startswith("jobs[1].")
    assert (await server.post("/v1/jobs", {"path": server.signed(f"/exp:100/rmbg:1/plain/{A}")})).status_code == 403
    expired = await JobsServer(Setup()).post("/v1/jobs", {**CUT, "options": "exp:100/rmbg:1"})
    assert expired.status_code == 410
    assert server.queue.jobs == {}


@pytest.mark.parametrize(
    ("hooks", "url", "sentence"),
    [
        (HookRules(), HOOK, "IMGSERVE_WEBHOOK_SECRET"),
        (HookRules(secret=b"s", allowed=compile_patterns(["https://hooks.test/"])), HOOK, ""),
        (
            HookRules(secret=b"s", allowed=compile_patterns(["https://hooks.test"])),
            "https://hooks.test.evil/",
            "ALLOWED",
        ),
        (HookRules(secret=b"s", allowed=compile_patterns(["http://10.0.0.7:80/"])), "http://10.0.0.7:80/done", ""),
        (HookRules(secret=b"s", allowed=compile_patterns(["http://10.0.0.7:80/"])), HOOK, "ALLOWED"),
    ],
)
async def test_webhooks_are_what_the_operator_permits(hooks: HookRules, url: str, sentence: str) -> None:
    server = JobsServer(Setup(hooks=hooks))
    answer = await server.post("/v1/jobs", {**CUT, "webhook": url})
    assert answer.status_code == (400 if sentence else 202)
    assert sentence in answer.text


async def test_an_order_is_told_whether_its_webhook_will_be() -> None:
    server = JobsServer(Setup())
    hooked = {**CUT, "webhook": HOOK}
    other = {**CUT, "webhook": f"{HOOK}/other"}
    entries = await server.order({"jobs": [hooked, other, CUT]})
    assert [entry["webhook_waits"] for entry in entries] == [True, False, None]
    await server.keep(Need(A, (Ask(Task.BACKGROUND),)))
    server.queue.end(entries[0]["id"], JobState.DONE)
    [ended] = await server.order(hooked, status=200)
    assert ended["webhook_waits"] is False


async def test_nothing_is_taken_of_orders_of_which_one_cannot_be_done() -> None:
    broken = provider(Task.UPSCALE)
    broken.broken = "The model file is missing."
    server = JobsServer(Setup(providers={**providers(Task.BACKGROUND), Task.UPSCALE: broken}))
    orders = [{**CUT, "webhook": HOOK}, {"source": A, "options": "up:2", "priority": 5}]
    assert (await server.post("/v1/jobs", {"jobs": orders})).status_code == 503
    assert server.queue.jobs == {}


async def test_what_no_provider_does_is_refused_with_its_reason() -> None:
    server = JobsServer(Setup(providers=providers(Task.BACKGROUND)))
    answer = await server.post("/v1/jobs", {"jobs": [CUT, {"source": A, "options": "up:2"}]})
    assert (answer.status_code, answer.json()["error"]["where"]) == (422, "jobs[1].upscale")
    broken = provider(Task.BACKGROUND)
    broken.broken = "The model file is missing."
    server = JobsServer(Setup(providers={Task.BACKGROUND: broken}))
    answer = await server.post("/v1/jobs", CUT)
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, broken.broken)
    answer = await JobsServer(Setup(keeps=False)).post("/v1/jobs", CUT)
    assert (answer.status_code, answer.json()["error"]["where"]) == (422, "cache")


async def test_optional_steps_that_nobody_does_are_no_jobs() -> None:
    server = JobsServer(Setup(providers=providers(Task.BACKGROUND)))
    assert (await server.post("/v1/jobs", {"source": A, "options": "dd:1"})).status_code == 400


async def test_a_list_has_pages_and_counts() -> None:
    server = JobsServer(Setup())
    made = ids(await server.order({"jobs": [{**CUT, "source": f"https://a.test/{at}"} for at in range(5)]}))
    server.queue.end(made[0], JobState.DONE)
    counts = {"queued": 4, "running": 0, "done": 1, "failed": 0, "cancelled": 0}
    found, after = [], ""
    while True:
        page = (await server.ask(f"/v1/jobs?limit=2{after}")).json()
        assert page["counts"] == counts
        found += ids(page["jobs"])
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == made[::-1]
    page = (await server.ask("/v1/jobs?state=done")).json()
    assert (ids(page["jobs"]), page["next"]) == ([made[0]], None)


@pytest.mark.parametrize(
    ("query", "where", "expected"),
    [
        ("state=finished", "state", "queued, running, done, failed, cancelled"),
        ("limit=0", "limit", "1 to 500"),
        ("limit=501", "limit", "1 to 500"),
        ("limit=%D9%A3", "limit", "1 to 500"),
        ("limit=-1", "limit", "1 to 500"),
        ("limit=", "limit", "1 to 500"),
        ("after=", "after", "next"),
        (f"after={'a' * 501}", "after", "next"),
        ("page=2", "page", "one of state, limit, after"),
        ("limit=2&limit=3", "limit", "once"),
    ],
)
async def test_a_query_that_means_nothing_is_refused(query: str, where: str, expected: str) -> None:
    error = (await JobsServer(Setup()).ask(f"/v1/jobs?{query}")).json()["error"]
    assert (error["code"], error["where"]) == ("bad_request", where)
    assert expected in error["expected"]


async def test_a_job_is_cancelled_and_begun_anew() -> None:
    server = JobsServer(Setup())
    [entry] = await server.order(CUT)
    path = entry["status_url"]
    for _ in range(2):
        answer = await server.ask(path, method="DELETE", template="/v1/jobs/{id}")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    answer = await server.ask(f"{path}/retry", method="POST", template="/v1/jobs/{id}/retry")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    server.queue.end(entry["id"], JobState.DONE)
    answer = await server.ask(path, method="DELETE", template="/v1/jobs/{id}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["got"]) == (409, "job_ended", "done")
    answer = await server.ask(f"{path}/retry", method="POST", template="/v1/jobs/{id}/retry")
    assert (answer.status_code, answer.json()["state"]) == (200, "done")


@pytest.mark.parametrize("name", ["0" * 64, "0" * 63, "x" * 64, "0" * 64 + "%0A", "a"])
async def test_a_job_that_is_not_there_is_told_as_json(name: str) -> None:
    server = JobsServer(Setup())
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("GET", "/events")):
        template = "/v1/jobs/{id}" + path
        answer = await server.ask(f"/v1/jobs/{name}{path}", method=method, template=template)
        assert (answer.status_code, answer.json()["error"]["where"]) == (404, "id")


async def test_a_queue_that_is_broken_is_told_as_such() -> None:
    server = JobsServer(Setup(rate=10))
    [entry] = await server.order(CUT)
    server.queue.broken = True
    assert (await server.post("/v1/jobs", CUT)).status_code == 503
    for method, path, template in (
        ("GET", "/v1/jobs", "/v1/jobs"),
        ("GET", entry["status_url"], "/v1/jobs/{id}"),
        ("DELETE", entry["status_url"], "/v1/jobs/{id}"),
        ("GET", entry["events_url"], "/v1/jobs/{id}/events"),
    ):
        answer = await server.ask(path, method=method, template=template)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "queue_unavailable")
        assert answer.headers["retry-after"]


async def test_what_was_made_is_ordered_anew_when_it_is_gone() -> None:
    server = JobsServer(Setup(hooks=HOOKS))
    [entry] = await server.order(CUT)
    server.queue.set(entry["id"], state=JobState.DONE, ended_at=1.0)
    [again] = await server.order(CUT)
    assert (again["id"], again["state"]) == (entry["id"], "queued")


async def test_a_path_that_is_not_plain_text_is_kept_as_it_is() -> None:
    server = JobsServer(Setup())
    path = server.signed("/rmbg:1/plain/https://shop.test/%C3%BC%3Fa%40b.jpg")
    [entry] = await server.order({"path": path})
    assert server.queue.jobs[entry["id"]].order.source == "https://shop.test/ü?a@b.jpg"
    assert json.loads(json.dumps(entry))["url"] == path
