"""What the development switch opens for this server's own pages, and the ways in that others might try."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import httpx
import pytest

from imgserve.app.samples import MAX_LOOKED_AT, MAX_SAMPLES, samples_under
from imgserve.ops.catalog import CATALOG
from tests.web.conftest import Server, Start

SIGN, ROOM = "/playground/sign", "/playground/room"
ORDER = json.dumps({"source": "local:///a.jpg", "options": {"width": 5}})
HOST = "127.0.0.1:8080"
OWN = {
    "host": HOST,
    "origin": f"http://{HOST}",
    "sec-fetch-site": "same-origin",
    "content-type": "application/json",
}
API_KEYS = f"tests:{hashlib.sha256(b'key').hexdigest()}"


async def ask(server: Server, changes: dict[str, str | None], path: str = SIGN, method: str = "POST") -> httpx.Response:
    headers = {name: value for name, value in {**OWN, **changes}.items() if value is not None}
    request = server.client.build_request(method, path, content=ORDER if path == SIGN else "{}", headers=headers)
    for name in [name for name, value in changes.items() if value is None]:
        request.headers.pop(name, None)
    return await server.client.send(request)


@pytest.mark.parametrize("host", [HOST, "localhost:9", "LOCALHOST", "[::1]:8080", "127.8.9.1", "127.0.0.1"])
async def test_the_page_itself_signs_without_a_key(start: Start, host: str) -> None:
    server = await start(DEVELOPMENT="1")
    for changes in ({}, {"sec-fetch-site": None}, {"origin": f"https://{host}"}):
        answer = await ask(server, {"host": host, "origin": f"http://{host}", **changes})
        assert answer.status_code == 200, answer.text
    assert (await server.client.get(answer.json()["url"])).status_code == 200


@pytest.mark.parametrize("path", [SIGN, ROOM])
@pytest.mark.parametrize(
    ("changes", "where"),
    [
        # Another site, another port of this machine, a sandboxed frame, and programs that say nothing.
        ({"origin": "https://evil.test", "sec-fetch-site": "cross-site"}, "origin"),
        ({"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-site"}, "origin"),
        ({"origin": "null"}, "origin"),
        ({"origin": None}, "origin"),
        ({"origin": f"http://{HOST}.evil.test"}, "origin"),
        ({"origin": f"file://{HOST}"}, "origin"),
        # Browsers whose Origin was taken off still say who asks.
        ({"sec-fetch-site": "cross-site"}, "origin"),
        ({"sec-fetch-site": "none"}, "origin"),
        # A name that the attacker has pointed here: to the browser all is of one origin.
        ({"host": "evil.test:8080", "origin": "http://evil.test:8080"}, "host"),
        ({"host": "127.0.0.1.evil.test", "origin": "http://127.0.0.1.evil.test"}, "host"),
        ({"host": "localhost.evil.test", "origin": "http://localhost.evil.test"}, "host"),
        ({"host": "evil.test@127.0.0.1", "origin": "http://evil.test@127.0.0.1"}, "host"),
        ({"host": "192.168.1.5:8080", "origin": "http://192.168.1.5:8080"}, "host"),
        ({"host": "[::1", "origin": "http://[::1"}, "host"),
        ({"host": "", "origin": "http://"}, "host"),
        # Forms can send these without leave.
        ({"content-type": "text/plain"}, "content-type"),
        ({"content-type": "application/x-www-form-urlencoded"}, "content-type"),
        ({"content-type": 'multipart/form-data; boundary="application/json"'}, "content-type"),
        ({"content-type": None}, "content-type"),
        # Behind a proxy everybody comes from this machine.
        ({"x-forwarded-for": "203.0.113.9"}, "x-forwarded-for"),
        ({"forwarded": "for=203.0.113.9"}, "forwarded"),
        ({"x-real-ip": "203.0.113.9"}, "x-real-ip"),
        ({"x-forwarded-proto": "https"}, "x-forwarded-proto"),
        ({"cf-connecting-ip": "203.0.113.9"}, "cf-connecting-ip"),
    ],
)
async def test_nobody_else_has_urls_signed(start: Start, path: str, changes: dict[str, str | None], where: str) -> None:
    # The operator lets every site read answers, which is right for pictures.
    server = await start(DEVELOPMENT="1", ALLOW_ORIGIN="*", BIND="127.0.0.1:8080")
    answer = await ask(server, changes, path)
    assert answer.status_code in (403, 415)
    assert answer.json()["error"]["where"] == where
    assert "local:" not in answer.text


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "HEAD", "PUT"])
async def test_preflights_and_links_get_nothing(start: Start, method: str) -> None:
    server = await start(DEVELOPMENT="1", ALLOW_ORIGIN="*")
    for path in (SIGN, ROOM):
        answer = await ask(server, {"access-control-request-method": "POST"}, path, method)
        assert answer.status_code == 405
        assert "access-control-allow-headers" not in answer.headers


async def test_a_server_that_listens_everywhere_answers_at_addresses_and_never_at_names(start: Start) -> None:
    for bind in (":8080", "0.0.0.0:8080", "[::]:8080"):
        server = await start(DEVELOPMENT="1", BIND=bind)
        assert (await ask(server, {"host": "192.168.1.5", "origin": "http://192.168.1.5"})).status_code == 200
        assert (await ask(server, {"host": "evil.test", "origin": "http://evil.test"})).status_code == 403
    server = await start(DEVELOPMENT="1", BIND="images.lan:8080")
    assert (await ask(server, {"host": "images.lan", "origin": "http://images.lan"})).status_code == 200
    assert (await ask(server, {"host": "192.168.1.5", "origin": "http://192.168.1.5"})).status_code == 403


async def test_without_the_switch_there_is_no_way_without_a_key(start: Start) -> None:
    server = await start(API_KEYS=API_KEYS)
    assert (await server.client.get("/playground")).status_code == 200
    assert (await server.client.get("/playground/catalog.json")).json()["development"] is False
    for path in (SIGN, ROOM):
        assert (await ask(server, {}, path)).status_code in (404, 405)


async def test_where_nobody_could_use_it_there_is_none(start: Start) -> None:
    server = await start()
    for path in ("/playground", "/playground/", "/playground/playground.js", "/playground/catalog.json", SIGN):
        answer = await server.client.get(path)
        assert answer.status_code == 404
        assert "IMGSERVE_DEVELOPMENT" in answer.text
    assert (await ask(server, {})).status_code == 405


async def test_the_page_is_told_of_every_option_that_urls_may_have(start: Start) -> None:
    told = (
        await (await start(DEVELOPMENT="1", ALLOW_SECURITY_OPTIONS="1")).client.get("/playground/catalog.json")
    ).json()
    assert [*told["options"]["properties"]] == [cls.spec.name for cls in CATALOG.ops]
    assert [stage["name"] for stage in told["stages"]][-1] == "encode"
    names = (await (await start(DEVELOPMENT="1")).client.get("/playground/catalog.json")).json()["options"][
        "properties"
    ]
    assert "max_src_resolution" not in names
    server = await start(DEVELOPMENT="1", ALLOWED_PROCESSING_OPTIONS="w,preset")
    assert [*(await server.client.get("/playground/catalog.json")).json()["options"]["properties"]] == [
        "preset",
        "width",
    ]


async def test_in_development_it_offers_pictures_of_the_root(start: Start, root: Path) -> None:
    answer = await ask(await start(DEVELOPMENT="1"), {}, ROOM)
    told = answer.json()
    [sample] = told["samples"]
    assert sample["source"] == "local:///a.jpg"
    assert sample["thumb"].endswith("/resizing_type:fill/width:144/height:144/plain/local:///a.jpg")
    assert {"grid", "shadow"} <= {one["name"] for one in told["presets"]}
    assert all(one["doc"] and one["options"] for one in told["presets"])
    assert told["urls"] == {"separator": ":", "signature_size": 32}


def test_pictures_of_a_root_are_few_and_neither_hidden_nor_links(tmp_path: Path) -> None:
    assert samples_under("") == []
    inside = tmp_path / "deep"
    inside.mkdir()
    for name in ("b.PNG", "a b.jpg", ".hidden.jpg", "text.txt", "deep/c.webp", "bad\nname.jpg", "a?b.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a b.jpg")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "d.jpg").touch()
    assert samples_under(str(tmp_path)) == ["local:///a b.jpg", "local:///b.PNG", "local:///deep/c.webp"]
    # What waits for somebody to write, and names that are no text.
    os.mkfifo(tmp_path / "pipe.jpg")
    nameless = tmp_path / os.fsdecode(b"bad\xff")
    nameless.mkdir()
    (nameless / "e.jpg").touch()
    assert samples_under(str(tmp_path)) == ["local:///a b.jpg", "local:///b.PNG", "local:///deep/c.webp"]
    for at in range(MAX_SAMPLES):
        (inside / f"{at}.gif").touch()
    assert len(samples_under(str(tmp_path))) == MAX_SAMPLES


def test_no_more_of_a_large_root_is_looked_at_than_is_needed(tmp_path: Path) -> None:
    for at in range(MAX_LOOKED_AT):
        (tmp_path / f"{at:04}").mkdir()
    (tmp_path / "0000" / "a.jpg").touch()
    assert samples_under(str(tmp_path)) == []
    (tmp_path / "0001").rmdir()
    assert samples_under(str(tmp_path)) == ["local:///0000/a.jpg"]
    assert samples_under(str(tmp_path / "none")) == []
