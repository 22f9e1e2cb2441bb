"""Whole servers under faults: killed processes, full and broken disks, no Redis, wrong clocks, origins that break off.

In each: no wrong or partial picture is served or kept, nothing hangs, and the server is well again by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.redis_server import RedisServer, running_redis
from tests.app.faults import (
    PATIENCE_S,
    Line,
    Reply,
    ask,
    ask_all,
    ask_until_answered,
    busy_workers,
    drawn,
    entries,
    is_unlocked,
    leftovers,
    lines,
    noise,
    server,
    until,
    version_of,
    workers,
)
from tests.running import Running
from tests.web.origin import Answer, Origin, running_origin

#: An answer later than this is a hang: twice the longest bound a server of these tests has, on a crowded machine.
HANG_S = 25.0


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with running_origin() as made:
        yield made


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_redis(folder) as made:
        yield made


def photos(origin: Origin, count: int, *, widths: tuple[int, ...] = (40, 60)) -> list[str]:
    """Give paths of pictures of as many sources as are wanted, every one like no other."""
    for number in range(count):
        origin.at[f"/{number}.jpg"] = Answer(headers={"etag": f'"{number}"'}, body=noise(number))
    return [f"/w:{width}/plain/{origin.base}/{number}.jpg" for width in widths for number in range(count)]


async def references(folder: Path, paths: list[str]) -> list[bytes]:
    """Have a server that keeps nothing make the pictures."""
    with server(folder, CACHE="off") as plain:
        return [reply.body for reply in await ask_all(plain.url, paths)]


async def kept(url: str, paths: list[str], wanted: list[bytes]) -> None:
    """Ask until all answers come from the disk, and look at every one on the way."""

    async def all_from_disk() -> bool:
        replies = await ask_all(url, paths)
        check(replies, wanted)
        return {reply.cache for reply in replies} == {"disk"}

    await until(all_from_disk)


def check(replies: list[Reply], wanted: list[bytes]) -> None:
    assert Counter(reply.status for reply in replies) == {200: len(wanted)}
    assert [number for number, reply in enumerate(replies) if reply.body != wanted[number]] == []


# Processes that are killed


async def test_processes_killed_while_they_write_leave_nothing_broken(tmp_path: Path, origin: Origin) -> None:
    paths = photos(origin, 100)
    luck = random.Random(1)
    with server(tmp_path, CACHE="disk", LOCK_LEASE="1") as running:
        asking = asyncio.create_task(ask_all(running.url, paths[:150], at_a_time=6))
        for _ in range(10):
            await asyncio.sleep(luck.uniform(0, 0.1))  # a random moment, not for something to be done
            async with lines(running.url, 4):
                await until(lambda: _killed_one(running, luck))
        replies = await asking
        replies += await ask_all(running.url, paths[150:])
    wanted = await references(tmp_path / "reference", paths)
    check(replies, wanted)
    cache = tmp_path / "cache"
    for path in leftovers(cache):
        os.utime(path, (time.time() - 7200,) * 2)  # a fresh one may be being written
    with server(tmp_path, CACHE="disk") as fresh:
        again = await ask_all(fresh.url, paths)
        check(again, wanted)
        assert Counter(reply.cache for reply in again)["disk"] > len(paths) * 0.8
        await until(lambda: _true(not leftovers(cache)))
        await until(lambda: _true(is_unlocked(cache)))
        await kept(fresh.url, paths, wanted)


async def _killed_one(running: Running, luck: random.Random) -> bool:
    if not (busy := busy_workers(running)):
        return False
    os.kill(luck.choice(busy), signal.SIGKILL)
    return True


async def _true(value: bool) -> bool:
    return value


async def test_a_stop_finishes_what_is_being_written(tmp_path: Path, origin: Origin) -> None:
    paths = photos(origin, 40)
    with server(tmp_path, CACHE="disk") as running:
        asking = asyncio.create_task(ask_all(running.url, paths[:-1], at_a_time=80))
        async with lines(running.url) as (line,):
            await line.get(paths[-1])
            running.process.send_signal(signal.SIGTERM)
            answered = [one for one in await asyncio.gather(asking, return_exceptions=True) if isinstance(one, list)]
        await asyncio.to_thread(running.process.wait, PATIENCE_S)
        assert running.process.returncode == 0
    assert leftovers(tmp_path / "cache") == []
    with server(tmp_path, CACHE="disk") as again:
        for path in paths if answered else paths[-1:]:
            assert (await ask(again.url, path)).cache == "disk"


# Redis


async def test_redis_stopped_started_and_paused_under_traffic(
    tmp_path: Path, origin: Origin, redis: RedisServer
) -> None:
    settings: dict[str, Any] = {"CACHE": "memory,disk,redis", "REDIS_URL": redis.url}
    origin.at["/v.png"] = drawn(1)
    path = f"/q:50/f:png/plain/{origin.base}/v.png"
    with server(tmp_path / "a", **settings) as one, server(tmp_path / "b", **settings) as other:
        async with traffic([one, other], origin) as answers:
            await _more(answers, 30)
            redis.stop()
            await _more(answers, 60)
            redis.start()
            await _more(answers, 60)
            with redis.paused():
                await _more(answers, 60)
            await _more(answers, 30)
            redis.stop(signal.SIGKILL)
            redis.start()
            await _more(answers, 30)

            async def is_stored() -> bool:
                with redis.client() as client:
                    return len(list(client.scan_iter("imgserve:entry:*"))) > 0

            await until(is_stored)
            async with lines(other.url, 8) as many:
                await asyncio.gather(*(line.get(path) for line in many for _ in range(1)))
                origin.at["/v.png"] = drawn(2)
                await until(lambda: _purged(one, {"source": f"{origin.base}/v.png"}))

                async def is_new() -> bool:
                    return {version_of((await line.get(path)).body) for line in many} == {2}

                await until(is_new, within_s=HANG_S)
    assert max(answers) < HANG_S


async def _purged(running: Running, what: object) -> bool:
    async with lines(running.url) as (line,):
        return (await line.purge(what)).status == 200


@contextlib.asynccontextmanager
async def traffic(servers: list[Running], origin: Origin, *, count: int = 4) -> AsyncIterator[list[float]]:
    """Ask all the time, for old pictures and new ones; yields how long each answer took, and checks every one."""
    took: list[float] = []
    done = asyncio.Event()

    async def one(number: int) -> None:
        luck = random.Random(number)
        while not done.is_set():
            version = luck.randrange(10, 40)
            at = f"/{version}.png"
            origin.at.setdefault(at, drawn(version))
            began = time.monotonic()
            path = f"/q:{luck.randrange(40, 90)}/f:png/plain/{origin.base}{at}"
            reply = await ask(servers[number % len(servers)].url, path)
            took.append(time.monotonic() - began)
            assert (reply.status, version_of(reply.body)) == (200, version)

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    try:
        yield took
    finally:
        done.set()
        await asyncio.gather(*tasks)


async def _more(answers: list[float], count: int) -> None:
    wanted = len(answers) + count
    await until(lambda: _true(len(answers) >= wanted))


# The disk


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Put a file system of 16 MB under a folder, for two indexes of 4 MB each at most; False where only root may."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        yield False
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=True)
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def full(folder: Path, running: Running, *, is_small: bool) -> Iterator[None]:
    """Leave no room on the disk; without one of our own, have the kernel refuse what makes a file longer than 1 KB."""
    if is_small:
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield
        filler.unlink()
        return
    for pid in workers(running):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    yield
    for pid in workers(running):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def test_a_full_disk_costs_no_answer_and_is_used_again_once_there_is_room(tmp_path: Path, origin: Origin) -> None:
    paths = photos(origin, 60)
    wanted = await references(tmp_path / "reference", paths)
    with small_disk(tmp_path / "cache") as is_small, server(tmp_path, CACHE="disk") as running:
        check(await ask_all(running.url, paths[:30]), wanted[:30])
        with full(tmp_path / "cache", running, is_small=is_small):
            check(await ask_all(running.url, paths), wanted)
            assert await _purged(running, {"source": f"{origin.base}/3.jpg"})
            check(await ask_all(running.url, paths), wanted)
        await kept(running.url, paths, wanted)
        assert leftovers(tmp_path / "cache") == []


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Forbid to write into a folder; root, whom no mode forbids anything, by a mount."""
    if os.geteuid() == 0:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", folder], check=True)
        return
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*")) if path.is_dir()}
    for path in modes:
        path.chmod(0o500)
    yield
    for path, mode in modes.items():
        path.chmod(mode)


def remove(folder: Path) -> None:
    """Delete a folder that a server goes on writing to."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
            return
    raise AssertionError(f"{folder} cannot be deleted")


async def test_a_cache_that_becomes_read_only_deleted_or_garbage_heals(tmp_path: Path, origin: Origin) -> None:
    paths = photos(origin, 20)
    wanted = await references(tmp_path / "reference", paths)
    cache = tmp_path / "cache"
    with server(tmp_path, CACHE="disk") as running:
        await kept(running.url, paths[:10], wanted[:10])
        with read_only(cache / "results"), read_only(cache / "sources"):
            check(await ask_all(running.url, paths), wanted)
        await kept(running.url, paths, wanted)
        remove(cache)
        check(await ask_all(running.url, paths), wanted)
        await kept(running.url, paths, wanted)
        for kind in ("results", "sources"):
            (cache / kind / "index.sqlite").write_bytes(random.Random(1).randbytes(50_000))
        await kept(running.url, paths, wanted)
        # What lies there without a row is found by purges all the same.
        origin.at["/0.jpg"].body = noise(1000)
        origin.at["/0.jpg"].headers["etag"] = '"new"'
        assert await _purged(running, {"source": f"{origin.base}/0.jpg"})
        assert (await ask(running.url, paths[0])).body != wanted[0]


async def test_damaged_files_are_never_served_and_are_replaced(tmp_path: Path, origin: Origin) -> None:
    paths = photos(origin, 30)
    wanted = await references(tmp_path / "reference", paths)
    cache, luck = tmp_path / "cache", random.Random(4)
    with server(tmp_path, CACHE="disk") as running:
        await kept(running.url, paths, wanted)
        for _ in range(3):
            for kind in ("results", "sources"):
                await until(lambda kind=kind: _true(len(entries(cache, kind)) > 20))  # type: ignore[misc]
                _damage(entries(cache, kind), luck)
            check(await ask_all(running.url, paths), wanted)
            await kept(running.url, paths, wanted)
        for path in entries(cache)[:5]:
            path.unlink()
            path.mkdir()
        check(await ask_all(running.url, paths), wanted)


def _damage(files: list[Path], luck: random.Random) -> None:
    luck.shuffle(files)
    cut, flipped, fifos, links, *rest = (files[at::6] for at in range(6))
    for path in cut:
        os.truncate(path, luck.randrange(path.stat().st_size))
    for path in flipped:
        data = bytearray(path.read_bytes())
        data[luck.randrange(len(data))] ^= 1 << luck.randrange(8)
        path.write_bytes(data)
    for path in fifos:
        path.unlink()
        os.mkfifo(path)
    for path in links:
        path.unlink()
        path.symlink_to(files[-1])
    for one, other in zip(*rest, strict=False):
        spare = one.with_suffix(".spare")
        one.rename(spare)
        other.rename(one)
        spare.rename(other)


# Clocks


def in_a_year(folder: Path) -> dict[str, str]:
    """Set the clock of a server's processes a year ahead; what runs on a monotonic clock goes on as ever.

    Not by libfaketime, under which `time.sleep` of Python 3.11 fails (EINVAL of an absolute clock_nanosleep).
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        "import time\n_now = time.time\ntime.time = lambda: _now() + 365 * 86400\n"
    )
    return {"PYTHONPATH": str(folder)}


async def test_a_clock_set_ahead_and_back_neither_pins_nor_revives_a_picture(tmp_path: Path, origin: Origin) -> None:
    path = f"/f:png/plain/{origin.base}/a.png"

    def now(version: int) -> None:
        origin.at["/a.png"] = drawn(version, etag=f'"{version}"', cache_control="max-age=100000")

    async def seen(running: Running) -> set[int]:
        async with lines(running.url, 8) as many:
            return {version_of((await line.get(path)).body) for line in many}

    async def check_clock(version: int, environ: dict[str, str]) -> None:
        """See a change without a purge (what is kept is of another time), keep the new one, and see that purged."""
        now(version)
        with server(tmp_path, environ=environ) as running:
            assert await seen(running) == {version}
            asked = len(origin.asked)
            assert await seen(running) == {version}
            assert len(origin.asked) == asked
            now(version + 1)
            assert await _purged(running, {"source": f"{origin.base}/a.png"})
            assert await seen(running) == {version + 1}

    for round_number in range(2):
        await check_clock(10 + 20 * round_number, in_a_year(tmp_path / "clock"))
        await check_clock(20 + 20 * round_number, {})


# Origins that break off


class BrokenOrigin:
    """Sends what it is told and then ends as it is told: `close`, `reset` or `stall`."""

    def __init__(self) -> None:
        self.head = b""
        self.body = b""
        self.end = "close"
        self.asked = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            writer.write(self.head + b"\r\n" + self.body)
            await writer.drain()
            if self.end == "stall":
                await reader.read()
            if self.end == "reset":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()


_WHOLE = noise(1, 200)
_HALF = _WHOLE[: len(_WHOLE) // 2]
_LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n" % len(_WHOLE)
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
_OLD = b"HTTP/1.0 200 OK\r\n"
_BREAKS = {
    "length": (_LENGTH, _HALF, "close"),
    "length-reset": (_LENGTH, _HALF, "reset"),
    "length-stall": (_LENGTH, _HALF, "stall"),
    "chunked": (_CHUNKED, b"%x\r\n%s" % (len(_WHOLE), _HALF), "close"),
    "chunked-without-end": (_CHUNKED, b"%x\r\n%s\r\n" % (len(_WHOLE), _WHOLE), "close"),
    "chunked-stall": (_CHUNKED, b"%x\r\n%s\r\n" % (len(_HALF), _HALF), "stall"),
    "old": (_OLD, _HALF, "close"),
    "old-reset": (_OLD, _HALF, "reset"),
    "old-stall": (_OLD, _HALF, "stall"),
}


async def test_an_origin_that_breaks_off_is_an_error_at_once_and_nothing_is_kept(tmp_path: Path) -> None:
    broken = BrokenOrigin()
    listener = await asyncio.start_server(broken.serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    given: dict[str, Any] = {
        "DOWNLOAD_TIMEOUT": "1",
        "CACHE_TTL": "0",
        "STALE_WHILE_REVALIDATE": "0",
        "SOURCE_ERROR_TTL": "0",
    }
    whole = (_LENGTH + b'etag: "1"\r\n', _WHOLE, "close")
    async with listener:
        with server(tmp_path, **given) as running:
            paths = {name: f"/w:50/plain/{base}/{name}.jpg" for name in _BREAKS}
            for name, path in paths.items():
                broken.head, broken.body, broken.end = _BREAKS[name]
                began = time.monotonic()
                reply = await ask(running.url, path)
                # Of an answer of HTTP/1.0 without a length nobody can tell that it is not whole.
                assert reply.status in (422, 502, 504) or name == "old", name
                assert time.monotonic() - began < HANG_S
            assert len(entries(tmp_path / "cache")) <= 1
            assert len(entries(tmp_path / "cache", "sources")) <= 1
            broken.head, broken.body, broken.end = whole
            good = {name: await ask(running.url, path) for name, path in paths.items()}
            assert {reply.status for reply in good.values()} == {200}
            assert len({reply.body for reply in good.values()}) == 1
            await until(lambda: _true(len(entries(tmp_path / "cache")) == len(paths)))
            for name, path in paths.items():
                broken.head, broken.body, broken.end = _BREAKS[name]
                reply = await ask(running.url, path)
                if name != "old":
                    assert (reply.headers["x-imgserve-stale"], reply.body) == ("error", good[name].body)


# Clients that leave


async def test_clients_that_leave_hold_nobody_up(tmp_path: Path, origin: Origin) -> None:
    gate = asyncio.Event()
    origin.at["/a.jpg"] = Answer(body=noise(1), gate=gate)
    path = f"/w:50/plain/{origin.base}/a.jpg"
    with server(tmp_path, CACHE="memory,disk") as running:
        async with lines(running.url, 100) as all_of_them:
            for line in all_of_them:
                line.send(path)
            await origin.arrived.wait()
        async with asyncio.timeout(HANG_S):
            await origin.left.wait()
        await until(lambda: _true(is_unlocked(tmp_path / "cache")))
        asked = len(origin.asked)
        async with lines(running.url, 20) as many:
            first = many[0]
            first.send(path)
            await until(lambda: _true(len(origin.asked) > asked))
            waiting = [asyncio.create_task(line.get(path)) for line in many[1:]]
            first.close()
            gate.set()
            replies = await asyncio.gather(*waiting)
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1


async def test_a_killed_leader_is_followed_at_once(tmp_path: Path, origin: Origin) -> None:
    origin.at["/a.jpg"] = Answer(body=noise(1), gate=asyncio.Event())
    path = f"/w:50/plain/{origin.base}/a.jpg"
    with server(tmp_path, CACHE="memory,disk", LOCK_LEASE="60", TIMEOUT="60", DOWNLOAD_TIMEOUT="60") as running:
        async with lines(running.url) as (first,):
            leading = asyncio.create_task(first.get(path))
            await origin.arrived.wait()
            (leader,) = busy_workers(running)
            others = [asyncio.create_task(ask_until_answered(running.url, path)) for _ in range(20)]
            origin.at["/a.jpg"] = Answer(body=noise(1))
            os.kill(leader, signal.SIGKILL)
            async with asyncio.timeout(HANG_S):  # less than half of the lease
                replies = await asyncio.gather(*others)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await leading
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1


# Purges under traffic


@pytest.mark.parametrize(("cache", "rounds"), [("memory,disk", 200), ("disk", 50), ("memory", 50)])
async def test_after_a_purge_no_process_gives_the_old_picture(
    tmp_path: Path, origin: Origin, cache: str, rounds: int
) -> None:
    origin.at["/a.png"] = drawn(1)
    source, luck = f"{origin.base}/a.png", random.Random(8)
    paths = [f"/q:{quality}/f:png/plain/{source}" for quality in range(50, 54)]
    purged = 1  # the least version that an answer may have, if its request began now
    old: list[tuple[int, int, str]] = []
    done = asyncio.Event()
    with server(tmp_path, CACHE=cache) as running:
        async with lines(running.url, 10) as many, lines(running.url, 6) as admins:

            async def go_on(line: Line, luck: random.Random) -> None:
                while not done.is_set():
                    least = purged
                    reply = await line.get(luck.choice(paths))
                    assert reply.status == 200, reply
                    if version_of(reply.body) < least:
                        old.append((version_of(reply.body), least, reply.cache))
                    await asyncio.sleep(luck.choice((0, 0, 0.002)))

            tasks = [asyncio.create_task(go_on(line, random.Random(number))) for number, line in enumerate(many)]
            for version in range(2, rounds + 2):
                origin.at["/a.png"] = drawn(version)
                assert (await luck.choice(admins).purge({"source": source})).status == 200
                purged = version
                # Sometimes long enough for all processes to have all of it in memory, sometimes in the middle of that.
                await asyncio.sleep(luck.choice((0, 0.005, 0.02, 0.15)))
            done.set()
            await asyncio.gather(*tasks)
    assert old == []


async def test_a_purge_reaches_the_other_instances_of_a_fleet_within_a_moment(
    tmp_path: Path, origin: Origin, redis: RedisServer
) -> None:
    origin.at["/a.png"] = drawn(1)
    source = f"{origin.base}/a.png"
    path = f"/f:png/plain/{source}"
    settings: dict[str, Any] = {"CACHE": "memory,disk,redis", "REDIS_URL": redis.url, "REDIS_TIMEOUT": "1"}
    took = []
    with server(tmp_path / "a", **settings) as one, server(tmp_path / "b", **settings) as other:
        async with lines(one.url, 6) as near, lines(other.url, 6) as far:
            for version in range(2, 17):
                for line in (*near, *far):
                    await line.get(path)
                origin.at["/a.png"] = drawn(version)
                # Everything, which lies on the other's disk too, at times.
                what: object = {"everything": True} if version % 5 == 0 else {"source": source}
                assert (await near[version % 6].purge(what)).status == 200

                async def all_new(version: int = version) -> bool:
                    seen = await asyncio.gather(*(line.get(path) for line in (*near, *far)))
                    return {version_of(reply.body) for reply in seen} == {version}

                took.append(await until(all_new, within_s=HANG_S))
                assert await all_new()
    assert sorted(took)[len(took) // 2] < 1
