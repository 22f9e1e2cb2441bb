"""What every source promises, asked of each of them against a real origin."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imgserve.adapters.s3_client import S3Account
from imgserve.adapters.sources.guard import AddressRules
from imgserve.adapters.sources.http import HttpLimits, HttpSource
from imgserve.adapters.sources.local import LocalSource
from imgserve.adapters.sources.s3 import S3Source
from imgserve.errors import BadRequest, SourceNotFound, SourceTooLarge
from imgserve.ports import Source, unannounced
from imgserve.service.heads import HeadReader
from tests.adapters.sources.conftest import Web, kept_file

MODIFIED = "Wed, 21 Oct 2026 07:28:00 GMT"


@dataclass
class Shelf:
    """A source, and how to put something where it reads; gives the URL."""

    make: Callable[[], Source]
    source: Source
    put: Callable[[str, bytes], str]
    missing: str
    malformed: str


def http_shelf(web: Web) -> Shelf:
    def put(name: str, data: bytes) -> str:
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        web.routes[f"/{name}"] = kept_file(data, "image/jpeg", etag, MODIFIED)
        return web.url(f"/{name}")

    def make() -> HttpSource:
        return HttpSource(HttpLimits(), AddressRules(allow_loopback=True), allowed=lambda _: True, user_agent="test")

    return Shelf(make, make(), put, web.url("/missing"), "http:///a.jpg")


def local_shelf(root: Path) -> Shelf:
    def put(name: str, data: bytes) -> str:
        (root / name).write_bytes(data)
        return f"local:///{name}"

    return Shelf(lambda: LocalSource(root), LocalSource(root), put, "local:///missing.jpg", "local://a.jpg")


def s3_shelf(bucket: Any, account: S3Account, source: S3Source) -> Shelf:
    def put(name: str, data: bytes) -> str:
        bucket.put_object(Key=name, Body=data, ContentType="image/jpeg")
        return f"s3://{bucket.name}/{name}"

    return Shelf(lambda: S3Source(account), source, put, f"s3://{bucket.name}/missing.jpg", f"s3://{bucket.name}")


@pytest.fixture(params=["http", "local", "s3"])
async def shelf(request: pytest.FixtureRequest, web: Web, tmp_path: Path) -> AsyncIterator[Shelf]:
    match request.param:
        case "http":
            made = http_shelf(web)
        case "local":
            made = local_shelf(tmp_path)
        case _:
            made = s3_shelf(*(request.getfixturevalue(name) for name in ("bucket", "s3_account", "s3_source")))
    yield made
    if not isinstance(made.source, S3Source):
        await made.source.close()


async def streamed(shelf: Shelf, url: str, *, max_bytes: int, **headers: str) -> tuple[int, bytes]:
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    async with shelf.source.open(url, max_bytes=max_bytes, headers=asked) as stream:
        return stream.origin.status, b"".join([chunk async for chunk in stream.chunks()])


async def fetched(shelf: Shelf, url: str, *, max_bytes: int, **headers: str) -> tuple[int, bytes]:
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    blob = await shelf.source.fetch(url, max_bytes=max_bytes, headers=asked)
    return blob.origin.status, blob.data


WAYS = pytest.mark.parametrize("read", [streamed, fetched])
Read = Callable[..., Awaitable[tuple[int, bytes]]]


@WAYS
async def test_the_bytes_are_those_of_the_origin(shelf: Shelf, read: Read) -> None:
    data = bytes(range(256)) * 12_000
    assert await read(shelf, shelf.put("big.jpg", data), max_bytes=0) == (200, data)


@WAYS
async def test_an_empty_source_is_empty_not_an_error(shelf: Shelf, read: Read) -> None:
    assert await read(shelf, shelf.put("empty.jpg", b""), max_bytes=10) == (200, b"")


@WAYS
async def test_a_source_of_exactly_the_limit_is_read(shelf: Shelf, read: Read) -> None:
    assert await read(shelf, shelf.put("edge.jpg", b"x" * 1000), max_bytes=1000) == (200, b"x" * 1000)


@WAYS
async def test_one_byte_more_than_the_limit_is_too_large(shelf: Shelf, read: Read) -> None:
    url = shelf.put("large.jpg", b"x" * 1001)
    with pytest.raises(SourceTooLarge, match="1000 bytes"):
        await read(shelf, url, max_bytes=1000)


@WAYS
async def test_a_missing_source_is_not_found(shelf: Shelf, read: Read) -> None:
    with pytest.raises(SourceNotFound):
        await read(shelf, shelf.missing, max_bytes=0)


@WAYS
async def test_a_malformed_url_is_a_bad_request(shelf: Shelf, read: Read) -> None:
    with pytest.raises(BadRequest):
        await read(shelf, shelf.malformed, max_bytes=0)


async def test_the_origins_facts_come_with_the_bytes(shelf: Shelf) -> None:
    blob = await shelf.source.fetch(shelf.put("facts.jpg", b"12345"), max_bytes=0, headers={})
    origin = blob.origin
    assert (origin.content_type, origin.content_length) == ("image/jpeg", 5)
    assert origin.etag is not None
    assert origin.etag.startswith('"')
    assert origin.last_modified is not None
    assert origin.last_modified.endswith(" GMT")
    assert origin.headers["etag"] == origin.etag
    assert all(name == name.lower() for name in origin.headers)


@WAYS
async def test_the_known_etag_is_answered_by_304(shelf: Shelf, read: Read) -> None:
    url = shelf.put("known.jpg", b"12345")
    origin = (await shelf.source.fetch(url, max_bytes=0, headers={})).origin
    assert origin.etag is not None
    assert await read(shelf, url, max_bytes=3, If_None_Match=origin.etag) == (304, b"")


@WAYS
async def test_another_etag_is_answered_by_the_bytes(shelf: Shelf, read: Read) -> None:
    url = shelf.put("known.jpg", b"12345")
    assert await read(shelf, url, max_bytes=0, If_None_Match='"another"') == (200, b"12345")


@WAYS
async def test_the_known_date_is_answered_by_304(shelf: Shelf, read: Read) -> None:
    url = shelf.put("dated.jpg", b"12345")
    origin = (await shelf.source.fetch(url, max_bytes=0, headers={})).origin
    assert origin.last_modified is not None
    assert await read(shelf, url, max_bytes=0, If_Modified_Since=origin.last_modified) == (304, b"")


@WAYS
async def test_a_range_is_answered_by_its_bytes(shelf: Shelf, read: Read) -> None:
    assert await read(shelf, shelf.put("part.jpg", b"0123456789"), max_bytes=4, Range="bytes=2-5") == (206, b"2345")


async def test_a_range_says_where_it_lies(shelf: Shelf) -> None:
    url = shelf.put("part.jpg", b"0123456789")
    blob = await shelf.source.fetch(url, max_bytes=0, headers={"Range": "bytes=8-20"})
    assert blob.data == b"89"
    assert blob.origin.headers["content-range"] == "bytes 8-9/10"


@pytest.mark.parametrize(("size", "where"), [(100_000, "bytes 0-65535/100000"), (10, "bytes 0-9/10")])
async def test_the_first_bytes_come_with_the_size_of_all(shelf: Shelf, size: int, where: str) -> None:
    data = bytes(range(10)) * (size // 10)
    url = shelf.put("start.jpg", data)
    async with shelf.source.open(url, max_bytes=size, headers={"Range": "bytes=0-65535"}) as stream:
        assert stream.origin.headers["content-range"] == where
        assert b"".join([chunk async for chunk in stream.chunks()]) == data[:65_536]


async def test_heads_are_read_of_any_source(shelf: Shelf) -> None:
    large = b"\x89PNG\r\n\x1a\n" + bytes(4) + b"IDAT" + bytes(3_000_000)
    for name, body in (("large.png", large), ("small.png", b"small"), ("empty.png", b"")):
        reader = HeadReader(
            source=shelf.source,
            url=shelf.put(name, body),
            max_bytes=0,
            headers={},
            announce=unannounced,
            sized=True,
        )
        head = await reader.read()
        if not body:  # some say that there is no such range
            assert head is None or head.whole
            continue
        assert head is not None
        whole = body is not large
        assert (head.size, head.whole, head.data) == (len(body), whole, body if whole else body[:16])
        assert (head.origin.status, head.origin.etag is None) == (200, False)


async def test_a_range_of_what_the_client_has_is_answered_by_304(shelf: Shelf) -> None:
    url = shelf.put("known.jpg", b"12345")
    etag = (await shelf.source.fetch(url, max_bytes=0, headers={})).origin.etag or ""
    assert await streamed(shelf, url, max_bytes=0, If_None_Match=etag, Range="bytes=0-65535") == (304, b"")


async def test_a_range_behind_the_end_is_an_answer(shelf: Shelf) -> None:
    url = shelf.put("part.jpg", b"0123456789")
    blob = await shelf.source.fetch(url, max_bytes=0, headers={"Range": "bytes=10-20"})
    assert (blob.origin.status, blob.data) == (416, b"")


async def test_a_stream_left_early_leaves_the_source_usable(shelf: Shelf) -> None:
    data = bytes(3_000_000)
    url = shelf.put("left.jpg", data)
    for _ in range(3):
        async with shelf.source.open(url, max_bytes=0, headers={}) as stream:
            assert await anext(stream.chunks())
    assert await fetched(shelf, url, max_bytes=0) == (200, data)


async def test_a_cancelled_fetch_leaves_the_source_usable(shelf: Shelf) -> None:
    url = shelf.put("cancelled.jpg", bytes(300_000))
    for _ in range(3):
        leaving = asyncio.ensure_future(shelf.source.fetch(url, max_bytes=0, headers={}))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    assert await fetched(shelf, url, max_bytes=0) == (200, bytes(300_000))


async def test_many_fetches_run_at_once(shelf: Shelf) -> None:
    urls = [shelf.put(f"{number}.jpg", b"%d" % number) for number in range(20)]
    blobs = await asyncio.gather(*(shelf.source.fetch(url, max_bytes=0, headers={}) for url in urls))
    assert [blob.data for blob in blobs] == [b"%d" % number for number in range(20)]


async def test_names_with_spaces_and_umlauts_are_found(shelf: Shelf, web: Web) -> None:
    url = shelf.put("a b ü.jpg", b"found")
    if "http" in shelf.source.schemes:
        web.routes["/a%20b%20%C3%BC.jpg"] = web.routes["/a b ü.jpg"]
    assert await fetched(shelf, url, max_bytes=0) == (200, b"found")


async def test_closing_twice_is_harmless(shelf: Shelf) -> None:
    source = shelf.make()
    await source.fetch(shelf.put("close.jpg", b"1"), max_bytes=0, headers={})
    await source.close()
    await source.close()
