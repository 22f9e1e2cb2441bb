"""A server process of its own on an inherited socket, run as `imgserve serve` runs it: for tests over real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from imgserve.plan.signing import Signer, key_pairs

KEY, SALT = "736563726574", "68656C6C6F"

_PROGRAM = """
import socket, sys, uvicorn
from imgserve.cli.serve import uvicorn_config
from imgserve.settings import load
config = uvicorn_config(load(), workers=1)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


@dataclass
class Served:
    """A running server; connections wait in the socket's queue until it accepts."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def signed(self, path: str) -> str:
        return f"/{Signer(pairs=key_pairs([KEY], [SALT])).sign(path)}{path}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, request: bytes) -> bytes:
        """Send bytes, and give all that comes until the server closes."""
        with self.connect() as line:
            line.sendall(request)
            return b"".join(iter(lambda: line.recv(65536), b""))

    def stop(self) -> int:
        """End it as an init system would; give the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Served]:
    """Run a server with settings of the test's own (names without prefix)."""
    given = {
        "KEY": KEY,
        "SALT": SALT,
        "ALLOW_LOOPBACK_SOURCE_ADDRESSES": "1",
        "RENDER_THREADS": "1",
        "CACHE": "off",
        **settings,
    }
    environ = {**os.environ, **{f"IMGSERVE_{name}": value for name, value in given.items()}}
    log = folder / "log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("w") as out:
        process = _started(listener, environ, out)
        made = Served(process, listener.getsockname()[1], log)
        listener.close()
        try:
            yield made
        finally:
            process.kill()
            process.wait()


def _started(listener: socket.socket, environ: dict[str, str], out: IO[str]) -> subprocess.Popen[str]:
    number = listener.fileno()
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(number)], env=environ, pass_fds=[number], stderr=out, text=True
    )
