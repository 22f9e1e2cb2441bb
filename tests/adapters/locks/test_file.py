"""File locks exclude processes and tasks, and a killed holder excludes nobody."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from imgserve.adapters.locks.file import FileLocks

HOLDER = """
import asyncio, sys
from pathlib import Path
from imgserve.adapters.locks.file import FileLocks

async def main():
    async with FileLocks(Path(sys.argv[1])).hold(sys.argv[2], wait_s=5) as held:
        print("held" if held else "not held", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print("released", flush=True)

asyncio.run(main())
"""


async def holder(folder: Path, key: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(folder), key, stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    return process


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_another_process_is_excluded_until_it_releases(tmp_path: Path) -> None:
    process = await holder(tmp_path, "a")
    locks = FileLocks(tmp_path)
    try:
        async with locks.hold("a", wait_s=0) as held:
            assert not held
        async with locks.hold("b", wait_s=0) as held:
            assert held
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        async with locks.hold("a", wait_s=10) as held:
            assert held
    finally:
        await end(process)
        await locks.close()


async def test_a_killed_holder_frees_at_once(tmp_path: Path) -> None:
    process = await holder(tmp_path, "a")
    locks = FileLocks(tmp_path)
    try:
        process.kill()
        await process.wait()
        async with locks.hold("a", wait_s=0) as held:
            assert held
    finally:
        await end(process)
        await locks.close()


async def test_a_waiter_gives_up_in_time_and_the_loop_goes_on(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    counting = asyncio.create_task(count())
    async with locks.hold("a", wait_s=0) as first:
        began = time.monotonic()
        async with locks.hold("a", wait_s=0.15) as second:
            took = time.monotonic() - began
    counting.cancel()
    assert (first, second) == (True, False)
    assert 0.15 <= took < 1
    assert turns > 10
    await locks.close()


async def test_tasks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    inside = 0

    async def work() -> bool:
        nonlocal inside
        async with locks.hold("a", wait_s=10) as held:
            assert inside == 0
            inside += 1
            await asyncio.sleep(0)
            inside -= 1
        return held

    assert await asyncio.gather(*[work() for _ in range(10)]) == [True] * 10
    assert (await asyncio.gather(*[work() for _ in range(3)]))[0]
    await locks.close()


async def test_a_lock_is_free_after_an_error_and_after_a_cancelled_holder(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    with pytest.raises(ZeroDivisionError):
        async with locks.hold("a", wait_s=0):
            raise ZeroDivisionError

    entered = asyncio.Event()

    async def hold() -> None:
        async with locks.hold("a", wait_s=0):
            entered.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await entered.wait()
    waiting = asyncio.create_task(hold())
    await asyncio.sleep(0)
    for task in (waiting, holding):
        task.cancel()
    await asyncio.gather(waiting, holding, return_exceptions=True)
    async with locks.hold("a", wait_s=0) as held:
        assert held
    await locks.close()


async def test_closing_keeps_what_is_held(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    async with locks.hold("a", wait_s=0):
        await locks.close()
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-c", HOLDER.replace("wait_s=5", "wait_s=0"), str(tmp_path), "a"],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert out.startswith(b"not held")


async def test_a_deleted_file_is_made_again(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "deep" / "er")
    async with locks.hold("a", wait_s=0) as first:
        (tmp_path / "deep" / "er" / "locks").unlink()
        process = await holder(tmp_path / "deep" / "er", "b")
        try:
            async with locks.hold("b", wait_s=0) as held:
                assert not held
        finally:
            await end(process)
    assert first
    await locks.close()


async def test_a_folder_that_cannot_be_gives_no_lock_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    locks = FileLocks(tmp_path / "file" / "folder")
    async with locks.hold("a", wait_s=1) as held:
        assert not held
    await locks.close()
