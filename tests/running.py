"""A real server in a process of its own, for tests that speak to it through a socket."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

KEY = "943b421c9eb07c830af81030552c86009268de4e532ba2ee2eab8247c6da0881"
SALT = "520f986b998545b4785e0defbc4f3c1203f22de2374a3d53cb7a7fe9fea309c5"

STOP_S = 20


@dataclass(frozen=True)
class Running:
    """The process, and where it listens."""

    process: subprocess.Popen[str]
    url: str

    def get(self, target: str) -> tuple[HTTPResponse, bytes]:
        """Ask for a URL of this server, or for a path of it."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=STOP_S)
        try:
            connection.request("GET", target.removeprefix(self.url))
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()


def clean_environment(**settings: str) -> dict[str, str]:
    """Give this machine's environment without settings of ours, and with these."""
    ours = ("IMGSERVE_", "IMGPROXY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours) and name != "PORT"}
    return {**kept, **settings}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def command(*arguments: str) -> list[str]:
    """Give the command line of `imgserve`, run by this Python with every warning an error."""
    return [sys.executable, "-m", "imgserve", *arguments]


@contextlib.contextmanager
def running_server(folder: Path, settings: Mapping[str, str]) -> Iterator[Running]:
    """Start a server in `folder` (whose .env it reads) and wait until it is healthy; stop it in the end."""
    port = free_port()
    address = {} if "PORT" in settings else {"IMGSERVE_BIND": f"127.0.0.1:{port}"}
    environment = clean_environment(**{"IMGSERVE_CACHE": "off", **address, **settings})
    root = str(Path(__file__).parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join([*filter(None, [settings.get("PYTHONPATH")]), root])
    process = subprocess.Popen(
        command("serve"), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        health = subprocess.run(
            command("health", "--wait", "20"), cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert health.returncode == 0, health.stderr
        yield Running(process, f"http://127.0.0.1:{settings.get('PORT', port)}")
    finally:
        process.terminate()
        process.communicate(timeout=STOP_S)


@contextlib.contextmanager
def running_for_clients(folder: Path, *, api_key: str, webhook_secret: str) -> Iterator[Running]:
    """Start a server of the pictures in a folder, with a worker, the API, and webhooks to this machine."""
    given = {
        "KEY": KEY,
        "SALT": SALT,
        "API_KEYS": f"tests:{hashlib.sha256(api_key.encode()).hexdigest()}",
        "WEBHOOK_SECRET": webhook_secret,
        "ALLOWED_WEBHOOKS": "http://127.0.0.1:*",
        "ALLOW_LOOPBACK_SOURCE_ADDRESSES": "1",
        "WORKERS": "1",
        "RENDER_THREADS": "1",
        "LOCAL_FILESYSTEM_ROOT": str(folder),
        "CACHE": "disk",
        "CACHE_PATH": str(folder / "cache"),
        # A line for each request would fill the pipe, which nobody reads before the end.
        "LOG_LEVEL": "error",
    }
    with running_server(folder, {f"IMGSERVE_{name}": value for name, value in given.items()}) as running:
        yield running
