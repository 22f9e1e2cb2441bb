"""Routes that are no pictures."""

from __future__ import annotations

import httpx

from tests.web.blocking import block
from tests.web.conftest import Server, Start


async def test_health_says_so_and_is_not_stored(start: Start) -> None:
    server = await start(HEALTH_CHECK_PATH="/up", SECRET="s")
    for path in ("/health", "/up"):
        answer = await server.client.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert (await server.client.head("/health")).status_code == 200


async def test_health_answers_while_renders_are_blocked(start: Start) -> None:
    server = await start()
    release = await block(server.services.renderer.pool)
    assert (await server.client.get("/health")).status_code == 200
    release()


async def test_health_is_503_while_draining_but_pictures_are_finished(start: Start) -> None:
    server = await start()
    server.services.readiness.drain()
    answer = await server.client.get("/health")
    assert (answer.status_code, answer.text) == (503, "draining\n")
    assert (await server.get("/w:1/plain/local:///a.jpg")).status_code == 200


async def test_the_landing_page_is_html(start: Start) -> None:
    answer = await (await start()).client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "imgserve" in answer.text


async def test_paths_that_browsers_ask_for_are_404(start: Start) -> None:
    server = await start(ALLOW_UNSIGNED="1", KEY="", SALT="")
    for path in ("/favicon.ico", "/.well-known/security.txt", "/.well-known/a/b", "/robots.txt", "/index.html"):
        assert (await server.client.get(path)).status_code == 404, path


async def explain(server: Server, path: str) -> httpx.Response:
    return await server.client.get("/explain" + server.signed(path), headers={"accept": "image/webp"})


async def test_explain_tells_plan_key_and_geometry(start: Start) -> None:
    server = await start(DEVELOPMENT="1", AUTO_WEBP="1")
    answer = await explain(server, "/rs:fill:20:20/g:no:0:1/exp:32503669200/plain/local:///a.jpg")
    assert answer.status_code == 200
    told = answer.json()
    assert told["source"] == "local:///a.jpg"
    assert told["negotiated"] == {"preferred": ["webp"], "enforced": []}
    assert [one["name"] for one in told["options"]] == ["resizing_type", "width", "height", "gravity"]
    assert told["options"][3]["fields"] == {"gravity": {"type": "no", "x": 0.0, "y": 1.0, "classes": []}}
    assert [one["text"] for one in told["delivery"]] == ["expires:32503669200"]
    assert (told["source_image"]["format"], told["source_image"]["width"]) == ("jpeg", 60)
    assert (told["layout"]["result_width"], told["layout"]["result_height"]) == (20, 20)
    assert len(told["key"]) == 64


async def test_explain_wants_a_signature_and_a_good_plan(start: Start) -> None:
    server = await start(DEVELOPMENT="1", SECRET="s")
    assert (await server.client.get("/explain/bad/w:1/plain/local:///a.jpg")).status_code == 403
    bearer = {"authorization": "Bearer s"}
    assert (await server.client.get("/explain/bad/w:1/plain/local:///a.jpg", headers=bearer)).status_code == 403
    signed = "/explain" + server.signed("/w:x/plain/local:///a.jpg")
    assert (await server.client.get(signed, headers=bearer)).status_code == 400


async def test_explain_is_for_development_only(start: Start) -> None:
    server = await start()
    assert (await explain(server, "/w:1/plain/local:///a.jpg")).status_code == 403


async def test_health_names_the_providers_that_do_without_a_model(start: Start) -> None:
    answer = await (await start(FACES="off")).client.get("/health")
    assert answer.headers["x-imgserve-basic"] == "background=grabcut, upscale=libvips"
