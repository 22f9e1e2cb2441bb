"""tests/vectors/urls.json: what signers in all languages write and refuse alike; clients/js reads it too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from imgserve.errors import BadOption
from imgserve.ops.catalog import CATALOG
from imgserve.sign import UrlSigner

VECTORS = json.loads((Path(__file__).parent / "vectors" / "urls.json").read_text("utf-8"))

Case = Mapping[str, Any]


def signer(case: Case) -> UrlSigner:
    return UrlSigner(
        case.get("key", VECTORS["key"]),
        case.get("salt", VECTORS["salt"]),
        base_url=VECTORS["base_url"],
        signature_size=case.get("signature_size", 32),
        arguments_separator=case.get("separator", ":"),
    )


def written(case: Case) -> str:
    # JSON has no tuples: a range is a list inside of the list.
    choose = {
        name: [tuple(value) if isinstance(value, list) else value for value in values]
        for name, values in case.get("choose", {}).items()
    }
    return signer(case).url(
        case.get("source", "mug.jpg"),
        presets=case.get("presets", ()),
        base64=case.get("base64", False),
        choose=choose,
        **case.get("options", {}),
    )


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_urls_are_written_as_in_the_vectors(case: Case) -> None:
    url = written(case)
    assert url.endswith(case["path"]), f"the path that is written is {url}"
    assert url == case["url"] == signer(case).signed(case["path"])


@pytest.mark.parametrize("case", VECTORS["errors"], ids=lambda case: case["name"])
def test_what_is_wrong_is_refused_as_in_the_vectors(case: Case) -> None:
    with pytest.raises(BadOption) as caught:
        written(case)
    assert caught.value.where == case["where"]
    if "expected" in case:
        assert caught.value.expected == case["expected"]


def test_every_option_is_in_the_vectors() -> None:
    given = {name for case in VECTORS["cases"] for name in case.get("options", {})}
    covered = {CATALOG.by_name[name].spec.name for name in given}
    missing = {cls.spec.name for cls in CATALOG.ops} - covered
    assert not missing, "add a case for each of them to tests/vectors/urls.json"


def test_names_of_vectors_are_told_apart() -> None:
    for cases in (VECTORS["cases"], VECTORS["errors"]):
        names = [case["name"] for case in cases]
        assert len(set(names)) == len(names)
