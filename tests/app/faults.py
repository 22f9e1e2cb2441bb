"""What the tests of faults share: whole servers, pictures that tell their version, and clients that hold the line."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyvips

from imgserve.plan.signing import Signer, key_pairs
from tests.running import KEY, SALT, Running, running_server
from tests.web.origin import Answer

API_KEY = "an-api-key-of-the-tests"
SIGNER = Signer(pairs=key_pairs([KEY], [SALT]))
#: Nothing here is expected to take this long, on however busy a machine.
PATIENCE_S = 60.0

_SETTINGS = {
    "KEY": KEY,
    "SALT": SALT,
    "WORKERS": "2",
    "RENDER_THREADS": "1",
    "ALLOW_LOOPBACK_SOURCE_ADDRESSES": "1",
    "CACHE": "memory,disk",
    # What is logged goes into a pipe that nobody reads before the end.
    "LOG_LEVEL": "error",
    "API_KEYS": f"tests:{hashlib.sha256(API_KEY.encode()).hexdigest()}",
}


@contextlib.contextmanager
def server(folder: Path, *, environ: dict[str, str] | None = None, **settings: str) -> Iterator[Running]:
    """Run `imgserve serve` with two processes over the cache in `folder`/cache, which outlives it."""
    folder.mkdir(exist_ok=True)
    given = {**_SETTINGS, "CACHE_PATH": str(folder / "cache"), **settings}
    with running_server(folder, {f"IMGSERVE_{name}": value for name, value in given.items()} | (environ or {})) as made:
        yield made


def workers(running: Running) -> list[int]:
    """Give the serving processes, not the one that tracks what spawned processes share."""
    pid, found = running.process.pid, []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):  # ended meanwhile
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


@functools.cache
def drawing(version: int, side: int = 8) -> bytes:
    """Draw a PNG that has its version for its width; `side` is its height."""
    ramp = pyvips.Image.xyz(version, side)[0]
    return bytes((ramp % 251).bandjoin(90).bandjoin(7).cast("uchar").copy(interpretation="srgb").pngsave_buffer())


@functools.cache
def noise(seed: int, side: int = 96) -> bytes:
    """Draw a JPEG that takes some kilobytes and is like no other's."""
    image = pyvips.Image.gaussnoise(side, side, mean=128, sigma=50, seed=seed).cast("uchar")
    colours = image.bandjoin(image.rot90()).bandjoin(image.rot180())
    return bytes(colours.copy(interpretation="srgb").jpegsave_buffer(Q=80))


def drawn(version: int, **headers: str) -> Answer:
    """Answer with `drawing`; names of headers have _ for -."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(headers={"content-type": "image/png", **given}, body=drawing(version))


def version_of(png: bytes) -> int:
    """Read the width of a PNG."""
    assert png.startswith(b"\x89PNG"), png[:100]
    return int.from_bytes(png[16:20])


@dataclass(frozen=True)
class Reply:
    """A whole answer: what was cut short is an exception."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def cache(self) -> str:
        return self.headers.get("x-imgserve-cache", "")


class Line:
    """One connection that is kept, so that one process of the server answers it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> Line:
        place = urlsplit(url)
        async with asyncio.timeout(PATIENCE_S):
            return cls(*await asyncio.open_connection(place.hostname, place.port))

    async def get(self, path: str, *, within_s: float = PATIENCE_S) -> Reply:
        """Ask for an unsigned image path."""
        return await self._ask(f"GET /{SIGNER.sign(path)}{path} HTTP/1.1\r\nhost: x\r\n\r\n".encode(), within_s)

    async def purge(self, what: object) -> Reply:
        body = json.dumps(what).encode()
        head = f"POST /v1/purge HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {API_KEY}\r\n"
        return await self._ask(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body, PATIENCE_S)

    def send(self, path: str) -> None:
        """Ask, and do not wait."""
        self._writer.write(f"GET /{SIGNER.sign(path)}{path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())

    async def _ask(self, request: bytes, within_s: float) -> Reply:
        async with asyncio.timeout(within_s):
            self._writer.write(request)
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in head[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = await self._reader.readexactly(int(headers["content-length"]))
        return Reply(int(head[0].split(" ")[1]), headers, body)

    def close(self) -> None:
        self._writer.close()


@contextlib.asynccontextmanager
async def lines(url: str, count: int = 1) -> AsyncIterator[list[Line]]:
    """Open connections; with a dozen of them each process has some."""
    made = [await Line.open(url) for _ in range(count)]
    try:
        yield made
    finally:
        for line in made:
            line.close()


async def ask(url: str, path: str, *, within_s: float = PATIENCE_S) -> Reply:
    """Ask on a connection of its own, once."""
    async with lines(url) as (line,):
        return await line.get(path, within_s=within_s)


async def ask_until_answered(url: str, path: str) -> Reply:
    """Ask as a client does that tries again when the connection breaks."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await ask(url, path)
        except (ConnectionError, asyncio.IncompleteReadError):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


async def ask_all(url: str, paths: list[str], *, at_a_time: int = 8) -> list[Reply]:
    """Ask for all, some at a time, each until it is answered."""
    room = asyncio.Semaphore(at_a_time)

    async def one(path: str) -> Reply:
        async with room:
            return await ask_until_answered(url, path)

    return list(await asyncio.gather(*map(one, paths)))


async def until(met: Callable[[], Awaitable[bool]], *, within_s: float = PATIENCE_S) -> float:
    """Wait for a condition, and give how long it took."""
    began = time.monotonic()
    while not await met():
        assert time.monotonic() - began < within_s, "it never came"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


def entries(cache: Path, kind: str = "results") -> list[Path]:
    """List the files of a disk tier that are, or pass for, entries."""
    return [path for path in (cache / kind).glob("[0-9a-f][0-9a-f]/*") if len(path.name) == 64]


def leftovers(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*.tmp") if path.parent.name != "bulletin"]


def is_unlocked(cache: Path) -> bool:
    """Tell whether no process holds a lock on anything that is being made."""
    with (cache / "locks" / "locks").open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def busy_workers(running: Running) -> list[int]:
    """Give the processes that have a client's connection: those have begun to serve."""
    port = urlsplit(running.url).port
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    taken = {row[9] for row in rows if int(row[1].partition(":")[2], 16) == port and row[3] == _ESTABLISHED}
    return [pid for pid in workers(running) if taken & _sockets(pid)]


#: State of a connection in /proc/net/tcp.
_ESTABLISHED = "01"


def _sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found
