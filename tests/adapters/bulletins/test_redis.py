"""The bulletin in Redis: between real processes, and over every way to lose the count."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis

from imgserve.adapters.bulletins.redis import KEPT_MESSAGES, RedisBulletin
from imgserve.adapters.redis_client import UNHURRIED_S
from imgserve.ports import EVERYTHING, Selector, StoreError
from tests.adapters.redis_server import RedisServer, running_redis

ONE, TWO, THREE = Selector("tag:\x00ü\udce9"), Selector("source:https://a/", prefix=True), Selector("")
STREAM = "imgserve:bulletin"
#: The time-out of tests about time-outs; the others wait longer than a starved machine needs.
TIMEOUT_S, PATIENT_S = 0.05, 1.0
#: What a busy machine may add to a time before a test calls it late.
GRACE_S = 0.7
#: Longer than a listener needs to notice a lost server and to find it again.
PATIENCE_S = 8.0


@asynccontextmanager
async def opened(url: str, *, started: bool = True) -> AsyncIterator[RedisBulletin]:
    bulletin = RedisBulletin(url, timeout_s=PATIENT_S)
    try:
        if started:
            await bulletin.start(within_s=PATIENCE_S)
        yield bulletin
    finally:
        await bulletin.close()


@pytest.fixture
async def bulletin(redis_server: RedisServer) -> AsyncIterator[RedisBulletin]:
    async with opened(redis_server.url) as bulletin:
        yield bulletin


async def until(true: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - `changed` is for being asked
            await asyncio.sleep(0.001)


async def news(bulletin: RedisBulletin, within_s: float = PATIENCE_S) -> Sequence[Selector]:
    """Wait for news, as requests do that come one after the other."""
    await until(bulletin.changed, within_s)
    return await bulletin.news()


async def lost(bulletin: RedisBulletin, caplog: pytest.LogCaptureFixture) -> None:
    """Wait until the listener has noticed that its connection is gone."""
    await until(lambda: "cannot be read" in caplog.text)
    assert not bulletin.changed()


async def test_nothing_published_is_no_news(bulletin: RedisBulletin) -> None:
    assert not bulletin.changed()
    assert await bulletin.news() == []


async def test_everybody_is_told_within_milliseconds(bulletin: RedisBulletin, redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as other:
        for selectors in ([ONE], [TWO, THREE], [EVERYTHING]):
            for selector in selectors:
                await bulletin.publish(selector)
            assert bulletin.changed(), "who publishes knows when it has published"
            assert await bulletin.news() == selectors
            heard: list[Selector] = []
            while len(heard) < len(selectors):
                heard += await news(other, GRACE_S)
            assert heard == selectors
            assert not bulletin.changed()
            assert not other.changed()


async def test_what_was_published_before_is_no_news(redis_server: RedisServer, bulletin: RedisBulletin) -> None:
    await bulletin.publish(ONE)
    async with opened(redis_server.url) as late:
        await bulletin.publish(TWO)
        assert await news(late) == [TWO]


async def test_a_bulletin_that_was_not_started_starts_with_the_first_question(redis_server: RedisServer) -> None:
    async with opened(redis_server.url, started=False) as bulletin:
        assert bulletin.changed()
        assert await bulletin.news() == []
        assert not bulletin.changed()
        await bulletin.publish(ONE)
        assert await bulletin.news() == [ONE]


async def test_another_process_is_heard(bulletin: RedisBulletin, redis_server: RedisServer) -> None:
    program = """
        import asyncio, sys
        from imgserve.adapters.bulletins.redis import RedisBulletin
        from imgserve.ports import Selector
        async def main():
            bulletin = RedisBulletin(sys.argv[1], timeout_s=1)
            await bulletin.publish(Selector("tag:x", prefix=True))
            await bulletin.close()
        asyncio.run(main())
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), redis_server.url]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    assert await news(bulletin) == [Selector("tag:x", prefix=True)]
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_a_lost_connection_goes_on_where_it_was(bulletin: RedisBulletin, redis_server: RedisServer) -> None:
    await bulletin.publish(ONE)
    assert await bulletin.news() == [ONE]
    with redis_server.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    async with opened(redis_server.url) as other:
        await other.publish(TWO)
    assert await news(bulletin) == [TWO]


async def test_a_hung_server_loses_no_message(bulletin: RedisBulletin, redis_server: RedisServer) -> None:
    with redis_server.paused():
        started = time.monotonic()
        with pytest.raises(StoreError):
            await bulletin.publish(ONE)
        assert time.monotonic() - started < UNHURRIED_S + GRACE_S
        assert not bulletin.changed()
    await bulletin.publish(TWO)
    # The first was refused to its publisher, and yet the server may have read it before it noticed that nobody waits.
    assert (await news(bulletin))[-1] == TWO


def trim(client: redis.Redis) -> None:
    for number in range(3):
        client.xadd(STREAM, {"label": f"tag:{number}", "prefix": 0})
    client.xtrim(STREAM, maxlen=1, approximate=False)


LOSSES: dict[str, Callable[[redis.Redis], object]] = {
    "trimmed": trim,
    "deleted": lambda client: client.delete(STREAM),
    "emptied": lambda client: client.flushall(),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_stream_that_has_lost_messages_is_everything(
    bulletin: RedisBulletin, redis_server: RedisServer, loss: str
) -> None:
    await bulletin.publish(ONE)
    await bulletin.news()
    with redis_server.client() as client, client.pipeline() as at_once:  # and nobody can read in between
        LOSSES[loss](at_once)
        at_once.execute()
    heard: list[Selector] = []
    while EVERYTHING not in heard:
        heard += await news(bulletin)
    await bulletin.publish(TWO)
    assert await bulletin.news() == [TWO]


@pytest.mark.parametrize("loss", LOSSES)
async def test_messages_lost_while_disconnected_are_everything(
    bulletin: RedisBulletin, redis_server: RedisServer, loss: str
) -> None:
    await bulletin.publish(ONE)
    await bulletin.news()
    with redis_server.client() as client, client.pipeline() as at_once:
        at_once.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        LOSSES[loss](at_once)
        at_once.execute()
    assert await news(bulletin) == [EVERYTHING]
    await bulletin.publish(TWO)
    assert await bulletin.news() == [TWO]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_restarted_server_is_everything_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: bool
) -> None:
    # With what it had saved too: it may have told of a message that it had not saved yet.
    with running_redis(tmp_path, appendonly="yes" if kept else "no") as server:
        async with opened(server.url) as bulletin:
            await bulletin.publish(ONE)
            await bulletin.news()
            server.stop(signal.SIGKILL)
            await lost(bulletin, caplog)
            with pytest.raises(StoreError):
                await bulletin.publish(TWO)
            server.start()
            assert await news(bulletin) == [EVERYTHING]
            await bulletin.publish(TWO)
            assert await bulletin.news() == [TWO]


async def test_who_starts_without_a_server_is_told_everything_when_it_comes(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.stop()
    bulletin = RedisBulletin(redis_server.url, timeout_s=TIMEOUT_S)
    await bulletin.start(within_s=TIMEOUT_S)
    await lost(bulletin, caplog)
    redis_server.start()
    assert await news(bulletin) == [EVERYTHING]
    await bulletin.close()


async def test_who_is_cancelled_while_it_starts_without_a_server_is_told_everything(
    redis_server: RedisServer,
) -> None:
    bulletin = RedisBulletin(redis_server.url, timeout_s=TIMEOUT_S)
    with redis_server.paused():
        starting = asyncio.create_task(bulletin.start(within_s=PATIENCE_S))
        await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        await bulletin.start(within_s=PATIENCE_S)  # it may go on now, and keep entries
        assert not bulletin.changed()
    with redis_server.client() as client:
        client.xadd(STREAM, {"label": "tag:x", "prefix": 0})
    assert await news(bulletin) == [EVERYTHING]
    await bulletin.close()


async def test_a_cancelled_reader_takes_no_news_along(redis_server: RedisServer, bulletin: RedisBulletin) -> None:
    async with opened(redis_server.url) as other:
        for turns in range(20):
            await other.publish(ONE)
            await until(bulletin.changed)
            reading = asyncio.create_task(bulletin.news())
            for _ in range(turns % 4):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            heard = await bulletin.news() if reading.cancelled() else reading.result()
            assert heard == [ONE]
            assert not bulletin.changed()


async def test_an_unreadable_message_is_everything(bulletin: RedisBulletin, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        for fields in ({"text": "?"}, {"label": b"\xff", "prefix": 0}, {"label": "x", "prefix": "maybe"}):
            client.xadd(STREAM, fields)
            assert await news(bulletin) == [EVERYTHING]


async def test_news_that_nobody_asks_for_do_not_pile_up(bulletin: RedisBulletin, redis_server: RedisServer) -> None:
    with redis_server.client() as client, client.pipeline() as at_once:
        for number in range(KEPT_MESSAGES + 1):
            at_once.xadd(STREAM, {"label": f"tag:{number}", "prefix": 0})
        at_once.execute()
    await bulletin.publish(ONE)
    assert await bulletin.news() == [EVERYTHING]


async def test_a_foreign_value_under_our_name_does_not_end_the_listener(
    bulletin: RedisBulletin, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server.client() as client:
        client.set(STREAM, "text")
        await lost(bulletin, caplog)
        client.delete(STREAM)
    assert await news(bulletin) == [EVERYTHING]


async def test_the_stream_keeps_about_so_many_messages(bulletin: RedisBulletin, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        with client.pipeline() as at_once:
            for number in range(3 * KEPT_MESSAGES):
                at_once.xadd(STREAM, {"label": f"tag:{number}", "prefix": 0})
            at_once.execute()
        await bulletin.publish(ONE)
        assert KEPT_MESSAGES <= client.xlen(STREAM) < 1.2 * KEPT_MESSAGES


async def test_a_lost_server_is_logged_once_and_its_return_too(
    bulletin: RedisBulletin, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    redis_server.stop()
    await lost(bulletin, caplog)
    where = f"Redis at 127.0.0.1:{redis_server.port}/0"
    assert caplog.messages[0].startswith(f"The bulletin cannot be read. {where} cannot be reached (")
    redis_server.start()
    assert await news(bulletin) == [EVERYTHING]
    await until(lambda: len(caplog.messages) > 1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_close_ends_the_listener(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as bulletin:
        await bulletin.close()
        assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "redis-bulletin"] == []
        with pytest.raises(StoreError):
            await bulletin.publish(ONE)
