"""The disk store gives whole entries or none, whatever happens to its folder, its index, or other processes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from imgserve.adapters.stores import disk, disk_keeper
from imgserve.adapters.stores.disk import READ_THREADS, DiskStore
from imgserve.ports import EVERYTHING, Selector, StoreError
from tests.adapters.stores.contract import entry, key_of

BUDGET = 64 << 20
PREAMBLE = """
import asyncio, os, sys
from pathlib import Path
from imgserve.adapters.stores.disk import DiskStore
from imgserve.ports import EVERYTHING, Selector, Stored, StoreError
from tests.adapters.stores.contract import entry, key_of
folder = Path(sys.argv[1])
"""


@asynccontextmanager
async def opened(
    folder: Path, max_bytes: int = BUDGET, clock: Callable[[], float] = time.time
) -> AsyncIterator[DiskStore]:
    store = DiskStore(folder, max_bytes, clock=clock)
    try:
        yield store
    finally:
        await store.close()


def path_of(folder: Path, name: object) -> Path:
    key = key_of(name)
    return folder / key[:2] / key


def files(folder: Path) -> list[Path]:
    """All files of entries, whole or not."""
    return [path for path in folder.glob("[0-9a-f][0-9a-f]/*") if path.is_file()]


async def idle(store: DiskStore) -> None:
    """Wait for the background work: the writer has nothing left to do."""
    while store._is_working:
        await store._writer.run(lambda: None, 60)


def program(body: str, folder: Path) -> list[str]:
    return [sys.executable, "-c", PREAMBLE + body, str(folder)]


async def run(body: str, folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(*program(body, folder))
    assert await process.wait() == 0


async def test_entries_survive_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put(key_of(1), entry(b"1", "tag:a"))
    async with opened(tmp_path) as store:
        assert await store.get(key_of(1)) == entry(b"1", "tag:a")
        assert await store.purge(Selector("tag:a")) == 1


async def test_files_and_folders_are_for_the_owner_only(tmp_path: Path) -> None:
    async with opened(tmp_path / "cache") as store:
        await store.put(key_of(1), entry())
        await idle(store)
        found = list((tmp_path / "cache").rglob("*"))
        assert len(found) >= 4
        assert {path.stat().st_mode & 0o077 for path in [tmp_path / "cache", *found]} == {0}


async def test_a_key_that_is_none_never_becomes_a_path(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for key in ("../../etc/passwd", "A" * 64, key_of(1) + "\n", ""):
            with pytest.raises(ValueError, match="not a key"):
                await store.get(key)
            with pytest.raises(ValueError, match="not a key"):
                await store.put(key, entry())


async def test_the_oldest_used_go_first(tmp_path: Path) -> None:
    async with opened(tmp_path, 20 * 4096) as store:
        for n in range(20):
            await store.put(key_of(n), entry(b"x" * 3000))
        assert await store.get(key_of(0))
        await store.put(key_of("new"), entry(b"x" * 3000))
        await idle(store)
        left = [n for n in range(20) if await store.get(key_of(n))]
        assert left == [0, *range(4, 20)]
        assert await store.get(key_of("new"))


async def test_expired_entries_go_before_the_oldest(tmp_path: Path) -> None:
    now = 1000.0
    async with opened(tmp_path, 20 * 4096, clock=lambda: now) as store:
        for n in range(20):
            await store.put(key_of(n), entry(b"x", expires_at=2000.0 if n in (17, 18, 19) else 0.0))
        now = 2000.0
        await store.put(key_of("new"), entry(b"x"))
        assert {n for n in range(20) if path_of(tmp_path, n).exists()} == set(range(17))


async def test_an_entry_above_a_quarter_is_refused_and_takes_the_older_one_along(tmp_path: Path) -> None:
    async with opened(tmp_path, 40_000) as store:
        assert await store.put(key_of(1), entry(b"x" * 9000)) is True
        assert await store.put(key_of(1), entry(b"x" * 10_000)) is False
        assert await store.get(key_of(1)) is None


async def test_a_clock_set_back_pins_nothing(tmp_path: Path) -> None:
    now = 2_000_000_000.0
    async with opened(tmp_path, 10 * 4096, clock=lambda: now) as store:
        for n in range(10):
            await store.put(key_of(n), entry())
        now = 1_000_000_000.0
        for n in range(10, 30):
            await store.put(key_of(n), entry())
        await idle(store)
        assert [n for n in range(30) if await store.get(key_of(n))][-9:] == list(range(21, 30))
        assert not any(path_of(tmp_path, n).exists() for n in range(20))


FILLER = """
async def main():
    store = DiskStore(folder, 400 * 4096)
    for n in range(300):
        await store.put(key_of((sys.argv[2], n)), entry(b"x" * 3000, "tag:" + sys.argv[2]))
    await store.close()
asyncio.run(main())
"""


async def test_two_processes_keep_one_budget(tmp_path: Path) -> None:
    filling = [await asyncio.create_subprocess_exec(*program(FILLER, tmp_path), name) for name in ("first", "second")]
    assert [await process.wait() for process in filling] == [0, 0]
    async with opened(tmp_path, 400 * 4096) as store:
        await idle(store)
        left = files(tmp_path)
        assert 300 <= len(left) <= 400
        with sqlite3.connect(tmp_path / "index.sqlite") as db:
            assert db.execute("SELECT total FROM state").fetchone() == (4096 * len(left),)
        db.close()
        assert await store.purge(Selector("tag:", prefix=True)) == len(left)
        assert files(tmp_path) == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a small entry."""
    folder = tmp_path_factory.mktemp("whole")

    async def write() -> None:
        async with opened(folder) as store:
            await store.put(key_of(1), entry(bytes(range(200)), "tag:a"))

    asyncio.run(write())
    return path_of(folder, 1).read_bytes()


async def all_missing(folder: Path, versions: list[bytes]) -> None:
    async with opened(folder) as store:
        path = path_of(folder, 1)
        path.parent.mkdir(mode=0o700)
        for version in versions:
            path.write_bytes(version)
            assert await store.get(key_of(1)) is None
            assert not path.exists()
        assert await store.put(key_of(1), entry(b"good"))
        assert await store.get(key_of(1)) == entry(b"good")


async def test_a_file_cut_at_any_length_is_a_miss(tmp_path: Path, whole: bytes) -> None:
    await all_missing(tmp_path, [whole[:length] for length in range(len(whole))])


async def test_a_file_with_any_byte_changed_is_a_miss(tmp_path: Path, whole: bytes) -> None:
    flipped = [whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :] for at in range(len(whole))]
    await all_missing(tmp_path, [*flipped, whole + b"\0", b"\0" + whole, whole * 2, os.urandom(5000)])


async def test_a_file_edited_after_it_was_verified_is_a_miss(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put(key_of(1), entry(b"a" * 5000))
        path = path_of(tmp_path, 1)
        while key_of(1) not in store._verified:  # as soon as the file is old enough for its ctime to mean something
            assert await store.get(key_of(1)) == entry(b"a" * 5000)
        facts = path.stat()
        with path.open("r+b") as file:
            file.seek(100)
            file.write(b"b")
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # size, inode and mtime as they were
        assert await store.get(key_of(1)) is None


async def test_another_keys_file_is_a_miss(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put(key_of(1), entry(b"1" * 50))
        await store.put(key_of(2), entry(b"2" * 50))
        shutil.copy(path_of(tmp_path, 2), path_of(tmp_path, 1))
        assert await store.get(key_of(1)) is None
        assert await store.get(key_of(2)) == entry(b"2" * 50)


async def test_pipes_links_and_folders_in_an_entrys_place_give_no_body(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    async with opened(tmp_path / "cache") as store:
        await idle(store)
        paths = [path_of(tmp_path / "cache", n) for n in range(3)]
        for path in paths:
            path.parent.mkdir(mode=0o700)
        os.mkfifo(paths[0])
        paths[1].mkdir()
        paths[2].symlink_to(secret)
        assert await store.get(key_of(0)) is None
        assert await store.get(key_of(1)) is None
        with pytest.raises(StoreError):
            await store.get(key_of(2))
        assert await store.put(key_of(2), entry())
    assert secret.read_bytes() == b"secret"


KILLED = """
async def main():
    store = DiskStore(folder, 4 << 20)
    n = 0
    while True:
        await asyncio.gather(*[
            store.put(key_of(m), entry(str(m).encode() * (500 + m % 7000), f"tag:{m % 5}")) for m in range(n, n + 8)
        ])
        print(n, flush=True)
        n += 8
asyncio.run(main())
"""


async def test_a_process_killed_while_it_writes_leaves_whole_entries_in_the_index(tmp_path: Path) -> None:
    for written in (3, 17, 40):
        process = await asyncio.create_subprocess_exec(*program(KILLED, tmp_path), stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(written):
            await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with opened(tmp_path, 4 << 20) as store:
        await idle(store)
        left = {path.name for path in files(tmp_path) if path.suffix != ".tmp"}
        names = {key_of(m): m for m in range(10_000)}
        assert len(left) >= 100
        for key in left:
            m = names[key]
            assert await store.get(key) == entry(str(m).encode() * (500 + m % 7000), f"tag:{m % 5}")
        assert sum([await store.purge(Selector(f"tag:{n}")) for n in range(5)]) == len(left)


async def test_leftovers_of_dead_processes_are_removed_and_young_ones_not(tmp_path: Path) -> None:
    folder = path_of(tmp_path, 1).parent
    folder.mkdir()
    old, young, future = [folder / f"{key_of(1)}.{n:016x}.tmp" for n in range(3)]
    for path, age in ((old, 4000), (young, 60), (future, -4000)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age, time.time() - age))
    async with opened(tmp_path) as store:
        await idle(store)
    assert [path.exists() for path in (old, young, future)] == [False, True, False]


async def test_foreign_files_are_never_touched(tmp_path: Path) -> None:
    folder = path_of(tmp_path, 1).parent
    folder.mkdir()
    (tmp_path / "zz").mkdir()
    foreign = [
        *(tmp_path / "README", folder / "notes.txt", folder / key_of(1).upper(), folder / f"{key_of(1)}.jpg"),
        *(tmp_path / "zz" / key_of(1), folder / f"{key_of(1)}.old.tmp", tmp_path / key_of(1)),
        folder / ("0" * 64 if key_of(1)[:2] != "00" else "f" * 64),
    ]
    for path in foreign:
        path.write_bytes(b"mine")
        os.utime(path, (1, 1))
    async with opened(tmp_path) as store:
        await idle(store)
        await store.put(key_of(1), entry())
        assert await store.purge(EVERYTHING) == 1
    assert [path.read_bytes() for path in foreign] == [b"mine"] * len(foreign)


def delete(index: Path) -> None:
    for path in index.parent.glob("index.sqlite*"):
        path.unlink()


def garbage(index: Path) -> None:
    index.write_bytes(os.urandom(30_000))


def empty(index: Path) -> None:
    os.truncate(index, 0)


def other(index: Path) -> None:
    delete(index)
    db = sqlite3.connect(index)
    db.execute("CREATE TABLE entries(something)")
    db.commit()
    db.close()


HARMS = pytest.mark.parametrize("harm", [delete, garbage, empty, other])


async def fill(store: DiskStore) -> None:
    await asyncio.gather(*[store.put(key_of(n), entry(b"x" * n, f"tag:{n % 2}")) for n in range(200)])


@HARMS
async def test_an_index_lost_between_runs_is_rebuilt_from_the_files(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    async with opened(tmp_path) as store:
        await fill(store)
    harm(tmp_path / "index.sqlite")
    async with opened(tmp_path) as store:
        assert await store.get(key_of(7)) == entry(b"x" * 7, "tag:1")
        assert await store.put(key_of("new"), entry())
        await idle(store)
        assert await store.purge(Selector("tag:1")) == 100
        assert len(files(tmp_path)) == 101


@HARMS
async def test_an_index_lost_while_running_misses_no_purge(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    async with opened(tmp_path) as store, opened(tmp_path) as neighbour:
        await fill(store)
        await idle(store)
        await idle(neighbour)
        harm(tmp_path / "index.sqlite")
        assert await store.get(key_of(7)) == entry(b"x" * 7, "tag:1")
        assert await store.put(key_of("new"), entry(b"new", "tag:1"))
        assert await neighbour.purge(Selector("tag:1")) == 101
        assert await store.purge(Selector("tag:1")) == 0
        assert await store.purge(Selector("tag:0")) == 100
        assert files(tmp_path) == []


def delete_journal(journal: Path) -> None:
    journal.unlink()


def empty_journal(journal: Path) -> None:
    os.truncate(journal, 0)


def garbage_in_journal(journal: Path) -> None:
    journal.write_bytes(os.urandom(3000))


def cut_journal(journal: Path) -> None:
    os.truncate(journal, journal.stat().st_size - 5)


def older_journal(journal: Path) -> None:
    journal.write_bytes(b"0123456789abcdef" + journal.read_bytes()[16:])


@pytest.mark.parametrize("harm", [delete_journal, empty_journal, garbage_in_journal, cut_journal, older_journal])
async def test_a_journal_lost_while_running_misses_no_purge(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    async with opened(tmp_path) as store, opened(tmp_path) as neighbour:
        await fill(store)
        await idle(store)
        await idle(neighbour)
        await store.put(key_of("last"), entry(b"last", "tag:1"))
        harm(tmp_path / "index.journal")
        assert await neighbour.purge(Selector("tag:1")) == 101
        assert await store.put(key_of("new"), entry(b"new", "tag:1"))
        assert await neighbour.purge(Selector("tag:1")) == 1
        assert await store.purge(Selector("tag:0")) == 100
        assert files(tmp_path) == []


async def test_a_put_makes_no_transaction_and_its_line_is_taken_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put(key_of("first"), entry())
        await idle(store)
        for n in range(10):
            await store.put(key_of(n), entry(b"x", "tag:a"))
        journal = tmp_path / "index.journal"
        assert journal.read_bytes().count(b"\n") >= 10
        assert await store.purge(Selector("tag:a")) == 10
        assert journal.read_bytes().count(b"\n") == 0


async def test_a_long_journal_is_taken_over_by_a_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_keeper, "JOURNAL_BYTES", 1000)
    async with opened(tmp_path) as store:
        await idle(store)
        for n in range(50):
            await store.put(key_of(n), entry(b"x", "tag:a"))
            assert (tmp_path / "index.journal").stat().st_size <= 1000


DIES = """
def rename(*names):
    if sys.argv[2] == "after":
        rename_now(*names)
    os._exit(7)
async def main():
    global rename_now
    store = DiskStore(folder, 64 << 20)
    await store.put(key_of(1), entry(b"old", "tag:old"))
    while store._is_working:
        await store._writer.run(lambda: None, 60)
    rename_now, os.rename = os.rename, rename
    await store.put(key_of(1), entry(b"new", "tag:new"))
asyncio.run(main())
"""


@pytest.mark.parametrize(("when", "left"), [("before", "old"), ("after", "new")])
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_purge_goes_by_the_file_that_a_dying_process_left(
    tmp_path: Path, when: str, left: str, is_known: bool
) -> None:
    process = await asyncio.create_subprocess_exec(*program(DIES, tmp_path), when)
    assert await process.wait() == 7
    if is_known:
        async with opened(tmp_path) as store:
            await idle(store)
    async with opened(tmp_path) as store:
        assert await store.get(key_of(1)) == entry(left.encode(), f"tag:{left}")
        other = {"old": "new", "new": "old"}[left]
        assert await store.purge(Selector(f"tag:{other}")) == 0
        assert await store.get(key_of(1)) is not None
        assert await store.purge(Selector(f"tag:{left}")) == 1
        assert path_of(tmp_path, 1).exists() is False


async def test_a_disk_that_hangs_does_not_stop_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as store:
        await store.put(key_of(1), entry(b"1"))
        monkeypatch.setattr(disk, "PATIENCE_S", 0.2)
        disk_is_back = threading.Event()
        try:
            hanging = [asyncio.create_task(store._readers.run(disk_is_back.wait, 60)) for _ in range(READ_THREADS)]
            back, _ = await asyncio.wait(hanging, timeout=2 * disk.PROMPT_S)
            assert not back
            for name in (1, "missing"):
                with pytest.raises(StoreError, match="did not answer"):
                    await store.get(key_of(name))
        finally:
            disk_is_back.set()
        await asyncio.gather(*hanging)
        assert await store.get(key_of(1)) == entry(b"1")
        assert await store.get(key_of("missing")) is None


@pytest.mark.parametrize("size", [0, 1, 5000, 200_000])
async def test_what_the_kernel_does_not_have_in_memory_is_read_in_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def nothing(*_: int) -> bytes:
        raise BlockingIOError

    monkeypatch.setattr(disk, "read_cached", nothing)
    async with opened(tmp_path) as store:
        await store.put(key_of(1), entry(b"x" * size))
        assert await store.get(key_of(1)) == entry(b"x" * size)


async def test_files_without_a_row_are_found_and_rows_without_a_file_forgotten(tmp_path: Path) -> None:
    async with opened(tmp_path / "a") as store:
        await fill(store)
    async with opened(tmp_path / "b") as store:
        await store.put(key_of("b"), entry(b"b", "tag:b"))
    shutil.rmtree(tmp_path / "a" / key_of(8)[:2])
    target = path_of(tmp_path / "a", "b")
    target.parent.mkdir(exist_ok=True)
    shutil.copy(path_of(tmp_path / "b", "b"), target)
    async with opened(tmp_path / "a") as store:
        await idle(store)
        left = len(files(tmp_path / "a"))
        assert await store.purge(Selector("tag:b")) == 1
        assert await store.purge(Selector("tag:", prefix=True)) == left - 1


async def test_a_folder_deleted_while_running_is_made_again(tmp_path: Path) -> None:
    async with opened(tmp_path / "cache") as store:
        await fill(store)
        await idle(store)
        shutil.rmtree(tmp_path / "cache")
        assert await store.get(key_of(1)) is None
        assert await store.put(key_of(1), entry(b"1", "tag:a"))
        assert await store.get(key_of(1)) == entry(b"1", "tag:a")
        assert await store.purge(Selector("tag:", prefix=True)) == 1


async def test_a_folder_that_cannot_be_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    async with opened(tmp_path / "file" / "cache") as store:
        assert await store.get(key_of(1)) is None
        for _ in range(2):
            with pytest.raises(StoreError):
                await store.put(key_of(1), entry())
        (tmp_path / "file").unlink()
        assert await store.put(key_of(1), entry())


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        pass
    for call in (store.get(key_of(1)), store.put(key_of(1), entry()), store.purge(EVERYTHING), store.delete(key_of(1))):
        with pytest.raises(StoreError):
            await call


LIMITED = """
import resource, json
big, small = entry(b"x" * 300_000), entry(b"x" * 3000)
async def attempt(store, name, stored):
    try:
        return await store.put(key_of(name), stored)
    except StoreError:
        return "StoreError"
async def main():
    store = DiskStore(folder, 64 << 20)
    while store._is_working:
        await store._writer.run(lambda: None, 60)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    done = [await attempt(store, "big", big), await attempt(store, "small", small)]
    left = sorted(path.name for path in folder.glob("??/*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    done.append(await attempt(store, "big", big))
    done.append(await store.get(key_of("big")) == big)
    await store.close()
    print(json.dumps([done, left]))
asyncio.run(main())
"""


async def test_a_write_that_stops_half_way_leaves_nothing(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(*program(LIMITED, tmp_path), stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    assert json.loads(out) == [["StoreError", True, True, True], [key_of("small")]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


async def test_a_disk_smaller_than_the_budget_goes_on_with_the_latest(small_disk: Path) -> None:
    async with opened(small_disk, 1 << 30) as store:
        await idle(store)
        for n in range(60):
            assert await store.put(key_of(n), entry(b"x" * 400_000))
        assert await store.get(key_of(59)) == entry(b"x" * 400_000)
        assert await store.get(key_of(0)) is None
        assert [path for path in files(small_disk) if path.suffix] == []


async def test_a_disk_filled_by_others_is_an_error_until_there_is_room(small_disk: Path) -> None:
    async with opened(small_disk, 1 << 30) as store:
        await idle(store)
        filler = small_disk / "log"
        with pytest.raises(OSError, match="No space"):
            fill_up(filler)
        with pytest.raises(StoreError):
            await store.put(key_of(1), entry(b"x" * 100_000))
        assert files(small_disk) == []
        filler.unlink()
        assert await store.put(key_of(1), entry(b"x" * 100_000))
        assert await store.get(key_of(1)) == entry(b"x" * 100_000)


async def test_a_read_only_disk_still_serves(small_disk: Path) -> None:
    async with opened(small_disk) as store:
        await store.put(key_of(1), entry(b"1"))
    remount(small_disk, "ro")
    async with opened(small_disk) as store:
        assert await store.get(key_of(1)) == entry(b"1")
        with pytest.raises(StoreError):
            await store.put(key_of(2), entry())
        with pytest.raises(StoreError):
            await store.delete(key_of(1))
        with pytest.raises(StoreError):
            await store.purge(EVERYTHING)
        remount(small_disk, "rw")
        assert await store.put(key_of(2), entry())


async def test_an_eviction_of_many_goes_on_between_puts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_keeper, "EVICT_STEP", 10)
    async with opened(tmp_path) as store:
        await asyncio.gather(*[store.put(key_of(n), entry()) for n in range(100)])
    async with opened(tmp_path, 20 * 4096) as store:  # the operator gave it less
        await idle(store)
        assert len(files(tmp_path)) <= 20


async def test_a_put_that_is_forbidden_in_the_last_instant_leaves_nothing_not_even_an_older_entry(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await store.put(key_of(1), entry(b"1"))
        await store.put(key_of(2), entry(b"2"))
        assert not await store.put(key_of(1), entry(b"3"), unless=lambda: True)
        assert not await store.put(key_of(4), entry(b"4"), unless=lambda: True)
        assert [await store.get(key_of(number)) is None for number in (1, 2, 4)] == [True, False, True]
        assert files(tmp_path) == [path_of(tmp_path, 2)]
        assert await store.purge(EVERYTHING) == 1


async def test_a_put_is_asked_about_after_all_purges_that_did_not_find_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as one, opened(tmp_path) as other:
        kept = 0
        for number in range(50):
            told = asyncio.Event()
            putting = asyncio.create_task(one.put(key_of(number), entry(b"%d" % number), unless=told.is_set))
            await asyncio.sleep(number / 20_000)
            told.set()
            await other.purge(EVERYTHING)
            kept += await putting
            assert await one.get(key_of(number)) is None
        assert kept < 50
