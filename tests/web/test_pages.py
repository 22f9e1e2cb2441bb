"""The files of pages, and the headers that they come with."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from imgserve.web.edge import Edge, EdgePolicy, Endpoint
from imgserve.web.pages import CONSOLE, page_handlers
from imgserve.web.playground import PLAYGROUND

WEB = Path(__file__).parent.parent.parent / "imgserve/web"


@pytest.fixture
def client() -> httpx.AsyncClient:
    routes = [Route(f"/x{path}", Endpoint(handler), methods=None) for path, handler in page_handlers(CONSOLE).items()]
    app = Starlette(routes=routes, middleware=[Middleware(Edge, policy=EdgePolicy(), log=lambda exchange: None)])
    app.router.redirect_slashes = False
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://images.test")


async def test_the_page_is_served_under_one_strict_policy(client: httpx.AsyncClient) -> None:
    answer = await client.get("/x/console")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    # Browsers keep to all that they are given: the edge's, beside it, would forbid the scripts.
    [policy] = answer.headers.get_list("content-security-policy")
    for part in ("default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy


async def test_a_file_that_the_browser_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    for name in ("", "/console.css", "/console.js"):
        first = await client.get(f"/x/console{name}")
        assert first.status_code == 200, name
        again = await client.get(f"/x/console{name}", headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        other = await client.get(f"/x/console{name}", headers={"if-none-match": '"other"'})
        assert other.content == first.content


async def test_head_has_the_headers_alone_and_nothing_is_posted(client: httpx.AsyncClient) -> None:
    full, head = await client.get("/x/console/console.css"), await client.head("/x/console/console.css")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(full.content))
    assert (await client.post("/x/console")).status_code == 405


async def test_a_slash_behind_leads_to_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/x/console/", follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, "/x/console")


@pytest.mark.parametrize("page", [CONSOLE, PLAYGROUND])
def test_every_file_that_a_page_needs_is_there_and_none_is_elsewhere(page: str) -> None:
    handlers = page_handlers(page)
    name = page.removeprefix("/")
    texts = {path.name: path.read_text() for folder in ("page", name) for path in (WEB / folder).iterdir()}
    assert {f"{page}/{one}" for one in texts if one != f"{name}.html"} | {page, f"{page}/"} == set(handlers)
    for one, text in texts.items():
        assert "innerHTML" not in text
        # Data URLs name the language that they are written in.
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), one
        for needed in re.findall(rf'(?:from "\./|(?:src|href)="{name}/)([a-z.]+)"', text):
            assert needed in texts, f"{one} needs {needed}"
    assert len(texts) == sum(1 for folder in ("page", name) for _ in (WEB / folder).iterdir()), "two share a name"
