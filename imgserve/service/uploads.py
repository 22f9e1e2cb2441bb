"""Uploads: pictures that clients send in, kept for a while where results are, and read as sources upload:///<hash>."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from imgserve.engine.formats import FORMATS
from imgserve.engine.load import detect
from imgserve.errors import BadRequest, NotKept, SourceNotFound, SourceTooLarge
from imgserve.ports import Announce, Blob, Origin, Stored, unannounced
from imgserve.service.entry import SOURCE
from imgserve.service.purges import Purges
from imgserve.service.tiers import Tiers
from imgserve.service.validators import NOT_MODIFIED

SCHEME: Final = "upload"
#: What the source of every upload begins with; for lists of allowed sources too.
UPLOADS: Final = f"{SCHEME}:///"

_URL: Final = re.compile(rf"{UPLOADS}([0-9a-f]{{64}})")
_ETAG: Final = re.compile(r'"[^"]*"')


class UploadGone(SourceNotFound):
    """The upload is not there; the next request may bring it, so nobody remembers that it was missing."""

    cacheable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A picture that was sent in."""

    url: str
    data: bytes = field(repr=False)
    content_type: str


async def name_upload(data: bytes) -> Upload:
    """Name a picture by its bytes, so that the same one twice is one upload; raises UnsupportedImage (415)."""
    known = FORMATS[detect(data)]
    # In a thread, as 50 MB take a tenth of a second.
    digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
    return Upload(url=UPLOADS + digest, data=data, content_type=known.mime)


class Uploads:
    """Keeps uploads for `ttl_s` in the tiers that processes share."""

    def __init__(self, *, tiers: Tiers, purges: Purges, ttl_s: float, clock: Callable[[], float] = time.time) -> None:
        self._tiers = tiers
        self._purges = purges
        self._ttl_s = ttl_s
        self._clock = clock

    def check(self) -> None:
        """Raise NotKept where there is nothing to keep uploads in."""
        if not self._tiers.stores:
            raise NotKept(
                "Uploads need a cache that processes share: disk, redis or s3 in IMGSERVE_CACHE; or send the URL of a "
                "source.",
                where="cache",
            )

    async def keep(self, upload: Upload) -> None:
        """Keep an upload, or keep it for longer; raises NotKept where no tier takes it."""
        self.check()
        mark = self._purges.mark()
        stored = Stored(
            meta=json.dumps({"content_type": upload.content_type}).encode(),
            body=upload.data,
            labels=(SOURCE + upload.url,),
            expires_at=self._clock() + self._ttl_s,
        )
        await self._tiers.put_stores(upload_key(upload.url), stored, since=mark)
        if await self._stored(upload.url) is None:
            raise NotKept(
                f"The upload ({stored.size} bytes) is not kept: no tier of the cache takes as much "
                "(IMGSERVE_DISK_CACHE_SIZE, IMGSERVE_REDIS_MAX_ENTRY_SIZE), or it was purged meanwhile.",
                where="cache",
            )

    async def find(self, url: str) -> Blob:
        """Give an upload as its origin would; raises BadRequest and UploadGone."""
        found = _URL.fullmatch(url)
        if found is None:
            raise BadRequest(
                "The source is not the URL of an upload: these are given by POST /v1/process.",
                where="source",
                got=url[:200],
                expected=f"{UPLOADS}<64 hexadecimal digits>",
            )
        stored = await self._stored(url)
        if stored is None:
            raise UploadGone(
                "This upload is not there (any more): it has expired, was purged, or made room for others; send it "
                "again.",
                where="source",
            )
        # Its name is its hash: what is under it can never change, but it will not always be there.
        control = f"public, max-age={max(0, int(stored.expires_at - self._clock()))}, immutable"
        etag = f'"{found[1]}"'
        kind = str(json.loads(stored.meta)["content_type"])
        origin = Origin(
            content_type=kind,
            content_length=len(stored.body),
            etag=etag,
            cache_control=control,
            headers={"etag": etag, "cache-control": control, "content-type": kind},
        )
        return Blob(data=stored.body, origin=origin)

    async def _stored(self, url: str) -> Stored | None:
        await self._purges.catch_up()
        found = await self._tiers.get(upload_key(url), since=self._purges.mark())
        return found[0] if found is not None and found[0].expires_at > self._clock() else None


def upload_key(url: str) -> str:
    """Name an upload in the stores, as 64 hex digits."""
    return hashlib.sha256(f"upload {url}".encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class UploadStream:
    """An upload that is passed on; see ports.SourceStream."""

    origin: Origin
    _data: bytes = field(repr=False)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._data


class UploadSource:
    """Read uploads; see ports.Source. Ranges mean nothing to it: uploads are read whole."""

    schemes = (SCHEME,)

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads

    @contextlib.asynccontextmanager
    async def open(self, url: str, *, max_bytes: int, headers: Mapping[str, str]) -> AsyncIterator[UploadStream]:
        blob = await self.fetch(url, max_bytes=max_bytes, headers=headers)
        yield UploadStream(blob.origin, blob.data)

    async def fetch(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str], announce: Announce = unannounced
    ) -> Blob:
        blob = await self._uploads.find(url)
        origin = blob.origin
        if _has(origin, headers):
            facts = {name: value for name, value in origin.headers.items() if name != "content-type"}
            unchanged = Origin(status=NOT_MODIFIED, etag=origin.etag, cache_control=origin.cache_control, headers=facts)
            return Blob(data=b"", origin=unchanged)
        if 0 < max_bytes < len(blob.data):
            raise SourceTooLarge.beyond(max_bytes)
        announce(len(blob.data))
        return blob

    async def close(self) -> None:
        """Do nothing: the tiers belong to others."""


def _has(origin: Origin, headers: Mapping[str, str]) -> bool:
    """Tell whether whoever asks has the upload already."""
    known = next((value for name, value in headers.items() if name.lower() == "if-none-match"), "")
    return known.strip() == "*" or origin.etag in _ETAG.findall(known)
