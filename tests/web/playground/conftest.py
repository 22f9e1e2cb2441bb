from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.web.browser import Console, chromium, served
from tests.web.playground.playing import SETTINGS, playing


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("playground"), **SETTINGS) as url:
        yield url


@pytest.fixture
def playground(browser: Browser, server: str) -> Iterator[Console]:
    with playing(browser, server) as made:
        yield made
