"""A purge reaches every process of the machine; where one may have been missed, everything is purged."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from imgserve.adapters.bulletins import file
from imgserve.adapters.bulletins.file import FileBulletin
from imgserve.ports import EVERYTHING, Selector, StoreError

PUBLISHER = """
import asyncio, sys
from pathlib import Path
from imgserve.adapters.bulletins.file import FileBulletin
from imgserve.ports import Selector

async def main():
    bulletin = FileBulletin(Path(sys.argv[1]))
    for n in range(int(sys.argv[3])):
        await bulletin.publish(Selector(sys.argv[2] + str(n), prefix=bool(n % 2)))
    await bulletin.close()

asyncio.run(main())
"""

# Counts, writes half a line, and dies with the lock held.
DYING = """
import os, signal, sys, fcntl
from pathlib import Path
from imgserve.adapters.bulletins import file
state = file._open(Path(sys.argv[1]))
fcntl.flock(state._handle, fcntl.LOCK_EX)
state.words[0] += 1
if len(sys.argv) > 2:
    with open(sys.argv[1] + "/purges.log", "ab") as log:
        log.write(sys.argv[2].encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


async def run(program: str, *arguments: str) -> int:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, *arguments)
    return await process.wait()


@pytest.fixture
async def bulletin(tmp_path: Path) -> AsyncIterator[FileBulletin]:
    bulletin = FileBulletin(tmp_path)
    yield bulletin
    await bulletin.close()


async def test_no_news_at_first(bulletin: FileBulletin) -> None:
    assert not bulletin.changed()
    assert await bulletin.news() == []


async def test_own_purges_come_back_in_order(bulletin: FileBulletin) -> None:
    selectors = [Selector("tag:a"), Selector("source:é\n\"画'", prefix=True), EVERYTHING]
    for selector in selectors:
        await bulletin.publish(selector)
    assert bulletin.changed()
    assert await bulletin.news() == selectors
    assert not bulletin.changed()
    assert await bulletin.news() == []


async def test_purges_of_two_other_processes_all_arrive(bulletin: FileBulletin, tmp_path: Path) -> None:
    publishing = [run(PUBLISHER, str(tmp_path), name, "100") for name in "ab"]
    assert await asyncio.gather(*publishing) == [0, 0]
    assert bulletin.changed()
    found = await bulletin.news()
    for name in "ab":
        expected = [Selector(f"{name}{n}", prefix=bool(n % 2)) for n in range(100)]
        assert [one for one in found if one.label.startswith(name)] == expected
    assert len(found) == 200


async def test_what_was_published_before_is_no_news_to_a_new_reader(bulletin: FileBulletin, tmp_path: Path) -> None:
    await bulletin.publish(Selector("tag:a"))
    late = FileBulletin(tmp_path)
    assert not late.changed()
    await bulletin.publish(Selector("tag:b"))
    assert late.changed()
    assert await late.news() == [Selector("tag:b")]
    await late.close()


async def test_the_log_is_rotated_and_who_missed_more_purges_everything(
    bulletin: FileBulletin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "MAX_LOG_BYTES", 2000)
    slow = FileBulletin(tmp_path)
    for n in range(500):
        await bulletin.publish(Selector(f"tag:{n}"))
        assert await bulletin.news() == [Selector(f"tag:{n}")]
    assert (tmp_path / "purges.log").stat().st_size < 2100
    assert await slow.news() == [EVERYTHING]
    await bulletin.publish(Selector("tag:after"))
    assert await slow.news() == [Selector("tag:after")]
    await slow.close()


@pytest.mark.parametrize("torn", [[], ['17 ["tag:to'], ["\n"]])
async def test_a_publisher_killed_in_the_middle_loses_no_purge(
    bulletin: FileBulletin, tmp_path: Path, torn: list[str]
) -> None:
    await bulletin.publish(Selector("tag:before"))
    assert await bulletin.news() == [Selector("tag:before")]
    sleeper = FileBulletin(tmp_path)
    assert await run(DYING, str(tmp_path), *torn) == -signal.SIGKILL
    assert bulletin.changed()
    assert await bulletin.news() == [EVERYTHING]
    assert not bulletin.changed()
    await bulletin.publish(Selector("tag:after"))
    assert await bulletin.news() == [Selector("tag:after")]
    assert await sleeper.news() == [EVERYTHING]
    await sleeper.close()


def garble(path: Path, what: str) -> None:
    count, log = path / "purges.count", path / "purges.log"
    if what == "count":
        with count.open("r+b") as handle:
            handle.write(b"\x05\0\0\0\0\0\0\0")
    elif what == "check":
        with count.open("r+b") as handle:
            handle.write(os.urandom(24))
    elif what == "log-same-length":
        log.write_bytes(b"x" * log.stat().st_size)
    elif what == "log-shorter":
        log.write_bytes(log.read_bytes()[:-5])
    elif what == "log-empty":
        log.write_bytes(b"")
    else:
        log.unlink()


@pytest.mark.parametrize("what", ["count", "check", "log-same-length", "log-shorter", "log-empty", "log-deleted"])
async def test_garbled_files_mean_everything_once(bulletin: FileBulletin, tmp_path: Path, what: str) -> None:
    await bulletin.publish(Selector("tag:a"))
    garble(tmp_path, what)
    assert bulletin.changed()
    assert await bulletin.news() == [EVERYTHING]
    await bulletin.publish(Selector("tag:b"))
    assert bulletin.changed()
    assert await bulletin.news() in ([Selector("tag:b")], [EVERYTHING])
    await bulletin.publish(Selector("tag:c"))
    assert await bulletin.news() == [Selector("tag:c")]


async def test_deleted_files_are_noticed_by_looking(
    bulletin: FileBulletin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "LOOK_S", 0.0)
    bulletin.changed()
    for name in ("purges.count", "purges.log"):
        (tmp_path / name).unlink(missing_ok=True)
    bulletin._look_at = 0.0  # the second is over
    assert bulletin.changed()
    assert await bulletin.news() == [EVERYTHING]
    assert not bulletin.changed()
    assert await run(PUBLISHER, str(tmp_path), "x", "1") == 0
    assert bulletin.changed()
    assert await bulletin.news() == [Selector("x0")]


async def test_a_count_file_cut_short_is_made_again(bulletin: FileBulletin, tmp_path: Path) -> None:
    await bulletin.publish(Selector("tag:a"))
    assert await bulletin.news() == [Selector("tag:a")]
    (tmp_path / "purges.count").write_bytes(b"garbage")
    bulletin._look_at = 0.0
    assert bulletin.changed()
    assert await bulletin.news() == [EVERYTHING]
    assert not bulletin.changed()


async def test_a_folder_that_vanished_is_made_again(tmp_path: Path) -> None:
    bulletin = FileBulletin(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "purges.count").unlink()
    (tmp_path / "a" / "b").rmdir()
    await bulletin.publish(Selector("tag:a"))
    assert await bulletin.news() == [EVERYTHING]
    await bulletin.close()


async def test_a_place_that_cannot_be_written_is_an_error_of_the_store(tmp_path: Path) -> None:
    bulletin = FileBulletin(tmp_path / "a")
    (tmp_path / "a" / "purges.count").unlink()
    (tmp_path / "a").rmdir()
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StoreError):
        await bulletin.publish(Selector("tag:a"))
    await bulletin.close()


#: Answers as a worker does that asks before every request, whether there is news: one line for each.
WATCHER = """
import sys, time
from pathlib import Path
from imgserve.adapters.bulletins.file import FileBulletin
bulletin = FileBulletin(Path(sys.argv[1]))
while True:
    print(int(bulletin.changed()), time.monotonic(), flush=True)
    time.sleep(0.005)
"""


async def test_a_purge_after_the_folder_was_deleted_is_known_to_all_when_it_is_answered(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    publisher = FileBulletin(folder)
    watcher = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WATCHER, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert watcher.stdout is not None
    assert (await watcher.stdout.readline()).startswith(b"0 ")
    shutil.rmtree(folder)
    await publisher.publish(Selector("tag:a"))
    answered_at = time.monotonic()
    while True:
        changed, asked_at = (await watcher.stdout.readline()).split()
        if float(asked_at) > answered_at:
            break
    watcher.kill()
    await watcher.wait()
    await publisher.close()
    assert changed == b"1"


@pytest.mark.parametrize("renewed_by", ["a publisher", "a reader", "a new process"])
async def test_nobody_publishes_to_those_who_have_not_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renewed_by: str
) -> None:
    monkeypatch.setattr(file, "LOOK_S", 0.5)
    publisher, reader, other = (FileBulletin(tmp_path / "a") for _ in range(3))
    other._look_at = 0.0
    assert not other.changed(), "it has looked just now"
    shutil.rmtree(tmp_path / "a")
    if renewed_by == "a reader":
        assert await reader.news() == [EVERYTHING]
    elif renewed_by == "a new process":
        await FileBulletin(tmp_path / "a").close()
    await publisher.publish(Selector("tag:a"))
    assert other.changed()
    assert await other.news() == [EVERYTHING]
    started = time.monotonic()
    await publisher.publish(Selector("tag:b"))
    assert time.monotonic() - started < file.LOOK_S, "all have looked"
    assert await other.news() == [Selector("tag:b")]
    for bulletin in (publisher, reader, other):
        await bulletin.close()


async def test_who_waits_for_others_to_look_keeps_no_reader_waiting(tmp_path: Path) -> None:
    bulletin = FileBulletin(tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    publishing = asyncio.create_task(bulletin.publish(Selector("tag:a")))
    while not bulletin.changed():  # noqa: ASYNC110 - it is for being asked
        await asyncio.sleep(0.001)
    assert await bulletin.news() == [EVERYTHING]
    assert not publishing.done()
    await publishing
    await bulletin.close()


async def test_the_first_purges_in_a_new_folder_wait_for_nobody(tmp_path: Path) -> None:
    started = time.monotonic()
    bulletin = FileBulletin(tmp_path / "a")
    for _ in range(3):
        await bulletin.publish(Selector("tag:a"))
    assert time.monotonic() - started < file.LOOK_S
    await bulletin.close()


@pytest.mark.parametrize("busy_us", [0, 20, 50, 100, 200, 1000])
async def test_a_cancelled_reader_takes_no_news_along(bulletin: FileBulletin, tmp_path: Path, busy_us: int) -> None:
    other = FileBulletin(tmp_path)
    for number in range(30):
        await other.publish(Selector(f"tag:{number}"))
        reading = asyncio.create_task(bulletin.news())
        await asyncio.sleep(0)
        time.sleep(busy_us / 1e6)  # noqa: ASYNC251 - the thread goes on, and the loop does something else
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
        assert bulletin.changed()
        assert await bulletin.news() == [Selector(f"tag:{number}")]
    await other.close()


async def test_a_cancelled_reader_takes_no_loss_along(bulletin: FileBulletin, tmp_path: Path) -> None:
    (tmp_path / "purges.count").unlink()
    reading = asyncio.create_task(bulletin.news())
    await asyncio.sleep(0)
    bulletin._thread.submit(int).result()  # it has read
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()
    assert bulletin.changed()
    assert await bulletin.news() == [EVERYTHING]
    assert not bulletin.changed()
