"""The playground's page in a browser, and recipes for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser

from tests.web.browser import Console, looking

A = "local:///a.jpg"
#: Of a server without a key, whose URLs may have every option.
SETTINGS = {"IMGSERVE_DEVELOPMENT": "1", "IMGSERVE_ALLOW_SECURITY_OPTIONS": "1", "IMGSERVE_AUTO_WEBP": "1"}
#: What settles when nothing changes any more: the last thing that is asked for.
SETTLED = "#happens .steps li"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"


@contextmanager
def playing(browser: Browser, url: str, **more: Any) -> Iterator[Console]:
    """Open a window for the playground."""
    with looking(browser, url, **more) as made:
        made.at = "/playground"
        yield made


def recipe(**given: Any) -> str:
    """Give the fragment of a recipe."""
    parts = {**given, **({"options": json.dumps(given["options"])} if "options" in given else {})}
    return "#" + "&".join(f"{name}={value}" for name, value in parts.items())
