"""Sources in object storage: s3://bucket/key?versionId through boto3 (AWS, R2, MinIO, Supabase and others).

Import this module only where S3 is enabled: boto3 takes about 0.2 s and 25 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, TypeVar

from imgserve.adapters.s3_client import S3Account, S3Limits, make_client
from imgserve.adapters.sources.header_values import http_date, lower_names
from imgserve.adapters.sources.inflate import Inflate
from imgserve.adapters.sources.s3_answer import BodilessAnswer, origin_of, translated
from imgserve.errors import BadRequest, SourceForbidden, SourceTimeout, SourceTooLarge
from imgserve.ports import Announce, Blob, Origin, unannounced

T = TypeVar("T")

#: One turn through the thread pool costs about 50 microseconds.
CHUNK_BYTES = 1 << 20
#: boto3 sends them as they are, and storages or proxies resolve them: s3://open/../closed/key would leave its bucket.
DOT_SEGMENTS = frozenset({".", ".."})


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRules:
    """Globs of bucket names: without `allowed` every bucket is, `denied` wins."""

    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()

    def permits(self, bucket: str) -> bool:
        if any(fnmatchcase(bucket, glob) for glob in self.denied):
            return False
        return not self.allowed or any(fnmatchcase(bucket, glob) for glob in self.allowed)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An answer whose body, where there is one, is still to be read, by threads."""

    origin: Origin
    pieces: Iterator[bytes]
    close: Callable[[], None]


class S3Stream:
    """An open object; see ports.SourceStream."""

    def __init__(self, opened: _Opened, advance: Callable[[Callable[[], bytes | None]], Any]) -> None:
        self.origin = opened.origin
        self._pieces = opened.pieces
        self._advance = advance

    async def chunks(self) -> AsyncIterator[bytes]:
        while (piece := await self._advance(partial(next, self._pieces, None))) is not None:
            yield piece


class S3Source:
    """Read objects; see ports.Source. What follows `query_separator` in a URL is the version of the object.

    Bucket and key are taken literally, the URL grammar has decoded them. The slash behind the bucket ends it, any other
    is part of the key: s3://bucket//x is the key /x, which boto3 asks for as such.
    """

    schemes = ("s3",)

    def __init__(
        self,
        account: S3Account,
        *,
        limits: S3Limits | None = None,
        buckets: BucketRules | None = None,
        query_separator: str = "?",
    ) -> None:
        self._account = account
        self._limits = limits or S3Limits()
        self._buckets = buckets or BucketRules()
        self._query_separator = query_separator
        self._threads = ThreadPoolExecutor(self._limits.max_connections, thread_name_prefix="source-s3")
        self._client: Any = None
        self._client_lock = threading.Lock()

    @contextlib.asynccontextmanager
    async def open(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> AsyncIterator[S3Stream]:
        patience = _Patience(self._limits.total_timeout_s)
        opening = self._run(partial(self._open, url, max_bytes, lower_names(headers)))
        try:
            opened = await patience.wait(asyncio.shield(opening))
        except (asyncio.CancelledError, SourceTimeout):
            opening.add_done_callback(_close_late)
            raise
        try:
            yield S3Stream(opened, lambda job: patience.wait(self._run(job)))
        finally:
            opened.close()

    async def fetch(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str], announce: Announce = unannounced
    ) -> Blob:
        asked = lower_names(headers)

        def read() -> Blob:  # one turn through the thread pool
            opened = self._open(url, max_bytes, asked)
            with contextlib.closing(opened):
                return Blob(data=b"".join(opened.pieces), origin=opened.origin)

        return await _Patience(self._limits.total_timeout_s).wait(self._run(read))

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def _run(self, job: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, job)

    def _connected(self) -> Any:
        # At the first request, in a thread: finding credentials may ask an instance's metadata service for seconds.
        with self._client_lock:
            if self._client is None:
                self._client = make_client(self._account, self._limits)
            return self._client

    def _open(self, url: str, max_bytes: int, asked: Mapping[str, str]) -> _Opened:
        wanted = self._object(url) | _conditions(asked)
        try:
            with translated():
                answer = self._connected().get_object(**wanted)
        except BodilessAnswer as exc:
            return _Opened(exc.origin, iter(()), lambda: None)
        body, origin = answer["Body"], origin_of(answer)
        if max_bytes and (origin.content_length or 0) > max_bytes:
            body.close()
            raise SourceTooLarge.beyond(max_bytes)
        received = _pieces(_received(body), max_bytes)  # compressed bytes count too, some decode to nothing
        encoding = origin.headers.get("content-encoding", "").strip().lower()
        if encoding in ("gzip", "x-gzip", "deflate") and origin.status == 200 and "accept-encoding" not in asked:
            origin = origin_of(answer, decoded=True)
            return _Opened(origin, _pieces(_inflated(received, encoding), max_bytes), body.close)
        return _Opened(origin, received, body.close)

    def _object(self, url: str) -> dict[str, Any]:
        """Read the URL; raises BadRequest, and SourceForbidden for a bucket that the rules close."""
        scheme, _, rest = url.partition("://")
        version = ""
        if self._query_separator:
            rest, _, version = rest.partition(self._query_separator)
        bucket, _, key = rest.partition("/")
        if scheme.lower() != "s3" or not bucket or not key:
            raise BadRequest("An S3 source is s3://, a bucket, a slash and a key.", expected="s3://bucket/key")
        if DOT_SEGMENTS & {bucket, *key.split("/")}:
            raise BadRequest("An S3 source cannot have '.' or '..' between slashes.", expected="s3://bucket/key")
        if not self._buckets.permits(bucket):
            raise SourceForbidden("The bucket of the S3 source is not among the allowed ones.", got=bucket)
        return {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})


class _Patience:
    """The time one fetch may still wait for the storage."""

    def __init__(self, left_s: float) -> None:
        self._left_s = left_s

    async def wait(self, awaited: asyncio.Future[T]) -> T:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        try:
            async with asyncio.timeout(self._left_s):
                return await awaited
        except TimeoutError as exc:
            raise SourceTimeout("The S3 storage did not answer in time.") from exc
        finally:
            self._left_s = max(0.0, self._left_s - (loop.time() - started_s))


def _conditions(asked: Mapping[str, str]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if "range" in asked:
        wanted["Range"] = asked["range"]
    if "if-none-match" in asked:
        wanted["IfNoneMatch"] = asked["if-none-match"]
    elif "if-modified-since" in asked:
        since = http_date(asked["if-modified-since"])
        if since is not None:  # a date that cannot be read is no condition
            wanted["IfModifiedSince"] = since
    return wanted


def _received(body: Any) -> Iterator[bytes]:
    with translated():
        while chunk := body.read(CHUNK_BYTES):
            yield chunk


def _inflated(received: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    inflate = Inflate(encoding, "The S3 source")
    for data in received:
        yield from inflate.feed(data)
    inflate.finish()


def _pieces(body: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    read_bytes = 0
    for piece in body:
        read_bytes += len(piece)
        if max_bytes and read_bytes > max_bytes:
            raise SourceTooLarge.beyond(max_bytes)
        yield piece


def _close_late(opening: asyncio.Future[_Opened]) -> None:
    """Close what a thread opened for a caller that has left."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
