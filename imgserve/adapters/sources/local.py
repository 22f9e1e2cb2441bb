"""Sources on disk: local:///path under one root directory.

The path is taken literally. The URL grammar has decoded it once, so a `%` left in it is part of a file's name (imgproxy
does the same), and nothing decoded here could turn into a `/` or `..` behind the checks.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import stat
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar

from imgserve.adapters.sources.header_values import DIGITS, http_date, lower_names
from imgserve.errors import BadRequest, SourceForbidden, SourceNotFound, SourceTooLarge, SourceUnreachable
from imgserve.ports import Announce, Blob, Origin, unannounced

#: One turn through the thread pool costs about 50 microseconds; a megabyte read from page cache about 100.
CHUNK_BYTES = 1 << 20

# By name, only for `raw` and logs: what a file is, the engine finds in its bytes.
CONTENT_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".jxl": "image/jxl",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
}

T = TypeVar("T")

_RANGE = re.compile(rf"bytes=({DIGITS})?-({DIGITS})?")
_ETAG = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLimits:
    """Bounds of reading from disk."""

    max_threads: int = 4


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file at the first byte to send, and how many to send."""

    file: BinaryIO
    origin: Origin
    length: int

    def take(self) -> bytes:
        """Read all of the body at once and close."""
        with self.file:
            data = self.file.read(self.length)
        if len(data) < self.length:
            raise _shrunk()
        return data


class LocalStream:
    """An open file; see ports.SourceStream."""

    def __init__(self, opened: _Opened, run: Callable[[Callable[[], bytes]], asyncio.Future[bytes]]) -> None:
        self.origin = opened.origin
        self._opened = opened
        self._run = run

    async def chunks(self) -> AsyncIterator[bytes]:
        left = self._opened.length
        while left:
            chunk = await self._run(partial(self._opened.file.read, min(left, CHUNK_BYTES)))
            if not chunk:
                raise _shrunk()
            left -= len(chunk)
            yield chunk


class LocalSource:
    """Read files under `root`; see ports.Source.

    What follows `query_separator` in a URL is dropped, so `local:///a.jpg?v=2` is a.jpg; an empty separator keeps it.
    """

    schemes = ("local",)

    def __init__(self, root: Path, *, limits: LocalLimits | None = None, query_separator: str = "?") -> None:
        self._root = root.resolve(strict=True)
        self._query_separator = query_separator
        limits = limits or LocalLimits()
        # Own threads: a disk that hangs must not take those that resolve names or write the cache.
        self._threads = ThreadPoolExecutor(limits.max_threads, thread_name_prefix="source-local")

    @contextlib.asynccontextmanager
    async def open(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> AsyncIterator[LocalStream]:
        opening = self._run(partial(self._open, url, max_bytes, lower_names(headers)))
        try:
            opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        try:
            yield LocalStream(opened, self._run)
        finally:
            opened.file.close()

    async def fetch(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str], announce: Announce = unannounced
    ) -> Blob:
        asked = lower_names(headers)

        def read() -> Blob:  # one turn through the thread pool for opening, reading and closing
            opened = self._open(url, max_bytes, asked)
            return Blob(data=opened.take(), origin=opened.origin)

        return await self._run(read)

    async def close(self) -> None:
        # Not waited for: a thread in a hung network file system would keep the server from stopping.
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, job)

    def _open(self, url: str, max_bytes: int, asked: Mapping[str, str]) -> _Opened:
        path = self._path(url)
        file = self._open_inside(path)
        try:
            return _answer(file, path, max_bytes, asked)
        except BaseException:
            file.close()
            raise

    def _path(self, url: str) -> str:
        """Give the path below the root; raises BadRequest."""
        scheme, _, rest = url.partition("://")
        if scheme.lower() != "local" or not rest.startswith("/"):
            raise BadRequest("A local source is local:/// and a path, with three slashes.", expected="local:///path")
        path = rest.partition(self._query_separator)[0] if self._query_separator else rest
        if "\0" in path:
            raise BadRequest("The path of the local source has a NUL character.")
        return path.lstrip("/")

    def _open_inside(self, path: str) -> BinaryIO:
        try:
            # Without strict: a path that leads outside is refused in the same way whether the file there exists or not.
            # os.path, because Path.resolve answers a loop of symbolic links with a RuntimeError.
            real = Path(os.path.realpath(self._root / path))
            if not real.is_relative_to(self._root):
                raise SourceForbidden("The local source is outside of the served directory.")
            # NOFOLLOW: a link put there since realpath is not followed. NONBLOCK: a FIFO must not hang the thread.
            handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError as exc:
            raise SourceForbidden("The local source may not be read by the server.") from exc
        except OSError as exc:
            raise SourceNotFound("The local source does not exist.") from exc
        except UnicodeError as exc:
            raise BadRequest("The path of the local source has characters that no file name can have.") from exc
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise SourceNotFound("The local source is not a file.")
        return os.fdopen(handle, "rb")


def _answer(file: BinaryIO, path: str, max_bytes: int, asked: Mapping[str, str]) -> _Opened:
    """Judge conditions, range and size, in the order of RFC 9110 section 13.2.2."""
    facts = os.fstat(file.fileno())
    # As in imgproxy, what names a version of a file is where it is, how long, and when it was written.
    tag = hashlib.sha256(f"{path}__{facts.st_size}__{facts.st_mtime_ns}".encode(errors="surrogateescape")).hexdigest()
    headers = {
        "accept-ranges": "bytes",
        "etag": f'"{tag}"',
        "last-modified": formatdate(facts.st_mtime, usegmt=True),
    }
    content_type = CONTENT_TYPES.get(PurePosixPath(path).suffix.lower())
    if content_type:
        headers["content-type"] = content_type
    if _unchanged(headers["etag"], int(facts.st_mtime), asked):
        return _Opened(file, _origin(304, headers, None), 0)
    status, start, length = _part(asked.get("range", ""), facts.st_size)
    if status == 206:
        headers["content-range"] = f"bytes {start}-{start + length - 1}/{facts.st_size}"
    elif status == 416:
        headers["content-range"] = f"bytes */{facts.st_size}"
    if max_bytes and length > max_bytes:
        raise SourceTooLarge.beyond(max_bytes)
    file.seek(start)
    return _Opened(file, _origin(status, headers, length), length)


def _unchanged(etag: str, mtime_s: int, asked: Mapping[str, str]) -> bool:
    if "if-none-match" in asked:  # it alone decides when both are sent
        tags = asked["if-none-match"]
        return tags.strip() == "*" or etag in _ETAG.findall(tags)
    if "if-modified-since" in asked:
        since = http_date(asked["if-modified-since"])
        return since is not None and mtime_s <= since.timestamp()  # a date that cannot be read is no condition
    return False


def _part(wanted: str, size: int) -> tuple[int, int, int]:
    """Read a Range header: status, first byte, number of bytes. Several ranges, or nonsense, give the whole."""
    found = _RANGE.fullmatch(wanted.strip())
    if found is None or found[1] is found[2] is None:
        return 200, 0, size
    if found[1] is None:
        start, end = max(0, size - int(found[2])), size - 1
    else:
        start, end = int(found[1]), min(int(found[2] or size), size - 1)
        if found[2] and int(found[2]) < start:
            return 200, 0, size
    if start > end:
        return 416, 0, 0
    return 206, start, end - start + 1


def _origin(status: int, headers: dict[str, str], length: int | None) -> Origin:
    if length is not None:
        headers["content-length"] = str(length)
    return Origin(
        status=status,
        content_type=headers.get("content-type"),
        content_length=length,
        etag=headers["etag"],
        last_modified=headers["last-modified"],
        headers=headers,
    )


def _close_late(opening: asyncio.Future[_Opened]) -> None:
    """Close what a thread opened for a caller that has left."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().file.close()


def _shrunk() -> SourceUnreachable:
    return SourceUnreachable("The local source became shorter while it was read.")
