"""What a person reads who looks for the reason at night: where Redis is, what is wrong there, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgserve.adapters.redis_client import RedisLink
from imgserve.ports import StoreError
from tests.adapters.redis_server import RedisServer, running_redis
from tests.running import free_port


async def told(url: str, *command: str) -> str:
    """Give what is said of a command that fails."""
    link = RedisLink(url)
    try:
        with pytest.raises(StoreError) as failure:
            async with link.asking(5):
                await link.client.execute_command(*command or ("PING",))  # type: ignore[no-untyped-call]
    finally:
        await link.close()
    return str(failure.value)


async def test_nobody_listens() -> None:
    port = free_port()
    assert await told(f"redis://:secret@127.0.0.1:{port}/3") == (
        f"Redis at 127.0.0.1:{port}/3 cannot be reached (connection refused)."
    )


async def test_there_is_no_such_host() -> None:
    message = await told("redis://nowhere.invalid")
    assert message.startswith("Redis at nowhere.invalid:6379/0 cannot be reached (")
    assert "()" not in message


async def test_there_is_no_such_socket(tmp_path: Path) -> None:
    assert await told(f"unix://{tmp_path}/no.sock?db=2") == (
        f"Redis at {tmp_path}/no.sock/2 cannot be reached (no such file or directory)."
    )


async def test_the_password_is_wrong_or_missing(tmp_path: Path) -> None:
    with running_redis(tmp_path, requirepass="right") as server:
        where = f"Redis at 127.0.0.1:{server.port}/0"
        assert await told(f"redis://user:wrong@127.0.0.1:{server.port}") == f"{where} refuses the password."
        assert await told(server.url) == f"{where} asks for a password."


async def test_a_password_that_nobody_asked_for(redis_server: RedisServer) -> None:
    message = await told(f"redis://:secret@127.0.0.1:{redis_server.port}")
    assert message.startswith(f"Redis at 127.0.0.1:{redis_server.port}/0 refuses: ")
    assert "secret" not in message


async def test_there_is_no_such_database(redis_server: RedisServer) -> None:
    assert await told(f"redis://127.0.0.1:{redis_server.port}/99") == (
        f"Redis at 127.0.0.1:{redis_server.port}/99 refuses: DB index is out of range."
    )


async def test_what_a_command_was_given_is_not_repeated(redis_server: RedisServer) -> None:
    message = await told(redis_server.url, "NOSUCH", "secret")
    assert message == f"Redis at 127.0.0.1:{redis_server.port}/0 refuses: unknown command 'NOSUCH'."


async def test_who_asks_in_the_pause_is_told_the_reason_of_it() -> None:
    link = RedisLink(f"redis://127.0.0.1:{free_port()}/0")
    for expected in ("^Redis at", "left alone.*Redis at.*connection refused"):
        with pytest.raises(StoreError, match=expected):
            async with link.asking(5):
                await link.client.ping()
    await link.close()
