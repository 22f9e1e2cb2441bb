"""Heads of sources: how little is read of an origin for them, whatever it knows of ranges, and what is kept."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import pytest

from imgserve.adapters.sources.guard import AddressRules
from imgserve.adapters.sources.http import HttpLimits, HttpSource
from imgserve.engine.intent import Intent
from imgserve.errors import SourceDenied, SourceNotFound, SourceTimeout, SourceTooLarge, SourceUnreachable
from imgserve.plan.model import Plan
from imgserve.plan.sources import AllowedSources
from imgserve.ports import Blob, Origin, Selector
from imgserve.service.admission import ByteBudget
from imgserve.service.fetching import Fetching
from imgserve.service.heads import FIRST_BYTES, NEXT_BYTES, HeadBytes
from imgserve.service.source_cache import SourceCache, source_key
from tests.adapters.sources.conftest import Asked, Handler, Web, chunked, kept_file, listening, reply
from tests.engine.pictures import jpeg, photo
from tests.service.making import Made, MemorySource, SlowStore, make

MEGABYTE = 1 << 20
MODIFIED = "Wed, 21 Oct 2026 07:28:00 GMT"


@cache
def picture(size: int, *, head: int = 0) -> bytes:
    """A JPEG of so many bytes, with segments of so many bytes in front of its pixels."""
    small, rest = jpeg(photo(60, 40)), head
    segments = b""
    while rest > 0:
        length = min(rest, 65_000)
        segments += b"\xff\xed" + (length + 2).to_bytes(2, "big") + bytes(length)
        rest -= length
    data = small[:2] + segments + small[2:]
    return data + bytes(size - len(data))


@dataclass
class Counted:
    """Knows no ranges; sends a file as slowly as its reader takes it, and counts what went out."""

    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int = 0

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        # What lies in the buffers of the system counts as sent.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        writer.write(reply(200, headers={"Content-Length": str(len(self.data)), **self.headers}))
        for at in range(0, len(self.data), 16_384):
            piece = self.data[at : at + 16_384]
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)


@dataclass
class Place:
    """A source cache over an origin."""

    web: Web
    source: HttpSource
    made: Made
    store: SlowStore

    @property
    def cache(self) -> SourceCache:
        return self.made.renderer.downloads

    async def head(
        self,
        answer: bytes | Handler | None = None,
        *,
        path: str = "/a",
        sized: bool = True,
        max_bytes: int = 0,
        headers: Mapping[str, str] | None = None,
        told: list[int | None] | None = None,
    ) -> HeadBytes:
        if answer is not None:
            self.web.routes[path] = answer
        announce = (told if told is not None else []).append
        return await self.cache.head(
            self.source,
            self.web.url(path),
            max_bytes=max_bytes,
            headers=headers or {},
            sized=sized,
            announce=announce,
        )

    def ranges(self) -> list[str | None]:
        return [asked.headers.get("range") for asked in self.web.asked]


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async for web in listening(Web(), None):
        rules = AddressRules(allow_loopback=True)
        source = HttpSource(HttpLimits(), rules, allowed=lambda _: True, user_agent="test")
        store = SlowStore()
        made = make(MemorySource(Blob(data=b"", origin=Origin())), sources=store)
        yield Place(web, source, made, store)
        await made.settle()
        await source.close()


def served(data: bytes, etag: str = '"v1"') -> Handler:
    return kept_file(data, "image/jpeg", etag, MODIFIED)


FIRST = f"bytes=0-{FIRST_BYTES - 1}"
NEXT = f"bytes=0-{NEXT_BYTES - 1}"


async def test_of_a_large_file_a_part_is_asked_for_and_the_connection_stays(place: Place) -> None:
    data = picture(20 * MEGABYTE)
    told: list[int | None] = []
    head = await place.head(served(data), told=told)
    assert (head.size, head.whole, told) == (len(data), False, [FIRST_BYTES])
    assert data.startswith(head.data)
    assert len(head.data) < 1000
    assert (head.origin.status, head.origin.content_length, head.origin.etag) == (200, len(data), '"v1"')
    assert "content-range" not in head.origin.headers
    await place.head(path="/b", answer=served(data))
    assert (place.ranges(), place.web.connections) == ([FIRST, FIRST], 1)


async def test_a_head_is_kept_but_never_as_the_source(place: Place) -> None:
    data = picture(300_000)
    first = await place.head(served(data))
    await place.made.settle()
    told: list[int | None] = []
    again = await place.head(told=told)
    assert (again.data, again.size, again.whole, told) == (first.data, len(data), False, [len(first.data)])
    assert again.validator == first.validator
    assert place.ranges() == [FIRST]
    with pytest.raises(SourceTooLarge):
        await place.head(max_bytes=299_999)
    blob = await place.cache.fetch(place.source, place.web.url("/a"), max_bytes=0, headers={})
    assert (blob.data, place.ranges()) == (data, [FIRST, None])
    await place.made.settle()
    assert (await place.head()).whole


@pytest.mark.parametrize("end", ["age", "purge", "size"])
async def test_a_kept_head_is_read_again_when_it_is_of_no_use(place: Place, end: str) -> None:
    data = picture(300_000)
    await place.head(chunked(data) if end == "size" else served(data), sized=False)
    await place.made.settle()
    assert len(place.store.entries) == 1
    if end == "age":
        place.made.clock.now += 150
    if end == "purge":
        await place.made.purges.purge(Selector(f"source:{place.web.url('/a')}"))
    assert (await place.head()).size == 300_000
    assert len(place.web.asked) == 2


@pytest.mark.parametrize("control", ["no-store", "max-age=100"])
async def test_a_head_does_not_outlive_a_newer_source(place: Place, control: str) -> None:
    await place.head(served(picture(300_000)))
    await place.made.settle()
    url = place.web.url("/a")
    place.web.routes["/a"] = Counted(picture(400_000), {"Cache-Control": control})
    await place.cache.fetch(place.source, url, max_bytes=0, headers={})
    await place.made.settle()
    await place.store.delete(source_key(url))  # to make room for others
    assert (await place.head()).size == 400_000


async def test_a_head_that_must_not_be_kept_is_not(place: Place) -> None:
    for control in ("no-store", "private", "no-cache", "max-age=0"):
        await place.head(Counted(picture(300_000), {"Cache-Control": control}), path=f"/{control}")
        await place.made.settle()
    assert place.store.entries == {}


async def test_of_an_origin_without_ranges_little_more_than_the_head_is_read(place: Place) -> None:
    answer = Counted(picture(20 * MEGABYTE), {"ETag": '"v1"'})
    head = await place.head(answer)
    assert (head.size, head.whole, head.origin.etag) == (20 * MEGABYTE, False, '"v1"')
    assert len(head.data) < 1000
    # Measured: 0.5 MB, what the buffers of the system take before the connection is closed.
    assert answer.sent < 2 * MEGABYTE


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_larger_head_is_asked_for_once_more(place: Place, ranges: bool) -> None:
    data = picture(5 * MEGABYTE, head=400_000)
    answer = served(data) if ranges else Counted(data)
    head = await place.head(answer)
    assert (head.size, head.whole) == (len(data), False)
    assert 400_000 < len(head.data) < 402_000
    assert data.startswith(head.data)
    assert place.ranges() == ([FIRST, NEXT] if ranges else [FIRST])
    assert place.web.connections == 1


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        picture(2 * NEXT_BYTES - 1, head=1_000_000),  # most of it would be read anyway
        picture(3 * MEGABYTE, head=2 * NEXT_BYTES),
        b"GIF89a" + bytes(200_000),
        b"RIFF\0\0\0\0WEBPVP8 " + bytes(200_000),
        b"II*\0\0\0\0\x09" + bytes(200_000),
    ],
    ids=["half", "all", "gif", "webp", "tiff"],
)
async def test_where_the_first_bytes_do_not_tell_all_is_read_and_kept(place: Place, data: bytes, ranges: bool) -> None:
    head = await place.head(served(data) if ranges else Counted(data))
    assert (head.data, head.size, head.whole) == (data, len(data), True)
    asked = place.ranges()
    assert [one for one in asked if one != NEXT] == ([FIRST, None] if ranges else [FIRST])
    await place.made.settle()
    assert [stored.body for stored in place.store.entries.values()] == [data]
    assert (await place.head()).data == data
    assert place.ranges() == asked


async def test_a_small_file_comes_whole_with_the_first_request_and_is_kept(place: Place) -> None:
    data = picture(30_000)
    head = await place.head(served(data))
    assert (head.data, head.size, head.whole, head.origin.status) == (data, len(data), True, 200)
    await place.made.settle()
    assert (await place.head()).data == data
    blob = await place.cache.fetch(place.source, place.web.url("/a"), max_bytes=0, headers={})
    assert (blob.data, blob.origin.status, blob.origin.etag) == (data, 200, '"v1"')
    assert place.ranges() == [FIRST]


async def test_what_is_kept_but_stale_is_asked_about(place: Place) -> None:
    data = picture(200_000)
    place.web.routes["/a"] = served(data)
    await place.cache.fetch(place.source, place.web.url("/a"), max_bytes=0, headers={})
    await place.made.settle()
    place.made.clock.now += 150
    head = await place.head()
    assert (head.data, head.whole) == (data, True)
    assert place.web.asked[-1].headers["if-none-match"] == '"v1"'


async def test_the_size_of_a_body_without_length_takes_all_of_it(place: Place) -> None:
    data = picture(3 * MEGABYTE)
    answer = chunked(*(data[at : at + 100_000] for at in range(0, len(data), 100_000)))
    told: list[int | None] = []
    head = await place.head(answer, told=told)
    assert (head.data, head.size, head.whole) == (data, len(data), True)
    assert told[0] == MEGABYTE
    assert told[-1] is not None
    assert told[-1] >= 3 * MEGABYTE
    part = await place.head(answer, path="/b", sized=False)
    assert (part.size, part.whole, len(part.data) < 1000) == (None, False, True)
    with pytest.raises(SourceTooLarge):
        await place.head(answer, path="/c", max_bytes=MEGABYTE)


async def test_a_compressed_body_is_undone(place: Place) -> None:
    data = picture(300_000)
    head = await place.head(reply(200, gzip.compress(data), {"Content-Encoding": "gzip"}))
    assert (head.data, head.whole) == (data, True)


def part(data: bytes, where: str, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(206, data, {"Content-Range": where, **named})


@pytest.mark.parametrize(
    "odd",
    [
        part(picture(300_000)[1000:2000], "bytes 1000-1999/300000"),
        part(picture(300_000)[:1000], "bytes 0-999/*"),
        part(picture(300_000)[:10], "bytes 0-9/300000"),
        part(picture(300_000)[:1000], "bytes 0-9/10"),
        part(picture(300_000)[:1000], "nonsense"),
        part(gzip.compress(picture(300_000))[:100], "bytes 0-99/500", Content_Encoding="gzip"),
        reply(416, headers={"Content-Range": "bytes */300000"}),
        reply(403, b"no ranges here"),
    ],
    ids=["elsewhere", "unknown", "short", "more", "nonsense", "compressed", "416", "403"],
)
async def test_an_origin_that_is_odd_about_ranges_is_asked_for_all(place: Place, odd: bytes) -> None:
    data = picture(300_000)

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(odd if "range" in asked.headers else reply(200, data))
        await writer.drain()

    head = await place.head(answer)
    assert (head.data, head.whole, head.origin.status) == (data, True, 200)
    assert place.ranges()[-1] is None


async def test_all_requests_together_have_the_time_of_one(place: Place) -> None:
    async def hang(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    place.web.routes["/a"] = hang
    fetching = Fetching(sources={"http": place.source}, allowed=AllowedSources(), downloads=place.cache)
    with pytest.raises(SourceTimeout, match="in time"):
        await fetching.head(
            Plan(source=place.web.url("/a"), ops=()), Intent(), headers={}, sized=True, ends_at=time.monotonic() + 0.05
        )


async def test_an_empty_file_is_empty(place: Place) -> None:
    head = await place.head(served(b""))
    assert (head.data, head.size, head.whole) == (b"", 0, True)


async def test_bounds_hold_for_the_whole(place: Place) -> None:
    answers: list[Handler] = [served(picture(300_000)), Counted(picture(300_000))]
    for number, answer in enumerate(answers):
        with pytest.raises(SourceTooLarge):
            await place.head(answer, path=f"/{number}", max_bytes=299_999)
    assert (await place.head(path="/0", max_bytes=300_000)).size == 300_000


async def test_what_is_missing_is_remembered_but_not_what_a_range_is_denied_for(place: Place) -> None:
    for _ in range(2):
        with pytest.raises(SourceNotFound):
            await place.head(path="/missing")
    assert place.ranges() == [FIRST]
    for _ in range(2):
        with pytest.raises(SourceDenied):
            await place.head(reply(403), path="/denied")
    assert place.ranges() == [FIRST, FIRST, None]


async def test_a_failed_origin_fails_the_head_at_once(place: Place) -> None:
    with pytest.raises(SourceUnreachable):
        await place.head(reply(500))
    assert place.ranges() == [FIRST]


async def test_what_the_client_has_is_said_without_a_byte(place: Place) -> None:
    data = picture(300_000)
    head = await place.head(served(data), headers={"If-None-Match": '"v1"'})
    assert (head.origin.status, head.data) == (304, b"")
    assert (await place.head(headers={"If-None-Match": '"v0"'})).size == len(data)
    with pytest.raises(SourceUnreachable, match="304"):
        await place.head(reply(304, headers={"Content-Length": ""}), path="/b")


async def test_heads_of_one_source_are_read_once_at_a_time(place: Place) -> None:
    heads = await asyncio.gather(*(place.head(served(picture(300_000))) for _ in range(5)))
    assert len({head.data for head in heads}) == 1
    assert place.ranges() == [FIRST]


async def test_who_comes_while_all_is_on_its_way_waits_for_that(place: Place) -> None:
    data, arrived, gate = picture(300_000), asyncio.Event(), asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await gate.wait()
        writer.write(reply(200, data))
        await writer.drain()

    place.web.routes["/a"] = answer
    whole = asyncio.create_task(place.cache.fetch(place.source, place.web.url("/a"), max_bytes=0, headers={}))
    await arrived.wait()
    head = asyncio.create_task(place.head())
    await asyncio.sleep(0)
    gate.set()
    assert (await head).data == (await whole).data == data
    assert place.ranges() == [None]


async def test_what_goes_on_for_others_is_not_counted_for_one_who_has_left(place: Place) -> None:
    budget, arrived, gate = ByteBudget(1 << 30), asyncio.Event(), asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await gate.wait()
        await served(picture(300_000))(asked, writer)

    async def ask() -> HeadBytes:
        with budget.share() as share:
            return await place.cache.head(
                place.source, place.web.url("/a"), max_bytes=0, headers={}, sized=True, announce=share.expect
            )

    place.web.routes["/a"] = answer
    leaving, staying = asyncio.create_task(ask()), asyncio.create_task(ask())
    await arrived.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    gate.set()
    assert (await staying).size == 300_000
    assert (place.ranges(), budget.inside) == ([FIRST], 0)


async def test_validators_are_those_of_the_origin_or_change_with_what_is_told(place: Place) -> None:
    assert (await place.head(served(picture(300_000)))).validator == 'e"v1"'

    async def unnamed(data: bytes, path: str) -> str:
        head = await place.head(Counted(data), path=path)
        assert head.whole == (len(data) < FIRST_BYTES)
        # Whoever has all of it says the same.
        assert HeadBytes.of(Blob(data=data, origin=Origin())).validator == head.validator
        return head.validator

    data = picture(300_000)
    first = await unnamed(data, "/1")
    assert first.startswith("h")
    assert await unnamed(data[:-1] + b"x", "/2") == first  # the answer is the same too
    assert await unnamed(data + b"x", "/3") != first
    assert await unnamed(picture(300_000, head=1), "/4") != first
    assert await unnamed(picture(20_000), "/5") != first
    assert await unnamed(picture(20_000)[:-1] + b"x", "/6") == await unnamed(picture(20_000), "/7")


async def test_without_a_cache_heads_are_read_all_the_same(place: Place) -> None:
    source = MemorySource(Blob(data=picture(300_000), origin=Origin(content_length=300_000)))
    cache = make(source, near=("mem",)).renderer.downloads
    head = await cache.head(source, "mem://a.jpg", max_bytes=0, headers={}, sized=True)
    assert (head.size, head.whole) == (300_000, False)
