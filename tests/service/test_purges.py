"""Purges that other machines tell: in force at once, whatever this machine's own tiers do and whoever leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from imgserve.ports import EVERYTHING, Blob, Origin, Selector, StoreError
from imgserve.service import purges
from imgserve.service.entry import Made as Result
from tests.service.making import NOTHING, Made, MemorySource, SlowStore, make, plan, soon
from tests.web.pictures import jpeg, png

Begin = Callable[..., Made]
OF_A = Selector("source:mem://a.jpg")


class News:
    """A bulletin that a test writes to in the name of others."""

    def __init__(self) -> None:
        self.unread: list[Selector] = []
        self.told: list[Selector] = []
        self.broken = False
        self.gate: asyncio.Event | None = None

    async def publish(self, selector: Selector) -> None:
        self.told.append(selector)

    def changed(self) -> bool:
        return bool(self.unread) or self.broken

    async def news(self) -> Sequence[Selector]:
        found, self.unread = self.unread, []
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise StoreError("broken by the test")
        return found

    async def close(self) -> None:
        pass


class Disk(SlowStore):
    """A disk whose purges wait for a gate, if there is one."""

    def __init__(self) -> None:
        super().__init__("disk")
        self.gate: asyncio.Event | None = None

    async def purge(self, selector: Selector) -> int:
        if self.gate is not None:
            await self.gate.wait()
        return await super().purge(selector)


@pytest.fixture
def news() -> News:
    return News()


@pytest.fixture
async def begin(news: News) -> AsyncIterator[Begin]:
    async with AsyncExitStack() as stack:

        def start(**options: Any) -> Made:
            source = MemorySource(Blob(data=jpeg(), origin=Origin(etag='"v1"', cache_control="max-age=100")))
            made = make(source, fleet=news, **options)
            stack.push_async_callback(made.renderer.pool.close, timeout_s=5)
            stack.push_async_callback(made.purges.close)
            return made

        yield start


async def ask(made: Made, text: str = "w:30/f:png", source: str = "mem://a.jpg") -> Result:
    found = await made.renderer.answer(plan(text, source), NOTHING, ends_at=soon())
    assert isinstance(found, Result)
    return found


async def known(made: Made, source: str = "mem://a.jpg") -> None:
    await ask(made, source=source)
    await made.settle()


def changed(made: Made) -> None:
    made.source.blob = Blob(data=png(), origin=Origin(etag='"v2"'))


async def test_news_of_a_machine_empty_its_own_tiers_and_leave_shared_ones(begin: Begin, news: News) -> None:
    disk, redis = Disk(), SlowStore("redis")
    made = begin(below=[disk, redis], shared=("redis",))
    await known(made)
    made.renderer.results.tiers._lately.clear()  # as if it was put long ago
    news.unread = [OF_A]
    await made.purges.catch_up()
    await until(lambda: not disk.entries)
    await asyncio.sleep(0.01)
    assert len(redis.entries) == 1


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110 - nothing in the product tells a test
            await asyncio.sleep(0.001)


async def test_a_client_that_leaves_while_news_are_read_loses_none(begin: Begin, news: News) -> None:
    disk = Disk()
    made = begin(below=[disk])
    await known(made)
    await known(made, "mem://b.jpg")
    changed(made)
    news.unread, news.gate = [OF_A, Selector("source:mem://b.jpg")], asyncio.Event()
    leaving = asyncio.create_task(ask(made))
    await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    news.gate.set()
    for source in ("mem://a.jpg", "mem://b.jpg"):
        assert (await ask(made, source=source)).validator == 'e"v2"'


async def test_memory_answers_while_a_slow_disk_is_emptied_and_the_disk_gives_nothing_old(
    begin: Begin, news: News
) -> None:
    disk = Disk()
    made = begin(below=[disk])
    await known(made)
    await known(made, "mem://b.jpg")
    changed(made)
    disk.gate, news.unread = asyncio.Event(), [OF_A]
    async with asyncio.timeout(5):
        assert (await ask(made, source="mem://b.jpg")).cache == "memory"
        assert (await ask(made)).validator == 'e"v2"'
    disk.gate.set()
    await made.settle()
    assert (await ask(made)).validator == 'e"v2"'


async def test_a_disk_that_fails_is_tried_again_and_gives_nothing_old_until_then(
    begin: Begin, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purges, "_AGAIN_S", 0.01)
    disk = Disk()
    made = begin(memory=False, below=[disk])
    await known(made)
    changed(made)
    disk.broken, news.unread = True, [OF_A]
    await made.purges.catch_up()
    await asyncio.sleep(0.02)
    disk.broken = False
    assert (await ask(made)).validator == 'e"v2"'
    await made.settle()
    await until(lambda: not made.purges.mark().hidden((OF_A.label,)))
    await known(made)
    assert (await ask(made)).cache == "disk"


async def test_what_was_put_into_a_shared_tier_just_before_the_news_is_taken_back(begin: Begin, news: News) -> None:
    redis = SlowStore("redis")
    made = begin(memory=False, below=[redis], shared=("redis",))
    await known(made)
    await known(made, "mem://b.jpg")
    news.unread = [OF_A]
    await made.purges.catch_up()
    await until(lambda: len(redis.entries) == 1)
    assert (await ask(made, source="mem://b.jpg")).cache == "redis"


async def test_a_bulletin_that_is_broken_stops_nobody_and_makes_nobody_trust_what_is_kept(
    begin: Begin, news: News
) -> None:
    made = begin(below=[Disk()])
    await known(made)
    news.broken = True
    async with asyncio.timeout(5):
        assert (await ask(made)).cache == "miss"
    news.broken = False
    await known(made)
    assert (await ask(made)).cache == "memory"


async def test_lost_news_cost_memory_and_not_the_disk(begin: Begin, news: News) -> None:
    made = begin(below=[Disk()])
    await known(made)
    news.unread = [EVERYTHING]
    assert (await ask(made)).cache == "disk"


async def test_purges_are_known_by_their_time_whoever_asked_for_them(begin: Begin, news: News) -> None:
    made = begin(below=[Disk()])
    label, began = ("source:mem://a.jpg",), made.clock.now
    news.unread = [Selector("source:mem://b.jpg"), OF_A]
    await made.purges.catch_up()
    made.clock.now += 10
    await made.purges.purge(Selector("source:mem://b.jpg"))
    assert made.purges.purged_since(began, label)
    assert not made.purges.purged_since(began + 1, label)
    await made.purges.purge(EVERYTHING)
    assert made.purges.purged_since(began + 10, label)
    assert not made.purges.purged_since(began + 11, label)


@pytest.mark.parametrize("broken", [False, True])
async def test_news_that_were_lost_are_no_purge(begin: Begin, news: News, broken: bool) -> None:
    made = begin(below=[Disk()])
    news.unread, news.broken = [EVERYTHING], broken
    mark = made.purges.mark()
    await made.purges.catch_up()
    assert mark.passed(("source:mem://a.jpg",))
    assert not made.purges.purged_since(0.0, ("source:mem://a.jpg",))
