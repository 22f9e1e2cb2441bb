"""The stores that the contract is tested with: one factory each, to be extended by a line in FACTORIES."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from imgserve.adapters.s3_client import S3Account
from imgserve.adapters.stores.disk import DiskStore
from imgserve.adapters.stores.memory import MemoryStore
from imgserve.adapters.stores.redis import RedisStore
from imgserve.adapters.stores.s3 import S3Store
from imgserve.ports import Store
from tests.adapters.redis_server import RedisServer
from tests.adapters.s3_server import AWS_ENVIRONMENT, RESULTS, SHARED

MAX_BYTES = 64 << 20

#: Gives a store over what is (or, the first time, will be) in this folder; called again, it opens the same again.
Factory = Callable[[Path], Awaitable[Store]]


async def memory(folder: Path) -> Store:
    return MemoryStore(MAX_BYTES)


async def disk(folder: Path) -> Store:
    return DiskStore(folder / "cache", MAX_BYTES)


class _RedisStoreWithServer(RedisStore):
    """A store that has a server for itself, and ends it."""

    def __init__(self, server: RedisServer) -> None:
        super().__init__(server.url, max_entry_bytes=MAX_BYTES, timeout_s=1)
        self._server = server

    async def close(self) -> None:
        await super().close()
        self._server.stop()


async def redis(folder: Path) -> Store:
    server = RedisServer(folder, {"save": "3600 1"})  # so it saves what it has when it ends
    server.start()
    return _RedisStoreWithServer(server)


class _S3StoreWithCredentials(S3Store):
    """A store in the server that all tests share, which finds credentials while it is open."""

    def __init__(self, endpoint: str, prefix: str) -> None:
        self._environment = pytest.MonkeyPatch()
        for name, value in AWS_ENVIRONMENT.items():
            self._environment.setenv(name, value)
        account = S3Account(region="us-east-1", endpoint=endpoint)
        super().__init__(account, bucket=RESULTS, prefix=prefix, timeout_s=10, max_bytes=MAX_BYTES)

    async def close(self) -> None:
        await super().close()
        self._environment.undo()


async def s3(folder: Path) -> Store:
    return _S3StoreWithCredentials(SHARED.url(), str(folder))


FACTORIES: dict[str, Factory] = {"memory": memory, "disk": disk, "redis": redis, "s3": s3}
#: Those that keep what they have when they are closed.
LASTING = ("disk", "redis", "s3")
