"""A lost process is replaced, even where there is one only; one that cannot start ends the server."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.running import KEY, SALT, clean_environment, running_server

_ROOT = Path(__file__).parent.parent.parent
_PROGRAM = """
import socket, sys
from imgserve.cli.serve import uvicorn_config
from imgserve.cli.supervisor import Supervisor
from imgserve.settings import load
config = uvicorn_config(load(), workers=1)
config.app = "tests.cli.failing:" + sys.argv[2]
supervisor = Supervisor(config, [socket.socket(fileno=int(sys.argv[1]))])
supervisor.run()
sys.exit(supervisor.exit_code)
"""


@contextmanager
def supervised(factory: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run one process with an app of tests.cli.failing; gives the supervisor and the port."""
    settings = {"IMGSERVE_ALLOW_UNSIGNED": "1", "IMGSERVE_RENDER_THREADS": "1"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(listener.fileno()), factory],
            cwd=_ROOT,
            env=clean_environment(**settings),
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
        port: int = listener.getsockname()[1]
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate(timeout=20)


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def another_pid(port: int, before: str) -> str:
    """Ask until another process answers; the port stays open meanwhile, so nobody is refused."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            status, pid = ask(port, "/pid")
        except (ConnectionResetError, http.client.RemoteDisconnected):
            continue  # the process took the connection and died
        if status == 200 and pid != before:
            return pid
    raise AssertionError("no other process answers")


def test_one_process_whose_render_threads_are_stuck_is_replaced() -> None:
    with supervised("that_can_hang") as (process, port):
        _, before = ask(port, "/pid")
        assert ask(port, "/hang")[0] == 504
        another_pid(port, before)
        process.terminate()
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "exit code 70" in log


def test_a_process_that_ends_before_it_serves_ends_the_server() -> None:
    with supervised("that_dies_at_once") as (process, _):
        _, log = process.communicate(timeout=20)
    assert process.returncode == 71
    assert log.count("starting to die") == 1


def test_a_factory_that_raises_ends_the_server() -> None:
    with supervised("that_raises") as (process, _):
        process.communicate(timeout=20)
    assert process.returncode > 0


def test_the_processes_end_with_a_supervisor_that_is_killed() -> None:
    with supervised("that_can_hang") as (process, port):
        ask(port, "/pid")
        process.kill()
        process.wait(20)
        with pytest.raises(ConnectionRefusedError):
            connect_for(port, 20)


def connect_for(port: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(ConnectionResetError), socket.create_connection(("127.0.0.1", port), timeout=20):
            pass


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_serve_replaces_its_one_process(tmp_path: Path) -> None:
    settings = {"IMGSERVE_KEY": KEY, "IMGSERVE_SALT": SALT, "IMGSERVE_WORKERS": "1"}
    with running_server(tmp_path, settings) as server:
        (worker,) = workers_of(server.process.pid)
        os.kill(worker, signal.SIGKILL)
        assert server.get("/health")[0].status == 200
        server.process.terminate()
        server.process.communicate(timeout=20)
        assert server.process.returncode == 0
