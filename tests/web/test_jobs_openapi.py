"""The OpenAPI document: valid itself, and true of the routes, requests and errors that there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import ValidationError  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from imgserve.errors import QueueFull
from imgserve.ops.catalog import CATALOG
from imgserve.plan.url import Grammar
from imgserve.web.openapi import document
from imgserve.web.operations import OPERATIONS
from tests.web.conftest import Start
from tests.web.jobs_server import JobsServer, Setup, validate
from tests.web.test_caching import API_KEY, CACHED

DOCUMENT = document(Grammar(catalog=CATALOG), prefix="/img")
A = "https://shop.test/a.jpg"


def fits(name: str, value: object) -> bool:
    try:
        validate(DOCUMENT, {"$ref": f"#/components/schemas/{name}"}, value)
    except ValidationError:
        return False
    return True


def test_the_document_is_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


async def test_everybody_may_read_it() -> None:
    server = JobsServer(Setup(prefix="/img"))
    answer = await server.client.get("/img/v1/openapi.json", headers={"authorization": ""})
    assert answer.json() == document(server.grammar, prefix="/img")
    assert answer.json()["servers"] == [{"url": "/img"}]


async def test_the_routes_are_those_of_the_document() -> None:
    server = JobsServer(Setup())
    for path, operations in DOCUMENT["paths"].items():
        if path in ("/v1/warm", "/v1/process", "/v1/sign"):
            continue  # they need a whole server: test_warm.py, test_process.py, test_signing.py
        allow = (await server.client.options(path.replace("{id}", "0" * 64))).headers["allow"].lower().split(", ")
        assert set(operations) == set(allow) - {"head", "options"}


def test_examples_of_bodies_are_what_their_schemas_say() -> None:
    bodies = [one for one in OPERATIONS if one.body]
    assert [one.id for one in bodies] == ["purge", "warm", "process", "sign", "submitJobs"]
    assert [one.id for one in bodies for value in one.examples.values() if not fits(one.body, value)] == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("JobOrders", {"source": A, "options": "remove_background:1/w:3", "presets": ["a"], "priority": -100}, True),
        ("JobOrders", {"jobs": [{"path": "/a/b"}]}, True),
        ("JobOrders", {"source": A, "path": "/a/b"}, False),
        ("JobOrders", {"options": "rmbg:1"}, False),
        ("JobOrders", {"source": A, "options": "nothing:1"}, False),
        ("JobOrders", {"source": A, "options": "rmbg"}, False),
        ("JobOrders", {"source": A, "priority": 101}, False),
        ("JobOrders", {"jobs": []}, False),
        ("JobOrders", {"jobs": [{"path": "/a/b"}], "priority": 1}, False),
        ("Warm", {"sources": A, "widths": 20, "dpr": [1, 2.5], "accept": "avif"}, True),
        ("Warm", {"widths": 20}, False),
        ("Purge", {"source": [A], "tag": "sale"}, True),
        ("Purge", {"everything": True, "tag": "sale"}, False),
        ("Purge", {}, False),
        ("WarmLine", {"state": "working"}, True),
        ("WarmLine", {"state": "done", "made": 1, "kept": 0, "failed": 0, "bytes": 1, "ms": 1}, True),
        ("WarmLine", {"state": "made", "source": A, "path": "/a", "url": "/b/a", "bytes": 1, "ms": 2}, True),
        ("WarmLine", {"state": "made"}, False),
    ],
)
def test_a_schema_tells_right_from_wrong(name: str, value: Any, expected: bool) -> None:
    assert fits(name, value) is expected


def test_only_options_that_urls_may_have_are_named() -> None:
    grammar = Grammar(catalog=CATALOG, allowed_options=frozenset(["w", "rmbg"]), separator=",")
    schemas = document(grammar)["components"]["schemas"]
    assert set(schemas["OptionName"]["enum"]) == {"w", "rmbg"}
    assert set(DOCUMENT["components"]["schemas"]["OptionName"]["enum"]) == set(CATALOG.by_name)
    assert schemas["Options"]["pattern"].count(",") == 2


def test_names_of_options_need_no_escape_in_a_pattern() -> None:
    assert [name for name in CATALOG.by_name if not name.replace("_", "").replace("-", "").isalnum()] == []


async def test_lines_of_a_warm_order_are_as_described(start: Start, tmp_path: Path) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"))
    sources = ["local:///a.jpg", "local:///missing.jpg"]
    headers = {"authorization": f"Bearer {API_KEY}"}
    answer = await server.client.post("/v1/warm", json={"sources": sources, "accept": "avif"}, headers=headers)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert {line["state"] for line in lines} == {"made", "failed", "done"}
    assert [line for line in lines if not fits("WarmLine", line)] == []


async def test_errors_of_every_kind_are_described() -> None:
    codes = DOCUMENT["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]
    assert {"bad_option", "job_ended", QueueFull.code, "not_kept", "internal_error"} <= set(codes)
    server = JobsServer(Setup())
    answer: httpx.Response = await server.client.get("/v1/jobs?limit=x")
    assert fits("Error", answer.json())
    assert not fits("Error", {"error": {"code": "nothing", "message": "a", "request_id": "b"}})
