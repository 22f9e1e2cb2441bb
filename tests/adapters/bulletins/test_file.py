"""A purge reaches every process of the machine; where one may have been missed, everything is purged."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
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
