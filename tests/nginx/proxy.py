"""A real nginx with the files that ship in nginx/, in front of any HTTP server of this machine."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.running import free_port

SHIPPED = Path(__file__).parent.parent.parent / "nginx"

#: Debian keeps it where only root's PATH leads.
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

START_S = 10
STOP_S = 10
ASK_S = 20


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def proxy(self) -> str:
        """What nginx did: MISS, HIT, STALE, … or "" where its cache had no part in it."""
        return self.headers.get("x-imgserve-proxy", "")


@dataclass(frozen=True)
class Nginx:
    """The process, and where it listens."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    #: Where it answers with the bucket of the Accept header.
    bucket_port: int

    def ask(
        self,
        target: str,
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        *,
        method: str = "GET",
        source: str = "127.0.0.1",
    ) -> Answer:
        """Ask for a target as it is written, from an address of this machine."""
        return ask(self.port, target, headers, method=method, source=source)

    def log(self, *, until: str) -> str:
        """Read the access log as soon as `until` is in it: it is written a second late."""
        deadline = time.monotonic() + ASK_S
        while until not in (lines := (self.folder / "access.log").read_text()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{until!r} is not in the log: {lines}")
            time.sleep(0.05)
        return lines


def ask(
    port: int,
    target: str,
    headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
    *,
    method: str = "GET",
    source: str = "127.0.0.1",
) -> Answer:
    """Send one request; http.client leaves the target as it is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ASK_S, source_address=(source, 0))
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items() if isinstance(headers, Mapping) else headers or ():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders()
        answer = connection.getresponse()
        given: dict[str, str] = {}
        for name, value in answer.getheaders():
            # A header that came twice is to be seen.
            given[name.lower()] = f"{given[name.lower()]}, {value}" if name.lower() in given else value
        return Answer(answer.status, given, answer.read())
    finally:
        connection.close()


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    """Change what depends on the machine; a text that is not there any more is a mistake in the test."""
    for before, after in changes.items():
        assert text.count(before) == 1, f"{before!r} is not once in the shipped file"
        text = text.replace(before, after)
    return text


def render(folder: Path, *, upstream_port: int, port: int, bucket_port: int) -> Path:
    """Write the shipped files into `folder` with its paths and these ports; give the main one."""
    cache = folder / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    site = _replaced(
        (SHIPPED / "imgserve.conf").read_text("utf-8"),
        {
            "listen 80 default_server;": f"listen 127.0.0.1:{port} default_server;",
            "/var/cache/nginx/imgserve": str(cache / "imgserve"),
            "/var/log/nginx/access.log": str(folder / "access.log"),
        },
    )
    (folder / "imgserve.conf").write_text(site)
    main = _replaced(
        (SHIPPED / "nginx.conf").read_text("utf-8").replace(" /tmp/", f" {folder}/"),
        {
            # A parameter of nginx 1.27.3, and Docker's DNS.
            "server imgserve:8080 resolve;": f"server 127.0.0.1:{upstream_port};",
            "    resolver 127.0.0.11 valid=5s ipv6=off;\n": "",
            "worker_processes auto;": "worker_processes 1;",
            "/dev/stderr": str(folder / "error.log"),
            "/var/cache/nginx/proxy": str(cache / "proxy"),
        },
    )
    bucket = f'server {{ listen 127.0.0.1:{bucket_port}; return 200 "$imgserve_bucket"; }}'
    main = _replaced(main, {"    include imgserve.conf;\n": f"    include imgserve.conf;\n    {bucket}\n"})
    file = folder / "nginx.conf"
    # A test's folder is its owner's alone: the processes of root's nginx stay root's, and can read it.
    owner = "user root;\n" if Path("/proc/self").stat().st_uid == 0 else ""
    file.write_text(owner + main)
    return file


def command(folder: Path, file: Path, *more: str) -> list[str]:
    assert NGINX is not None, "nginx is missing: scripts/setup --tests installs it"
    # Messages from before the configuration is read go to -e, else to /var/log.
    return [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(file), *more]


@contextlib.contextmanager
def running_nginx(folder: Path, upstream_port: int) -> Iterator[Nginx]:
    """Start nginx in front of 127.0.0.1:`upstream_port`, its files and its cache in `folder`; stop it in the end."""
    port, bucket_port = free_port(), free_port()
    file = render(folder, upstream_port=upstream_port, port=port, bucket_port=bucket_port)
    process = subprocess.Popen(command(folder, file, "-g", "daemon off;"))
    try:
        _wait_for(process, port, folder)
        yield Nginx(process, folder, port, bucket_port)
    finally:
        process.terminate()
        process.wait(timeout=STOP_S)


def _wait_for(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nginx did not start: {(folder / 'error.log').read_text()}")
