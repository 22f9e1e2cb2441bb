"""What every store does, whatever it is made of; test_contract runs it with each of stores_under_test."""

from __future__ import annotations

import asyncio
import contextlib
import time
from hashlib import sha256

import pytest

from imgserve.ports import EVERYTHING, Selector, Store, Stored


def key_of(name: object) -> str:
    return sha256(str(name).encode()).hexdigest()


def entry(body: bytes = b"body", *labels: str, expires_at: float = 0.0) -> Stored:
    return Stored(meta=b'{"type": "image/png"}', body=body, labels=labels, expires_at=expires_at)


BODIES = {
    "empty": b"",
    "one-byte": b"\0",
    "binary": bytes(range(256)) * 7,
    "nul": b"\0" * 4096,
    "megabyte": bytes(range(251)) * 4178,
}


class StoreContract:
    async def test_an_unknown_key_is_not_found(self, store: Store) -> None:
        assert await store.get(key_of("unknown")) is None

    @pytest.mark.parametrize("name", BODIES)
    async def test_what_was_put_comes_back_whole(self, store: Store, name: str) -> None:
        labels = ("source:https://example.com/größe/画像.jpg?a=1&b=%20", "tag:sale", 'tag:"quoted\\')
        stored = Stored(
            meta=b"\xff\0meta\n", body=BODIES[name], labels=labels, expires_at=float(int(time.time()) + 999)
        )
        assert await store.put(key_of(name), stored) is True
        found = await store.get(key_of(name))
        assert found == stored
        assert found is not None
        assert type(found.body) is bytes
        assert type(found.meta) is bytes

    async def test_an_entry_without_meta_and_labels_comes_back(self, store: Store) -> None:
        stored = Stored(meta=b"", body=b"")
        await store.put(key_of("bare"), stored)
        assert await store.get(key_of("bare")) == stored

    async def test_a_put_replaces_entry_and_labels(self, store: Store) -> None:
        await store.put(key_of(1), entry(b"old and longer", "tag:old"))
        await store.put(key_of(1), entry(b"new", "tag:new"))
        assert await store.get(key_of(1)) == entry(b"new", "tag:new")
        assert await store.purge(Selector("tag:old")) == 0
        assert await store.get(key_of(1)) == entry(b"new", "tag:new")
        assert await store.purge(Selector("tag:new")) == 1
        assert await store.get(key_of(1)) is None

    async def test_a_deleted_entry_is_gone_and_its_neighbour_is_not(self, store: Store) -> None:
        await store.put(key_of(1), entry(b"1", "tag:a"))
        await store.put(key_of(2), entry(b"2", "tag:a"))
        await store.delete(key_of(1))
        await store.delete(key_of("never there"))
        assert await store.get(key_of(1)) is None
        assert await store.get(key_of(2)) == entry(b"2", "tag:a")
        assert await store.purge(Selector("tag:a")) == 1

    async def test_a_purge_takes_exactly_what_has_the_label(self, store: Store) -> None:
        await store.put(key_of(1), entry(b"1", "tag:a", "tag:b"))
        await store.put(key_of(2), entry(b"2", "tag:a"))
        await store.put(key_of(3), entry(b"3", "tag:ab"))
        await store.put(key_of(4), entry(b"4"))
        assert await store.purge(Selector("tag:a")) == 2
        assert [await store.get(key_of(n)) is not None for n in (1, 2, 3, 4)] == [False, False, True, True]
        assert await store.purge(Selector("tag:a")) == 0
        assert await store.purge(Selector("tag:b")) == 0

    async def test_a_purge_by_prefix_counts_an_entry_once(self, store: Store) -> None:
        await store.put(key_of(1), entry(b"1", "source:a/1", "source:a/2"))
        await store.put(key_of(2), entry(b"2", "tag:x", "source:a/3"))
        await store.put(key_of(3), entry(b"3", "source:b/1"))
        assert await store.purge(Selector("source:a/", prefix=True)) == 2
        assert [await store.get(key_of(n)) is not None for n in (1, 2, 3)] == [False, False, True]

    @pytest.mark.parametrize(
        "sign", ["%", "_", "*", "?", "[a-z]", "\\", "é", "画", "\U0001f600", "\U0010ffff", "'", "\n"]
    )
    async def test_a_prefix_is_taken_literally(self, store: Store, sign: str) -> None:
        inside, outside = f"source:a{sign}b", "source:aXb"
        await store.put(key_of("inside"), entry(b"1", inside))
        await store.put(key_of("outside"), entry(b"2", outside))
        await store.put(key_of("exact"), entry(b"3", f"source:a{sign}"))
        assert await store.purge(Selector(f"source:a{sign}", prefix=True)) == 2
        assert await store.get(key_of("inside")) is None
        assert await store.get(key_of("exact")) is None
        assert await store.get(key_of("outside")) == entry(b"2", outside)

    async def test_an_exact_purge_is_taken_literally(self, store: Store) -> None:
        await store.put(key_of(1), entry(b"1", "tag:a%_*[x]"))
        await store.put(key_of(2), entry(b"2", "tag:abcdefx"))
        await store.put(key_of(3), entry(b"3", "TAG:A%_*[X]"))
        assert await store.purge(Selector("tag:a%_*[x]")) == 1
        assert await store.get(key_of(2)) is not None
        assert await store.get(key_of(3)) is not None

    async def test_everything_takes_the_unlabelled_too(self, store: Store) -> None:
        for n in range(20):
            await store.put(key_of(n), entry(b"x", "tag:a") if n % 2 else entry(b"x"))
        assert await store.purge(EVERYTHING) == 20
        assert [await store.get(key_of(n)) for n in range(20)] == [None] * 20
        assert await store.purge(EVERYTHING) == 0

    async def test_a_purge_takes_hundreds(self, store: Store) -> None:
        await asyncio.gather(*[store.put(key_of(n), entry(b"x", "tag:many", f"source:{n}")) for n in range(300)])
        await store.put(key_of("other"), entry(b"x", "tag:other"))
        assert await store.purge(Selector("tag:many")) == 300
        assert [await store.get(key_of(n)) for n in range(300)] == [None] * 300
        assert await store.get(key_of("other")) is not None

    async def test_an_expired_entry_is_not_found(self, store: Store) -> None:
        now = time.time()
        await store.put(key_of("past"), entry(b"x", expires_at=now - 5))
        await store.put(key_of("future"), entry(b"x", expires_at=now + 3600))
        assert await store.get(key_of("past")) is None
        assert await store.get(key_of("future")) is not None

    async def test_an_expired_entry_is_replaced_by_a_fresh_one(self, store: Store) -> None:
        await store.put(key_of(1), entry(b"old", expires_at=time.time() - 5))
        await store.put(key_of(1), entry(b"new"))
        assert await store.get(key_of(1)) == entry(b"new")

    async def test_concurrent_puts_and_gets_of_one_key_never_mix(self, store: Store) -> None:
        def version(n: int) -> Stored:
            return Stored(meta=f"meta {n}".encode(), body=bytes([n]) * (1000 + 997 * n), labels=(f"tag:{n}",))

        versions = {version(n) for n in range(40)}
        await store.put(key_of(1), version(0))
        finished = asyncio.Event()

        async def read() -> int:
            count = 0
            while not finished.is_set():
                assert await store.get(key_of(1)) in versions
                count += 1
                await asyncio.sleep(0)
            return count

        readers = [asyncio.create_task(read()) for _ in range(4)]
        await asyncio.gather(*[store.put(key_of(1), version(n)) for n in range(40)])
        finished.set()
        assert all([await reader for reader in readers])
        last = await store.get(key_of(1))
        assert last is not None
        assert await store.purge(Selector("tag:", prefix=True)) == 1

    async def test_a_cancelled_put_is_there_whole_or_not_at_all(self, store: Store) -> None:
        stored = entry(b"c" * 300_000, "tag:c")
        for turns in range(12):
            putting = asyncio.ensure_future(store.put(key_of(turns), stored))
            for _ in range(turns):
                await asyncio.sleep(0)
            putting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await putting
        assert {await store.get(key_of(turns)) for turns in range(12)} <= {None, stored}
        assert await store.put(key_of("after"), stored)
        assert await store.get(key_of("after")) == stored

    async def test_closing_twice_does_no_harm(self, store: Store) -> None:
        await store.close()
        await store.close()
