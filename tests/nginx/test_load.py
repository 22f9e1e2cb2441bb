"""Many requests at once, and a server that is gone."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.nginx.proxy import ask, running_nginx
from tests.nginx.stack import fresh, running_stack, settings_of, signed, until
from tests.running import free_port, running_server
from tests.web.pictures import jpeg


class _Counting(BaseHTTPRequestHandler):
    """An upstream that counts, and answers when it is told to."""

    protocol_version = "HTTP/1.1"
    gate: threading.Event
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.gate.wait(10)
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"bytes")

    def log_message(self, *_: object) -> None:
        pass


def test_fifty_cold_requests_are_one_upstream(tmp_path: Path) -> None:
    class Handler(_Counting):
        gate = threading.Event()
        asked: list[str] = []  # noqa: RUF012 - http.server makes an object for each connection

    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    try:
        with running_nginx(tmp_path, upstream.server_port) as nginx, contextlib.ExitStack() as open_:
            sockets = [
                open_.enter_context(socket.create_connection(("127.0.0.1", nginx.port), timeout=20)) for _ in range(50)
            ]
            for one in sockets:
                one.sendall(b"GET /x/one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            # nginx' one process takes requests in turn: when it has answered this one it has read those.
            assert ask(nginx.bucket_port, "/").status == 200
            Handler.gate.set()
            with ThreadPoolExecutor(50) as pool:
                heads = list(pool.map(_all_of, sockets))
        assert all(head.endswith(b"bytes") for head in heads)
        assert Handler.asked == ["/x/one"]
    finally:
        upstream.shutdown()
        upstream.server_close()


def _all_of(one: socket.socket) -> bytes:
    return b"".join(iter(lambda: one.recv(65_536), b""))


def test_what_is_known_is_served_while_the_server_is_down_and_renewed_after(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.jpg").write_bytes(jpeg())
    port = free_port()
    given_ = {**settings_of(root), "IMGSERVE_BIND": f"127.0.0.1:{port}", "IMGSERVE_PROXY_TTL": "1", "IMGSERVE_TTL": "1"}
    url = fresh()
    with running_nginx(tmp_path / "nginx", port) as nginx:
        with running_server(tmp_path, given_) as server:
            first = nginx.ask(url)
            assert (first.status, first.proxy) == (200, "MISS")
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(20)
        old = until(nginx, url, "STALE")
        assert (old.status, old.body) == (200, first.body)
        unknown = nginx.ask(fresh())
        assert (unknown.status, unknown.headers["cache-control"]) == (503, "no-store")
        assert unknown.headers["retry-after"]
        assert unknown.headers["content-type"] == "text/plain"
        with running_server(tmp_path, given_):
            renewed = until(nginx, url, "REVALIDATED")
            assert (renewed.status, renewed.body) == (200, first.body)
            assert nginx.ask(fresh()).status == 200


def test_a_url_that_expires_is_not_served_when_the_server_is_down(tmp_path: Path) -> None:
    """Else nginx would go on serving it past its expiry: what stands in has no end."""
    with running_stack(tmp_path) as stack:
        url = signed(f"/exp:{int(time.time()) + 1000}/w:40/plain/local:///a.jpg")
        assert [(answer.status, answer.proxy) for answer in (stack.ask(url), stack.ask(url))] == [(200, "MISS")] * 2
        stack.process.send_signal(signal.SIGTERM)
        stack.process.wait(20)
        assert stack.ask(url).status == 503


def test_an_answer_that_was_confirmed_is_asked_for_again_as_soon(tmp_path: Path) -> None:
    """Else a purge would not reach nginx after the first 304: that has to bring its own X-Accel-Expires."""
    with running_stack(tmp_path, IMGSERVE_PROXY_TTL="1") as stack:
        url = fresh()
        assert stack.ask(url).proxy == "MISS"
        until(stack.nginx, url, "REVALIDATED")
        assert until(stack.nginx, url, "HIT").status == 200
        until(stack.nginx, url, "REVALIDATED")
