"""Pages of the server in a headless Chromium, and what they must never do, noted while a test runs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.running import clean_environment
from tests.web.conftest import KEY, SALT
from tests.web.pictures import jpeg, png

CHROMIUM = shutil.which("chromium")
#: What Chromium itself says of answers that are errors; a page cannot prevent it.
_STATUS = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
PATIENCE_MS = 10_000
API_KEY = "a-key-of-the-console-tests"
ROOT = Path(__file__).parent.parent.parent


@contextmanager
def chromium() -> Iterator[Browser]:
    assert CHROMIUM is not None, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(folder: Path, prefix: str = "", **settings: str) -> Iterator[str]:
    """Run a server with the pictures a.jpg and cut.png in its root; gives its URL; `settings` by their whole names."""
    root = folder / "root"
    root.mkdir()
    (root / "a.jpg").write_bytes(jpeg())
    (root / "cut.png").write_bytes(png())
    environment = clean_environment(
        IMGSERVE_KEY=KEY,
        IMGSERVE_SALT=SALT,
        IMGSERVE_LOCAL_FILESYSTEM_ROOT=str(root),
        IMGSERVE_CACHE="disk",
        IMGSERVE_CACHE_PATH=str(folder / "cache"),
        IMGSERVE_API_KEYS=f"tests:{hashlib.sha256(API_KEY.encode()).hexdigest()}",
        # Far beyond what a test asks, and still counted.
        IMGSERVE_API_RATE="100000",
        IMGSERVE_PATH_PREFIX=prefix,
        IMGSERVE_RENDER_THREADS="1",
        PYTHONPATH=str(ROOT),
        **settings,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener, (folder / "log").open("w") as log:
        number = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.web.console_program", str(number)],
            env=environment,
            cwd=ROOT,
            pass_fds=[number],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield url
    finally:
        process.kill()
        process.wait()


@dataclass
class Console:
    """The page, and the hands of the test in its server."""

    page: Page
    url: str
    prefix: str = ""
    at: str = "/console"
    #: Errors and warnings in the browser's console, and exceptions.
    complaints: list[str] = field(default_factory=list)
    #: Statuses of answers that were errors.
    statuses: list[int] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    asked: list[Request] = field(default_factory=list)

    def watch(self) -> None:
        """Begin to note what the page does."""
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if status := _STATUS.match(message.text):
            self.statuses.append(int(status[1]))
        elif message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        self.asked.append(request)
        if not request.url.startswith(("data:", "blob:")):
            self.hosts.add(urlsplit(request.url).netloc)

    def check(self) -> None:
        """No errors, no breach of the policy, no other host."""
        assert self.complaints == []
        assert self.hosts == {urlsplit(self.url).netloc}

    def open(self, fragment: str = "") -> None:
        self.page.goto(f"{self.url}{self.prefix}{self.at}{fragment}")

    def enter(self, key: str, fragment: str = "") -> None:
        """Open the console with a key, and wait for its first list."""
        self.open(fragment)
        self.page.get_by_label("Key", exact=True).fill(key)
        self.page.keyboard.press("Enter")
        self.page.locator("#table[aria-busy=false]").wait_for()

    def tell(self, word: str, **facts: Any) -> dict[str, Any]:
        """Steer the server; see console_program."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        try:
            connection.request("POST", f"/test/{word}", json.dumps(facts))
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            told: dict[str, Any] = json.loads(body)
            return told
        finally:
            connection.close()

    def job(self, name: str, **facts: Any) -> str:
        """Put a job there; gives its id."""
        id: str = self.tell("job", name=name, **facts)["id"]
        return id


@contextmanager
def looking(
    browser: Browser, url: str, *, prefix: str = "", width: int = 1280, height: int = 800, **context: Any
) -> Iterator[Console]:
    """Open a window of its own, and check in the end that the page did nothing that it must not."""
    window = browser.new_context(viewport={"width": width, "height": height}, **context)
    try:
        console = Console(window.new_page(), url, prefix)
        console.watch()
        yield console
        console.check()
    finally:
        window.close()
