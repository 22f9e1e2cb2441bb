"""Locks in Redis: between real processes, past dead holders, and with a server that stops or hangs."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from imgserve.adapters.locks.redis import RedisLocks
from tests.adapters.redis_server import RedisServer

KEY = "k" * 64
LOCK = f"imgserve:lock:{KEY}"
#: The time-out of tests about time-outs; the others wait longer than a starved machine needs.
TIMEOUT_S, PATIENT_S = 0.2, 2.0
#: What a busy machine may add to a time before a test calls it late.
GRACE_S = 0.7


@asynccontextmanager
async def opened(url: str, *, lease_s: float = 5.0, timeout_s: float = PATIENT_S) -> AsyncIterator[RedisLocks]:
    locks = RedisLocks(url, timeout_s=timeout_s, lease_s=lease_s)
    try:
        yield locks
    finally:
        await locks.close()


@pytest.fixture
async def locks(redis_server: RedisServer) -> AsyncIterator[RedisLocks]:
    async with opened(redis_server.url) as locks:
        yield locks


@pytest.fixture
async def hurried(redis_server: RedisServer) -> AsyncIterator[RedisLocks]:
    async with opened(redis_server.url, timeout_s=TIMEOUT_S) as locks:
        yield locks


@contextmanager
def other_process(url: str, lease_s: float) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock in a process of its own, until a line comes on its standard input."""
    program = """
        import asyncio, sys
        from imgserve.adapters.locks.redis import RedisLocks
        async def main():
            locks = RedisLocks(sys.argv[1], timeout_s=1, lease_s=float(sys.argv[2]))
            async with locks.hold(sys.argv[3], wait_s=5) as held:
                print(held, flush=True)
                await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
            await locks.close()
        asyncio.run(main())
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), url, str(lease_s), KEY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "True\n"
            yield process
        finally:
            process.kill()


async def taken(locks: RedisLocks, wait_s: float = 0.0) -> bool:
    async with locks.hold(KEY, wait_s=wait_s) as held:
        return held


async def test_one_key_is_held_once_in_a_process(locks: RedisLocks) -> None:
    inside, most = 0, 0

    async def work() -> bool:
        nonlocal inside, most
        async with locks.hold(KEY, wait_s=10) as held:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.002)
            inside -= 1
            return held

    assert all(await asyncio.gather(*(work() for _ in range(10))))
    assert most == 1


async def test_another_key_is_free(locks: RedisLocks) -> None:
    async with locks.hold(KEY, wait_s=0), locks.hold("other", wait_s=0) as held:
        assert held


async def test_a_lock_that_is_not_had_in_time_is_not_held(locks: RedisLocks) -> None:
    async with locks.hold(KEY, wait_s=0) as held:
        assert held
        started = time.monotonic()
        assert not await taken(locks, 0.1)
        assert 0.1 <= time.monotonic() - started < 0.1 + GRACE_S
        assert not await taken(locks)
    assert await taken(locks)


async def test_a_lock_is_given_back_when_the_block_fails(locks: RedisLocks) -> None:
    with pytest.raises(ZeroDivisionError):
        async with locks.hold(KEY, wait_s=0):
            raise ZeroDivisionError
    assert await taken(locks)


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_a_cancelled_holder_gives_the_lock_back(locks: RedisLocks, cancellations: int) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with locks.hold(KEY, wait_s=0):
            entered.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(work())
    await entered.wait()
    for _ in range(cancellations):
        holder.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([holder])
    assert holder.cancelled()
    assert await taken(locks, 1)


async def test_a_cancelled_waiter_leaves_no_lock(locks: RedisLocks, redis_server: RedisServer) -> None:
    for turns in range(12):  # at each step of connecting, asking and being answered
        waiter = asyncio.create_task(taken(locks, 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait([waiter])
        assert await taken(locks, 1)
    await locks.close()
    with redis_server.client() as client:
        assert not client.exists(LOCK)


async def test_a_process_excludes_another_until_it_is_done(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as locks:
        with other_process(redis_server.url, 5) as other:
            assert not await taken(locks, 0.1)
            waiting = asyncio.create_task(taken(locks, 5))
            other.communicate("done\n")
            left = time.monotonic()
            assert await waiting
            assert time.monotonic() - left < GRACE_S
            assert other.returncode == 0


async def test_a_killed_holder_delays_the_others_by_its_lease(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as locks:
        with other_process(redis_server.url, 0.5) as other:
            other.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            assert await taken(locks, 5)
            assert time.monotonic() - killed < 0.5 + GRACE_S


async def test_a_lease_is_renewed_while_the_lock_is_held(redis_server: RedisServer) -> None:
    async with opened(redis_server.url, lease_s=0.45) as locks, opened(redis_server.url) as others:
        async with locks.hold(KEY, wait_s=0) as held:
            assert held
            assert not await taken(others, 0.9)
        assert await taken(others)


async def test_a_holder_whose_lease_was_lost_leaves_the_next_its_lock(redis_server: RedisServer) -> None:
    async with opened(redis_server.url, lease_s=0.15) as locks:
        with redis_server.client() as client:
            async with locks.hold(KEY, wait_s=0):
                client.set(LOCK, "another's", px=60_000)
                await asyncio.sleep(0.1)  # a renewal, at a third of the lease
                left_ms: Any = client.pttl(LOCK)
                assert left_ms > 50_000
            assert client.get(LOCK) == b"another's"


async def test_a_stopped_server_is_no_lock_at_once(hurried: RedisLocks, redis_server: RedisServer) -> None:
    async with hurried.hold(KEY, wait_s=0) as held:
        assert held
        redis_server.stop()
        started = time.monotonic()
        assert not await taken(hurried, 10)
        assert not await taken(hurried, 10)
        assert time.monotonic() - started < 2 * TIMEOUT_S + GRACE_S
        leaving = time.monotonic()
    assert time.monotonic() - leaving < TIMEOUT_S + GRACE_S


async def test_a_waiter_gives_up_when_the_server_goes(hurried: RedisLocks, redis_server: RedisServer) -> None:
    async with hurried.hold(KEY, wait_s=0):
        waiting = asyncio.create_task(taken(hurried, 10))
        await asyncio.sleep(0.02)
        redis_server.stop()
        async with asyncio.timeout(TIMEOUT_S * 2 + GRACE_S):
            assert not await waiting


async def test_a_hung_server_is_no_lock_within_the_time(hurried: RedisLocks, redis_server: RedisServer) -> None:
    async with hurried.hold(KEY, wait_s=0):
        with redis_server.paused():
            started = time.monotonic()
            assert not any(await asyncio.gather(*(taken(hurried, 10) for _ in range(20))))
            assert time.monotonic() - started < TIMEOUT_S + GRACE_S
            assert not await taken(hurried, 10)
