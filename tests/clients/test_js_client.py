"""The JavaScript package clients/js: its own tests, and what it makes asked of a real server."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.pictures import plain, png
from tests.examples.shop import NODE
from tests.running import KEY, SALT, Running, clean_environment, free_port, running_for_clients

PACKAGE = Path(__file__).parents[2] / "clients" / "js"
API_KEY = "a-key-of-the-tests-of-clients-js"
WEBHOOK_SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw=="

#: Of the longest: jobs of a machine with other work to do.
_TIMEOUT_S = 180


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Build the package where its sources are newer; other processes with tests wait, as they read what is built."""
    with (PACKAGE / "package.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sources = [*PACKAGE.glob("src/**/*.ts*"), PACKAGE / "tsconfig.json", PACKAGE / "package.json"]
        made = PACKAGE / "dist" / "index.js"
        if not made.exists() or any(source.stat().st_mtime > made.stat().st_mtime for source in sources):
            run("npm", "run", "--silent", "build")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve disc.png, which has a disc to cut out, and wide.png under two names, with a worker and webhooks."""
    folder = tmp_path_factory.mktemp("served")
    disc = plain(480, 240, [235, 235, 230]).draw_circle([200, 20, 30], 240, 120, 80, fill=True)
    (folder / "disc.png").write_bytes(png(disc))
    # What docs/javascript.md shows.
    disc.jpegsave(str(folder / "mug.jpg"))
    for name in ("wide.png", "Tasse für Tee, 100%.png"):
        (folder / name).write_bytes(png(plain(960, 480, [20, 120, 200])))
    with running_for_clients(folder, api_key=API_KEY, webhook_secret=WEBHOOK_SECRET) as running:
        yield running


def run(*command: str, folder: Path = PACKAGE, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_passes_its_own_tests() -> None:
    run("npm", "test", "--silent")


@pytest.mark.parametrize("name", ["pictures", "jobs", "documentation"])
def test_the_server_answers_the_package(server: Running, name: str) -> None:
    run(
        "node",
        "--test",
        "--test-reporter=spec",
        f"test/server/{name}.test.mjs",
        IMGSERVE_TEST_URL=server.url,
        IMGSERVE_TEST_KEY=KEY,
        IMGSERVE_TEST_SALT=SALT,
        IMGSERVE_TEST_API_KEY=API_KEY,
        IMGSERVE_TEST_SECRET=WEBHOOK_SECRET,
    )


@pytest.mark.parametrize("cache_components", ["on", "off"])
def test_a_page_with_a_placeholder_is_built_while_the_server_is_away(cache_components: str) -> None:
    app = PACKAGE / "test" / "next"
    away = f"http://127.0.0.1:{free_port()}"
    bundler = str(PACKAGE / "node_modules" / "next" / "dist" / "bin" / "next")
    run(NODE, bundler, "build", folder=app, CACHE_COMPONENTS=cache_components, IMAGES_URL=away)
    page = (app / ".next" / cache_components / "server" / "app" / "index.html").read_text("utf-8")
    assert f"{away}/" in page
    assert "data:image" not in page


def test_the_package_is_tidy() -> None:
    run("npm", "run", "--silent", "check")
