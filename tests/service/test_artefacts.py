"""What models made, kept on disk: found by source, purged with it, judged by the rules of its origin."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from imgserve.errors import NotKept, ProviderUnavailable
from imgserve.plan.needs import Need
from imgserve.ports import EVERYTHING, Blob, Origin, Selector, Stored, never
from imgserve.ports.models import Ask, Detection, Reading, Score, Task
from imgserve.service.artefacts import Artefact, vital
from imgserve.service.freshness import KeepingRules
from imgserve.service.purges import Mark
from tests.service.making import SlowStore, plan
from tests.service.modelling import CUT, FACES, GROW, RULES, SOURCE, World, scripted, without, world

NEED = Need(SOURCE, (CUT,))
READ = Need(SOURCE, (FACES,))
START = Callable[..., World]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[START]:
    made: list[World] = []

    def run(**given: Any) -> World:
        made.append(world(tmp_path, **given))
        return made[-1]

    yield run
    for one in made:
        await one.close()


def picture(data: bytes = b"a picture", **facts: Any) -> Artefact:
    return Artefact(
        **{
            "data": data,
            "origin": Origin(etag='"1"'),
            "validator": 'e"1"',
            "source_bytes": 10,
            "source_format": "jpeg",
            "providers": ("grabcut",),
            "basic": True,
            **facts,
        }
    )


async def keep(made: World, need: Need, artefact: Artefact) -> None:
    await made.artefacts.keep(need, artefact, since=await made.artefacts.mark())


async def freshen(made: World, artefact: Artefact, answer: Origin, *, since: Mark | None = None) -> None:
    mark = since or await made.artefacts.mark()
    await made.artefacts.freshen(NEED, artefact, Blob(data=b"", origin=answer), since=mark)


async def test_what_is_kept_is_found_with_all_its_facts(start: START) -> None:
    made = start()
    origin = Origin(etag='"1"', last_modified="x", cache_control="max-age=50", expires="0", headers={"age": "10"})
    artefact = picture(origin=origin, providers=("grabcut", "libvips"))
    await keep(made, NEED, artefact)
    found = await made.artefacts.find(NEED)
    now = made.clock.now
    assert found == dataclasses.replace(artefact, stored_at=now, fresh_until=now + 40)
    assert await made.artefacts.find(Need(SOURCE, (GROW,))) is None


async def test_a_reading_is_found_as_it_was_read(start: START) -> None:
    made = start()
    seen = Detection(label="face", confidence=0.9, left=0.1, top=0.2, width=0.3, height=0.4, text="né “x”")
    reading = Reading(detections=(seen,) * 500, scores=(Score(label="cat", confidence=0.5),))
    await keep(made, READ, picture(b"", reading=reading))
    found = await made.artefacts.find(READ)
    assert found is not None
    assert (found.reading, found.data) == (reading, b"")
    # An empty one is a reading too: somebody looked and saw nothing.
    await keep(made, READ, picture(b"", reading=Reading()))
    found = await made.artefacts.find(READ)
    assert found is not None
    assert found.reading == Reading()


async def test_another_server_on_the_same_disk_finds_it_and_another_model_does_not(start: START) -> None:
    await keep(start(), NEED, picture())
    assert await start().artefacts.find(NEED) is not None
    other = start(providers=[scripted(Task.BACKGROUND, identity="2")])
    assert await other.artefacts.find(NEED) is None


@pytest.mark.parametrize("selector", [Selector("source:" + SOURCE), Selector("source:mem://", prefix=True), EVERYTHING])
async def test_a_purge_takes_it(start: START, selector: Selector) -> None:
    made = start()
    await keep(made, NEED, picture())
    await keep(made, READ, picture(b"", reading=Reading()))
    await made.purges.purge(Selector("source:mem://b.jpg"))
    assert await made.artefacts.find(NEED) is not None
    await made.purges.purge(selector)
    assert await made.artefacts.find(NEED) is None
    assert await made.artefacts.find(READ) is None


@pytest.mark.parametrize("said", ["no-store", "private, max-age=100"])
async def test_what_the_origin_forbids_to_keep_is_not_kept_and_the_sentence_says_so(start: START, said: str) -> None:
    made = start()
    with pytest.raises(NotKept) as wrong:
        await keep(made, NEED, picture(origin=Origin(cache_control=said)))
    assert "Cache-Control: no-store or private" in wrong.value.message
    assert await made.artefacts.find(NEED) is None


async def test_what_no_tier_takes_is_not_kept_and_the_sentence_names_the_settings(start: START) -> None:
    made = start(max_bytes=100_000)
    with pytest.raises(NotKept) as wrong:
        await keep(made, NEED, picture(bytes(300_000)))
    assert "IMGSERVE_DISK_CACHE_SIZE" in wrong.value.message
    assert "300" in wrong.value.message
    assert await made.artefacts.find(NEED) is None


async def test_what_is_there_of_an_older_version_does_not_pass_for_the_new_one(start: START) -> None:
    # The job would be called done, and the next request would find it outdated and have it made again, for ever.
    made = start(max_bytes=100_000)
    await keep(made, NEED, picture())
    with pytest.raises(NotKept):
        await keep(made, NEED, picture(bytes(300_000), validator='e"2"'))


async def test_nor_where_the_store_refuses_the_new_one_and_leaves_the_old(start: START) -> None:
    store = Full()
    made = start(stores=[store])
    await keep(made, NEED, picture())
    store.full = True
    with pytest.raises(NotKept):
        await keep(made, NEED, picture(validator='e"2"'))
    store.full = False
    await keep(made, NEED, picture(validator='e"2"'))
    found = await made.artefacts.find(NEED)
    assert found is not None
    assert found.validator == 'e"2"'


class Full(SlowStore):
    """It may have no room for more."""

    full = False

    async def put(self, key: str, stored: Stored, *, unless: Callable[[], bool] = never) -> bool:
        return False if self.full else await super().put(key, stored, unless=unless)


async def test_a_broken_store_keeps_nothing(start: START) -> None:
    store = SlowStore()
    made = start(stores=[store])
    store.broken = True
    with pytest.raises(NotKept):
        await keep(made, NEED, picture())
    assert await made.artefacts.find(NEED) is None


async def test_what_is_purged_while_it_is_made_is_not_kept(start: START) -> None:
    made = start()
    mark = await made.artefacts.mark()
    await made.purges.purge(Selector("source:" + SOURCE))
    with pytest.raises(NotKept) as wrong:
        await made.artefacts.keep(NEED, picture(), since=mark)
    assert "purged meanwhile" in wrong.value.message
    assert await made.artefacts.find(NEED) is None


async def test_memory_is_left_to_results(start: START) -> None:
    made = start(memory=True)
    await keep(made, NEED, picture())
    assert await made.artefacts.find(NEED) is not None
    assert made.tiers.memory is not None
    assert made.tiers.memory.bytes == 0


async def test_it_is_fresh_as_long_as_its_origin_says_and_used_until_it_is_dead(start: START) -> None:
    made = start()
    await keep(made, NEED, picture(origin=Origin(etag='"1"', cache_control="max-age=50")))
    for seconds, fresh, there in ((49, True, True), (2, False, True), (98, False, True), (899, False, True)):
        made.clock.now += seconds
        found = await made.artefacts.find(NEED)
        assert (found is not None) is there
        assert found is not None
        assert made.artefacts.is_fresh(NEED, found) is fresh
    made.clock.now += 700_000
    assert await made.artefacts.find(NEED) is None


@pytest.mark.parametrize("said", ["no-cache", "max-age=0", "s-maxage=0"])
async def test_what_has_to_be_asked_about_each_time_is_kept_all_the_same(start: START, said: str) -> None:
    # Its validator saves the work of minutes, whatever an operator says of stale results.
    strict = KeepingRules(ttl_s=0, stale_while_revalidate_s=0, stale_if_error_s=0)
    made = start(rules=strict)
    await keep(made, NEED, picture(origin=Origin(etag='"1"', cache_control=said)))
    made.clock.now += 1
    found = await made.artefacts.find(NEED)
    assert found is not None
    assert not made.artefacts.is_fresh(NEED, found)


async def test_a_near_source_is_looked_at_each_time(start: START) -> None:
    made = start(near=("mem",))
    await keep(made, NEED, picture())
    found = await made.artefacts.find(NEED)
    assert found is not None
    assert not made.artefacts.is_fresh(NEED, found)


async def test_a_near_source_is_written_down_again_before_its_artefact_expires(start: START) -> None:
    made = start(near=("mem",))
    await keep(made, NEED, picture())
    first = made.clock.now
    for days, written in ((1, first), (4, first + 4 * 86_400)):
        made.clock.now = first + days * 86_400
        found = await made.artefacts.find(NEED)
        assert found is not None
        await freshen(made, found, Origin(status=304, etag='"1"'))
        found = await made.artefacts.find(NEED)
        assert found is not None
        assert found.stored_at == written


async def test_a_304_makes_it_fresh_again_and_a_change_of_mind_removes_it(start: START) -> None:
    made = start()
    await keep(made, NEED, picture())
    made.clock.now += 150
    found = await made.artefacts.find(NEED)
    assert found is not None
    await freshen(made, found, Origin(status=304))
    found = await made.artefacts.find(NEED)
    assert found is not None
    assert (found.data, found.fresh_until) == (b"a picture", made.clock.now + 100)
    await freshen(made, found, Origin(status=304, cache_control="no-store"))
    assert await made.artefacts.find(NEED) is None


async def test_what_is_freshened_while_it_is_purged_stays_away(start: START) -> None:
    store = SlowStore()
    made = start(stores=[store])
    await keep(made, NEED, picture())
    mark, found = await made.artefacts.mark(), await made.artefacts.find(NEED)
    assert found is not None
    await made.purges.purge(Selector("source:" + SOURCE))
    # It was purged while its origin was asked; what the origin says is of before that.
    await freshen(made, found, Origin(status=304), since=mark)
    assert await made.artefacts.find(NEED) is None


@pytest.mark.parametrize(
    "meta", [b"", b"{}", b"[]", b'{"form":99}', b"null", b"\xff", b'{"form":1,"reads":true}', b'{"form":1}']
)
async def test_what_another_version_wrote_is_a_miss(start: START, meta: bytes) -> None:
    store = SlowStore()
    made = start(stores=[store])
    await keep(made, NEED, picture())
    store.entries[made.artefacts.key(NEED)] = Stored(meta=meta, body=b"not json", labels=("source:" + SOURCE,))
    assert await made.artefacts.find(NEED) is None


async def test_a_plan_without_ai_needs_nothing_of_a_server_that_has_nothing(start: START) -> None:
    assert start(stores=[], providers=[]).artefacts.needs(plan("w:10")) == ()


async def test_without_a_store_that_processes_share_nothing_can_be_made_ahead(start: START) -> None:
    made = start(stores=[], memory=True)
    assert not made.artefacts.keeps
    with pytest.raises(ProviderUnavailable) as wrong:
        made.artefacts.needs(plan("rmbg:1"))
    assert "IMGSERVE_CACHE" in wrong.value.message


async def test_what_nobody_does_is_told_or_left_out(start: START) -> None:
    made = start(providers=without(Task.BACKGROUND))
    with pytest.raises(ProviderUnavailable) as wrong:
        made.artefacts.needs(plan("rmbg:1"))
    assert (wrong.value.where, "background" in wrong.value.message) == ("background", True)
    # All classes: faces and objects, of those that there are.
    (need,) = made.artefacts.needs(plan("dd:1"))
    assert need.asks[0].task is Task.FACES
    with pytest.raises(ProviderUnavailable):
        made.artefacts.needs(plan("dd:1:cat"))


async def test_nothing_is_hidden_by_nobody(start: START) -> None:
    # Of several ways to find things any may be missing, but a picture in which things are to be hidden needs one.
    made = start(providers=[scripted(Task.BACKGROUND)])
    with pytest.raises(ProviderUnavailable):
        made.artefacts.needs(plan("bd:10"))


def test_one_vital_ask_makes_all_of_them_vital() -> None:
    assert vital([CUT, Ask(Task.FACES, vital=True)])
    assert not vital([CUT, GROW])
    assert RULES.stale_s == 1000
