"""Packages that add options and providers: found by entry points, used where settings name them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imgserve.app.models import build_providers
from imgserve.app.plugins import OPTIONS, PROVIDERS, catalog_with
from imgserve.errors import ConfigError
from imgserve.ops.catalog import CATALOG
from imgserve.settings import load
from tests.app.plugging import EXAMPLE, describe, describe_example
from tests.engine.pictures import plain, png
from tests.running import clean_environment

ROOT = Path(__file__).parent.parent.parent

#: A server of these settings, its answers to paths, and its worker's part between them.
_PROGRAM = """
import asyncio, contextlib, json, sys
import httpx, pyvips
from imgserve.app.main import app_of
from imgserve.app.making import JobMaker
from imgserve.app.services import build_services
from imgserve import settings as configuration
from imgserve.plan.needs import needs_of
from imgserve.ports.jobs import JobOrder

settings = configuration.load(key_needed=False)
services = build_services(settings)
told = []

async def ask(*paths):
    app = app_of(services, end=lambda: None)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        for path in paths:
            answer = await client.get(path)
            image = pyvips.Image.new_from_buffer(answer.content, "") if answer.status_code < 300 else None
            told.append({
                "status": answer.status_code,
                "provider": answer.headers.get("x-imgserve-provider"),
                "left": image(2, 5) if image else None,
                "right": image(17, 5) if image else None,
            })

def make(source):
    asks = next(iter(needs_of(services.grammar and plan(source)))).asks
    need = needs_of(plan(source))[0]
    JobMaker(settings).make(JobOrder(id=services.artefacts.key(need), source=source, asks=asks), lambda *_: None)

def plan(source):
    from imgserve.plan.url import parse
    return parse("rmbg:1/plain/" + source, services.grammar)

make("local:///a.png")
asyncio.run(ask(*sys.argv[1:]))
json.dump(told, sys.stdout)
"""


def test_the_example_adds_an_option_and_a_provider(tmp_path: Path) -> None:
    source = plain(10, 10, [10, 20, 30]).join(plain(10, 10, [250, 251, 252]), "horizontal")
    (tmp_path / "a.png").write_bytes(png(source))
    paths = [f"/insecure/{options}/f:png/plain/local:///a.png" for options in ("negative:1", "rmbg:1", "rmbg:1/neg:1")]
    answers = run(
        *paths,
        folder=describe_example(tmp_path / "packages"),
        IMGSERVE_PLUGINS="example",
        IMGSERVE_BACKGROUND="example",
        IMGSERVE_LOCAL_FILESYSTEM_ROOT=str(tmp_path),
        IMGSERVE_CACHE="disk",
        IMGSERVE_CACHE_PATH=str(tmp_path / "cache"),
    )
    negative, cut, both = answers
    assert (negative["status"], negative["left"], negative["right"]) == (200, [245, 235, 225], [5, 4, 3])
    assert (cut["status"], cut["provider"]) == (200, "example; basic")
    assert (cut["left"], cut["right"][3]) == ([10, 20, 30, 255], 0)
    assert (both["left"], both["right"][3]) == ([245, 235, 225, 255], 0)


def run(*paths: str, folder: Path, **settings: str) -> list[dict[str, Any]]:
    path = os.pathsep.join(map(str, (folder, EXAMPLE, ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *paths],
        env=clean_environment(**settings, PYTHONPATH=path), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path; what is imported from it is forgotten in the end."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(("imgserve_example", "plugged_")):
            del sys.modules[name]


def plug(packages: Path, code: str, *, module: str, target: str = "it", group: str = PROVIDERS) -> None:
    (packages / f"{module}.py").write_text(code)
    describe(packages, module, {group: {module: f"{module}:{target}"}})


def provider_problem(**settings: str) -> str:
    with pytest.raises(ConfigError) as wrong:
        build_providers(load({"IMGSERVE_ALLOW_UNSIGNED": "1", **settings}))
    (problem,) = wrong.value.problems
    return problem


def options_problem(*names: str) -> str:
    with pytest.raises(ConfigError) as wrong:
        catalog_with(names)
    (problem,) = wrong.value.problems
    return problem


def test_options_of_plug_ins_stand_behind_ours(packages: Path) -> None:
    describe_example(packages)
    catalog = catalog_with(["example"])
    assert set(catalog.by_name) - set(CATALOG.by_name) == {"negative", "neg"}
    assert catalog_with([]).by_name.keys() == CATALOG.by_name.keys()


def test_what_is_not_installed_is_named_with_what_is(packages: Path) -> None:
    describe_example(packages)
    problem = provider_problem(IMGSERVE_BACKGROUND="nothing")
    assert problem == (
        "IMGSERVE_BACKGROUND: expected grabcut, onnx, removebg, api4ai, off or a plug-in's name, no plug-in called "
        "'nothing' is installed (imgserve.providers: example)"
    )
    assert options_problem("nothing").startswith("IMGSERVE_PLUGINS: no plug-in called 'nothing' is installed")


def test_a_word_that_is_neither_ours_nor_a_plug_in_tells_what_ours_are(packages: Path) -> None:
    problem = provider_problem(IMGSERVE_UPSCALE="libvps")
    for word in ("IMGSERVE_UPSCALE", "libvps", "libvips", "onnx", "off"):
        assert word in problem, word


def test_every_mistake_is_told_at_once(packages: Path) -> None:
    describe_example(packages)
    with pytest.raises(ConfigError) as wrong:
        build_providers(load({
            "IMGSERVE_ALLOW_UNSIGNED": "1", "IMGSERVE_BACKGROUND": "x", "IMGSERVE_UPSCALE": "y", "IMGSERVE_OCR": "z"
        }))  # fmt: skip
    assert [problem.split(":")[0] for problem in wrong.value.problems] == [
        "IMGSERVE_BACKGROUND", "IMGSERVE_UPSCALE", "IMGSERVE_OCR"
    ]  # fmt: skip
    with pytest.raises(ConfigError) as wrong:
        catalog_with(["x", "example", "y"])
    assert len(wrong.value.problems) == 2


def test_a_provider_of_another_task_is_refused(packages: Path) -> None:
    describe_example(packages)
    problem = provider_problem(IMGSERVE_UPSCALE="example")
    assert problem == "IMGSERVE_UPSCALE: the plug-in 'example' is no provider of upscale"


@pytest.mark.parametrize(
    ("module", "code", "why"),
    [
        ("plugged_import", "import a_library_that_nobody_has\nit = 1", "a_library_that_nobody_has"),
        ("plugged_name", "other = 1", "it"),
        ("plugged_syntax", "def it(:", "syntax"),
        ("plugged_bug", "it = {}['missing']", "missing"),
    ],
)
def test_a_plug_in_that_cannot_be_imported_is_named_with_the_reason(
    packages: Path, module: str, code: str, why: str
) -> None:
    plug(packages, code, module=module)
    problem = provider_problem(IMGSERVE_BACKGROUND=module)
    assert problem.startswith(f"IMGSERVE_BACKGROUND: the plug-in '{module}' cannot be loaded: ")
    assert why in problem


@pytest.mark.parametrize("code", ["it = 5", "def it():\n    return None", "def it():\n    return object()"])
def test_what_is_no_provider_is_refused(packages: Path, code: str) -> None:
    plug(packages, code, module="plugged_wrong")
    problem = provider_problem(IMGSERVE_BACKGROUND="plugged_wrong")
    assert problem == "IMGSERVE_BACKGROUND: the plug-in 'plugged_wrong' is no provider of background"


@pytest.mark.parametrize(
    "raised", ["ValueError('the key is missing')", "OSError('the key is missing')", "KeyError('the key is missing')"]
)
def test_a_provider_that_cannot_be_made_is_named_with_the_reason(packages: Path, raised: str) -> None:
    plug(packages, f"def it():\n    raise {raised}", module="plugged_raises")
    problem = provider_problem(IMGSERVE_BACKGROUND="plugged_raises")
    assert problem.startswith("IMGSERVE_BACKGROUND: ")
    assert "the key is missing" in problem


@pytest.mark.parametrize("code", ["it = 5", "it = (1,)", "it = [int]", "it = (int,)"])
def test_what_is_no_tuple_of_options_is_refused(packages: Path, code: str) -> None:
    plug(packages, code, module="plugged_tuple", group=OPTIONS)
    assert options_problem("plugged_tuple") == "IMGSERVE_PLUGINS: 'plugged_tuple' is no tuple of option classes"


def test_an_option_whose_name_is_taken_is_refused(packages: Path) -> None:
    code = (EXAMPLE / "imgserve_example" / "options.py").read_text("utf-8").replace('"neg"', '"w"')
    plug(packages, code, module="plugged_taken", target="OPTIONS", group=OPTIONS)
    problem = options_problem("plugged_taken")
    assert problem.startswith("IMGSERVE_PLUGINS: ")
    assert "'w'" in problem or "w " in problem
    # The same plug-in twice is the same mistake.
    describe_example(packages)
    assert options_problem("example", "example").startswith("IMGSERVE_PLUGINS: ")
