"""Caching as a client sees it: a whole server over memory and disk, driven without a socket."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from pathlib import Path

import httpx
import pytest

from tests.web.conftest import Server, Start
from tests.web.origin import Answer, Origin, picture
from tests.web.pictures import png

API_KEY = "an-api-key-of-the-tests"
CACHED = {"CACHE": "memory,disk", "API_KEYS": f"tests:{hashlib.sha256(API_KEY.encode()).hexdigest()}"}


@pytest.fixture
async def server(start: Start, tmp_path: Path) -> Server:
    return await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"))


async def settle(server: Server) -> None:
    """Wait for what is written after the answer has gone."""
    caches = server.services.caches
    for background in (caches.results.tiers.background, caches.sources.background):
        await background.close(timeout_s=5)


async def ask(server: Server, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    answer = await server.get(path, headers)
    await settle(server)
    return answer


async def purge(server: Server, body: object, *, key: str = API_KEY) -> httpx.Response:
    # httpx' own JSON cannot hold half a character.
    headers = {"authorization": f"Bearer {key}"}
    return await server.client.post("/v1/purge", content=json.dumps(body), headers=headers)


async def test_an_answer_tells_which_tier_it_comes_from(start: Start, tmp_path: Path, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"1"')
    path = f"/w:20/f:png/plain/{origin.base}/a.jpg"
    one, other = [await start(**CACHED, CACHE_PATH=str(tmp_path / "cache")) for _ in range(2)]
    answers = [await ask(server, path) for server in (one, one, other, other)]
    assert [answer.headers["x-imgserve-cache"] for answer in answers] == ["miss", "memory", "disk", "memory"]
    kept = ("etag", "cache-control", "content-type", "content-disposition", "last-modified", "vary")
    assert len({(answer.content, *(answer.headers.get(name) for name in kept)) for answer in answers}) == 1
    assert len(origin.asked) == 1


async def test_spellings_of_one_picture_share_its_result(server: Server) -> None:
    await ask(server, "/width:20/plain/local:///a.jpg")
    answer = await ask(server, "/w:20/cb:2/fn:other/plain/local:///a.jpg")
    assert answer.headers["x-imgserve-cache"] == "memory"
    assert 'filename="other' in answer.headers["content-disposition"]


async def test_a_kept_result_answers_conditions_without_the_origin(server: Server, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"1"')
    path = f"/w:20/plain/{origin.base}/a.jpg"
    first = await ask(server, path)
    again = await ask(server, path, {"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.headers["etag"], len(origin.asked)) == (304, first.headers["etag"], 1)


async def test_a_changed_local_file_is_seen_when_the_second_is_over(start: Start, tmp_path: Path, root: Path) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), CACHE_TTL="0")
    path = "/w:20/f:png/plain/local:///a.jpg"
    first = await ask(server, path)
    (root / "a.jpg").write_bytes(png())
    again = await ask(server, path)
    assert first.content != again.content
    assert first.headers["etag"] != again.headers["etag"]


async def test_a_dead_origin_leaves_the_known_answer_marked_and_short_lived(
    start: Start, tmp_path: Path, origin: Origin
) -> None:
    given = {"CACHE_TTL": "0", "STALE_WHILE_REVALIDATE": "0", "CACHE_PATH": str(tmp_path / "cache")}
    server = await start(**CACHED, **given)
    origin.at["/a.jpg"] = picture(etag='"1"')
    path = f"/w:20/plain/{origin.base}/a.jpg"
    first = await ask(server, path)
    origin.at["/a.jpg"] = Answer(status=503)
    again = await ask(server, path)
    assert (again.status_code, again.content) == (200, first.content)
    assert (again.headers["x-imgserve-stale"], again.headers["cache-control"]) == ("error", "max-age=10, public")
    strict = await start(**CACHED, **given, STALE_IF_ERROR="0")
    assert (await ask(strict, path)).status_code == 502


async def test_tags_for_cdns_stand_in_two_headers(server: Server) -> None:
    answer = await ask(server, "/pr:thumbnail/ct:sale:summer/plain/local:///a.jpg")
    names = ["src-" + hashlib.sha256(b"local:///a.jpg").hexdigest()[:16], "sale", "summer", "preset-thumbnail"]
    assert answer.headers["cache-tag"] == ",".join(names)
    assert answer.headers["surrogate-key"] == " ".join(names)


async def test_headers_for_caches_in_front_follow_the_settings(start: Start) -> None:
    server = await start(PROXY_TTL="10", CACHE_TAG_HEADERS="0")
    answer = await ask(server, "/w:20/plain/local:///a.jpg")
    assert answer.headers["x-accel-expires"] == "10"
    assert "cache-tag" not in answer.headers


async def test_nginx_keeps_nothing_longer_than_browsers_may(start: Start, origin: Origin) -> None:
    server = await start(PROXY_TTL="10", CACHE_CONTROL_PASSTHROUGH="1")
    for said, told in (
        ("max-age=5", "5"),
        ("max-age=500", "10"),
        ("max-age=0", "0"),
        ("max-age=500, s-maxage=3", "3"),
        ("s-maxage=30, max-age=3", "10"),
        ("public", "10"),
        ("no-cache", None),
    ):
        origin.at["/a.jpg"] = picture(cache_control=said)
        answer = await ask(server, f"/w:20/plain/{origin.base}/a.jpg")
        assert answer.headers.get("x-accel-expires") == told, said


@pytest.mark.parametrize("ttl", ["0", "10"])
async def test_nginx_keeps_nothing_of_urls_that_expire(start: Start, ttl: str) -> None:
    server = await start(PROXY_TTL=ttl)
    path = f"/exp:{int(time.time()) + 1000}/w:20/plain/local:///a.jpg"
    answer = await ask(server, path)
    assert (answer.status_code, answer.headers["x-accel-expires"]) == (200, "0")
    again = await ask(server, path, {"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.headers["x-accel-expires"]) == (304, "0")


@pytest.mark.parametrize(
    "body",
    [
        {"source": "local:///a.jpg"},
        {"source": ["local:///b.jpg", "local:///a.jpg"]},
        {"prefix": "local:///"},
        {"tag": "sale"},
        {"preset": "thumbnail"},
        {"everything": True},
    ],
)
async def test_a_purge_makes_the_next_answer_new(server: Server, body: object) -> None:
    path = "/pr:thumbnail/ct:sale/plain/local:///a.jpg"
    await ask(server, path)
    assert (await ask(server, path)).headers["x-imgserve-cache"] == "memory"
    done = await purge(server, body)
    assert (done.status_code, done.json()) == (200, {"purged": {"memory": 1, "disk": 1, "sources": 0}})
    assert (await ask(server, path)).headers["x-imgserve-cache"] == "miss"


async def test_a_purge_reaches_other_processes(start: Start, tmp_path: Path) -> None:
    one, other = [await start(**CACHED, CACHE_PATH=str(tmp_path / "cache")) for _ in range(2)]
    path = "/w:20/plain/local:///a.jpg"
    for server in (one, other, other):
        await ask(server, path)
    await purge(one, {"source": "local:///a.jpg"})
    assert (await ask(other, path)).headers["x-imgserve-cache"] == "miss"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "names 0 things"),
        ({"source": []}, "names 0 things"),
        ({"source": ["a"] * 101}, "names 101 things"),
        ({}, '{"everything": true}'),
        ({"source": ""}, "source[0]: expected a text, not empty"),
        ({"source": 7}, "source: expected a text or a list of texts"),
        ({"prefix": [None]}, "prefix[0]: expected a text, not empty"),
        ({"source": "https://a.test/\ud800"}, "source[0]: expected a text"),
        ({"source": ["local:///a.jpg", "mug.jpg"]}, "source[1]: expected a source as it is fetched, with a scheme"),
        ({"prefix": "https://"}, "prefix[0]: expected a source as it is fetched"),
        ({"prefix": "h"}, "at least one character behind ://"),
        ({"tag": "summer sale"}, "tag[0]: expected tags of letters, digits"),
        ({"tag": "x" * 65}, "tag[0]: expected tags of letters, digits"),
        ({"everything": 1}, "nothing else"),
        ({"sources": "a"}, "no field called 'sources'"),
        ({"everything": "yes"}, "nothing else"),
        ({"everything": True, "tag": "a"}, "nothing else"),
        ([], "not an object"),
    ],
)
async def test_a_purge_that_says_nothing_clear_is_refused(server: Server, body: object, sentence: str) -> None:
    answer = await purge(server, body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]["message"]


async def test_a_source_without_a_scheme_is_what_urls_make_of_it(start: Start, tmp_path: Path) -> None:
    bases = {"BASE_URL": "local:///", "URL_REPLACEMENTS": "pictures/=local:///"}
    server = await start(**CACHED, CACHE_PATH=str(tmp_path), **bases)
    for given in ({"source": "a.jpg"}, {"source": "pictures/a.jpg"}, {"prefix": "a"}):
        await ask(server, "/w:20/plain/a.jpg")
        assert (await purge(server, given)).json()["purged"]["disk"] == 1


async def test_a_preset_that_is_not_known_is_purged_and_said(server: Server) -> None:
    await ask(server, "/pr:thumbnail/plain/local:///a.jpg")
    done = await purge(server, {"preset": ["thumbnail", "nosuch"]})
    assert (done.status_code, done.json()["unknown"], done.json()["purged"]["disk"]) == (200, ["nosuch"], 1)


async def test_what_is_purged_makes_no_lines_of_its_own(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "imgserve.web.purge"):
        await purge(server, {"preset": "a\nERROR forged\u2028line"})
    lines = [record.getMessage() for record in caplog.records if record.name == "imgserve.web.purge"]
    assert any("forged" in line for line in lines)
    assert [line for line in lines if len(line.splitlines()) > 1] == []


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nope", "/v1/purge/", "/v1/nothing/1"])
async def test_what_the_api_does_not_have_is_not_found(server: Server, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await server.client.request(method, path, headers={"authorization": f"Bearer {API_KEY}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_a_purge_wants_json_of_bounded_length_and_post(server: Server) -> None:
    headers = {"authorization": f"Bearer {API_KEY}"}
    broken = await server.client.post("/v1/purge", content=b"{", headers=headers)
    deep = await server.client.post("/v1/purge", content=b"[" * 100_000, headers=headers)
    long = await server.client.post("/v1/purge", content=b" " * (1 << 20) + b"{}", headers=headers)
    read = await server.client.get("/v1/purge", headers=headers)
    assert [one.status_code for one in (broken, deep, long, read)] == [400, 400, 400, 405]
    assert read.headers["allow"] == "POST, OPTIONS"


async def test_only_holders_of_a_key_purge(server: Server, start: Start) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {API_KEY}"}):
        answer = await server.client.post("/v1/purge", json={"everything": True}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    wrong = await purge(server, {"everything": True}, key=API_KEY + "x")
    assert "not among IMGSERVE_API_KEYS" in wrong.json()["error"]["message"]
    none = await server.client.post("/v1/purge", json={"everything": True})
    assert "wants the header Authorization" in none.json()["error"]["message"]
    keyless = await start()
    answer = await purge(keyless, {"everything": True})
    assert answer.status_code == 403
    assert "has no API keys" in answer.json()["error"]["message"]
