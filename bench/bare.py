"""The bar of hits: a bare ASGI app under uvicorn that sends bytes it has, with headers it has, for a path it knows.

Run as `python -m bench.bare FOLDER PORT`: of each `<name>.json` (`{"headers": [[name, value], …]}`) and `<name>.body`
in the folder it answers /<name>. No routes, no checks, no log: what a cache in Python cannot be faster than.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn

from bench.ask import Whole
from bench.load import HOST

Message = MutableMapping[str, Any]
Known = tuple[Message, Message]


def keep(folder: Path, name: str, answer: Whole) -> None:
    """Write an answer for the app; uvicorn adds `date` by itself, as it does to the original."""
    folder.mkdir(parents=True, exist_ok=True)
    headers = [field for field in answer.headers if field[0] != "date"]
    (folder / f"{name}.json").write_text(json.dumps({"headers": headers}))
    (folder / f"{name}.body").write_bytes(answer.body)


def _known(facts: Path) -> Known:
    headers = [(name.encode(), value.encode()) for name, value in json.loads(facts.read_text())["headers"]]
    return (
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": facts.with_suffix(".body").read_bytes()},
    )


class KnownAnswers:
    """The ASGI app."""

    def __init__(self, folder: Path) -> None:
        self._answers = {f"/{facts.stem}": _known(facts) for facts in folder.glob("*.json")}

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        _receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        start, body = self._answers[scope["path"]]
        await send(start)
        await send(body)


if __name__ == "__main__":
    uvicorn.run(
        KnownAnswers(Path(sys.argv[1])),
        host=HOST,
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
