"""A real server that refines: its refining process goes with the process that started it, however that goes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgserve.plan.signing import Signer, key_pairs
from tests.engine.pictures import photo, png
from tests.engine.processes import alive, children, waited_for
from tests.running import KEY, SALT, STOP_S, Running, running_server

SIGNER = Signer(pairs=key_pairs([KEY], [SALT]))

#: Ending takes CPU time as well, which it has after all others; on a machine with a free CPU it takes 0.03 s.
_ENDED_S = 15


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "photo.png").write_bytes(png(photo(400, 300)))
    settings = {
        "KEY": KEY,
        "SALT": SALT,
        "WORKERS": "1",
        "REFINE": "1",
        "CACHE": "memory",
        "LOCAL_FILESYSTEM_ROOT": str(tmp_path),
        # A line for each request would fill the pipe, which nobody reads before the end.
        "LOG_LEVEL": "warn",
    }
    with running_server(tmp_path, {f"IMGSERVE_{name}": value for name, value in settings.items()}) as made:
        yield made


def refining(server: Running, *, width: int) -> tuple[int, int]:
    """Ask for a picture until it is no draft any more; gives the serving process and the one that refines."""
    path = f"/w:{width}/f:webp/plain/local:///photo.png"

    def final() -> bool:
        answer, _ = server.get(f"/{SIGNER.sign(path)}{path}")
        assert answer.status == 200
        return "max-age=10," not in answer.headers["cache-control"]

    assert waited_for(final, seconds=60)
    (worker,) = children(server.process.pid)
    (refiner,) = children(worker)
    return worker, refiner


def test_it_ends_with_a_serving_process_that_is_killed(server: Running) -> None:
    worker, refiner = refining(server, width=200)
    os.kill(worker, signal.SIGKILL)
    assert waited_for(lambda: not alive(refiner), seconds=_ENDED_S)
    assert refining(server, width=201)[1] != refiner


def test_one_that_dies_while_it_waits_is_replaced(server: Running) -> None:
    worker, refiner = refining(server, width=200)
    os.kill(refiner, signal.SIGKILL)
    assert waited_for(lambda: not alive(refiner), seconds=_ENDED_S)
    assert refining(server, width=201)[0] == worker


def test_it_ends_with_the_server_and_nothing_is_said(server: Running) -> None:
    worker, refiner = refining(server, width=200)
    server.process.terminate()
    log, _ = server.process.communicate(timeout=STOP_S)
    assert server.process.returncode == 0
    assert not alive(worker)
    assert waited_for(lambda: not alive(refiner), seconds=_ENDED_S)  # it runs when nothing else does, to its end too
    assert "resource_tracker" not in log
