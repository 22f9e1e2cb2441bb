"""The memory store keeps its budget, throws out what was used longest ago, and keeps no labels of what is gone."""

from __future__ import annotations

import gc
import sys
import tracemalloc

import pytest

from imgserve.adapters.stores.memory import LABEL_BYTES, OVERHEAD_BYTES, MemoryStore
from imgserve.ports import Selector
from tests.adapters.stores.contract import entry, key_of

ONE = OVERHEAD_BYTES + entry(b"x" * 1000, "tag:a").size + LABEL_BYTES + sys.getsizeof("tag:a")


def put(store: MemoryStore, name: object) -> bool:
    return store.put_now(key_of(name), entry(b"x" * 1000, "tag:a"))


def test_the_budget_counts_bodies_labels_and_overhead() -> None:
    store = MemoryStore(10 * ONE)
    for n in range(25):
        assert put(store, n)
    assert len(store) == 10
    assert store.bytes == 10 * ONE
    assert [n for n in range(25) if store.peek(key_of(n))] == list(range(15, 25))


def test_what_was_used_stays_and_what_was_peeked_at_does_not() -> None:
    store = MemoryStore(4 * ONE)
    for n in range(4):
        put(store, n)
    assert store.get_now(key_of(0))
    assert store.peek(key_of(1))
    put(store, "new")
    assert [n for n in range(4) if store.peek(key_of(n))] == [0, 2, 3]


def test_an_entry_above_a_quarter_is_refused_and_takes_the_older_one_along() -> None:
    store = MemoryStore(4 * ONE)
    put(store, 1)
    assert store.put_now(key_of(1), entry(b"x" * 1001, "tag:a")) is False
    assert store.get_now(key_of(1)) is None
    assert (len(store), store.bytes) == (0, 0)


def test_no_budget_keeps_nothing() -> None:
    assert put(MemoryStore(0), 1) is False


def test_expired_entries_are_dropped_when_met() -> None:
    now = 1000.0
    store = MemoryStore(1 << 20, clock=lambda: now)
    store.put_now(key_of(1), entry(b"x", "tag:a", expires_at=1010.0))
    assert store.get_now(key_of(1))
    now = 1010.0
    assert store.peek(key_of(1)) is None
    assert store.get_now(key_of(1)) is None
    assert (len(store), store.bytes) == (0, 0)
    assert store.purge_now(Selector("tag:a")) == 0


def test_a_label_twice_on_one_entry_counts_once() -> None:
    store = MemoryStore(1 << 20)
    store.put_now(key_of(1), entry(b"x", "tag:a", "tag:a"))
    assert store.purge_now(Selector("tag:a")) == 1
    assert (len(store), store.bytes) == (0, 0)


def test_labels_of_entries_that_left_take_no_memory() -> None:
    store = MemoryStore(20 * ONE)
    for n in range(5000):
        store.put_now(key_of(n), entry(b"x" * 1000, f"source:{n}"))
    assert len(store._labelled) == len(store) <= 20


@pytest.mark.parametrize(("entries", "labels"), [(2000, 0), (2000, 2), (44_000, 2), (200, 100), (1, 20_000)])
def test_what_is_counted_covers_what_entries_really_take(entries: int, labels: int) -> None:
    store = MemoryStore(1 << 30)
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(entries):
        store.put_now(key_of(n), entry(bytes(100), *(f"source:https://example.com/{n}/{k}.jpg" for k in range(labels))))
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken <= store.bytes < 2 * taken


def test_an_entry_with_more_labels_than_fit_is_refused() -> None:
    store = MemoryStore(16 << 20)
    assert not store.put_now(key_of(1), entry(b"x", *map(str, range(200_000))))
    assert (len(store), store.bytes, store._labelled) == (0, 0, {})
