"""AI jobs over real processes: a server with its worker, and what becomes of a job when they are killed or stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pyvips

from imgserve import metrics
from imgserve.app.plugins import PROVIDERS
from imgserve.app.working import COUNTS_FOLDER
from imgserve.plan.signing import Signer, key_pairs
from tests.app.gated import VARIABLE, tries
from tests.app.plugging import describe
from tests.engine.pictures import photo, plain, png
from tests.engine.processes import alive, children, waited_for
from tests.running import KEY, SALT, STOP_S, Running, clean_environment, command, running_server

ROOT = Path(__file__).parent.parent.parent
SIGNER = Signer(pairs=key_pairs([KEY], [SALT]))

#: On a machine with free CPUs a job is done a second after it is asked for.
_READY_S = 30
_ENDED_S = 15


def signed(options: str, source: str = "local:///a.png") -> str:
    path = f"/{options}/plain/{source}"
    return f"/{SIGNER.sign(path)}{path}"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """A server that keeps on disk, and whose lost jobs are found soon."""
    (tmp_path / "a.png").write_bytes(png(photo(60, 40)))
    given = {
        "KEY": KEY,
        "SALT": SALT,
        "WORKERS": "1",
        "RENDER_THREADS": "1",
        "LOCAL_FILESYSTEM_ROOT": str(tmp_path),
        "CACHE": "disk",
        "CACHE_PATH": str(tmp_path / "cache"),
        "JOB_LEASE": "1",
        "GRACEFUL_STOP_TIMEOUT": "1",
        # A line for each request would fill the pipe, which nobody reads before the end.
        "LOG_LEVEL": "error",
    }
    return {f"IMGSERVE_{name}": value for name, value in given.items()}


@pytest.fixture
def gated(settings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The same, with a provider that works until the file `open` is there."""
    packages = describe(tmp_path / "packages", "gated", {PROVIDERS: {"gated": "tests.app.gated:provider"}})
    path = os.pathsep.join((str(packages), str(ROOT)))
    return {**settings, "IMGSERVE_BACKGROUND": "gated", "PYTHONPATH": path, VARIABLE: str(tmp_path)}


def family(pid: int) -> list[int]:
    """Name a process and all that it has started, and those they have."""
    return [pid, *(one for child in children(pid) for one in family(child))]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def ready(server: Running, target: str) -> bytes:
    """Ask until the picture is the one that was asked for; gives it."""
    until = time.monotonic() + _READY_S
    while True:
        answer, body = server.get(target)
        if answer.status == 200:
            assert "x-imgserve-degraded" not in answer.headers, answer.headers["x-imgserve-degraded"]
            return body
        assert answer.status == 202
        assert time.monotonic() < until, "the job is not done in time"
        time.sleep(0.05)


def transparent_at(body: bytes, x: int, y: int) -> bool:
    image = pyvips.Image.pngload_buffer(body)
    assert image.bands == 4
    return bool(image(x, y)[3] == 0)


def stopped(server: Running) -> None:
    """End it as an init system would; whatever it started ends with it."""
    pids = family(server.process.pid)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(STOP_S)
    assert server.process.returncode == 0
    assert waited_for(lambda: not any(alive(pid) for pid in pids), seconds=_ENDED_S)


def tried(folder: Path, times: int) -> int:
    """Wait until somebody has begun to work for so many times; gives the process that did last."""
    assert waited_for(lambda: len(tries(folder)) >= times, seconds=_READY_S), tries(folder)
    return tries(folder)[-1]


def test_one_command_and_one_url_make_a_cut_out(settings: dict[str, str], tmp_path: Path) -> None:
    disc = plain(240, 200, [235, 235, 230]).draw_circle([200, 20, 30], 120, 100, 60, fill=True)
    (tmp_path / "thing.png").write_bytes(png(disc))
    target = signed("rmbg:1/w:120", "local:///thing.png")
    with running_server(tmp_path, settings) as server:
        answer, body = server.get(target)
        assert (answer.status, answer.headers["cache-control"]) == (202, "no-store")
        assert not pyvips.Image.pngload_buffer(body).hasalpha()
        body = ready(server, target)
        assert transparent_at(body, 2, 2)
        assert not transparent_at(body, 60, 50)
        # The server, one that serves, the worker beside it, and its child.
        pids = family(server.process.pid)
        assert len(pids) == 4
        # However the server ends, nobody works on for nobody.
        server.process.kill()
        assert waited_for(lambda: not any(alive(pid) for pid in pids), seconds=_ENDED_S)


def test_a_job_outlives_whoever_works_on_it(gated: dict[str, str], tmp_path: Path) -> None:
    target = signed("rmbg:1")
    with running_server(tmp_path, gated) as server:
        assert server.get(target)[0].status == 202
        child = tried(tmp_path, 1)
        worker = parent_of(child)
        assert worker in children(server.process.pid)
        os.kill(child, signal.SIGKILL)
        child = tried(tmp_path, 2)
        assert parent_of(child) == worker
        os.kill(worker, signal.SIGKILL)
        # What is left of a worker must not go on beside the next one.
        assert waited_for(lambda: not alive(child), seconds=_ENDED_S)
        child = tried(tmp_path, 3)
        assert parent_of(child) not in (worker, 1)
        (tmp_path / "open").touch()
        body = ready(server, target)
        assert (transparent_at(body, 5, 20), transparent_at(body, 55, 20)) == (False, True)
        stopped(server)


@contextmanager
def worker(folder: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run `imgserve worker` with settings of a server."""
    path = os.pathsep.join([*filter(None, [settings.get("PYTHONPATH")]), str(ROOT)])
    process = subprocess.Popen(
        command("worker", "--workers", "1"), cwd=folder, env=clean_environment(**{**settings, "PYTHONPATH": path}),
        stdout=subprocess.DEVNULL, stderr=sys.stderr, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_worker_of_its_own_makes_what_a_server_only_takes(gated: dict[str, str], tmp_path: Path) -> None:
    target = signed("rmbg:1")
    settings = {**gated, "IMGSERVE_QUEUE_WORKERS": "0"}
    with running_server(tmp_path, settings) as server:
        assert server.get(target)[0].status == 202
        assert len(family(server.process.pid)) == 2
        with worker(tmp_path, gated) as working:
            tried(tmp_path, 1)
            assert server.get(target)[0].status == 202
            # It puts back what it cannot finish in time.
            ended(working)
        (tmp_path / "open").touch()
        with worker(tmp_path, gated) as working:
            assert transparent_at(ready(server, target), 55, 20)
            ended(working)
        assert len(tries(tmp_path)) == 2


def ended(working: subprocess.Popen[str]) -> None:
    """End a worker as an init system would, and wait for all that it started."""
    pids = family(working.pid)
    working.send_signal(signal.SIGTERM)
    assert working.wait(STOP_S) == 0
    assert waited_for(lambda: not any(alive(pid) for pid in pids), seconds=_ENDED_S)


def test_processes_that_come_and_go_leave_no_files_of_counts(settings: dict[str, str], tmp_path: Path) -> None:
    # By the variable's name: metrics read it when they are imported, which is too early to ask them for it.
    assert COUNTS_FOLDER == metrics.FOLDER_VARIABLE
    with running_server(tmp_path, settings) as server:
        ready(server, signed("rmbg:1/w:20"))
        beside = next(pid for pid in children(server.process.pid) if children(pid))
        [child] = children(beside)
        environment = Path(f"/proc/{beside}/environ").read_bytes().split(b"\0")
        [folder] = [one.partition(b"=")[2] for one in environment if one.startswith(COUNTS_FOLDER.encode())]
        counted = {path.stem.rpartition("_")[2] for path in Path(folder.decode()).iterdir()}
        assert str(child) not in counted
        assert str(beside) in counted
