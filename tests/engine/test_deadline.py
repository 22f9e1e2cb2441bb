"""Deadlines end work: between stages, and inside one."""

from __future__ import annotations

import threading
import time

import pytest
import pyvips

from imgserve.engine.deadline import Deadline
from imgserve.engine.intent import EngineConfig, Intent
from imgserve.engine.pipeline import render
from imgserve.errors import RenderTimeout
from tests.engine.pictures import photo, png


def test_a_deadline_that_is_over_lets_nothing_start() -> None:
    with pytest.raises(RenderTimeout):
        render(png(photo()), intent=Intent(), config=EngineConfig(), deadline=Deadline(0))


def test_one_without_an_end_never_comes() -> None:
    deadline = Deadline()
    deadline.check()
    assert not deadline.over


def test_killing_stops_pixels_that_are_on_their_way() -> None:
    deadline = Deadline(60)
    slow = deadline.watch(photo(3000, 3000)).gaussblur(100)
    threading.Timer(0.05, deadline.kill).start()
    started = time.monotonic()
    with pytest.raises(pyvips.Error):
        slow.write_to_memory()
    assert time.monotonic() - started < 5
    with pytest.raises(RenderTimeout):
        deadline.check()


def test_pictures_that_come_after_the_kill_are_dead_too() -> None:
    deadline = Deadline(60)
    deadline.kill()
    with pytest.raises(pyvips.Error):
        deadline.watch(photo()).invert().write_to_memory()


def test_a_killed_render_says_that_it_was_the_time() -> None:
    deadline = Deadline(60)
    source = png(photo(1500, 1500), compression=0)
    threading.Timer(0.02, deadline.kill).start()
    with pytest.raises(RenderTimeout):
        render(
            source,
            intent=Intent(width=3000, height=3000, enlarge=True, format="png"),
            config=EngineConfig(),
            deadline=deadline,
        )
