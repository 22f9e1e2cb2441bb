"""What docs/python.md tells people to write: it is what stands in recipes/, and it works."""

from __future__ import annotations

import html
import importlib.util
import os
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import httpx
import pytest
import pyvips

from imgserve.service.webhooks import HookRules, secret_bytes, signed
from tests.client.conftest import API_KEY, WEBHOOK_SECRET
from tests.running import KEY, SALT, Running, free_port
from tests.web.jobs_server import API_KEY as JOBS_API_KEY
from tests.web.jobs_server import JobsServer, Setup
from tests.web.test_jobs_events import listening

RECIPES = Path(__file__).parent / "recipes"
PAGE = Path(__file__).parent.parent.parent / "docs" / "python.md"

#: On a machine with free CPUs a cut-out of the disc is there in two seconds.
_READY_S = 60


@pytest.fixture
def environment(server: Running, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What recipes read."""
    given = {
        "IMGSERVE_KEY": KEY,
        "IMGSERVE_SALT": SALT,
        "IMAGES_URL": server.url,
        "IMAGES_API_KEY": API_KEY,
        "IMGSERVE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "SHOP_URL": "https://shop.example.com",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def loaded(name: str) -> ModuleType:
    """Import a recipe as a new module."""
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", RECIPES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Flask finds its templates by the module that it is made in.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module


def pictures(server: Running, page: str) -> list[tuple[str, pyvips.Image]]:
    """Fetch all pictures of a page; gives what the page says of each, and the picture."""
    out = []
    for tag in re.findall(r"<(?:img|link)[^>]*>", page):
        address = re.search(r' (?:src|href)="([^"]+)"', tag)
        assert address is not None
        answer, body = server.get(html.unescape(address[1]))
        assert answer.status == 200, body
        out.append((tag, pyvips.Image.new_from_buffer(body, "")))
    return out


def test_each_block_of_the_page_stands_in_a_recipe() -> None:
    blocks = re.findall(r"```(?:python|html)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    files = [path for kind in ("py", "html") for path in RECIPES.rglob(f"*.{kind}")]
    texts = [path.read_text("utf-8") for path in files]
    assert len(blocks) > 8
    assert [block for block in blocks if not any(block in text for text in texts)] == []


def test_a_page(server: Running, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(RECIPES / "page.py"))
    [(tag, image)] = pictures(server, (tmp_path / "page.html").read_text("utf-8"))
    assert (image.width, image.height) == (1200, 800)
    assert tag.endswith(' 2x" width="600" height="400">')


def test_a_catalogue(environment: dict[str, str]) -> None:
    cut_outs = loaded("catalogue").cut_outs
    assert [job.done for job in cut_outs(["local:///catalogue.png", "local:///catalogue.png"])] == [True, True]


def test_a_page_of_flask(server: Running, environment: dict[str, str]) -> None:
    flask_app = loaded("flask_app")
    page = flask_app.app.test_client().get("/products/mug").get_data(as_text=True)
    [(_, icon), (tag, image)] = pictures(server, page)
    assert (icon.width, image.width, image.height) == (32, 1200, 800)
    assert 'alt="mug" loading="lazy"' in tag


async def test_orders_and_webhooks_of_fastapi(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    photo = "https://shop.test/a.jpg"
    server = JobsServer(Setup())
    async with listening(server) as port:
        monkeypatch.setenv("IMAGES_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("IMAGES_API_KEY", JOBS_API_KEY)
        app = loaded("fastapi_app").app
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://s") as shop,
        ):
            answer = await shop.post("/cut-outs", params={"photo": photo})
            assert (answer.status_code, answer.json()["state"]) == (202, "queued")
            [job] = server.queue.jobs.values()
            assert job.order.webhook == "https://shop.example.com/hooks/images"
            monkeypatch.setenv("SHOP_URL", "http://127.0.0.1:8000")
            refused = await shop.post("/cut-outs", params={"photo": photo})
            assert (refused.status_code, "webhook" in refused.json()["detail"]) == (502, True)
            body = b'{"type": "job.done", "timestamp": "2026-01-31T12:00:00.000Z", "data": {"id": "a", '
            body += b'"state": "done", "source": "https://shop.test/a.jpg"}}'
            rules = HookRules(secret=secret_bytes(WEBHOOK_SECRET))
            headers = signed("msg_1", body, at=time.time(), rules=rules)
            assert (await shop.post("/hooks/images", content=b" " + body, headers=headers)).status_code == 400
            assert app.state.cut_out == {photo: "queued"}
            assert (await shop.post("/hooks/images", content=body, headers=headers)).status_code == 204
            assert app.state.cut_out == {photo: "done"}


@contextmanager
def shop(environment: dict[str, str], folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Run the Django project; gives its URL, and the environment for its commands."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = {
        **os.environ,
        **environment,
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "SHOP_DATABASE": str(folder / "shop.sqlite3"),
        "SHOP_URL": url,
        "PYTHONPATH": os.pathsep.join([str(RECIPES / "django_project"), str(PAGE.parent.parent)]),
    }
    django(given, "migrate", "--run-syncdb")
    command = [sys.executable, "-m", "django", "runserver", "--noreload", "--skip-checks", f"127.0.0.1:{port}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=given, cwd=folder, stdout=log, stderr=log)
    try:
        yield url, given
    finally:
        process.terminate()
        process.wait(20)


def django(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "django", *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def page_of(url: str, holds: str) -> str:
    """Ask for a page until it is there and holds a text."""
    until = time.monotonic() + _READY_S
    while time.monotonic() < until:
        try:
            answer = httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if holds in answer.text:
            return answer.text
        assert answer.status_code == 200, answer.text
        time.sleep(0.05)
    raise AssertionError(f"{url} has no {holds} in time")


def test_a_shop_in_django_from_a_saved_product_to_its_cut_out(
    server: Running, environment: dict[str, str], tmp_path: Path
) -> None:
    create = "from shop.models import Product; Product.objects.create(name='A <disc>', photo='local:///{}.png')"
    with shop(environment, tmp_path) as (url, given):
        # What cannot be ordered keeps no product from being saved.
        refused = {**given, "IMAGES_API_KEY": "wrong"}
        django(refused, "shell", "--no-imports", "-c", create.format("wide"))
        page = page_of(f"{url}/products/1", "<img")
        [(_, icon), (tag, image)] = pictures(server, page)
        assert (icon.width, image.width, image.height) == (32, 720, 480)
        assert 'alt="A &lt;disc&gt;"' in tag
        django(given, "shell", "--no-imports", "-c", create.format("shop"))
        page = page_of(f"{url}/products/2", "preset:bg-removed")
        [_, (_, image)] = pictures(server, page)
        assert image.hasalpha()
        assert httpx.post(f"{url}/hooks/images", content=b"{}").status_code == 400
        assert httpx.get(f"{url}/hooks/images").status_code == 405
