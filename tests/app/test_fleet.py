"""Servers of several processes before one origin: one fetch, one render, whoever dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from imgserve.plan.signing import Signer, key_pairs
from tests.adapters.redis_server import RedisServer, running_redis
from tests.running import KEY, SALT, Running, running_server
from tests.web.origin import Origin, picture, running_origin

SIGNER = Signer(pairs=key_pairs([KEY], [SALT]))


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_redis(folder) as server:
        yield server


@contextlib.contextmanager
def instances(folder: Path, count: int, **settings: str) -> Iterator[list[Running]]:
    """Start servers of two processes each, every one with a cache folder of its own."""
    with contextlib.ExitStack() as stack:
        made = []
        for number in range(count):
            own = folder / f"server-{number}"
            own.mkdir()
            given = {
                "KEY": KEY,
                "SALT": SALT,
                "WORKERS": "2",
                "RENDER_THREADS": "1",
                "ALLOW_LOOPBACK_SOURCE_ADDRESSES": "1",
                "CACHE_PATH": str(own / "cache"),
                **settings,
            }
            environ = {f"IMGSERVE_{name}": value for name, value in given.items()}
            made.append(stack.enter_context(running_server(own, environ)))
        yield made


async def ask(server: Running, path: str) -> httpx.Response:
    """Ask on a connection of its own, so that the processes share the requests out."""
    async with httpx.AsyncClient(timeout=30, verify=False) as client:  # noqa: S501 - plain HTTP; reading the trusted roots takes 20 ms each time
        return await client.get(f"{server.url}/{SIGNER.sign(path)}{path}")


async def flood(servers: list[Running], path: str, *, count: int = 100) -> list[httpx.Response]:
    return await asyncio.gather(*(ask(servers[number % len(servers)], path) for number in range(count)))


async def test_two_servers_that_share_a_redis_fetch_and_render_once(tmp_path: Path, redis: RedisServer) -> None:
    settings = {"CACHE": "memory,redis", "REDIS_URL": redis.url, "REDIS_TIMEOUT": "2"}
    async with running_origin() as origin:
        gate = asyncio.Event()
        origin.at["/a.jpg"] = picture(etag='"1"')
        origin.at["/a.jpg"].gate = gate
        with instances(tmp_path, 2, **settings) as servers:
            path = f"/w:20/plain/{origin.base}/a.jpg"
            answers = asyncio.create_task(flood(servers, path))
            await origin.arrived.wait()
            await asyncio.sleep(0.3)  # not for the test to pass: the later the gate opens, the more requests wait
            gate.set()
            _check(await answers, origin)


async def test_the_processes_of_one_machine_fetch_and_render_once(tmp_path: Path) -> None:
    async with running_origin() as origin:
        gate = asyncio.Event()
        origin.at["/a.jpg"] = picture(etag='"1"')
        origin.at["/a.jpg"].gate = gate
        with instances(tmp_path, 1, CACHE="memory,disk") as servers:
            path = f"/w:20/plain/{origin.base}/a.jpg"
            answers = asyncio.create_task(flood(servers, path))
            await origin.arrived.wait()
            await asyncio.sleep(0.3)
            gate.set()
            _check(await answers, origin)


def _check(answers: list[httpx.Response], origin: Origin) -> None:
    how = Counter(answer.headers["x-imgserve-cache"] for answer in answers)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert how["miss"] == 1
    assert len(origin.asked) == 1


async def test_a_killed_maker_delays_the_others_by_its_lease_at_most(tmp_path: Path, redis: RedisServer) -> None:
    lease_s = 1.5
    settings = {"CACHE": "memory,redis", "REDIS_URL": redis.url, "REDIS_TIMEOUT": "2", "LOCK_LEASE": str(lease_s)}
    async with running_origin() as origin:
        origin.at["/a.jpg"] = picture()
        origin.at["/a.jpg"].gate = asyncio.Event()
        with instances(tmp_path, 2, **settings) as servers:
            path = f"/w:20/plain/{origin.base}/a.jpg"
            first = asyncio.create_task(ask(servers[0], path))
            await origin.arrived.wait()
            second = asyncio.create_task(ask(servers[1], path))
            await asyncio.sleep(0.2)  # it waits for the lock by now
            origin.at["/a.jpg"] = picture()
            for pid in _workers(servers[0]):
                os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            answer = await second
            assert answer.status_code == 200
            assert time.monotonic() - began < 2 * lease_s + 1
            with pytest.raises(httpx.HTTPError):
                await first


def _workers(server: Running) -> list[int]:
    """Give the serving processes, not the one that tracks what spawned processes share."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_a_redis_that_stops_and_comes_back_costs_no_answer(tmp_path: Path, redis: RedisServer) -> None:
    async with running_origin() as origin:
        for number in range(30):
            origin.at[f"/{number}.jpg"] = picture(etag='"1"')
        with instances(tmp_path, 1, CACHE="memory,redis", REDIS_URL=redis.url) as (server,):
            paths = [f"/w:20/plain/{origin.base}/{number}.jpg" for number in range(30)]
            for path in paths[:10]:
                assert (await ask(server, path)).status_code == 200
            redis.stop()
            for path in paths[5:20]:
                began = time.monotonic()
                assert (await ask(server, path)).status_code == 200
                assert time.monotonic() - began < 3
            redis.start()
            for path in paths[15:]:
                assert (await ask(server, path)).status_code == 200
            async with asyncio.timeout(20):
                while not await _stores(redis, server, paths[-1]):
                    pass


async def _stores(redis: RedisServer, server: Running, path: str) -> bool:
    """Ask for another picture, and tell whether its result arrives in Redis."""
    await ask(server, path.replace("w:20", f"w:{20 + int(time.monotonic() * 1000) % 500}"))
    with redis.client() as client:
        return bool(client.dbsize())
