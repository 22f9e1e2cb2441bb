"""Uploads: pictures kept by their hash, read as sources, gone when they are purged or too old."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imgserve.adapters.stores.disk import DiskStore
from imgserve.errors import BadRequest, NotKept, QueueFull, SourceNotFound, SourceTooLarge, UnsupportedImage
from imgserve.plan.sources import compile_patterns
from imgserve.ports import Blob, Selector
from imgserve.service.freshness import KeepingRules, fresh_s
from imgserve.service.negatives import Negatives
from imgserve.service.purges import Purges
from imgserve.service.source_cache import SourceCache
from imgserve.service.tiers import Tiers
from imgserve.service.uploads import UPLOADS, Uploads, UploadSource, name_upload
from imgserve.service.validators import origin_condition, source_validator
from tests.service.making import Clock
from tests.web.pictures import jpeg, png

TTL_S = 1000


@dataclass
class Place:
    """Uploads over a folder, as one process has them."""

    clock: Clock
    tiers: Tiers
    purges: Purges
    negatives: Negatives
    uploads: Uploads
    source: UploadSource

    async def keep(self, data: bytes) -> str:
        upload = await name_upload(data)
        await self.uploads.keep(upload)
        return upload.url

    async def fetch(self, url: str, *, max_bytes: int = 0, **headers: str) -> Blob:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.source.fetch(url, max_bytes=max_bytes, headers=given)


def place(folder: Path, clock: Clock, *, max_bytes: int = 1 << 24) -> Place:
    tiers = Tiers([DiskStore(folder, max_bytes, clock=clock)])
    negatives = Negatives(ttl_s=10)
    purges = Purges(results=tiers, sources=Tiers(), negatives=negatives)
    uploads = Uploads(tiers=tiers, purges=purges, ttl_s=TTL_S, clock=clock)
    return Place(clock, tiers, purges, negatives, uploads, UploadSource(uploads))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Place]:
    made = place(tmp_path / "results", Clock())
    yield made
    await made.tiers.close(timeout_s=5)


async def test_an_upload_is_a_source_that_never_changes_and_is_fresh_until_it_expires(here: Place) -> None:
    url = await here.keep(jpeg())
    here.clock.now += 300
    blob = await here.fetch(url)
    assert (blob.data, blob.origin.status, blob.origin.content_type) == (jpeg(), 200, "image/jpeg")
    assert blob.origin.cache_control == "public, max-age=700, immutable"
    assert fresh_s(blob.origin, KeepingRules(), now=here.clock.now) == 700
    assert url == UPLOADS + (blob.origin.etag or "").strip('"')


async def test_the_same_picture_twice_is_one_upload_that_is_kept_for_longer(here: Place) -> None:
    first = await here.keep(jpeg())
    here.clock.now += 900
    assert await here.keep(jpeg()) == first
    assert await here.keep(png()) != first
    here.clock.now += 900
    assert (await here.fetch(first)).data == jpeg()
    assert await here.tiers.purge(Selector("source:" + first)) == ({"disk": 1}, [])


async def test_whoever_has_an_upload_hears_that_it_has_not_changed(here: Place) -> None:
    url = await here.keep(jpeg())
    whole = await here.fetch(url)
    for known in (whole.origin.etag or "", "*", f'"other", {whole.origin.etag}'):
        blob = await here.fetch(url, If_None_Match=known)
        assert (blob.data, blob.origin.status, blob.origin.etag) == (b"", 304, whole.origin.etag)
    assert (await here.source.fetch(url, max_bytes=0, headers=origin_condition(source_validator(whole)))).data == b""
    assert (await here.fetch(url, If_None_Match='"other"')).data == jpeg()


async def test_an_upload_that_has_expired_is_gone_until_it_is_sent_again(here: Place) -> None:
    rules = KeepingRules()
    downloads = SourceCache(tiers=Tiers(), purges=here.purges, rules=rules, negatives=here.negatives)
    url = await here.keep(jpeg())
    here.clock.now += TTL_S
    for headers in ({}, {"If-None-Match": "*"}):
        with pytest.raises(SourceNotFound, match="has expired, was purged"):
            await downloads.fetch(here.source, url, max_bytes=0, headers=headers)
    await here.keep(jpeg())
    # Nobody remembers that it was missing.
    assert (await downloads.fetch(here.source, url, max_bytes=0, headers={})).data == jpeg()


@pytest.mark.parametrize("prefix", [False, True])
async def test_a_purge_by_source_forgets_an_upload(here: Place, prefix: bool) -> None:
    url = await here.keep(jpeg())
    done = await here.purges.purge(Selector("source:" + (UPLOADS if prefix else url), prefix=prefix))
    assert done.entries == {"disk": 1}
    with pytest.raises(SourceNotFound):
        await here.fetch(url)


async def test_other_processes_find_it(here: Place, tmp_path: Path) -> None:
    url = await here.keep(jpeg())
    other = place(tmp_path / "results", here.clock)
    assert (await other.fetch(url)).data == jpeg()
    await other.tiers.close(timeout_s=5)


async def test_an_upload_is_read_within_limits(here: Place) -> None:
    url = await here.keep(jpeg())
    assert (await here.fetch(url, max_bytes=len(jpeg()))).data == jpeg()
    with pytest.raises(SourceTooLarge):
        await here.fetch(url, max_bytes=len(jpeg()) - 1)

    def full(length: int | None) -> None:
        raise QueueFull(str(length))

    with pytest.raises(QueueFull, match=str(len(jpeg()))):
        await here.source.fetch(url, max_bytes=0, headers={}, announce=full)


async def test_an_upload_can_be_passed_on_as_it_is(here: Place) -> None:
    url = await here.keep(png())
    async with here.source.open(url, max_bytes=0, headers={"range": "bytes=0-3"}) as stream:
        assert b"".join([piece async for piece in stream.chunks()]) == png()
        assert (stream.origin.status, stream.origin.content_length) == (200, len(png()))
        assert stream.origin.headers["etag"] == stream.origin.etag


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1", b"%PDF-1.7 of a page"])
async def test_what_is_no_picture_is_no_upload(data: bytes) -> None:
    with pytest.raises(UnsupportedImage):
        await name_upload(data)


async def test_an_upload_that_nothing_keeps_is_refused(tmp_path: Path) -> None:
    small = place(tmp_path / "results", Clock(), max_bytes=100)
    with pytest.raises(NotKept, match="IMGSERVE_DISK_CACHE_SIZE"):
        await small.keep(jpeg())
    await small.tiers.close(timeout_s=5)
    with pytest.raises(NotKept, match="disk, redis or s3"):
        await Uploads(tiers=Tiers(), purges=small.purges, ttl_s=1).keep(await name_upload(jpeg()))


@pytest.mark.parametrize("rest", ["", "0" * 63, "0" * 65, "A" * 64, "0" * 64 + "?a", "../" + "0" * 61])
async def test_no_other_url_is_an_upload(here: Place, rest: str) -> None:
    with pytest.raises(BadRequest, match="POST /v1/process"):
        await here.fetch(UPLOADS + rest)


def test_a_list_of_allowed_sources_can_name_uploads_alone() -> None:
    allowed = compile_patterns(["https://a.test/", UPLOADS])
    assert allowed.allows(UPLOADS + "0" * 64)
    assert not allowed.allows("https://b.test/" + UPLOADS)
    assert not allowed.allows("local:///" + "0" * 64)


async def test_a_picture_is_named_by_its_bytes_alone() -> None:
    first, second = await name_upload(jpeg()), await name_upload(bytes(bytearray(jpeg())))
    assert first == second
    assert dataclasses.asdict(first)["content_type"] == "image/jpeg"
