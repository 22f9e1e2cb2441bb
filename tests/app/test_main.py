"""The app's life: what a signal to stop does before the server acts on it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from imgserve.app.main import app_of
from imgserve.app.services import Services, build_services
from imgserve.settings import load


@pytest.fixture
def stops() -> Iterator[list[int]]:
    """Handle SIGTERM as uvicorn does: it has its handler before the app starts."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def services() -> Services:
    return build_services(load({"IMGSERVE_ALLOW_UNSIGNED": "1"}))


async def test_sigterm_is_seen_by_health_and_passed_on(stops: list[int]) -> None:
    made, handler = services(), signal.getsignal(signal.SIGTERM)
    app = app_of(made)
    async with app.router.lifespan_context(app):
        assert made.readiness.ready
        signal.raise_signal(signal.SIGTERM)
        assert made.readiness.reason == "draining"
    assert stops == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_an_app_in_another_thread_leaves_signals_alone(stops: list[int]) -> None:
    handler, ended = signal.getsignal(signal.SIGTERM), list[bool]()

    async def live() -> None:
        app = app_of(services())
        async with app.router.lifespan_context(app):
            ended.append(signal.getsignal(signal.SIGTERM) is handler)

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    thread.join()
    assert ended == [True]
