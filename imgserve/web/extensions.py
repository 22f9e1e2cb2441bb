"""What the HTTP protocol of our own server and the app know of each other; light, as the watching process reads it."""

from __future__ import annotations

from typing import Final, Protocol

#: ASGI extension: its "abort" drops the connection with all that waits to be sent.
ABORT: Final = "imgserve.abort"


class KnownAnswers(Protocol):
    """Answers that need no reading of the request; the app has them in `state.hot`, see web.hot."""

    def answer(
        self, target: bytes, headers: list[tuple[bytes, bytes]], peer: str
    ) -> tuple[list[bytes], bytes] | None: ...
