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
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from imgserve.adapters.sources.inflate import Inflate
from imgserve.errors import (
    BadRequest,
    ImgserveError,
    SourceForbidden,
    SourceNotFound,
    SourceTimeout,
    SourceTooLarge,
    SourceUnreachable,
)
from imgserve.ports import Blob, Origin

T = TypeVar("T")

#: One turn through the thread pool costs about 50 microseconds.
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Limits:
    """Bounds of one fetch and of the connection pool; times in seconds."""

    connect_timeout_s: float = 3.0
    read_timeout_s: float = 5.0
    #: Time spent waiting for the storage; the time a slow reader of the body takes does not count.
    total_timeout_s: float = 5.0
    #: Connections, and as many threads, since boto3 holds a thread for each.
    max_connections: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Account:
    """Where the storage is and who asks; None leaves it to boto3's own chain (variables, profile, instance role)."""

    region: str | None = None
    #: With scheme, and path where there is one: https://x.supabase.co/storage/v1/s3.
    endpoint: str | None = None
    path_style: bool = True
    assume_role_arn: str | None = None
    assume_role_external_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRules:
    """Globs of bucket names: without `allowed` every bucket is, `denied` wins."""

    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()

    def permits(self, bucket: str) -> bool:
        if any(fnmatchcase(bucket, glob) for glob in self.denied):
            return False
        return not self.allowed or any(fnmatchcase(bucket, glob) for glob in self.allowed)


class _RoleProvider(CredentialProvider):  # type: ignore[misc]  # botocore is untyped
    """Temporary credentials of a role, renewed by botocore before they end."""

    METHOD = "imgserve-assume-role"

    def __init__(self, account: S3Account) -> None:
        super().__init__()
        source = botocore.session.get_session()
        external = {"ExternalId": account.assume_role_external_id} if account.assume_role_external_id else {}
        self._fetcher = AssumeRoleCredentialFetcher(
            partial(source.create_client, region_name=account.region),
            source.get_credentials(),
            account.assume_role_arn,
            extra_args=external,
        )

    def load(self) -> Any:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


def _client(account: S3Account, limits: S3Limits) -> Any:
    core = botocore.session.get_session()
    if account.assume_role_arn:
        core.register_component("credential_provider", CredentialResolver([_RoleProvider(account)]))
    config = Config(
        connect_timeout=limits.connect_timeout_s,
        read_timeout=limits.read_timeout_s,
        max_pool_connections=limits.max_connections,
        retries={"total_max_attempts": 2, "mode": "standard"},
        s3={"addressing_style": "path" if account.path_style else "virtual"},
        # Storages other than AWS do not know boto3's new default checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = boto3.session.Session(botocore_session=core, region_name=account.region)
    return session.client("s3", endpoint_url=account.endpoint, config=config)


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

    Bucket and key are taken literally, the URL grammar has decoded them.
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
        if account.endpoint and not account.endpoint.startswith(("http://", "https://")):
            raise ValueError("The S3 endpoint must start with http:// or https://.")
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
        opening = self._run(partial(self._open, url, max_bytes, _lower(headers)))
        try:
            opened = await patience.wait(asyncio.shield(opening))
        except (asyncio.CancelledError, SourceTimeout):
            opening.add_done_callback(_close_late)
            raise
        try:
            yield S3Stream(opened, lambda job: patience.wait(self._run(job)))
        finally:
            opened.close()

    async def fetch(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> Blob:
        asked = _lower(headers)

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
                self._client = _client(self._account, self._limits)
            return self._client

    def _open(self, url: str, max_bytes: int, asked: Mapping[str, str]) -> _Opened:
        wanted = self._object(url) | _conditions(asked)
        try:
            with _translated():
                answer = self._connected().get_object(**wanted)
        except _Answer as exc:
            return _Opened(exc.origin, iter(()), lambda: None)
        body, origin = answer["Body"], _origin(answer)
        if max_bytes and (origin.content_length or 0) > max_bytes:
            body.close()
            raise _too_large(max_bytes)
        encoding = origin.headers.get("content-encoding", "").strip().lower()
        if encoding in ("gzip", "x-gzip", "deflate") and origin.status == 200 and "accept-encoding" not in asked:
            origin = _origin(answer, decoded=True)
            return _Opened(origin, _pieces(_inflated(_received(body), encoding), max_bytes), body.close)
        return _Opened(origin, _pieces(_received(body), max_bytes), body.close)

    def _object(self, url: str) -> dict[str, Any]:
        """Read the URL; raises BadRequest, and SourceForbidden for a bucket that the rules close."""
        scheme, _, rest = url.partition("://")
        version = ""
        if self._query_separator:
            rest, _, version = rest.partition(self._query_separator)
        bucket, _, key = rest.partition("/")
        key = key.lstrip("/")
        if scheme.lower() != "s3" or not bucket or not key:
            raise BadRequest("An S3 source is s3://, a bucket, a slash and a key.", expected="s3://bucket/key")
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


class _Answer(Exception):  # boto3 raises for what is an answer here: 304 and 416
    def __init__(self, origin: Origin) -> None:
        super().__init__()
        self.origin = origin


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Give boto3's errors their names in our tree."""
    try:
        yield
    except ClientError as exc:
        origin = _origin(exc.response)
        if origin.status in (304, 416):  # both answer a header of the caller
            raise _Answer(origin) from exc
        raise _refused(origin.status, exc.response.get("Error", {}).get("Code", "")) from exc
    except (ConnectTimeoutError, ReadTimeoutError) as exc:
        raise SourceTimeout("The S3 storage did not answer in time.") from exc
    except ParamValidationError as exc:
        raise BadRequest("The S3 source has a bucket, key or version that S3 does not know as such.") from exc
    except NoCredentialsError as exc:
        raise SourceUnreachable("The server has no credentials for the S3 storage.") from exc
    except BotoCoreError as exc:
        raise SourceUnreachable("The S3 storage cannot be reached, or broke off its answer.") from exc


def _refused(status: int, code: str) -> ImgserveError:
    named = f"{status} ({code})" if code and code != str(status) else str(status)
    if status in (401, 403):
        return SourceForbidden(f"The S3 storage refused to give the source: {named}.", got=named)
    if status == 404:
        return SourceNotFound("The S3 source does not exist.", got=named)
    if 400 <= status < 500 and status not in (408, 429):
        return SourceNotFound(f"The S3 storage answered {named}.", got=named)
    return SourceUnreachable(f"The S3 storage answered {named}.", got=named)


def _conditions(asked: Mapping[str, str]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if "range" in asked:
        wanted["Range"] = asked["range"]
    if "if-none-match" in asked:
        wanted["IfNoneMatch"] = asked["if-none-match"]
    elif "if-modified-since" in asked:
        with contextlib.suppress(ValueError):  # a date that cannot be read is no condition
            wanted["IfModifiedSince"] = parsedate_to_datetime(asked["if-modified-since"])
    return wanted


def _origin(answer: Mapping[str, Any], *, decoded: bool = False) -> Origin:
    facts = answer["ResponseMetadata"]
    headers: dict[str, str] = {name.lower(): value for name, value in facts.get("HTTPHeaders", {}).items()}
    status = facts["HTTPStatusCode"]
    if decoded or status in (304, 416):  # they describe bytes that nobody gets
        headers.pop("content-encoding", None)
        headers.pop("content-length", None)
    length = headers.get("content-length", "")
    return Origin(
        status=status,
        content_type=headers.get("content-type"),
        content_length=int(length) if length.isdigit() else None,
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
        cache_control=headers.get("cache-control"),
        expires=headers.get("expires"),
        headers=headers,
    )


def _received(body: Any) -> Iterator[bytes]:
    with _translated():
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
            raise _too_large(max_bytes)
        yield piece


def _too_large(max_bytes: int) -> SourceTooLarge:
    return SourceTooLarge(f"The source is larger than {max_bytes} bytes.")


def _close_late(opening: asyncio.Future[_Opened]) -> None:
    """Close what a thread opened for a caller that has left."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
