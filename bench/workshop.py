"""The benchmark's git-ignored folder, and the processes it starts: each logged, each ended by its own id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.cores import on_core
from bench.load import HOST

REPOSITORY: Final = Path(__file__).resolve().parent.parent
WORKSHOP: Final = REPOSITORY / ".run" / "bench"
PHOTO_NAME: Final = "photo.jpg"
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def caches(name: str) -> Path:
    """Give an empty folder for a server's caches."""
    folder = WORKSHOP / "caches" / name.replace(", ", "-").replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started: they share a session of their own."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def running(
    name: str, command: Sequence[str], *, core: int, port: int, folder: Path, env: Mapping[str, str]
) -> Iterator[int]:
    """Run a server on `core` while the block runs; gives its process id once `port` accepts connections.

    Its output goes to `<name>.log`. `env` is added to this process's environment.
    Raises RuntimeError, with the end of the log, when it exits or does not listen in time.
    """
    log = WORKSHOP / f"{name}.log"
    with log.open("wb") as output, on_core(core):
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **env}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start: {' '.join(command)}\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        if process.poll() is None:
            _stop(process)
