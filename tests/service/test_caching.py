"""Results that are kept: found again, checked when they are old, dropped when purged, made once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from imgserve.errors import ImageRefused, QueueFull, SourceDenied, SourceNotFound, SourceUnreachable
from imgserve.ports import EVERYTHING, Blob, Origin, Selector, Stored, never
from imgserve.service.conditions import Unchanged
from imgserve.service.entry import Made as Result
from tests.service.making import NOTHING, Has, Made, MemorySource, SlowStore, make, plan, soon
from tests.web.pictures import jpeg, png

Begin = Callable[..., Made]


@pytest.fixture
def source() -> MemorySource:
    return MemorySource(Blob(data=jpeg(), origin=Origin(etag='"v1"', cache_control="max-age=100")))


@pytest.fixture
async def begin(source: MemorySource) -> AsyncIterator[Begin]:
    async with AsyncExitStack() as stack:

        def start(**options: Any) -> Made:
            made = make(source, **options)
            stack.push_async_callback(made.renderer.pool.close, timeout_s=5)
            return made

        yield start


class GatedStore(SlowStore):
    """A store whose answers wait for a gate, if there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: asyncio.Event | None = None
        self.read = asyncio.Event()
        self.writing = asyncio.Event()

    async def get(self, key: str) -> Stored | None:
        found = await super().get(key)
        self.read.set()
        if self.gate is not None and found is not None:
            await self.gate.wait()
        return found

    async def put(self, key: str, stored: Stored, *, unless: Callable[[], bool] = never) -> bool:
        self.writing.set()
        if self.gate is not None:
            await self.gate.wait()
        return await super().put(key, stored)


async def ask(made: Made, text: str = "w:30/f:png", condition: Has = NOTHING) -> Result | Unchanged:
    found = await made.renderer.answer(plan(text), condition, ends_at=soon())
    await made.settle()
    return found


async def how(made: Made, text: str = "w:30/f:png") -> tuple[str, str]:
    """Tell how an answer was come by, and why it is stale."""
    found = await ask(made, text)
    assert isinstance(found, Result)
    return found.cache, found.stale


def changed(made: Made) -> None:
    made.source.blob = Blob(data=png(), origin=Origin(etag='"v2"', cache_control="max-age=100"))


async def test_a_result_is_made_once_and_found_in_memory(begin: Begin) -> None:
    made = begin()
    first, second = await ask(made), await ask(made)
    assert isinstance(first, Result)
    assert isinstance(second, Result)
    assert (first.cache, second.cache) == ("miss", "memory")
    assert first.picture == second.picture
    assert (second.validator, second.source_bytes, second.origin.etag) == ('e"v1"', len(jpeg()), '"v1"')
    assert len(made.source.asked) == 1


async def test_a_hit_below_fills_above(begin: Begin) -> None:
    disk, shared = SlowStore("disk"), SlowStore("s3")
    made = begin(below=[disk, shared])
    await ask(made)
    assert len(disk.entries) == len(shared.entries) == 1
    disk.entries.clear()
    again = begin(below=[disk, shared])
    assert (await how(again))[0] == "s3"
    assert len(disk.entries) == 1
    assert (await how(again))[0] == "memory"


async def test_a_broken_store_is_a_miss(begin: Begin) -> None:
    disk, shared = SlowStore("disk"), SlowStore("redis")
    made = begin(memory=False, below=[disk, shared])
    await ask(made)
    disk.broken = True
    assert (await how(made))[0] == "redis"
    shared.broken = True
    assert (await how(made))[0] == "miss"
    disk.broken = shared.broken = False
    assert (await how(made))[0] == "disk"


@pytest.mark.parametrize("meta", [b"", b"[]", b"{}", b'{"form":99}', b'{"form":1,"size":[1]}', b"\xff"])
async def test_what_another_version_kept_is_a_miss(begin: Begin, meta: bytes) -> None:
    disk = SlowStore()
    made = begin(memory=False, below=[disk])
    await ask(made)
    for key, stored in disk.entries.items():
        disk.entries[key] = type(stored)(meta=meta, body=stored.body, labels=stored.labels)
    assert (await how(made))[0] == "miss"


async def test_a_stale_result_is_served_while_its_origin_is_asked(begin: Begin) -> None:
    made = begin()
    await ask(made)
    made.clock.now += 101
    assert await how(made) == ("memory", "revalidating")
    assert made.source.asked[-1][2] == {"If-None-Match": '"v1"'}
    assert await how(made) == ("memory", "")
    assert len(made.source.asked) == 2


async def test_a_changed_source_takes_the_place_of_the_stale_result(begin: Begin) -> None:
    made = begin()
    first = await ask(made)
    changed(made)
    made.clock.now += 101
    stale, new = await ask(made), await ask(made)
    assert isinstance(first, Result)
    assert isinstance(stale, Result)
    assert isinstance(new, Result)
    assert (stale.picture.data, stale.stale) == (first.picture.data, "revalidating")
    assert (new.cache, new.stale, new.validator) == ("memory", "", 'e"v2"')
    assert new.picture.data != first.picture.data


async def test_a_result_that_is_too_stale_is_checked_first(begin: Begin) -> None:
    made = begin()
    await ask(made)
    changed(made)
    made.clock.now += 201
    found = await ask(made)
    assert isinstance(found, Result)
    assert (found.cache, found.validator) == ("miss", 'e"v2"')


async def test_a_dead_origin_leaves_the_known_result_for_a_while(begin: Begin) -> None:
    made = begin()
    await ask(made)
    made.source.error = SourceUnreachable("down")
    made.clock.now += 201
    assert await how(made) == ("memory", "error")
    made.clock.now += 1000
    with pytest.raises(SourceUnreachable):
        await ask(made)


async def test_an_origin_that_says_gone_ends_the_result_too(begin: Begin) -> None:
    disk = SlowStore()
    made = begin(below=[disk])
    await ask(made)
    made.source.error = SourceNotFound("gone")
    made.clock.now += 101
    assert (await how(made))[1] == "revalidating"
    assert disk.entries == {}
    with pytest.raises(SourceNotFound):
        await ask(made)


async def test_a_clock_set_back_makes_nobody_trust_the_future(begin: Begin) -> None:
    made = begin()
    await ask(made)
    changed(made)
    made.clock.now -= 5000
    found = await ask(made)
    assert isinstance(found, Result)
    assert found.validator == 'e"v2"'
    assert (await how(made)) == ("memory", "")


@pytest.mark.parametrize("said", ["no-store", "private, max-age=100"])
async def test_what_the_origin_does_not_want_kept_is_not_kept(begin: Begin, said: str) -> None:
    disk, sources = SlowStore(), SlowStore("sources")
    made = begin(below=[disk], sources=sources)
    made.source.blob = Blob(data=jpeg(), origin=Origin(cache_control=said))
    assert [(await how(made))[0] for _ in range(2)] == ["miss", "miss"]
    assert disk.entries == sources.entries == {}


async def test_an_origin_without_validators_is_compared_by_bytes(begin: Begin) -> None:
    made = begin()
    made.source.blob = Blob(data=jpeg(), origin=Origin())
    first = await ask(made)
    made.clock.now += 101
    assert (await how(made))[1] == "revalidating"
    again = await ask(made)
    assert isinstance(first, Result)
    assert isinstance(again, Result)
    assert (again.cache, again.picture.data) == ("memory", first.picture.data)
    assert len(made.source.asked) == 2


async def test_near_sources_are_looked_at_every_second_and_unchanged_ones_leave_the_disk_alone(begin: Begin) -> None:
    disk = SlowStore()
    made = begin(below=[disk], near=("mem",))
    made.source.blob = Blob(data=jpeg(), origin=Origin(etag='"v1"'))
    await ask(made)
    assert await how(made) == ("memory", "")
    made.clock.now += 2
    assert await how(made) == ("memory", "")
    assert (len(made.source.asked), disk.puts) == (2, 1)
    made.clock.now += 2
    made.source.blob = Blob(data=png(), origin=Origin(etag='"v2"'))
    found = await ask(made)
    assert isinstance(found, Result)
    assert found.validator == 'e"v2"'
    assert disk.puts == 2


async def test_a_client_that_has_the_kept_result_is_told_so(begin: Begin) -> None:
    made = begin()
    await ask(made)
    assert await ask(made, condition=Has('e"v1"')) == Unchanged(origin=made.source.blob.origin, validator='e"v1"')
    assert len(made.source.asked) == 1
    assert isinstance(await ask(made, condition=Has('e"v0"')), Result)


async def test_a_hundred_requests_make_one_fetch_and_one_render(begin: Begin) -> None:
    made = begin()
    made.source.gate = asyncio.Event()
    waiting = [
        asyncio.create_task(made.renderer.answer(plan("w:30/f:png"), NOTHING, ends_at=soon())) for _ in range(100)
    ]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    made.source.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert {one.cache for one in results if isinstance(one, Result)} == {"coalesced"}
    assert sum(isinstance(one, Result) for one in results) == 99
    assert len(made.source.asked) == 1


async def test_widths_of_one_photo_fetch_it_once(begin: Begin) -> None:
    sources = SlowStore("sources")
    made = begin(sources=sources)
    made.source.gate = asyncio.Event()
    waiting = [
        asyncio.create_task(made.renderer.answer(plan(f"w:{width}"), NOTHING, ends_at=soon()))
        for width in range(10, 15)
    ]
    await asyncio.sleep(0.01)
    made.source.gate.set()
    await asyncio.gather(*waiting)
    await made.settle()
    await ask(made, "w:16")
    assert len(made.source.asked) == 1


async def test_a_stale_source_is_asked_about_and_not_fetched_again(begin: Begin) -> None:
    made = begin(sources=SlowStore("sources"))
    await ask(made, "w:30")
    made.clock.now += 101
    await ask(made, "w:31")
    assert made.source.asked[-1][2] == {"If-None-Match": '"v1"'}
    await ask(made, "w:32")
    assert len(made.source.asked) == 2


async def test_a_result_is_as_fresh_as_the_kept_source_it_is_made_of(begin: Begin) -> None:
    made = begin(sources=SlowStore("sources"))
    await ask(made, "w:30")
    made.clock.now += 90
    await ask(made, "w:31")
    made.clock.now += 15
    assert await how(made, "w:31") == ("memory", "revalidating")


async def test_sources_larger_than_the_request_allows_are_refused_from_the_cache_too(begin: Begin) -> None:
    made = begin(sources=SlowStore("sources"))
    await ask(made, "w:30")
    with pytest.raises(Exception, match="larger than 10 bytes"):
        await ask(made, "w:31/msfs:10")


async def test_missing_sources_and_broken_pictures_are_known_for_a_moment(begin: Begin) -> None:
    made = begin()
    made.source.blob = Blob(data=jpeg()[:200], origin=Origin())
    for _ in range(2):
        with pytest.raises(ImageRefused):
            await ask(made)
    assert len(made.source.asked) == 1
    made.source.error = SourceNotFound("gone")
    for text in ("w:40", "w:41"):
        with pytest.raises(SourceNotFound):
            await ask(made, text)
    assert len(made.source.asked) == 2
    made.source.error = None
    made.source.blob = Blob(data=jpeg(), origin=Origin())
    await made.purges.purge(EVERYTHING)
    assert (await how(made, "w:40"))[0] == "miss"


@pytest.mark.parametrize(
    "selector",
    [
        Selector("source:mem://a.jpg"),
        Selector("source:mem://", prefix=True),
        Selector("tag:sale"),
        Selector("tag:summer"),
        EVERYTHING,
    ],
)
async def test_a_purge_reaches_every_tier(begin: Begin, selector: Selector) -> None:
    disk, sources = SlowStore(), SlowStore("sources")
    made = begin(below=[disk], sources=sources)
    await ask(made, "w:30/f:png/ct:sale:summer")
    changed(made)
    done = await made.purges.purge(selector)
    assert done.entries.pop("sources", 0) == (0 if selector.label.startswith("tag:") else 1)
    assert done.entries == {"memory": 1, "disk": 1}
    assert done.failed == ()
    assert (await how(made))[0] == "miss"


async def test_a_purge_leaves_the_rest(begin: Begin) -> None:
    made = begin()
    await ask(made)
    for selector in (Selector("source:mem://a.jp"), Selector("source:mem://a.jpgx", prefix=True), Selector("tag:x")):
        await made.purges.purge(selector)
    assert (await how(made))[0] == "memory"


async def test_each_url_of_a_picture_is_found_by_its_own_tags_whoever_made_what(begin: Begin) -> None:
    disk = SlowStore()
    made = begin(below=[disk])
    await asyncio.gather(*(ask(made, f"w:30/ct:{tags}") for tags in ("a", "b", "a:b", "b:a")))
    assert await how(made, "w:30/ct:b:a") == ("memory", "")
    assert (await made.purges.purge(Selector("tag:b"))).entries == {"memory": 2, "disk": 2}
    assert [(await how(made, f"w:30/ct:{tags}"))[0] for tags in ("a", "b", "b:a")] == ["memory", "miss", "miss"]
    # A check that finds another picture, too, keeps it under the tags of its URL.
    changed(made)
    made.clock.now += 201
    await ask(made, "w:30/ct:a")
    assert (await made.purges.purge(Selector("tag:a"))).entries == {"memory": 2, "disk": 2}


async def test_an_origin_that_no_longer_wants_its_answer_kept_ends_what_is_kept(begin: Begin) -> None:
    disk, sources = SlowStore(), SlowStore("sources")
    made = begin(below=[disk], sources=sources)
    await ask(made)
    made.source.blob = Blob(data=png(), origin=Origin(etag='"v2"', cache_control="no-store"))
    made.clock.now += 101
    assert await how(made) == ("memory", "revalidating")
    assert disk.entries == sources.entries == {}
    assert [await how(made) for _ in range(2)] == [("miss", "")] * 2


async def test_an_origin_that_denies_its_source_for_a_moment_ends_nothing(begin: Begin) -> None:
    disk = SlowStore()
    made = begin(below=[disk])
    await ask(made)
    made.source.error = SourceDenied("403")
    made.clock.now += 101
    assert (await how(made))[1] == "revalidating"
    assert len(disk.entries) == 1
    assert (await how(made))[1] == "revalidating"


async def test_what_an_origin_says_to_the_condition_of_one_client_is_for_it_alone(begin: Begin) -> None:
    made = begin()
    made.source.error = SourceDenied("403 for odd conditions")
    with pytest.raises(SourceNotFound):
        await ask(made, "w:30", Has('e"odd"'))
    made.source.error = None
    assert (await how(made, "w:31"))[0] == "miss"


@pytest.mark.parametrize("cached", [True, False])
async def test_a_hundred_conditional_requests_make_one_fetch_within_the_budget(begin: Begin, cached: bool) -> None:
    made = begin(sources=SlowStore("sources") if cached else None, max_bytes_in_flight=len(jpeg()) * 3)
    made.source.gate = asyncio.Event()
    asked = [
        asyncio.create_task(made.renderer.answer(plan("w:30/f:png"), Has('e"v0"'), ends_at=soon())) for _ in range(100)
    ]
    await asyncio.sleep(0.05)
    made.source.gate.set()
    assert {type(one) for one in await asyncio.gather(*asked)} == {Result}
    assert len(made.source.asked) == 1
    assert made.renderer.bytes_in_flight.inside == 0
    made.renderer.bytes_in_flight.inside = len(jpeg()) * 3
    with pytest.raises(QueueFull, match="fill this server"):
        await made.renderer.answer(plan("w:31/f:png", "mem://b.jpg"), Has('e"v0"'), ends_at=soon())


async def test_sources_from_the_cache_count_in_the_budget(begin: Begin) -> None:
    made = begin(memory=False, sources=SlowStore("sources"), max_bytes_in_flight=len(jpeg()) * 3 // 2)
    await ask(made)
    made.renderer.bytes_in_flight.inside += len(jpeg())
    with pytest.raises(QueueFull, match="fill this server"):
        await ask(made)


async def test_a_304_of_a_stale_result_is_marked_like_the_picture(begin: Begin) -> None:
    made = begin()
    await ask(made)
    made.clock.now += 101
    found = await made.renderer.answer(plan("w:30/f:png"), Has('e"v1"'), ends_at=soon())
    assert isinstance(found, Unchanged)
    assert (found.stale, found.passing) == ("revalidating", True)


async def test_a_slow_tier_holds_up_neither_locks_nor_memory(begin: Begin) -> None:
    s3 = GatedStore()
    s3.name, s3.gate = "s3", asyncio.Event()
    disk = SlowStore()
    made = begin(below=[disk, s3], slow=("s3",))
    await made.renderer.answer(plan("w:30"), NOTHING, ends_at=soon())
    await s3.writing.wait()
    assert len(disk.entries) == 1
    found = await made.renderer.answer(plan("w:30"), NOTHING, ends_at=soon())
    assert isinstance(found, Result)
    assert found.cache == "memory"
    s3.gate.set()
    await made.settle()
    assert len(s3.entries) == 1


async def test_what_was_being_made_while_it_was_purged_is_not_kept(begin: Begin) -> None:
    disk, sources = SlowStore(), SlowStore("sources")
    made = begin(below=[disk], sources=sources)
    made.source.gate = asyncio.Event()
    waiting = asyncio.create_task(made.renderer.answer(plan("w:30"), NOTHING, ends_at=soon()))
    await asyncio.sleep(0.01)
    await made.purges.purge(Selector("source:mem://a.jpg"))
    made.source.gate.set()
    await waiting
    await made.settle()
    assert disk.entries == sources.entries == {}
    assert made.memory is not None
    assert len(made.memory) == 0


async def test_what_a_store_gave_while_it_was_purged_does_not_come_into_memory(begin: Begin) -> None:
    disk = GatedStore()
    await ask(begin(below=[disk]))
    made = begin(below=[disk])
    disk.gate = asyncio.Event()
    disk.read.clear()
    reading = asyncio.create_task(made.renderer.answer(plan("w:30/f:png"), NOTHING, ends_at=soon()))
    await disk.read.wait()
    await made.purges.purge(EVERYTHING)
    disk.gate.set()
    await reading
    assert made.memory is not None
    assert len(made.memory) == 0


async def test_who_asks_after_a_purge_does_not_wait_for_what_began_before(begin: Begin) -> None:
    made = begin(sources=SlowStore("sources"))
    made.source.gate = asyncio.Event()
    waiting = [asyncio.create_task(made.renderer.answer(plan("w:30"), NOTHING, ends_at=soon())) for _ in range(2)]
    await asyncio.sleep(0.01)
    await made.purges.purge(Selector("source:mem://other.jpg"))
    waiting.append(asyncio.create_task(made.renderer.answer(plan("w:30"), NOTHING, ends_at=soon())))
    await asyncio.sleep(0.01)
    assert len(made.source.asked) == 1
    await made.purges.purge(Selector("source:mem://a.jpg"))
    waiting += [asyncio.create_task(made.renderer.answer(plan("w:30"), NOTHING, ends_at=soon())) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert len(made.source.asked) == 2
    made.source.gate.set()
    await asyncio.gather(*waiting)


async def test_what_was_asked_for_by_condition_before_a_purge_is_not_kept(begin: Begin) -> None:
    disk, sources = SlowStore(), SlowStore("sources")
    made = begin(below=[disk], sources=sources)
    made.source.gate = asyncio.Event()
    waiting = asyncio.create_task(made.renderer.answer(plan("w:30"), Has('e"v0"'), ends_at=soon()))
    await asyncio.sleep(0.01)
    await made.purges.purge(EVERYTHING)
    made.source.gate.set()
    await waiting
    await made.settle()
    assert disk.entries == sources.entries == {}


async def test_a_purge_that_comes_while_a_store_writes_wins(begin: Begin) -> None:
    disk = GatedStore()
    disk.gate = asyncio.Event()
    made = begin(memory=False, below=[disk])
    await made.renderer.answer(plan("w:30"), NOTHING, ends_at=soon())
    await disk.writing.wait()
    await made.purges.purge(EVERYTHING)
    disk.gate.set()
    await made.settle()
    assert disk.entries == {}


async def test_a_purge_tells_what_it_did_not_reach(begin: Begin) -> None:
    disk = SlowStore()
    made = begin(below=[disk])
    await ask(made)
    disk.broken = True
    assert (await made.purges.purge(EVERYTHING)).failed == ("disk",)


async def test_sources_in_flight_are_bounded_by_bytes(begin: Begin) -> None:
    made = begin(max_bytes_in_flight=len(jpeg()) * 3 // 2)
    made.renderer.bytes_in_flight.inside += len(jpeg())
    with pytest.raises(QueueFull, match="fill this server"):
        await ask(made)
    made.renderer.bytes_in_flight.inside = 0
    await asyncio.gather(ask(made), ask(made))
    assert made.renderer.bytes_in_flight.inside == 0
