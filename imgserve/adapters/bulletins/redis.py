"""Purges told to a fleet: a Redis stream that a task of each process reads as it grows.

A process can serve stale entries from its memory only while it is cut off from Redis. When it is back it goes on behind
the last message it has read if it can prove that none is missing: the server process is the same, and that message is
still in the stream, so nothing behind it was trimmed. If not, its news is EVERYTHING.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from imgserve.adapters.redis_client import UNHURRIED_S, RedisLink, disconnect, explain, make_pool
from imgserve.ports import EVERYTHING, Selector

#: Messages that the stream keeps, about: so many a process may be behind.
KEPT_MESSAGES: Final = 1000
#: A read waits so long on the server; then the stream is checked, so a deleted one or a dead server is noticed.
BLOCK_S: Final = 1.0
#: Between attempts to connect.
FIRST_PAUSE_S: Final = 0.02
LONGEST_PAUSE_S: Final = 1.0

_LOG = logging.getLogger(__name__)

#: The fields of a message, and the one of a mark: something to remember the place by in a stream that was empty.
_LABEL, _PREFIX, _MARK = b"label", b"prefix", b"mark"

Place = tuple[int, int]


class RedisBulletin:
    """A bulletin in a Redis stream; see ports.Bulletin. Await `start` before the first entry is kept in memory."""

    def __init__(self, url: str, *, timeout_s: float = 0.05, prefix: str = "imgserve") -> None:
        self._link = RedisLink(url, connections=2)
        self._pool = make_pool(url, connections=1)
        self._reader = Redis(connection_pool=self._pool)
        self.stream = f"{prefix}:bulletin"
        self._timeout_s = timeout_s
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Condition()
        #: Behind which message to read on; None until the first connection.
        self._place: Place | None = None
        self._server = b""
        #: Nobody could listen when `start` returned, so what was published since then may be missing.
        self._late = False
        self._news: list[Selector] = []
        self._changed = True

    async def start(self, *, within_s: float = UNHURRIED_S) -> None:
        """Begin to listen. What is published after this has returned will be news, or EVERYTHING will."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name="redis-bulletin")
            self._changed = False
        if self._place is not None or self._late:
            return
        try:
            await self._reaches((0, 0), within_s)
        finally:  # who is cancelled may go on to keep entries too
            self._late = self._place is None

    async def publish(self, selector: Selector) -> None:
        await self.start()
        label = selector.label.encode("utf-8", "surrogatepass")
        async with self._link.asking(max(UNHURRIED_S, self._timeout_s), when_broken="insist"):
            written: Any = await self._link.client.xadd(
                self.stream, {_LABEL: label, _PREFIX: int(selector.prefix)}, maxlen=KEPT_MESSAGES, approximate=True
            )
        # This process must know when the purge is answered, though its own connection for reading may be down.
        if not await self._reaches(_place(written), self._timeout_s):
            self._tell([selector])

    def heard(self) -> str:
        """Give the last message that was read, as Redis names it."""
        return _text(self._place or (0, 0))

    def changed(self) -> bool:
        return self._changed

    async def news(self) -> Sequence[Selector]:
        """See ports.Bulletin. What a cancelled caller was not given, the next one is."""
        await self.start(within_s=self._timeout_s)
        # From here on nothing waits, so that it is either given or still there.
        news, self._news, self._changed = self._news, [], False
        return news

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await disconnect(self._pool)
        await self._link.close()

    async def _listen(self) -> None:
        """Read for ever; whatever goes wrong is a reason to connect again."""
        pause_s, connected = FIRST_PAUSE_S, True
        while True:
            try:
                async with asyncio.timeout(UNHURRIED_S):
                    await self._join()
                if not connected:
                    _LOG.info("The bulletin in Redis at %s is read again.", self._link.address)
                pause_s, connected = FIRST_PAUSE_S, True
                while True:
                    await self._read()
            except Exception as exc:  # noqa: BLE001 - a listener that has died would be purged images for ever
                expected = isinstance(exc, RedisError | OSError)
                if connected or not expected:
                    reason = explain(self._link.address, exc)
                    _LOG.warning("The bulletin cannot be read. %s", reason, exc_info=None if expected else exc)
                connected = False
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _join(self) -> None:
        """Find the place to read on from, on a new connection."""
        server = await self._server_id()
        if self._place is not None and server == self._server and await self._remembers(self._place):
            return
        missed = self._place is not None or self._late
        self._server = server
        await self._count_anew(missed=missed)

    async def _read(self) -> None:
        """Wait for messages behind the place and tell them; then see whether any were trimmed unread."""
        before = self._place or (0, 0)
        async with asyncio.timeout(BLOCK_S + UNHURRIED_S):
            reply: Any = await self._reader.xread(
                {self.stream: _text(before)}, count=KEPT_MESSAGES, block=round(BLOCK_S * 1000)
            )
            messages = reply[0][1] if reply else []
            if messages:
                self._tell([one for _, fields in messages for one in _selectors(fields)])
                await self._move(_place(messages[-1][0]))
            if not await self._remembers(before):
                await self._count_anew(missed=True)

    async def _count_anew(self, *, missed: bool) -> None:
        """Take the end of the stream for the place; an empty one is given a mark, to know it by later."""
        last: Any = await self._reader.xrevrange(self.stream, count=1)
        identity: Any = last[0][0] if last else await self._reader.xadd(self.stream, {_MARK: b""})
        if missed:
            self._tell([EVERYTHING])
        await self._move(_place(identity))

    async def _remembers(self, place: Place) -> bool:
        """Tell whether the stream has this message: it is trimmed from its old end, so then it has all after it."""
        return bool(await self._reader.xrange(self.stream, _text(place), _text(place), count=1))

    async def _server_id(self) -> bytes:
        """Identify the server process: one that was started again may have lost its last second of messages."""
        try:
            facts: Any = await self._reader.info("server")
            return str(facts["run_id"]).encode()
        except (ResponseError, KeyError):  # INFO is not for us there: each connection counts as one to a new server
            return os.urandom(16)

    def _tell(self, selectors: Sequence[Selector]) -> None:
        news = [*self._news, *selectors]
        # Nobody asks, as in a process without a memory tier: the list must not grow for ever.
        self._news = [EVERYTHING] if EVERYTHING in news or len(news) > KEPT_MESSAGES else news
        self._changed = self._changed or bool(self._news)

    async def _move(self, place: Place) -> None:
        async with self._moved:
            self._place = place
            self._moved.notify_all()

    async def _reaches(self, place: Place, within_s: float) -> bool:
        """Wait until everything up to this message is told; False when that takes too long."""
        try:
            async with asyncio.timeout(within_s), self._moved:
                return await self._moved.wait_for(lambda: self._place is not None and self._place >= place)
        except TimeoutError:
            return False


def _place(identity: bytes) -> Place:
    """Read a message's identity, such as 1700000000000-0, into what sorts."""
    milliseconds, _, count = identity.partition(b"-")
    return int(milliseconds), int(count)


def _text(place: Place) -> str:
    return f"{place[0]}-{place[1]}"


def _selectors(fields: Mapping[bytes, bytes]) -> list[Selector]:
    """Read a message; one that another version wrote may mean anything."""
    if _MARK in fields:
        return []
    try:
        return [Selector(fields[_LABEL].decode("utf-8", "surrogatepass"), prefix=bool(int(fields[_PREFIX])))]
    except (LookupError, ValueError):
        return [EVERYTHING]
