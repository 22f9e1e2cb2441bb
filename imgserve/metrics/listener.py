"""A port of its own for the page, in the process that starts the serving ones."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from imgserve.metrics.exposition import page

#: A client that says nothing for so long is left; a thread waits for it.
_TIMEOUT_S: Final = 10.0


@contextmanager
def serving_page(listener: socket.socket, namespace: str, folder: Path) -> Iterator[None]:
    """Answer each GET on an open port with the page, in threads, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S

        def do_GET(self) -> None:
            made = page(namespace, self.headers.get("Accept", ""), folder=folder)
            self.send_response(200)
            self.send_header("Content-Type", made.content_type)
            self.send_header("Content-Length", str(len(made.body)))
            self.end_headers()
            self.wfile.write(made.body)

        def log_message(self, format: str, *args: object) -> None:
            """Write no line: it would be one for each scrape."""

    server = ThreadingHTTPServer(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
