"""The floor: the least that a Python web server can put around the raw loop; no URL, no checks, no headers, no log.

Run as `python -m bench.floor PHOTO PORT`. What it loses against the raw loop no change of our own code can win back.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn

from bench.cases import CASES, Case
from bench.load import HOST
from bench.raw import configure, render

Message = MutableMapping[str, Any]


class BareApp:
    """An ASGI app whose path ends in a format's name: reads the photo and renders it in its one thread."""

    def __init__(self, photo: Path) -> None:
        self._photo = photo
        self._cases = {case.format: case for case in CASES}
        self._work: queue.SimpleQueue[tuple[Case, asyncio.Future[bytes]]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            case, future = self._work.get()
            body = render(self._photo.read_bytes(), case)
            future.get_loop().call_soon_threadsafe(future.set_result, body)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        _receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        case = self._cases[scope["path"].rpartition("/")[2]]
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._work.put((case, future))
        body = await future
        headers = [(b"content-type", case.content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    configure()
    uvicorn.run(
        BareApp(Path(sys.argv[1])),
        host=HOST,
        port=int(sys.argv[2]),
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
