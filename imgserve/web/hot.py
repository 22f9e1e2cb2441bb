"""The shortest way to an answer: a known path, whose result is in memory, is sent without being read again.

Verifying, parsing and looking up one URL gives the same answer for as long as its result is kept, fresh and not purged;
so what they gave is remembered under the bytes of the path, and the server's HTTP protocol asks here before it makes a
request of ASGI of them. Nothing is remembered of what depends on the time (URLs that expire) or on more of the request
than its path and `Accept`.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from imgserve.metrics import Hits
from imgserve.ops.delivery import Expires
from imgserve.plan.model import Plan
from imgserve.ports import FastStore
from imgserve.service.entry import MEMORY, Made
from imgserve.web.exchange import Exchange, RawHeaders
from imgserve.web.http import client_address
from imgserve.web.responses import Headers

#: Paths that are remembered, about a kilobyte each beside the results, which belong to the memory tier.
MAX_PATHS: Final = 8192
#: A larger body is sent in pieces, each of which its client has ten seconds to take. Smaller ones go out whole, one for
#: each connection at most, and their clients have twenty for all of it: 13 KB/s.
MAX_BODY_BYTES: Final = 256 * 1024
#: Spellings of Accept that are remembered of one path; browsers have a handful.
_MAX_ACCEPTS: Final = 16
#: A longer Accept is read every time.
_MAX_ACCEPT_BYTES: Final = 512

#: A request with one of these is read in full: its answer may be another, it names itself, or it has a body.
_ODD: Final = frozenset(
    (b"if-modified-since", b"x-request-id", b"content-length", b"transfer-encoding", b"expect", b"upgrade")
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of the answer to one path and one `Accept`."""

    key: str
    #: That of the entry in memory when it was remembered: another there means another answer.
    meta: bytes
    #: Status line and headers.
    head: bytes
    unchanged_head: bytes
    etag: bytes
    fresh_until: float
    #: The path as logs show it.
    shown: str


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer that went well, for the log."""

    shown: str
    status: int
    size: int
    seconds: float
    client: str
    request_id: str
    method: str = "GET"


class LogHit(Protocol):
    """Takes hits one by one, and writes them when it wants to."""

    def __call__(self, hit: Hit) -> None: ...

    def flush(self) -> None: ...


class HotPaths:
    """The table; `changed` is asked before each hit whether something may have been purged."""

    def __init__(
        self,
        *,
        memory: FastStore,
        changed: Callable[[], bool],
        always: RawHeaders,
        log: LogHit | None,
        shown: Callable[[Exchange], str],
    ) -> None:
        self._memory = memory
        self._changed = changed
        self._always = always
        self._log = log
        self._shown = shown
        self._hits = Hits(MEMORY)
        self._paths: OrderedDict[bytes, dict[bytes | None, Answer]] = OrderedDict()
        self._ids = _Ids()

    def answer(self, raw_path: bytes, headers: RawHeaders, peer: str) -> tuple[list[bytes], bytes] | None:
        """Give the head, but for its last empty line, and the body of a GET's answer; None = read it in full."""
        known = self._paths.get(raw_path)
        if known is None:
            return None
        started = time.monotonic()
        asked: dict[bytes, bytes] = dict(headers)
        answer = known.get(None) or known.get(asked.get(b"accept", b""))
        if answer is None or self._changed() or time.time() >= answer.fresh_until or not asked.keys().isdisjoint(_ODD):
            return None
        stored = self._memory.get_now(answer.key)
        if stored is None or stored.meta is not answer.meta:
            return None
        match = asked.get(b"if-none-match")
        if match is None:
            status, head, body = 200, answer.head, stored.body
        elif match == answer.etag:
            status, head, body = 304, answer.unchanged_head, b""
        else:
            return None
        number = self._ids.next()
        seconds = time.monotonic() - started
        self._hits.add(status, len(body), seconds)
        if self._log is not None:
            self._log(Hit(answer.shown, status, len(body), seconds, _client(asked, peer), number))
        return [head, b"x-request-id: ", number.encode(), b"\r\n"], body

    def remember(self, exchange: Exchange, plan: Plan, made: Made, *, key: str, headers: Headers, vary: str) -> None:
        """Note the answer to a request whose result is in memory, if it is the same for every such request."""
        stored = self._memory.peek(key)
        if stored is None or stored.body is not made.picture.data or len(stored.body) > MAX_BODY_BYTES:
            return
        if made.stale or made.draft or plan.get(Expires) is not None or vary not in ("", "Accept"):
            return
        accept = (exchange.header("accept") or "").encode("latin-1") if vary else None
        if accept is not None and len(accept) > _MAX_ACCEPT_BYTES:
            return
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        length = (b"content-length", b"%d" % len(stored.body))
        of_304 = [field for field in fields if field[0] not in _NOT_IN_304]
        answers = self._paths.setdefault(exchange.raw_path, {})
        if len(answers) >= _MAX_ACCEPTS:
            answers.clear()
        answers[accept] = Answer(
            key=key,
            meta=stored.meta,
            head=_head(b"200 OK", [*self._always, *fields, length]),
            unchanged_head=_head(b"304 Not Modified", [*self._always, *of_304]),
            etag=dict(fields).get(b"etag", b""),
            fresh_until=made.fresh_until,
            shown=self._shown(exchange),
        )
        if len(self._paths) > MAX_PATHS:
            self._paths.popitem(last=False)

    def flush(self) -> None:
        """Count the hits since the last time."""
        self._hits.flush()


#: Headers of the picture itself.
_NOT_IN_304: Final = (b"content-type", b"content-disposition", b"x-imgserve-cache")


def _head(status: bytes, fields: RawHeaders) -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(b"%s: %s\r\n" % field for field in fields)


def _client(asked: dict[bytes, bytes], peer: str) -> str:
    if b"x-forwarded-for" in asked or b"cf-connecting-ip" in asked or b"x-real-ip" in asked:
        return client_address(lambda name: asked.get(name.encode(), b"").decode("latin-1") or None, peer)
    return peer


class _Ids:
    """Request ids that cannot be guessed from outside, and cost a counter."""

    def __init__(self) -> None:
        self._stem = secrets.token_urlsafe(12)
        self._count = 0

    def next(self) -> str:
        self._count += 1
        return f"{self._stem}-{self._count:x}"
