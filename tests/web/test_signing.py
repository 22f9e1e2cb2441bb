"""POST /v1/sign: URLs that the server itself then answers, and mistakes that are told where they are."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest

from imgserve.ops.catalog import CATALOG
from imgserve.plan.url import Grammar
from imgserve.sign import UrlSigner
from imgserve.web.openapi import document
from tests.web.conftest import KEY, SALT, Server, Start
from tests.web.jobs_server import validate

API_KEY = "a-key-of-the-signing-tests"
KEYS = {"API_KEYS": f"tests:{hashlib.sha256(API_KEY.encode()).hexdigest()}"}
A = "local:///a.jpg"
SIGNED = document(Grammar(catalog=CATALOG))["paths"]["/v1/sign"]["post"]["responses"]


async def ask(server: Server, key: str = API_KEY, prefix: str = "", **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return await server.client.post(f"{prefix}/v1/sign", json={"source": A, **body}, headers=headers)


async def signed(server: Server, **body: Any) -> dict[str, Any]:
    answer = await ask(server, **body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    validate(document(Grammar(catalog=CATALOG)), SIGNED["200"]["content"]["application/json"]["schema"], told)
    return told


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({}, ""),
        ({"options": {"width": 30, "format": "webp"}}, "width:30/format:webp"),
        (
            {"options": {"format": "webp", "resize": {"type": "fill", "width": 9}}},
            "resizing_type:fill/width:9/format:webp",
        ),
        ({"options": ["w:30", "q:75"]}, "width:30/quality:75"),
        ({"options": "w:30/q:75"}, "width:30/quality:75"),
        ({"options": {"w": 30}, "presets": ["shadow", "grid"]}, "preset:shadow:grid/width:30"),
        ({"options": {"width": 30}, "presets": "grid"}, "preset:grid/width:30"),
        ({"choose": {"w": [30, 40], "q": ["50-90"]}, "options": {"blur": 1}}, "blur:1/choose:w:30:40/choose:q:50-90"),
        ({"choose": {"preset": ["grid", "shadow"], "el": [True]}}, "choose:preset:grid:shadow/choose:el:1"),
        ({"choose": {"cb": [2**53 + 1, 1.5]}}, "choose:cb:9007199254740993:1.5"),
    ],
)
async def test_urls_have_one_spelling_and_are_answered(start: Start, body: dict[str, Any], options: str) -> None:
    server = await start(**KEYS)
    told = await signed(server, **body)
    assert told["options"] == options
    assert told["path"] == f"/{options}/plain/{A}".replace("//plain", "/plain")
    assert (await server.client.get(told["url"])).status_code == 200


async def test_programs_that_sign_write_the_same_urls(start: Start) -> None:
    server, signer = await start(**KEYS), UrlSigner(KEY, SALT)
    told = await signed(server, options={"resize": {"type": "fill", "width": 9}}, presets=["grid"], base64=True)
    assert told["url"] == signer.url(A, presets=["grid"], base64=True, resize={"type": "fill", "width": 9})
    assert told["options"] == "preset:grid/resizing_type:fill/width:9"
    told = await signed(server, source="https://a.test/ü?a=b@c", choose={"dpr": [1, 1.5]})
    assert told["url"] == signer.url("https://a.test/ü?a=b@c", choose={"dpr": [1, 1.5]})


@pytest.mark.parametrize(
    ("body", "where", "expected"),
    [
        ({"options": {"quality": 101}}, "options.quality", "an integer from 0 to 100"),
        ({"options": {"resize": {"type": "cut"}}}, "options.resize.type", "one of fit, fill, fill-down, force, auto"),
        ({"options": {"resize": {"depth": 1}}}, "options.resize", "one of the fields"),
        ({"options": {"extend": {"extend_gravity": "no"}}}, "options.extend.extend", "a flag"),
        ({"options": {"nothing": 1}}, "options.nothing", "the name of an option"),
        ({"options": ["q:101"]}, "q", "an integer from 0 to 100"),
        ({"options": {"cachebuster": "a/b"}}, "cachebuster", None),
        ({"options": {"cachebuster": "a b"}}, "cachebuster", "a text without"),
        ({"options": {"cache_tags": ["sale", "grün"]}}, "options.cache_tags", "tags of letters"),
        ({"options": {"max_src_resolution": 1}}, "max_src_resolution", None),
        ({"options": 5}, "options", "a text or a list of texts"),
        ({"presets": ["none"]}, "preset", "one of"),
        ({"choose": ["w"]}, "choose", "an object"),
        ({"choose": {"w": []}}, "choose.w", "a list of values, not empty"),
        ({"choose": {"w": [None]}}, "choose.w[0]", "a text or a number"),
        ({"choose": {"q": [500]}}, "q", "an integer from 0 to 100"),
        ({"choose": {"q/w": [5]}}, "q/w", None),
        ({"choose": {"q": ["5/w:9"]}}, "choose q", None),
        ({"base64": "yes"}, "base64", "true or false"),
        ({"source": ""}, "source", "a text"),
        ({"source": "ftp://a.test/a.jpg"}, None, None),
        ({"explain": True, "accept": "all"}, "accept[0]", "one of avif, webp, none"),
        ({"width": 5}, "width", "one of source"),
    ],
)
async def test_mistakes_are_told_where_they_are(
    start: Start, body: dict[str, Any], where: str | None, expected: str | None
) -> None:
    answer = await ask(await start(**KEYS), **body)
    assert answer.status_code in (400, 403, 404), answer.text
    told = answer.json()["error"]
    if where is not None:
        assert told["where"] == where
    assert expected is None or told["expected"].startswith(expected)


async def test_half_characters_are_no_bug_of_the_server(start: Start) -> None:
    server = await start(**KEYS)
    headers = {"authorization": f"Bearer {API_KEY}"}
    for options in ('{"cachebuster": "\\ud800"}', '{"filename": "\\udc80"}', '{"\\ud800": 1}'):
        body = f'{{"source": "{A}", "options": {options}}}'
        answer = await server.client.post("/v1/sign", content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["where"]) == (400, "body")


@pytest.mark.parametrize("body", ['{"source": %s}', '{"source": "a", "options": %s}', '{"source": "a", "choose": %s}'])
async def test_bodies_that_are_nested_deeply_are_no_bug_of_the_server(start: Start, body: str) -> None:
    server = await start(**KEYS)
    headers = {"authorization": f"Bearer {API_KEY}"}
    # Some depths are more than Python prints and less than it reads.
    for depth in (20, *range(700, 1000, 3), 100_000):
        answer = await server.client.post("/v1/sign", content=body % ("[" * depth + "]" * depth), headers=headers)
        assert (answer.status_code, answer.json()["error"]["where"]) == (400, "body"), depth


async def test_a_source_that_is_passed_on_is_explained_too(start: Start) -> None:
    told = await signed(await start(**KEYS), options={"raw": True}, explain=True)
    assert told["explanation"]["source_image"]["width"] == 60


async def test_it_is_for_holders_of_a_key(start: Start) -> None:
    server = await start(**KEYS)
    assert (await ask(server, key="no")).status_code == 403
    assert (await server.client.post("/v1/sign", json={"source": A})).status_code == 403
    # Development opens the playground's own route, not the API.
    assert (await (await start(DEVELOPMENT="1")).client.post("/v1/sign", json={"source": A})).status_code == 403


async def test_it_explains_what_a_kind_of_client_would_get(start: Start) -> None:
    server = await start(**KEYS, AUTO_AVIF="1")
    told = await signed(server, options={"width": 20}, explain=True, accept="avif")
    found = told["explanation"]
    assert found["negotiated"]["preferred"] == ["avif"]
    assert (found["layout"]["result_width"], found["source_image"]["format"]) == (20, "jpeg")
    assert [one["text"] for one in found["options"]] == ["width:20"]
    assert (await signed(server, explain=True))["explanation"]["negotiated"]["preferred"] == []
    answer = await ask(server, source="local:///missing.jpg", explain=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "source_not_found")
    # What is not looked at is not missed.
    assert "explanation" not in await signed(server, source="local:///missing.jpg")


async def test_names_are_those_that_urls_may_have(start: Start) -> None:
    server = await start(**KEYS, ALLOWED_PROCESSING_OPTIONS="w,rs,pr")
    assert (await signed(server, options={"width": 5}, presets=["grid"]))["options"] == "pr:grid/w:5"
    server = await start(**KEYS, ALLOWED_PROCESSING_OPTIONS="w,pr,choose")
    told = await signed(server, options={"width": 5}, choose={"pr": ["grid", "shadow"], "w": [5, 6]})
    assert told["options"] == "choose:pr:grid:shadow/w:5/choose:w:5:6"
    answer = await ask(server, options={"quality": 5})
    assert (answer.status_code, answer.json()["error"]["where"]) == (403, "quality")
    server = await start(**KEYS, ONLY_PRESETS="1")
    told = await signed(server, presets=["grid", "shadow"])
    assert told["options"] == "grid:shadow"
    assert (await server.client.get(told["url"])).status_code == 200
    assert (await ask(server, presets=["grid"], options={"width": 5})).json()["error"]["where"] == "options"
    assert (await ask(server)).json()["error"]["where"] == "presets"


async def test_it_follows_how_urls_of_this_server_are(start: Start) -> None:
    server = await start(**KEYS, PATH_PREFIX="/img", ARGUMENTS_SEPARATOR=",", SIGNATURE_SIZE="8")
    answer = await ask(
        server, prefix="/img", options={"resize": {"width": 5, "height": 6}}, choose={"q": [70, "80-90"]}
    )
    told = answer.json()
    assert told["url"].startswith("/img/")
    assert told["options"] == "width,5/height,6/choose,q,70,80-90"
    assert (await server.client.get(f"{told['url']}?q=85")).status_code == 200
    unsigned = await start(**KEYS, KEY="", SALT="", ALLOW_UNSIGNED="1")
    assert (await signed(unsigned))["url"] == f"/unsafe/plain/{A}"


async def test_a_value_with_the_servers_separator_is_not_read_as_two(start: Start) -> None:
    server = await start(**KEYS, ARGUMENTS_SEPARATOR="_")
    answer = await ask(server, choose={"fn": ["a_b", "c"]})
    assert (answer.status_code, answer.json()["error"]["expected"]) == (400, "names and values without _")
