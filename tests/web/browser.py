"""The console's page in a headless Chromium, and what it must never do, noted while a test runs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = shutil.which("chromium")
#: What Chromium itself says of answers that are errors; a page cannot prevent it.
_STATUS = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
PATIENCE_MS = 10_000


@contextmanager
def chromium() -> Iterator[Browser]:
    assert CHROMIUM is not None, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Console:
    """The page, and the hands of the test in its server."""

    page: Page
    url: str
    prefix: str = ""
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
        if not request.url.startswith("data:"):
            self.hosts.add(urlsplit(request.url).netloc)

    def check(self) -> None:
        """No errors, no breach of the policy, no other host."""
        assert self.complaints == []
        assert self.hosts == {urlsplit(self.url).netloc}

    def open(self, fragment: str = "") -> None:
        self.page.goto(f"{self.url}{self.prefix}/console{fragment}")

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
