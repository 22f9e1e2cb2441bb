"""No job is lost, half made or tried for ever, while runners, children and Redis are killed at random."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.queue.chaos import Storm, lasting_redis, weather


def test_nothing_is_lost_on_a_file(tmp_path: Path) -> None:
    report = weather(Storm(seed=3), tmp_path, None)
    assert report.wrong == []
    assert report.states["failed"] == Storm.poison + report.unlucky
    assert report.killed["runner"] + report.killed["child"] == Storm.kills


def test_nothing_is_lost_on_a_redis_that_is_restarted(tmp_path: Path) -> None:
    with lasting_redis(tmp_path) as redis:
        report = weather(Storm(seed=4, redis_restarts=1), tmp_path, redis)
    assert report.wrong == []
    assert report.killed["redis"] == 1
    assert report.states["failed"] == Storm.poison + report.unlucky
