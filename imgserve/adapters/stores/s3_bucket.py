"""The objects of one bucket, through boto3: calls that block, for threads, and fail as StoreError."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from imgserve.adapters.s3_client import S3Account, S3Limits, make_client
from imgserve.ports import StoreError

#: Between two of them the deadline is looked at.
_CHUNK_BYTES: Final = 1 << 18
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the names of a listing, and how to ask for the next; None at the end."""

    names: tuple[str, ...]
    next: str | None


class S3Bucket:
    """Thread-safe, as clients of boto3 are."""

    def __init__(self, account: S3Account, limits: S3Limits, *, bucket: str) -> None:
        self._account = account
        self._where = account.where
        self._limits = limits
        self._bucket = bucket
        self._client: Any = None
        self._client_lock = threading.Lock()

    def read(self, name: str, *, max_bytes: int, deadline_s: float, only_first: bool = False) -> bytes | None:
        """Read an object until `deadline_s` of time.monotonic; None when there is none, or only a larger one.

        With `only_first`, read the first `max_bytes` of a larger one.
        """
        part = {"Range": f"bytes=0-{max_bytes - 1}"} if only_first else {}
        try:
            with self._translated():
                answer = self._connected().get_object(Bucket=self._bucket, Key=name, **part)
                with contextlib.closing(answer["Body"]) as body:
                    return None if answer["ContentLength"] > max_bytes else _read(body, deadline_s)
        except _AbsentError:
            return None

    def write(self, name: str, data: bytes) -> None:
        with self._translated():
            self._connected().put_object(Bucket=self._bucket, Key=name, Body=data)

    def remove(self, names: Sequence[str]) -> None:
        """Delete up to 1000 objects; those that are not there are no error."""
        if len(names) == 1:  # any storage knows this; deleting many at once is missing in some
            with contextlib.suppress(_AbsentError), self._translated():
                self._connected().delete_object(Bucket=self._bucket, Key=names[0])
        elif names:
            wanted = {"Objects": [{"Key": name} for name in names], "Quiet": True}
            with self._translated():
                answer = self._connected().delete_objects(Bucket=self._bucket, Delete=wanted)
            if refused := answer.get("Errors"):
                raise StoreError(
                    f"S3 at {self._where} did not delete {len(refused)} objects: {refused[0].get('Code')}."
                )

    def page(self, prefix: str, *, after: str | None, size: int) -> Page:
        """List names that begin with `prefix`; `after` is the `next` of the page before."""
        go_on = {"ContinuationToken": after} if after else {}
        with self._translated():
            answer = self._connected().list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=size, **go_on)
        names = tuple(found["Key"] for found in answer.get("Contents", ()))
        return Page(names, answer.get("NextContinuationToken") if answer.get("IsTruncated") else None)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _connected(self) -> Any:
        # At the first request, in a thread: finding credentials may ask an instance's metadata service for seconds.
        with self._client_lock:
            if self._client is None:
                self._client = make_client(self._account, self._limits)
            return self._client

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ClientError as exc:
            status = exc.response["ResponseMetadata"]["HTTPStatusCode"]
            code = exc.response.get("Error", {}).get("Code", "")
            if code == "NoSuchBucket":
                raise NotDoneError(f'S3: there is no bucket "{self._bucket}" at {self._where} (NoSuchBucket).') from exc
            if status in (404, 416):  # 416: not one byte, as good as nothing
                raise _AbsentError(
                    f'S3 at {self._where} answered {status} ({code}): there is no bucket "{self._bucket}", or no S3.'
                ) from exc
            error = NotDoneError if status < _SERVER_ERROR else StoreError
            raise error(f'S3 at {self._where} answered {status} ({code}) for bucket "{self._bucket}".') from exc
        except (NoCredentialsError, PartialCredentialsError) as exc:
            raise NotDoneError(
                f"S3: no credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role)"
                f" for {self._where}."
            ) from exc
        except (EndpointConnectionError, ConnectTimeoutError) as exc:
            raise NotDoneError(f"S3 at {self._where} cannot be reached.") from exc
        except ReadTimeoutError as exc:
            raise StoreError(f"S3 at {self._where} did not answer in time.") from exc
        except BotoCoreError as exc:  # its sentences name hosts and parameters, never secrets
            raise StoreError(f"S3 at {self._where} cannot be asked: {exc}") from exc


class NotDoneError(StoreError):
    """S3 has not done it, nor will it. After any other error it may have, or still do."""


class _AbsentError(NotDoneError):
    """There is no such object; where that is no answer, an error like any."""


def _read(body: Any, deadline_s: float) -> bytes:
    parts: list[bytes] = []
    while part := body.read(_CHUNK_BYTES):
        parts.append(part)
        if time.monotonic() > deadline_s:
            raise StoreError("S3 sends an object too slowly.")
    return b"".join(parts)
