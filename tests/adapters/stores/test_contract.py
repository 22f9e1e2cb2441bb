"""One contract, every store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from imgserve.ports import Store
from tests.adapters.stores.contract import StoreContract, entry, key_of
from tests.adapters.stores.stores_under_test import FACTORIES, LASTING


@pytest.fixture(params=FACTORIES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store = await FACTORIES[request.param](tmp_path)
    yield store
    await store.close()


class TestContract(StoreContract):
    async def test_the_name_is_the_word_for_it(self, store: Store, request: pytest.FixtureRequest) -> None:
        assert store.name in FACTORIES
        assert f"[{store.name}" in request.node.name


@pytest.mark.parametrize("name", LASTING)
async def test_closing_finishes_what_is_being_written(name: str, tmp_path: Path) -> None:
    store = await FACTORIES[name](tmp_path)
    stored = entry(b"w" * 100_000, "tag:w")
    writing = [asyncio.ensure_future(store.put(key_of(n), stored)) for n in range(20)]
    await asyncio.sleep(0)  # all have begun
    await store.close()
    assert await asyncio.gather(*writing) == [True] * 20
    again = await FACTORIES[name](tmp_path)
    try:
        assert [await again.get(key_of(n)) for n in range(20)] == [stored] * 20
    finally:
        await again.close()
