"""A real redis-server of our own on a loopback port, that tests may stop, pause and start again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import redis

from tests.running import free_port

START_S = 10


class RedisServer:
    """The server; it keeps its port, and what it has saved, when it is started again."""

    def __init__(self, folder: Path, config: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.socket_url = f"unix://{folder}/redis.sock?db=0"
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": f"{folder}/redis.sock",
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "hz": "100",  # how often it looks at signals and at what has expired: 10 times a second is slow for tests
        } | config
        named = ((f"--{name.replace('_', '-')}", value) for name, value in options.items())
        self._command = ["redis-server", *(word for pair in named for word in pair)]
        self._password = config.get("requirepass")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it is stopped"
        return self._process.pid

    def client(self) -> redis.Redis:
        """Give a client of this server, for what a test wants to see or do behind the back of ours."""
        return redis.Redis(port=self.port, password=self._password)

    def start(self) -> None:
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        late = time.monotonic() + START_S
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    if self._process.poll() is not None or time.monotonic() > late:
                        raise
                    time.sleep(0.01)  # it says nowhere else that it listens
                else:
                    return

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server: by SIGTERM it saves what it was told to save, by SIGKILL nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let the server hang: its connections stay open, and the system even takes new ones, but nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def empty(self) -> None:
        """Make it run, with nothing in it, whatever a test before has done to it."""
        if self._process is None:
            self.start()
        with self.client() as client:
            client.flushall()


@contextlib.contextmanager
def running_redis(folder: Path, **config: str) -> Iterator[RedisServer]:
    """Start a server that keeps its files in `folder`; `config` as in redis.conf, with _ for -."""
    server = RedisServer(folder, config)
    try:
        server.start()
        yield server
    finally:
        server.stop()
