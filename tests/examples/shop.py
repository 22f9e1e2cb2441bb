"""The Next.js example: built once, started in front of a real server, and looked at in a browser."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import playwright
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

from tests.running import KEY, SALT, clean_environment, free_port

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "nextjs"
#: Next.js wants a younger Node.js than Debian 12 has; Playwright brings one.
NODE = str(Path(playwright.__file__).parent / "driver" / "node")
NEXT = (NODE, "node_modules/next/dist/bin/next")

API_KEY = "an-api-key-of-the-example"
WEBHOOK_SECRET = "a-webhook-secret-of-the-example"

#: More than the example waits for a cut-out.
PATIENCE_S = 40
PATIENCE_MS = PATIENCE_S * 1000

#: What a build is made of; all else in the folder is made by tools.
_MADE = {"node_modules", ".next", "next-env.d.ts", "tsconfig.tsbuildinfo", ".env.local", "README.md"}


def server_settings(folder: Path, samples: Path) -> dict[str, str]:
    """Give settings of a server that shows the sample pictures, with its cache and queue in `folder`."""
    return {
        "IMGSERVE_KEY": KEY,
        "IMGSERVE_SALT": SALT,
        "IMGSERVE_WORKERS": "1",
        "IMGSERVE_LOCAL_FILESYSTEM_ROOT": str(samples),
        "IMGSERVE_CACHE": "disk",
        "IMGSERVE_CACHE_PATH": str(folder / "cache"),
        "IMGSERVE_AUTO_WEBP": "true",
        "IMGSERVE_API_KEYS": f"shop:{hashlib.sha256(API_KEY.encode()).hexdigest()}",
    }


def built() -> Path:
    """Build the example unless its last build is of these very files; gives the folder of the build."""
    build = EXAMPLE / ".next"
    build.mkdir(exist_ok=True)
    stamp = build / "test-build-of"
    # Test processes share the folder: one builds, and the others find it built.
    with (EXAMPLE / "node_modules" / ".test-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != _fingerprint():
            done = subprocess.run(
                [*NEXT, "build"], cwd=EXAMPLE, env=_environment(), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            stamp.write_text(_fingerprint())
    return build


def _fingerprint() -> str:
    own = [path for path in EXAMPLE.rglob("*") if path.relative_to(EXAMPLE).parts[0] not in _MADE and path.is_file()]
    client = [path for path in (EXAMPLE / "node_modules" / "imgserve").rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted([*own, *client]):
        digest.update(f"{path.relative_to(EXAMPLE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _environment(**settings: str) -> dict[str, str]:
    # A .env.local beside the example is for another server: what the environment has comes first, so all names are set.
    names = ("IMAGES_URL", "IMAGES_API_KEY", "IMGSERVE_KEY", "IMGSERVE_SALT", "IMGSERVE_WEBHOOK_SECRET")
    empty = dict.fromkeys(names, "")
    return clean_environment(NEXT_TELEMETRY_DISABLED="1", SITE_URL="", **{**empty, **settings})


@contextmanager
def started(imgserve_url: str, log: Path) -> Iterator[str]:
    """Start the built example in front of this server; gives its URL."""
    built()
    port = free_port()
    environment = _environment(
        IMAGES_URL=imgserve_url,
        IMAGES_API_KEY=API_KEY,
        IMGSERVE_KEY=KEY,
        IMGSERVE_SALT=SALT,
        IMGSERVE_WEBHOOK_SECRET=WEBHOOK_SECRET,
    )
    with log.open("w") as output:
        process = subprocess.Popen(
            [*NEXT, "start", "--hostname", "127.0.0.1", "--port", str(port)],
            cwd=EXAMPLE,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, log)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            ask(f"{url}/icon.svg")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"The example did not start:\n{log.read_text()}")


def ask(url: str, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Ask once, following nothing; gives the status, and where a redirect leads or else the body."""
    host, path = re.fullmatch(r"http://([^/]+)(.*)", url).groups()  # type: ignore[union-attr]
    connection = HTTPConnection(host, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        return answer.status, answer.headers.get("Location", text)
    finally:
        connection.close()


@dataclass
class Visit:
    """A window of a visitor, and what went on in it."""

    page: Page
    shop: str
    images: str
    complaints: list[str] = field(default_factory=list)
    pictures: list[Response] = field(default_factory=list)

    def watch(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", self._answered)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _answered(self, response: Response) -> None:
        if response.url.startswith(self.images):
            self.pictures.append(response)

    def open(self, path: str = "/") -> None:
        self.page.goto(self.shop + path)

    def begin(self, path: str = "/") -> None:
        """Open a page that goes on loading, until it looks as it should."""
        self.page.goto(self.shop + path, wait_until="commit")
        expect(self.page.locator("body")).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")

    def settled(self) -> list[dict[str, Any]]:
        """Scroll through the page so that all pictures load; gives what the page says of each."""
        return self.page.evaluate(_SETTLED)  # type: ignore[no-any-return]


_SETTLED = """async () => {
  const pictures = [...document.images].filter((one) => one.checkVisibility());
  for (const one of pictures) {
    one.scrollIntoView();
    await one.decode();
  }
  scrollTo(0, 0);
  return pictures.map((one) => ({
    url: one.currentSrc, alt: one.getAttribute("alt"), shown: one.clientWidth, natural: one.naturalWidth,
    candidates: one.srcset.split(", ").map((each) => each.split(" ")),
  }));
}"""


@contextmanager
def visiting(
    browser: Browser, shop: str, images: str, *, width: int = 1280, height: int = 800, dpr: float = 1
) -> Iterator[Visit]:
    """Open a window of its own, and check in the end that nothing was complained of."""
    context = browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=dpr)
    try:
        visit = Visit(context.new_page(), shop, images)
        visit.watch()
        yield visit
        assert visit.complaints == []
    finally:
        context.close()


def copied(build: Path, folder: Path) -> Path:
    """Copy what browsers get of a build."""
    return Path(shutil.copytree(build / "static", folder / "static"))
