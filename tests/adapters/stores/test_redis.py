"""The Redis tier against a real server that stops, hangs, forgets and is written to by others."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from imgserve.adapters.bulletins.redis import RedisBulletin
from imgserve.adapters.redis_client import PAUSE_S, UNHURRIED_S
from imgserve.adapters.stores.redis import CHUNK_KEYS, RedisStore, _Put
from imgserve.adapters.stores.redis_envelope import Envelope
from imgserve.adapters.stores.redis_scripts import SWEPT_KEYS
from imgserve.ports import EVERYTHING, Selector, Stored, StoreError
from tests.adapters.redis_server import RedisServer, running_redis

A, B, C = "a" * 64, "b" * 64, "c" * 64
#: The time-out of tests about time-outs; the others wait longer than a starved machine needs.
TIMEOUT_S, PATIENT_S = 0.2, 2.0
#: What a busy machine may add to a time before a test calls it late.
GRACE_S = 0.7


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, **{"timeout_s": PATIENT_S, "max_entry_bytes": 2 << 20} | options)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    async with opened(redis_server.url) as store:
        yield store


@pytest.fixture
async def hurried(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    async with opened(redis_server.url, timeout_s=TIMEOUT_S) as store:
        yield store


def entry(*labels: str, body: bytes = b"body", expires_at: float = 0.0) -> Stored:
    return Stored(meta=b"meta", body=body, labels=labels, expires_at=expires_at)


async def refused(operation: Any) -> float:
    """Give the seconds that an operation took to be refused."""
    started = time.monotonic()
    with pytest.raises(StoreError):
        await operation
    return time.monotonic() - started


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - only Redis knows
            await asyncio.sleep(0.005)


async def until_recovered(store: RedisStore) -> None:
    """Ask until the store answers; the pause after a failure is part of what it does."""
    async with asyncio.timeout(PAUSE_S + 5):
        while True:
            try:
                await store.get(C)
            except StoreError:
                await asyncio.sleep(0.02)
            else:
                return


@pytest.mark.parametrize("size", [0, 1, 40_000, 1 << 20])
async def test_what_is_put_comes_back_whole(store: RedisStore, size: int) -> None:
    body = (b"\x00\xff\r\n" + os.urandom(60)) * (size // 64 + 1)
    put = Stored(meta=b"\x00\x80{}", body=body[:size], labels=("source:\x00\udce9ü", ""), expires_at=time.time() + 60)
    assert await store.put(A, put)
    assert await store.get(A) == put


@pytest.mark.parametrize("scheme", ["tcp", "unix"])
async def test_a_url_names_password_and_database(tmp_path: Path, scheme: str) -> None:
    with running_redis(tmp_path, requirepass="pass/word") as server:
        socket = server.socket_url.replace("db=0", "db=3&password=pass%2Fword")
        url = socket if scheme == "unix" else f"redis://:pass%2Fword@127.0.0.1:{server.port}/3"
        async with opened(url) as store:
            await store.put(A, entry())
            assert await store.get(A) == entry()
        with server.client() as client:
            assert client.info("keyspace").keys() == {"db3"}
        async with opened(server.url) as stranger:
            assert await refused(stranger.get(A)) < TIMEOUT_S + GRACE_S


def test_a_bad_url_is_refused_without_its_password() -> None:
    with pytest.raises(ValueError, match="cannot be read") as refusal:
        RedisStore("redis://user:pass#word@127.0.0.1:secret/0", max_entry_bytes=1)
    assert "word" not in str(refusal.value).replace("password@host", "")
    assert refusal.value.__suppress_context__


async def test_an_entry_above_the_limit_is_not_kept(redis_server: RedisServer) -> None:
    async with opened(redis_server.url, max_entry_bytes=14) as store:
        assert await store.put(A, entry(body=b"0123456789"))
        assert not await store.put(B, entry(body=b"0123456789A"))
        assert await store.get(B) is None


async def test_an_entry_and_its_labels_go_when_it_expires(store: RedisStore, redis_server: RedisServer) -> None:
    await store.put(A, entry("tag:x", expires_at=time.time() + 0.15))
    assert await store.get(A) is not None
    with redis_server.client() as client:
        await until(lambda: client.dbsize() == 0)
    assert await store.get(A) is None


async def test_an_entry_that_has_expired_replaces_and_is_not_kept(store: RedisStore) -> None:
    await store.put(A, entry())
    assert await store.put(A, entry(expires_at=time.time() - 1))
    assert await store.get(A) is None


@pytest.mark.parametrize(
    ("lives", "at_least"), [((60, 600), 599), ((600, 60), 599), ((0, 60), -1), ((60, 0), -1)], ids=str
)
async def test_a_label_lives_as_long_as_the_longest_of_its_entries(
    store: RedisStore, redis_server: RedisServer, lives: tuple[int, int], at_least: int
) -> None:
    for key, life in zip((A, B), lives, strict=True):
        await store.put(key, entry("tag:x", expires_at=time.time() + life if life else 0))
    with redis_server.client() as client:
        left: Any = client.ttl("imgserve:labels:tag:x")
    assert left == -1 if at_least == -1 else left >= at_least


async def test_a_purge_by_label_takes_what_has_it_now(store: RedisStore) -> None:
    await store.put(A, entry("tag:x", "tag:y"))
    await store.put(B, entry("tag:x"))
    await store.put(B, entry("tag:y"))
    await store.put(C, entry("tag:xx"))
    assert await store.purge(Selector("tag:x")) == 1
    assert [await store.get(key) is None for key in (A, B, C)] == [True, False, False]
    assert await store.purge(Selector("tag:y")) == 1
    assert await store.purge(Selector("tag:y")) == 0


async def test_an_entry_that_is_put_again_after_a_purge_is_found_by_the_next(store: RedisStore) -> None:
    for _ in range(2):
        await store.put(A, entry("tag:x"))
        assert await store.purge(Selector("tag:x")) == 1


@pytest.mark.parametrize("odd", ["*", "?", "[ab]", "\\", "[", "^", "\x00", "ü"])
async def test_a_prefix_is_taken_literally(redis_server: RedisServer, odd: str) -> None:
    async with opened(redis_server.url, prefix=f"img{odd}") as store, opened(redis_server.url, prefix="imga") as other:
        await store.put(A, entry(f"source:{odd}/one"))
        await store.put(B, entry("source:a/one", "source:b/one"))
        await other.put(A, entry(f"source:{odd}/one"))
        assert await store.purge(Selector(f"source:{odd}", prefix=True)) == 1
        assert await store.get(A) is None
        assert await store.get(B) is not None
        assert await store.purge(EVERYTHING) == 1
        assert await other.get(A) is not None


async def test_a_purge_by_prefix_counts_an_entry_once(store: RedisStore) -> None:
    await store.put(A, entry("tag:one", "tag:two"))
    await store.put(B, entry("source:tag:"))
    assert await store.purge(Selector("tag:", prefix=True)) == 1
    assert await store.get(B) is not None


async def test_everything_is_all_of_ours_and_nothing_else(store: RedisStore, redis_server: RedisServer) -> None:
    await store.put(A, entry())
    await store.put(B, entry("tag:x"))
    others = {b"imgserve", b"imgserve2:entry:x", b"imgserve:lock:x", b"imgserve:bulletin", b"huey"}
    with redis_server.client() as client:
        for name in others:
            client.set(name, "kept")
        assert await store.purge(EVERYTHING) == 2
        left: Any = client.keys()
        assert set(left) == others


async def test_a_purge_of_more_than_a_round_trip_takes_all(store: RedisStore, redis_server: RedisServer) -> None:
    count = CHUNK_KEYS * 2 + 3
    for number in range(count):
        await store.put(f"{number:064x}", entry("tag:all", f"tag:{number}", body=b""))
    assert await store.purge(Selector("tag:all")) == count
    assert await store.purge(Selector("tag:", prefix=True)) == 0
    with redis_server.client() as client:
        assert client.dbsize() == 0


async def test_a_label_keeps_what_is_alive_and_not_what_was(store: RedisStore, redis_server: RedisServer) -> None:
    gone, label = 20 * SWEPT_KEYS, "preset:grid"
    for number in range(gone):
        await store.put(f"{number:064x}", entry(label, expires_at=time.time() + 0.3))
    await store.put(A, entry(label, expires_at=time.time() + 600))
    with redis_server.client() as client:
        await until(lambda: len(client.keys("imgserve:entry:*")) == 1)
        for number in range(20):
            await store.put(f"{gone + number:064x}", entry(label, expires_at=time.time() + 600))
        assert client.zcard(f"imgserve:labels:{label}") == 21
    assert await store.purge(Selector(label)) == 21


async def leave_by_replacing(store: RedisStore) -> None:
    await store.put(A, entry("tag:z"))


async def leave_by_deleting(store: RedisStore) -> None:
    await store.delete(A)


async def leave_by_a_purge(store: RedisStore) -> None:
    await store.purge(Selector("tag:y"))


@pytest.mark.parametrize("leave", [leave_by_replacing, leave_by_deleting, leave_by_a_purge])
async def test_what_leaves_leaves_all_its_labels(
    store: RedisStore, redis_server: RedisServer, leave: Callable[[RedisStore], Awaitable[None]]
) -> None:
    for _ in range(3):
        await store.put(A, entry("tag:x", "tag:y"))
        await store.put(B, entry("tag:x"))
        await leave(store)
        with redis_server.client() as client:
            assert client.zrange("imgserve:labels:tag:x", 0, -1) == [B.encode()]
            assert not client.exists("imgserve:labels:tag:y")


async def test_an_entry_purged_while_it_is_written_is_not_kept(store: RedisStore) -> None:
    answers = iter([False, True])
    assert not await store.put(A, entry("tag:x"), unless=lambda: next(answers))
    assert await store.get(A) is None


async def test_a_put_whose_caller_leaves_asks_again_after_it(store: RedisStore) -> None:
    asked: list[bool] = []

    def unless() -> bool:
        asked.append(bool(asked))
        return asked[-1]

    putting = asyncio.create_task(store.put(A, entry("tag:x"), unless=unless))
    await asyncio.sleep(0)
    putting.cancel()
    await asyncio.wait([putting])
    await until(lambda: len(asked) == 2)
    await store.close()
    assert putting.cancelled()


async def test_a_put_that_a_hung_server_carries_out_late_is_taken_back(
    store: RedisStore, redis_server: RedisServer
) -> None:
    await store.get(A)
    with redis_server.paused():
        await refused(store.put(A, entry("tag:x", body=bytes(1 << 20))))
    await until_recovered(store)
    with redis_server.client() as client:
        await until(lambda: bool(client.keys("imgserve:revoked:*")))
    assert await store.get(A) is None


async def test_a_put_that_arrives_after_it_was_taken_back_is_refused(
    store: RedisStore, redis_server: RedisServer
) -> None:
    await store._revoke(A, "ticket")
    assert not await store._entries.set(A, _Put(Envelope(A, entry("tag:x")), "ticket"))
    assert await store.get(A) is None
    assert await store._entries.set(A, _Put(Envelope(A, entry("tag:x")), "another"))
    assert await store.get(A) is not None


async def test_what_a_hung_server_was_to_delete_goes_when_it_is_back(
    hurried: RedisStore, redis_server: RedisServer
) -> None:
    await hurried.put(A, entry("tag:x"))
    with redis_server.paused():
        assert await refused(hurried.delete(A)) < TIMEOUT_S + GRACE_S
    with redis_server.client() as client:
        await until(lambda: client.dbsize() == 0)


async def test_what_could_not_be_taken_back_before_the_end_is_told(
    store: RedisStore, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    await store.put(A, entry())
    redis_server.stop()
    await refused(store.delete(A))
    await store.close()
    assert "1 entries may be left in Redis" in caplog.text


async def test_no_race_of_put_and_purge_leaves_an_entry_that_no_label_knows(store: RedisStore) -> None:
    keys = [f"{number:064x}" for number in range(20)]
    for _ in range(10):
        await asyncio.gather(
            *(store.put(key, entry("tag:x", "tag:y")) for key in keys),
            *(store.purge(one) for one in (Selector("tag:x"), Selector("tag:", prefix=True), EVERYTHING)),
        )
        left = sum([await store.get(key) is not None for key in keys])
        assert await store.purge(Selector("tag:y")) == left


async def test_a_value_under_another_key_is_a_miss_and_deleted(store: RedisStore, redis_server: RedisServer) -> None:
    await store.put(A, entry())
    with redis_server.client() as client:
        client.copy(f"imgserve:entry:{A}", f"imgserve:entry:{B}")
        assert await store.get(B) is None
        assert not client.exists(f"imgserve:entry:{B}")
    assert await store.get(A) == entry()


def changed(value: bytes, place: int) -> bytes:
    return value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]


BROKEN_VALUES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda whole: b"",
    "text": lambda whole: "not an image, ünd löng enough to have a head".encode(),
    "pickle": lambda whole: pickle.dumps({"os": "system"}) * 9,
    "truncated": lambda whole: whole[:-1],
    "longer": lambda whole: whole + b"\x00",
    "another version": lambda whole: changed(whole, 7),
    "a changed length": lambda whole: changed(whole, 8),
    "a changed label": lambda whole: changed(whole, whole.index(b"tag:x")),
    "a changed body": lambda whole: changed(whole, whole.index(b"body")),
    "a changed digest": lambda whole: changed(whole, len(whole) - 1),
}


@pytest.mark.parametrize("what", BROKEN_VALUES)
async def test_a_value_that_does_not_check_is_a_miss_and_deleted(
    store: RedisStore, redis_server: RedisServer, what: str
) -> None:
    await store.put(A, entry("tag:x"))
    with redis_server.client() as client:
        whole: Any = client.get(f"imgserve:entry:{A}")
        client.set(f"imgserve:entry:{A}", BROKEN_VALUES[what](whole))
        assert await store.get(A) is None
        assert not client.exists(f"imgserve:entry:{A}")


@pytest.mark.parametrize("what", ["text", "pickle", "a list"])
async def test_foreign_values_under_our_names_do_not_stop_a_purge(
    store: RedisStore, redis_server: RedisServer, what: str
) -> None:
    await store.put(A, entry("tag:x"))
    await store.put(B, entry("tag:x"))
    with redis_server.client() as client:
        client.delete(f"imgserve:entry:{A}")
        if what == "a list":
            client.rpush(f"imgserve:entry:{A}", "one")
        else:
            client.set(f"imgserve:entry:{A}", BROKEN_VALUES[what](b""))
    assert await store.purge(Selector("tag:x")) == 1
    assert await store.get(A) is None
    assert await store.get(B) is None


async def test_a_list_under_our_key_is_a_miss_and_deleted(store: RedisStore, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.rpush(f"imgserve:entry:{A}", "one")
        assert await store.get(A) is None
        assert not client.exists(f"imgserve:entry:{A}")


async def test_a_stopped_server_is_an_error_at_once_and_recovers_by_itself(
    store: RedisStore, redis_server: RedisServer
) -> None:
    await store.put(A, entry())
    redis_server.stop()
    operations = (store.get(A), store.put(A, entry()), store.delete(A), store.purge(EVERYTHING), store.get(A))
    for operation in operations:
        assert await refused(operation) < TIMEOUT_S + GRACE_S
    redis_server.start()
    await until_recovered(store)
    assert await store.get(A) is None
    await store.put(A, entry())
    assert await store.get(A) == entry()


async def test_a_server_that_was_restarted_unseen_costs_no_miss(store: RedisStore, redis_server: RedisServer) -> None:
    await asyncio.gather(*(store.get(A) for _ in range(4)))
    redis_server.stop()
    redis_server.start()
    for _ in range(2):  # turns of the event loop, in which it hears that the connections were closed
        await asyncio.sleep(0)
    assert await store.put(A, entry())
    assert await store.get(A) == entry()


@pytest.mark.parametrize("connected", [True, False])
async def test_a_hung_server_is_an_error_within_the_time(
    hurried: RedisStore, redis_server: RedisServer, connected: bool
) -> None:
    if connected:
        await hurried.put(A, entry())
    with redis_server.paused():
        took_s = await asyncio.gather(*(refused(hurried.get(A)) for _ in range(30)), refused(hurried.delete(B)))
        assert TIMEOUT_S * 0.9 < max(took_s) < TIMEOUT_S + GRACE_S
        assert await refused(hurried.get(A)) < TIMEOUT_S / 2
        assert await refused(hurried.put(A, entry(body=bytes(1 << 20)))) < TIMEOUT_S / 2
    await until_recovered(hurried)
    assert (await hurried.get(A) is not None) == connected


async def test_what_no_request_waits_for_ends_too_when_the_server_hangs(
    hurried: RedisStore, redis_server: RedisServer
) -> None:
    with redis_server.paused():
        put, purge = hurried.put(A, entry(body=bytes(1 << 20))), hurried.purge(Selector("tag:x"))
        took_s = await asyncio.gather(refused(put), refused(purge))
    assert max(took_s) < UNHURRIED_S + GRACE_S


async def test_connecting_may_take_longer_than_an_operation(redis_server: RedisServer) -> None:
    connections = 0

    async def far_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", redis_server.port)
        await asyncio.sleep(TIMEOUT_S * 3)  # the first round trip, in which a database is chosen
        await asyncio.gather(copied(reader, back), copied(there, writer))

    async def copied(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            target.write(data)
        target.close()

    async with await asyncio.start_server(far_away, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        async with opened(f"redis://127.0.0.1:{port}/3", timeout_s=TIMEOUT_S) as store:
            assert await refused(store.get(A)) < TIMEOUT_S + GRACE_S
            await until_recovered(store)
            assert connections == 1


async def test_one_operation_tries_for_all_after_the_pause(hurried: RedisStore, redis_server: RedisServer) -> None:
    with redis_server.paused():
        await refused(hurried.get(A))
        await asyncio.sleep(PAUSE_S)
        took_s = sorted(await asyncio.gather(*(refused(hurried.get(A)) for _ in range(5))))
    assert took_s[3] < TIMEOUT_S / 2 < took_s[4]


async def test_a_caller_that_leaves_while_it_tries_lets_the_next_try(
    hurried: RedisStore, redis_server: RedisServer
) -> None:
    with redis_server.paused():
        await refused(hurried.get(A))
        await asyncio.sleep(PAUSE_S)
        trying = asyncio.create_task(hurried.get(A))
        await asyncio.sleep(0)
        trying.cancel()
        await asyncio.wait([trying])
    assert await hurried.get(A) is None


async def test_a_busy_process_does_not_take_the_server_for_broken(hurried: RedisStore) -> None:
    await hurried.put(A, entry())
    asking = asyncio.create_task(hurried.get(A))
    await asyncio.sleep(0)
    time.sleep(TIMEOUT_S * 3)  # noqa: ASYNC251 - what it is about: nothing in this loop runs
    await asyncio.wait([asking])
    assert await hurried.get(A) == entry()


async def test_a_purge_has_a_time_of_its_own(redis_server: RedisServer) -> None:
    async with opened(redis_server.url, purge_timeout_s=0) as store:
        with pytest.raises(StoreError, match="purge"):
            await store.purge(EVERYTHING)


async def test_a_full_server_refuses_writes_and_goes_on_answering(tmp_path: Path) -> None:
    with running_redis(tmp_path, maxmemory="1500kb", maxmemory_policy="noeviction") as server:
        async with opened(server.url) as store:
            await store.put(A, entry())
            with server.client() as client:
                client.config_set("maxmemory", 1)
            assert await refused(store.put(B, entry(body=bytes(100_000)))) < TIMEOUT_S + GRACE_S
            assert await store.get(A) == entry()


async def test_no_image_is_logged_when_writing_fails(
    store: RedisStore, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    redis_server.stop()
    with pytest.raises(StoreError) as failure:
        await store.put(A, entry(body=b"PIXELS" * 1000))
    assert "PIXELS" not in caplog.text
    assert "PIXELS" not in f"{failure.value!r} {failure.value.__cause__!r}"


async def test_close_waits_for_what_is_being_written(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        writing = asyncio.create_task(store.put(A, entry()))
        await asyncio.sleep(0)
        await store.close()
        assert writing.done()
        assert await writing
        await refused(store.get(A))
    async with opened(redis_server.url) as store:
        assert await store.get(A) == entry()


async def test_nothing_is_put_by_who_has_not_heard_of_the_last_purge(redis_server: RedisServer) -> None:
    asker, hearer = RedisBulletin(redis_server.url), RedisBulletin(redis_server.url)
    try:
        async with opened(redis_server.url, heard=hearer) as store:
            assert not await store.put(A, entry("x"))  # it has heard nothing at all
            await hearer.start()
            assert await store.put(A, entry("x"))
            known = hearer.heard()
            hearer.heard = lambda: known  # type: ignore[method-assign]  # the news are on their way to it
            await asker.publish(Selector("x"))
            assert not await store.put(B, entry("y"))
            del hearer.heard
            async with asyncio.timeout(5):
                while not await store.put(B, entry("y")):  # noqa: ASYNC110 - nothing tells a test
                    await asyncio.sleep(0.001)
            assert await store.get(B) == entry("y")
            await store._link.client.delete(hearer.stream)
            assert not await store.put(C, entry("z"))
            async with asyncio.timeout(10):
                while not await store.put(C, entry("z")):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    finally:
        await asker.close()
        await hearer.close()
