"""The shortest way to an answer: a known path, whose result is in memory, is sent without being read again.

Verifying, parsing and looking up one URL gives the same answer for as long as its result is kept, fresh and not purged;
so what they gave is remembered under the bytes of the path, and the server's HTTP protocol asks here before it makes a
request of ASGI of them. Nothing is remembered of what depends on the time (URLs that expire, a time to live that counts
down to what the origin said in Expires) or on more of the request than its path and the formats that it accepts. What
is said here is what the long way says, but for the number of a request that brings none.
"""

from __future__ import annotations

import functools
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from imgserve.metrics import Hits
from imgserve.ops.delivery import Expires
from imgserve.plan.choices import CHOOSE
from imgserve.plan.model import Plan
from imgserve.ports import FastStore
from imgserve.service.entry import MEMORY, Made
from imgserve.service.freshness import KeepingRules, State
from imgserve.web.exchange import Exchange, RawHeaders
from imgserve.web.http import accepted_formats, client_address, plain_request_id
from imgserve.web.responses import Headers

#: All that is remembered, beside the results, which belong to the memory tier: some 3200 answers of 2.5 KB, as many as
#: a memory tier of 64 MiB has results of 20 KB.
MAX_BYTES: Final = 8 * 1024 * 1024
#: What an answer costs beside its bytes: objects and dict slots. Measured with tracemalloc: 720 to 790 bytes.
_OVERHEAD_BYTES: Final = 896
#: A larger body is sent in pieces, each of which its client has ten seconds to take. Smaller ones go out whole, one for
#: each connection at most, and their clients have twenty for all of it: 13 KB/s.
MAX_BODY_BYTES: Final = 256 * 1024
#: Spellings of Accept whose meaning is remembered; browsers have a handful.
_MAX_ACCEPTS: Final = 256
#: A longer Accept is read every time.
_MAX_ACCEPT_BYTES: Final = 512

#: A request with one of these is read in full: its answer may be another, or it has a body.
_ODD: Final = frozenset((b"content-length", b"transfer-encoding", b"expect", b"upgrade"))
#: What is read of others. Where one comes twice, the long way joins both.
_READ: Final = frozenset(
    (
        b"accept", b"if-none-match", b"if-modified-since", b"x-request-id",
        b"x-forwarded-for", b"cf-connecting-ip", b"x-real-ip",
    )
)  # fmt: skip

#: Until when a result is stale, or dead, is the operator's choice; until when it is fresh is not.
_RULES: Final = KeepingRules()


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of the answer to one path, and to one set of accepted formats."""

    key: str
    #: That of the entry in memory when it was remembered: another there means another answer.
    meta: bytes
    #: Status line and headers.
    head: bytes
    unchanged_head: bytes
    #: Empty where ETags are off.
    etag: bytes
    #: Unix times.
    stored_at: float
    fresh_until: float
    #: The path as logs show it.
    shown: str

    @property
    def size(self) -> int:
        """Bytes counted against the bound, but for those of the path."""
        texts = (self.key, self.meta, self.head, self.unchanged_head, self.etag, self.shown)
        return _OVERHEAD_BYTES + sum(map(len, texts))


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


#: Begins a choice, however the colon behind it is spelled; a query counts behind such a path alone.
_CHOICE: Final = f"/{CHOOSE}".encode()


class LogHit(Protocol):
    """Takes hits one by one, and writes them when it wants to."""

    def __call__(self, hit: Hit, /) -> None: ...

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
        #: By path, with the query where that picks among choices; what was used last stands last. Under None the answer
        #: that is the same for all.
        self._paths: OrderedDict[bytes, dict[tuple[str, ...] | None, Answer]] = OrderedDict()
        self._bytes = 0
        self._formats: Callable[[bytes], tuple[str, ...]] = functools.lru_cache(_MAX_ACCEPTS)(_formats)
        self._ids = _Ids()

    def answer(self, target: bytes, headers: RawHeaders, peer: str) -> tuple[list[bytes], bytes] | None:
        """Give the head, but for its last empty line, and the body of a GET's answer; None = read it in full.

        `target` is the path and the query as they were sent.
        """
        path, mark, _ = target.partition(b"?")
        if mark and _CHOICE not in path:
            target = path
        known = self._paths.get(target)
        if known is None:
            return None
        started = time.monotonic()
        asked: dict[bytes, bytes] = dict(headers)
        if not asked.keys().isdisjoint(_ODD) or (len(asked) != len(headers) and _repeats(headers)):
            return None
        answer = self._find(known, asked.get(b"accept", b""))
        if answer is None or self._changed() or not _is_fresh(answer):
            return None
        stored = self._memory.get_now(answer.key)
        if stored is None or stored.meta is not answer.meta:
            return None
        match = asked.get(b"if-none-match")
        if match is None and b"if-modified-since" not in asked:
            status, head, body = 200, answer.head, stored.body
        elif match == answer.etag and match:  # whatever If-Modified-Since says (RFC 9110, 13.2.2)
            status, head, body = 304, answer.unchanged_head, b""
        else:
            return None
        self._paths.move_to_end(target)
        given = asked.get(b"x-request-id")
        number = (plain_request_id(given.decode("latin-1")) if given else "") or self._ids.next()
        seconds = time.monotonic() - started
        self._hits.add(status, len(body), seconds)
        if self._log is not None:
            self._log(Hit(answer.shown, status, len(body), seconds, _client(asked, peer), number))
        return [head, b"x-request-id: ", number.encode(), b"\r\n"], body

    def _find(self, known: dict[tuple[str, ...] | None, Answer], accept: bytes) -> Answer | None:
        if (same_for_all := known.get(None)) is not None or len(accept) > _MAX_ACCEPT_BYTES:
            return same_for_all
        return known.get(self._formats(accept))

    def remember(self, exchange: Exchange, plan: Plan, made: Made, *, key: str, headers: Headers, vary: str) -> None:
        """Note the answer to a request whose result is in memory, if it is the same for every such request."""
        stored = self._memory.peek(key)
        if stored is None or stored.body is not made.picture.data or len(stored.body) > MAX_BODY_BYTES:
            return
        if made.stale or made.draft or vary not in ("", "Accept"):
            return
        if plan.get(Expires) is not None:
            return
        target = _target(exchange, plan)
        if target is None:
            return
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        length = (b"content-length", b"%d" % len(stored.body))
        of_304 = [field for field in fields if field[0] in _IN_304]
        answer = Answer(
            key=key,
            meta=stored.meta,
            head=_head(b"200 OK", [*self._always, *fields, length]),
            unchanged_head=_head(b"304 Not Modified", [*self._always, *of_304]),
            etag=dict(fields).get(b"etag", b""),
            stored_at=made.stored_at,
            fresh_until=made.fresh_until,
            shown=self._shown(exchange),
        )
        self._put(target, accepted_formats(exchange.header("accept") or "") if vary else None, answer)

    def _put(self, target: bytes, formats: tuple[str, ...] | None, answer: Answer) -> None:
        answers = self._paths.pop(target, {})
        self._bytes -= _size(target, answers)
        answers[formats] = answer
        self._paths[target] = answers
        self._bytes += _size(target, answers)
        while self._bytes > MAX_BYTES:
            self._bytes -= _size(*self._paths.popitem(last=False))

    def flush(self) -> None:
        """Count the hits since the last time."""
        self._hits.flush()


#: Headers that a picture and a 304 for it share; others are of the picture itself.
_IN_304: Final = frozenset((b"cache-control", b"x-accel-expires", b"last-modified", b"vary", b"accept-ch", b"etag"))


def _target(exchange: Exchange, plan: Plan) -> bytes | None:
    """Give what names the answer; None = what the query says beside its picks would make a name for each nonsense."""
    if plan.picked is None:
        return exchange.raw_path
    if exchange.query != plan.picked.encode("latin-1"):
        return None
    return exchange.raw_path + b"?" + exchange.query if exchange.query else exchange.raw_path


def _is_fresh(answer: Answer) -> bool:
    state = _RULES.state(stored_at=answer.stored_at, fresh_until=answer.fresh_until, now=time.time())
    return state is State.FRESH


def _repeats(headers: RawHeaders) -> bool:
    read = [name for name, _ in headers if name in _READ]
    return len(read) != len(set(read))


def _formats(accept: bytes) -> tuple[str, ...]:
    return accepted_formats(accept.decode("latin-1"))


def _size(target: bytes, answers: dict[tuple[str, ...] | None, Answer]) -> int:
    return len(target) + sum(answer.size for answer in answers.values())


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
