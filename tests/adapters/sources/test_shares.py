"""One origin's part of the connection pool."""

from __future__ import annotations

import asyncio

import pytest

from imgserve.adapters.sources.http import HttpLimits
from imgserve.adapters.sources.shares import OriginShares
from imgserve.errors import SourceTimeout
from tests.adapters.sources.conftest import Web, reply
from tests.adapters.sources.test_http import hang, http

SLOW = ("http", "slow.test", None)
OTHER = ("http", "slow.test", 8080)


async def test_an_origin_waits_for_its_own_share_only() -> None:
    shares = OriginShares(2)
    await shares.take(SLOW, timeout_s=None)
    await shares.take(SLOW, timeout_s=None)
    with pytest.raises(TimeoutError):
        await shares.take(SLOW, timeout_s=0.01)
    await shares.take(OTHER, timeout_s=0.01)


async def test_what_is_given_back_goes_to_who_waits() -> None:
    shares = OriginShares(1)
    await shares.take(SLOW, timeout_s=None)
    waiting = asyncio.create_task(shares.take(SLOW, timeout_s=5))
    await asyncio.sleep(0)
    assert not waiting.done()
    shares.give_back(SLOW)
    await waiting


async def test_origins_that_nobody_asks_are_forgotten() -> None:
    shares = OriginShares(1)
    await shares.take(SLOW, timeout_s=None)
    with pytest.raises(TimeoutError):
        await shares.take(SLOW, timeout_s=0.01)
    assert len(shares) == 1
    shares.give_back(SLOW)
    assert len(shares) == 0


async def test_a_slow_origin_leaves_connections_to_the_others(web: Web, other_web: Web) -> None:
    web.routes["/slow.jpg"] = hang
    other_web.routes["/a.jpg"] = reply(200, b"1")
    limits = HttpLimits(connect_timeout_s=0.5, read_timeout_s=30, total_timeout_s=30, max_connections=8)
    async with http(limits) as source:
        slow = [asyncio.create_task(source.fetch(web.url("/slow.jpg"), max_bytes=0, headers={})) for _ in range(10)]
        refused = await asyncio.gather(*slow[2:], return_exceptions=True)
        assert all(isinstance(error, SourceTimeout) for error in refused)
        assert (await source.fetch(other_web.url("/a.jpg"), max_bytes=0, headers={})).data == b"1"
        assert len(web.asked) == 2  # a quarter of 8
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert len(source._transport._shares) == 0


async def test_every_way_a_fetch_ends_gives_its_part_back(web: Web) -> None:
    web.routes |= {
        "/a.jpg": reply(200, b"1"),
        "/to": reply(302, headers={"Location": "/a.jpg"}),
        "/lost": hang,
        "/half": reply(200, b"half", {"Content-Length": "9"}),
    }
    async with http(HttpLimits(read_timeout_s=0.05, max_connections=4)) as source:
        for path in ("/a.jpg", "/to", "/missing", "/lost", "/half"):
            await asyncio.gather(source.fetch(web.url(path), max_bytes=0, headers={}), return_exceptions=True)
            assert len(source._transport._shares) == 0, path
