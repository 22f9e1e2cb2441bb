"""One Redis server asked within a time: pool, time bound and circuit breaker of store, locks and bulletin."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Literal

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from imgserve.ports import StoreError

#: Connections of one pool: an operation holds one for about 0.2 ms, so more of them only wait for the event loop.
CONNECTIONS: Final = 16
#: Bound of one round trip that no request waits for: purges, news, and writes after the answer has gone.
UNHURRIED_S: Final = 1.0
#: For so long after a failure nobody asks; then one operation tries, so an outage costs one time-out a second.
PAUSE_S: Final = 1.0
#: A time-out found so much later than it was due says that this process was busy, and nothing about Redis.
LATE_FACTOR: Final = 2

#: Of what Redis says, for messages.
LONGEST_WORDS: Final = 200
DEFAULT_PORT: Final = 6379

#: What an operation does while Redis counts as broken: try it when the pause is over, leave it to others, try anyway.
WhenBroken = Literal["probe", "refuse", "insist"]


class RedisRefusesError(StoreError):
    """Redis has answered, and did not do what it was asked."""


class Pool(BlockingConnectionPool):
    """A pool that connects in tasks of its own.

    With TLS or far away, connecting takes longer than an operation may (TLS on loopback: 70 to 130 ms). Were it given
    up with the operation that began it, nobody would ever be connected; it goes on, and the next one finds it done.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        #: Where the server is, for messages; without user and password.
        self.address = _address(options)
        self._connecting: dict[AbstractConnection, asyncio.Task[RedisError | OSError | None]] = {}

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        connecting = self._connecting.get(connection)
        if connecting is None and not connection.is_connected:
            connecting = asyncio.create_task(self._connect(connection))
            self._connecting[connection] = connecting
        if connecting is not None and (failure := await asyncio.shield(connecting)):
            raise failure
        await super().ensure_connection(connection)

    async def aclose(self) -> None:
        for connecting in tuple(self._connecting.values()):
            connecting.cancel()
            await asyncio.wait([connecting])
        await super().aclose()

    async def _connect(self, connection: AbstractConnection) -> RedisError | OSError | None:
        """Give the failure as a value: who waited for it may have left, and asyncio logs what nobody retrieves."""
        try:
            async with asyncio.timeout(UNHURRIED_S):
                await connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as exc:
            return exc
        else:
            return None
        finally:
            del self._connecting[connection]


def make_pool(url: str, *, connections: int = CONNECTIONS) -> Pool:
    """Read the URL (redis, rediss, unix; redis-py's query options) into a pool that connects when it is asked.

    Raises ValueError, without the URL, which has a password.
    """
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError:
        raise ValueError("The Redis URL cannot be read: redis://user:password@host:port/database is one.") from None
    options |= {
        "max_connections": connections,
        "decode_responses": False,
        # RESP3 would cost three more round trips for each connection, and its push messages nobody reads.
        "protocol": 2,
        "driver_info": None,
        # One bound over everything is in `asking`; redis-py's own would be per step, and its retries on top.
        "timeout": None,
        "socket_timeout": None,
        "socket_connect_timeout": None,
        "retry": Retry(NoBackoff(), 0),
    }
    return Pool(**options)


def explain(address: str, wrong: Exception) -> str:
    """Say in a sentence what went wrong with Redis, without what it was asked."""
    code = getattr(wrong, "status_code", None)
    if code == "WRONGPASS":
        return f"Redis at {address} refuses the password."
    if code == "NOAUTH":
        return f"Redis at {address} asks for a password."
    if code is not None or isinstance(wrong, ResponseError):
        return f"Redis at {address} refuses: {_words(wrong)}."
    return f"Redis at {address} cannot be reached ({_reason(wrong)})."


class RedisLink:
    """A pool of connections, and what is known of the health of the server behind it."""

    def __init__(self, url: str, *, connections: int = CONNECTIONS) -> None:
        self.pool = make_pool(url, connections=connections)
        self.client = Redis(connection_pool=self.pool)
        self.address = self.pool.address
        self._broken = False
        self._failure = ""
        self._probing = False
        self._retry_at = 0.0
        self._answered_at = 0.0
        self._asking = 0
        self._idle = asyncio.Event()
        self._closed = False

    @contextlib.asynccontextmanager
    async def asking(self, within_s: float, *, when_broken: WhenBroken = "probe") -> AsyncIterator[None]:
        """Bound what the block asks of Redis, connecting included. Raises StoreError for all that goes wrong there.

        A RedisRefusesError says that Redis did not do it; after any other, it may yet do what it was sent.
        """
        started = asyncio.get_running_loop().time()
        probing = self._enter(started, when_broken)
        self._asking += 1
        try:
            async with asyncio.timeout(within_s):
                yield
        except ResponseError as exc:  # it refuses (memory is full, no permission), so it lives
            self._broken = False
            raise RedisRefusesError(explain(self.address, exc)) from exc
        except TimeoutError as exc:
            # Others were answered while this one waited: then there is a crowd here, and Redis is well.
            crowded = self._answered_at > started
            failure = f"Redis at {self.address} did not answer within {within_s:g} s."
            if not crowded and asyncio.get_running_loop().time() - started < LATE_FACTOR * within_s:
                self._break(failure)
            raise StoreError(failure) from exc
        except (RedisError, OSError) as exc:
            failure = explain(self.address, exc)
            self._break(failure)
            raise StoreError(failure) from exc
        else:
            self._broken = False
            self._answered_at = asyncio.get_running_loop().time()
        finally:
            self._probing = self._probing and not probing
            self._asking -= 1
            if not self._asking:
                self._idle.set()

    async def close(self) -> None:
        """Refuse what is new, wait for what is being asked (it is bounded), give back the connections."""
        self._closed = True
        while self._asking:
            self._idle.clear()
            await self._idle.wait()
        await disconnect(self.pool)

    def _enter(self, now: float, when_broken: WhenBroken) -> bool:
        """Let an operation through, or raise StoreError; True makes it the one that tries for all."""
        if self._closed:
            raise StoreError("This connection to Redis is closed.")
        if not self._broken or when_broken == "insist":
            return False
        if when_broken == "refuse" or self._probing or now < self._retry_at:
            raise StoreError(f"Redis is left alone for a second after a failure: {self._failure}")
        self._probing = True
        return True

    def _break(self, failure: str) -> None:
        self._broken = True
        self._failure = failure
        self._retry_at = asyncio.get_running_loop().time() + PAUSE_S


async def disconnect(pool: Pool) -> None:
    """Close all connections; one whose last bytes a hung server does not take is left to the system."""
    with contextlib.suppress(RedisError, OSError):
        async with asyncio.timeout(UNHURRIED_S):
            await pool.aclose()


def _address(options: Mapping[str, Any]) -> str:
    database = options.get("db") or 0
    if path := options.get("path"):
        return f"{path}/{database}"
    host = options.get("host") or "localhost"
    return f"{f'[{host}]' if ':' in host else host}:{options.get('port') or DEFAULT_PORT}/{database}"


def _words(wrong: BaseException) -> str:
    # Of a command that it does not know, Redis repeats the arguments: a password, an image.
    text = str(wrong).partition(", with args beginning with")[0]
    return " ".join(text.split())[:LONGEST_WORDS].rstrip(".")


def _reason(wrong: Exception) -> str:
    """Give the system's word for it, where redis-py has wrapped it; its own sentences repeat the address."""
    found: BaseException | None = wrong
    while found is not None and not isinstance(found, OSError):
        found = found.__cause__ or found.__context__
    if isinstance(found, OSError) and found.errno and found.errno > 0 and not isinstance(found, ssl.SSLError):
        return os.strerror(found.errno).lower()
    return _words(found or wrong) or "no answer in time"
