"""Renders with AI steps: made of artefacts of the source's version, or Pending with a job that makes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from imgserve.engine.intent import Limits
from imgserve.errors import Pending, ProviderUnavailable, SourceNotFound, SourceTimeout, SourceUnreachable
from imgserve.plan.needs import Need
from imgserve.ports import Selector
from imgserve.ports.jobs import JobError, JobState
from imgserve.ports.models import Detection, Reading, Task
from imgserve.service.conditions import Unchanged
from imgserve.service.entry import Made
from imgserve.service.freshness import KeepingRules
from tests.engine.pictures import decoded, jpeg, photo, pixel, png
from tests.service.making import NOTHING, Has, MemorySource, SlowStore, plan, soon
from tests.service.modelling import CUT, FACES, GROW, SOURCE, World, blob, scripted, without, world

START = Callable[..., World]
#: Far beyond the time for which results and sources of these tests are fresh.
LATER_S = 150.0


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[START]:
    made: list[World] = []

    def run(data: bytes | None = None, *, origin: dict[str, str] | None = None, **given: Any) -> World:
        made.append(world(tmp_path, source=MemorySource(blob(data, **(origin or {}))), **given))
        return made[-1]

    yield run
    for one in made:
        await one.settle()
        await one.close()


async def ask(made: World, text: str) -> Made:
    answer = await made.renderer.answer(plan(text), NOTHING, ends_at=soon())
    assert isinstance(answer, Made)
    await made.settle()
    return answer


async def pending(made: World, text: str) -> Pending:
    with pytest.raises(Pending) as raised:
        await made.renderer.answer(plan(text), NOTHING, ends_at=soon())
    await made.settle()
    return raised.value


async def ready(made: World, text: str) -> Made:
    """Have it made, and give it."""
    await pending(made, text)
    assert await made.work()
    return await ask(made, text)


def image_of(made: Made) -> pyvips.Image:
    return decoded(made.picture.data)


async def test_a_picture_with_an_ai_step_comes_when_its_artefact_is_there(start: START) -> None:
    made = start(jpeg(photo(60, 40)))
    told = await pending(made, "rmbg:1/w:30")
    assert told.job == made.artefacts.key(Need(SOURCE, (CUT,)))
    assert await made.work() == 1
    answer = await ask(made, "rmbg:1/w:30")
    picture = answer.picture
    # Transparent, so no JPEG, though the source is one.
    assert (picture.format, picture.width, picture.height, picture.source_width) == ("png", 30, 20, 60)
    assert (answer.validator, answer.provider, answer.cache) == ('e"1"', "a-background", "miss")
    assert answer.source_bytes == len(made.source.blob.data)
    image = image_of(answer)
    assert (pixel(image, 3, 10)[3], pixel(image, 27, 10)[3]) == (255, 0)


async def test_all_sizes_and_formats_are_made_of_one_artefact(start: START) -> None:
    made = start()
    await ready(made, "rmbg:1/w:30")
    asked = len(made.source.asked)
    for text in ("rmbg:1/w:10", "rmbg:1/w:10/f:webp", "rmbg:1/f:jpg/bg:255:255:255", "rmbg:1/rs:fill:20:20/f:png"):
        await ask(made, text)
    assert len(made.providers[Task.BACKGROUND].calls) == 1
    assert len(made.queue.begun) == 1
    # While it is fresh, nobody needs its source.
    assert len(made.source.asked) == asked


async def test_what_is_enlarged_keeps_the_format_of_its_source(start: START) -> None:
    made = start(jpeg(photo(60, 40)))
    answer = await ready(made, "up:2")
    assert (answer.picture.format, answer.picture.width) == ("jpeg", 120)


async def test_bounds_on_sources_are_for_sources(start: START) -> None:
    # The source is within them; what was made of it, as this server does, is none that anybody chose.
    made = start(limits=Limits(max_src_pixels=3000, max_src_bytes=20_000))
    answer = await ready(made, "up:2/w:20")
    assert answer.picture.width == 20


async def test_the_result_is_kept_and_says_who_made_it_in_another_process_too(start: START) -> None:
    made = start(providers=[scripted(Task.BACKGROUND, basic=True)])
    first = await ready(made, "rmbg:1/w:30")
    again = await ask(start(providers=[scripted(Task.BACKGROUND, basic=True)]), "rmbg:1/w:30")
    assert (again.cache, again.picture, again.provider) == ("disk", first.picture, "a-background; basic")


async def test_another_model_makes_another_picture(start: START) -> None:
    await ready(start(), "rmbg:1/w:30")
    await pending(start(providers=[scripted(Task.BACKGROUND, identity="2")]), "rmbg:1/w:30")


async def test_the_picture_without_its_ai_steps_is_another_result(start: START) -> None:
    made = start(jpeg(photo(60, 40)))
    text = "rmbg:1/w:30"
    plain = await made.renderer.without_models(plan(text), ends_at=soon())
    await made.settle()
    assert (plain.picture.format, plain.picture.width, plain.provider) == ("jpeg", 30, "")
    await ready(made, text)
    assert (await ask(made, text)).picture.format == "png"
    again = await made.renderer.without_models(plan(text), ends_at=soon())
    assert (again.picture, again.cache) == (plain.picture, "disk")


async def test_a_hundred_requests_at_once_are_one_job(start: START) -> None:
    made = start()
    asks = [made.renderer.answer(plan(f"rmbg:1/w:{10 + at % 10}"), NOTHING, ends_at=soon()) for at in range(100)]
    answers = await asyncio.gather(*asks, return_exceptions=True)
    assert {type(one) for one in answers} == {Pending}
    assert len({one.job for one in answers if isinstance(one, Pending)}) == 1
    assert len(made.queue.begun) == 1
    # Those who want the same picture join each other; the queue is asked once for each of ten.
    assert made.queue.asked == 10
    await made.work()
    made_at_once = await asyncio.gather(
        *[made.renderer.answer(plan("rmbg:1/w:30"), NOTHING, ends_at=soon()) for _ in range(100)]
    )
    assert {one.picture.data for one in made_at_once if isinstance(one, Made)} == {made_at_once[0].picture.data}  # type: ignore[union-attr]
    assert len(made.providers[Task.BACKGROUND].calls) == 1


async def test_a_stale_artefact_is_asked_about_and_used_again(start: START) -> None:
    made = start()
    await ready(made, "rmbg:1/w:30")
    asked = len(made.source.asked)
    made.clock.now += LATER_S
    await ask(made, "rmbg:1/w:20")
    assert [headers for _, _, headers in made.source.asked[asked:]] == [{"If-None-Match": '"1"'}]
    # That was noted: for the next while nobody asks.
    await ask(made, "rmbg:1/w:21")
    assert len(made.source.asked) == asked + 1
    assert len(made.providers[Task.BACKGROUND].calls) == 1


async def test_a_result_is_no_fresher_than_its_artefact(start: START) -> None:
    made = start()
    await ready(made, "rmbg:1/w:30")
    made.clock.now += 60
    late = await ask(made, "rmbg:1/w:20")
    assert late.fresh_until == made.clock.now + 40


@pytest.mark.parametrize("origin", [{}, {"etag": "", "last_modified": "Sat, 21 Nov 2026 08:33:13 GMT"}, {"etag": ""}])
async def test_a_changed_source_is_made_again(start: START, origin: dict[str, str]) -> None:
    made = start(png(photo(60, 40)), origin=origin)
    await ready(made, "rmbg:1/w:30")
    changed = {**origin, "last_modified": "Sun, 22 Nov 2026 08:33:13 GMT"} if "last_modified" in origin else origin
    made.source.blob = blob(png(photo(40, 60)), **{"etag": '"2"', **changed})
    made.clock.now += LATER_S
    for _ in range(3):
        await pending(made, "rmbg:1/w:20")
    assert len(made.queue.begun) == 2
    assert await made.work() == 1
    assert (await ask(made, "rmbg:1/w:20")).picture.height == 30


async def test_while_a_changed_source_is_made_again_the_older_result_is_served(start: START) -> None:
    made = start(rules=KeepingRules(ttl_s=100, stale_while_revalidate_s=0, stale_if_error_s=1000))
    first = await ready(made, "rmbg:1/w:30")
    made.source.blob = blob(png(photo(40, 60)), etag='"2"')
    made.clock.now += LATER_S
    answer = await ask(made, "rmbg:1/w:30")
    assert (answer.picture, answer.stale, answer.passing) == (first.picture, "error", True)
    assert len(made.queue.begun) == 2
    await made.work()
    answer = await ask(made, "rmbg:1/w:30")
    assert (answer.picture.height, answer.stale) == (45, "")


async def test_a_changed_source_of_a_result_that_may_be_stale_is_found_while_nobody_waits(start: START) -> None:
    made = start()
    first = await ready(made, "rmbg:1/w:30")
    made.source.blob = blob(png(photo(40, 60)), etag='"2"')
    made.clock.now += LATER_S
    answer = await ask(made, "rmbg:1/w:30")
    assert (answer.picture, answer.stale) == (first.picture, "revalidating")
    await made.settle()
    assert len(made.queue.begun) == 2


async def test_a_new_version_that_the_provider_refuses_is_told_as_a_failure(start: START) -> None:
    made = start()
    await ready(made, "rmbg:1/w:30")
    made.source.blob = blob(png(photo(40, 60)), etag='"2"')
    made.clock.now += LATER_S
    key = (await pending(made, "rmbg:1/w:20")).job
    made.queue.end(key, JobState.FAILED, error=JobError(code="provider_refused", message="No object."))
    for _ in range(3):
        assert (await pending(made, "rmbg:1/w:20")).failed == "provider_refused"
    assert len(made.queue.begun) == 2


@pytest.mark.parametrize("error", [SourceUnreachable("down"), SourceTimeout("slow")])
async def test_an_origin_that_is_down_leaves_the_artefact_in_use_and_the_answer_short_lived(
    start: START, error: SourceUnreachable | SourceTimeout
) -> None:
    made = start()
    await ready(made, "rmbg:1/w:30")
    made.clock.now += LATER_S
    made.source.error = error
    answer = await ask(made, "rmbg:1/w:20")
    assert answer.picture.width == 20
    assert answer.fresh_until < made.clock.now
    # Browsers must not keep for a year what nobody could check.
    assert answer.passing


async def test_a_source_that_is_gone_is_gone(start: START) -> None:
    made = start()
    await ready(made, "rmbg:1/w:30")
    made.clock.now += LATER_S
    made.source.error = SourceNotFound("gone")
    with pytest.raises(SourceNotFound):
        await ask(made, "rmbg:1/w:20")


async def test_a_near_source_is_looked_at_for_each_new_picture(start: START) -> None:
    made = start(near=("mem",))
    await ready(made, "rmbg:1/w:30")
    made.source.blob = blob(png(photo(40, 60)), etag='"2"')
    await pending(made, "rmbg:1/w:20")
    assert len(made.queue.begun) == 2


async def test_a_client_that_has_the_picture_is_told_so(start: START) -> None:
    made = start()
    await ready(made, "rmbg:1/w:30")
    for text in ("rmbg:1/w:30", "rmbg:1/w:31"):
        answer = await made.renderer.answer(plan(text), Has('e"1"'), ends_at=soon())
        assert isinstance(answer, Unchanged)


async def test_a_purge_of_the_source_takes_artefact_and_results(start: START) -> None:
    made = start(memory=True)
    await ready(made, "rmbg:1/w:30")
    await made.renderer.without_models(plan("rmbg:1/w:30"), ends_at=soon())
    await made.settle()
    await made.purges.purge(Selector("source:" + SOURCE))
    await pending(made, "rmbg:1/w:30")
    assert len(made.queue.begun) == 2
    assert (await made.renderer.without_models(plan("rmbg:1/w:30"), ends_at=soon())).cache == "miss"


async def test_the_flight_of_a_picture_that_waits_for_its_job_ends_with_the_request(start: START) -> None:
    made = start()
    await pending(made, "rmbg:1/w:30")
    await made.work()
    assert (await ask(made, "rmbg:1/w:30")).cache == "miss"


def seen(*labels: str) -> Reading:
    return Reading(
        detections=tuple(
            Detection(label=one, confidence=0.9, left=0.5, top=0.25, width=0.25, height=0.5) for one in labels
        )
    )


def with_faces() -> list[Any]:
    providers = [scripted(Task.BACKGROUND), scripted(Task.FACES), scripted(Task.OBJECTS)]
    for one in providers[1:]:
        one.answer = lambda _picture, _argument: seen("face")
    return providers


async def test_a_reading_reaches_the_options_that_act_on_it(start: START) -> None:
    made = start(png(photo(80, 40)), providers=with_faces())
    answer = await ready(made, "crop_objects:1:face")
    assert (answer.picture.width, answer.picture.height) == (20, 20)
    assert answer.provider == "a-faces"


async def test_pictures_and_readings_are_ordered_and_used_together(start: START) -> None:
    made = start(png(photo(80, 40)), providers=with_faces())
    answer = await ready(made, "rmbg:1/crop_objects:1:face")
    assert len(made.queue.begun) == 2
    assert (answer.picture.width, answer.provider) == (20, "a-background, a-faces")


async def test_a_reading_of_an_older_version_is_read_again(start: START) -> None:
    made = start(png(photo(80, 40)), providers=with_faces())
    await ready(made, "crop_objects:1:face/q:70")
    made.source.blob = blob(png(photo(40, 40)), etag='"2"')
    for _ in range(2):
        await pending(made, "crop_objects:1:face/q:71")
    assert len(made.queue.begun) == 2
    await made.work()
    assert (await ask(made, "crop_objects:1:face/q:71")).picture.width == 10


@pytest.mark.parametrize("newer", [CUT, FACES], ids=["the picture", "the reading"])
async def test_a_picture_and_a_reading_of_two_versions_come_together_in_one_round(start: START, newer: Any) -> None:
    """Whichever is of the older version is made again, though both are fresh: else one of them is, for ever."""
    made = start(png(photo(80, 40)), providers=with_faces(), origin={"cache_control": "max-age=100000"})
    older = FACES if newer is CUT else CUT
    await made.make(older)
    made.source.blob = blob(png(photo(40, 40)), etag='"2"', cache_control="max-age=100000")
    await made.make(newer)
    rounds = 0
    while (answer := await maybe(made, "rmbg:1/crop_objects:1:face")) is None:
        await made.work()
        rounds += 1
        assert rounds <= 2
    assert (answer.picture.width, answer.validator) == (10, 'e"2"')


async def maybe(made: World, text: str) -> Made | None:
    try:
        return await ask(made, text)
    except Pending:
        return None


async def test_of_several_ways_to_find_things_one_is_enough(start: START) -> None:
    providers = [one for one in with_faces() if one.capability.task is Task.FACES]
    made = start(png(photo(80, 40)), providers=providers)
    answer = await ready(made, "crop_objects:1")
    assert (answer.picture.width, len(made.queue.begun)) == (20, 1)


async def test_what_nobody_can_make_is_told_before_the_source_is_fetched(start: START) -> None:
    made = start(providers=without(Task.UPSCALE))
    with pytest.raises(ProviderUnavailable):
        await ask(made, "up:2")
    alone = start(stores=[], memory=True)
    with pytest.raises(ProviderUnavailable):
        await ask(alone, "rmbg:1")
    assert made.source.asked == alone.source.asked == []


async def test_a_queue_that_is_broken_harms_no_picture_that_is_ready(start: START) -> None:
    made = start()
    await ready(made, "rmbg:1/w:30")
    made.queue.broken = True
    assert (await ask(made, "rmbg:1/w:20")).picture.width == 20
    assert (await pending(made, "up:2")).failed == "queue_unavailable"


async def test_a_store_that_is_broken_is_a_job_not_an_error(start: START) -> None:
    store = SlowStore()
    made = start(stores=[store])
    store.broken = True
    assert (await pending(made, "rmbg:1/w:30")).failed == ""


async def test_steps_in_any_order_are_one_artefact(start: START) -> None:
    made = start(png(photo(30, 20)))
    answer = await ready(made, "up:2/rmbg:1")
    assert (answer.picture.width, answer.provider) == (60, "a-background, a-upscale")
    assert (await ask(made, "rmbg:1/up:2.0")).cache == "disk"
    assert await made.found(CUT, GROW) is not None
