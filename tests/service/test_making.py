"""A worker's job: what it fetches, whom it asks, what it keeps, and what it refuses with nothing kept."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from imgserve.engine.intent import Limits
from imgserve.errors import (
    BadRequest,
    ImageRefused,
    NotKept,
    ProviderRefused,
    ProviderUnavailable,
    SourceForbidden,
    SourceNotFound,
    UnsupportedImage,
)
from imgserve.plan.sources import compile_patterns
from imgserve.ports import Selector
from imgserve.ports.jobs import JobOrder
from imgserve.ports.models import Answer, Ask, Detection, Mask, Picture, Pixels, Reading, Task
from tests.engine.pictures import decoded, jpeg, photo, pixel, plain, png, turned
from tests.service.making import MemorySource
from tests.service.modelling import CUT, FACES, GROW, SOURCE, World, blob, scripted, world

START = Callable[..., World]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[START]:
    made: list[World] = []

    def run(data: bytes | None = None, *, origin: dict[str, str] | None = None, **given: Any) -> World:
        source = MemorySource(blob(data, **(origin or {})))
        made.append(world(tmp_path, source=source, **given))
        return made[-1]

    yield run
    for one in made:
        await one.close()


async def image_of(made: World, *asks: Ask) -> pyvips.Image:
    artefact = await made.found(*asks)
    assert artefact is not None
    return decoded(artefact.data)


async def test_a_cut_out_is_kept_with_what_is_known_of_its_source(start: START) -> None:
    made = start(jpeg(photo(60, 40)))
    told: list[tuple[str, float]] = []
    facts = await made.make(CUT, told=lambda task, share: told.append((task, share)))
    artefact = await made.found(CUT)
    assert artefact is not None
    assert (artefact.validator, artefact.source_format, artefact.providers) == ('e"1"', "jpeg", ("a-background",))
    assert artefact.source_bytes == len(made.source.blob.data)
    assert told == [("background", 0.0), ("background", 0.5)]
    assert made.source.asked == [(SOURCE, Limits().max_src_bytes, {})]
    assert facts["bytes"] == len(artefact.data)
    assert (facts["width"], facts["height"], facts["providers"]) == (60, 40, "a-background")
    image = await image_of(made, CUT)
    assert (image.width, image.height) == (60, 40)
    assert (pixel(image, 5, 20)[3], pixel(image, 55, 20)[3]) == (255, 0)


async def test_several_steps_go_one_after_the_other(start: START) -> None:
    made = start(png(photo(30, 20)))
    facts = await made.make(CUT, GROW)
    assert (facts["width"], facts["height"], facts["providers"]) == (60, 40, "a-background, a-upscale")
    # The second sees what the first made, on white.
    assert made.providers[Task.UPSCALE].calls == [(30, 20, "2")]
    image = await image_of(made, CUT, GROW)
    assert (image.width, image.height) == (60, 40)
    assert (pixel(image, 5, 20), pixel(image, 55, 20)[3]) == ([9, 99, 199, 255], 0)


async def test_a_reading_is_kept_without_a_picture(start: START) -> None:
    seen = Reading(detections=(Detection(label="x", confidence=1, left=0, top=0, width=1, height=1),))
    provider = scripted(Task.FACES)
    provider.answer = lambda _picture, _argument: seen
    made = start(providers=[provider])
    facts = await made.make(FACES)
    artefact = await made.found(FACES)
    assert artefact is not None
    assert (artefact.reading, artefact.data, facts["bytes"]) == (seen, b"", 0)


async def test_a_turned_source_becomes_an_upright_artefact(start: START) -> None:
    made = start(png(turned(photo(60, 40), 6)))
    await made.make(CUT)
    image = await image_of(made, CUT)
    assert (image.width, image.height) == (40, 60)
    assert made.providers[Task.BACKGROUND].calls == [(40, 60, "")]


async def test_a_drawing_becomes_pixels(start: START) -> None:
    made = start(b'<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect width="9" height="9"/></svg>')
    await made.make(CUT)
    artefact = await made.found(CUT)
    assert artefact is not None
    assert artefact.source_format == "png"


@pytest.mark.parametrize(
    ("data", "limits", "error"),
    [
        (b"no picture", Limits(), UnsupportedImage),
        (png(photo())[:20], Limits(), ImageRefused),
        (png(photo(60, 40)), Limits(max_src_pixels=2399), ImageRefused),
    ],
)
async def test_sources_that_are_not_served_are_not_worked_on(
    start: START, data: bytes, limits: Limits, error: type[Exception]
) -> None:
    made = start(data, limits=limits)
    with pytest.raises(error):
        await made.make(CUT)
    assert made.providers[Task.BACKGROUND].calls == []
    assert await made.found(CUT) is None


async def test_a_picture_that_is_too_large_for_the_provider_is_refused_before_it_is_asked(start: START) -> None:
    made = start(providers=[scripted(Task.BACKGROUND, max_pixels=2399)])
    with pytest.raises(ProviderRefused) as wrong:
        await made.make(CUT)
    assert "a-background takes at most 0.002399" in wrong.value.message
    assert made.providers[Task.BACKGROUND].calls == []


async def test_a_provider_that_refuses_leaves_nothing_behind(start: START) -> None:
    made = start()

    def refuse(_picture: Picture, _argument: str) -> Answer:
        raise ProviderRefused("No object.")

    made.providers[Task.UPSCALE].answer = refuse
    with pytest.raises(ProviderRefused):
        await made.make(CUT, GROW)
    assert await made.found(CUT, GROW) is None
    assert await made.found(CUT) is None


@pytest.mark.parametrize("pixels", [
    Pixels(data=b"12", width=2, height=2, bands=1),
    Pixels(data=b"", width=0, height=0, bands=1),
    Pixels(data=bytes(12), width=2, height=2, bands=3),
])  # fmt: skip
async def test_an_answer_that_is_none_is_refused(start: START, pixels: Pixels) -> None:
    made = start()
    made.providers[Task.BACKGROUND].answer = lambda _picture, _argument: Mask(pixels=pixels)
    with pytest.raises(ImageRefused):
        await made.make(CUT)
    assert await made.found(CUT) is None


async def test_an_answer_to_another_question_is_refused(start: START) -> None:
    made = start()
    made.providers[Task.BACKGROUND].answer = lambda _picture, _argument: Reading()
    with pytest.raises((ImageRefused, ProviderUnavailable, ProviderRefused)):
        await made.make(CUT)
    assert await made.found(CUT) is None


async def test_a_source_that_may_not_be_kept_costs_no_model_its_time(start: START) -> None:
    made = start(origin={"cache_control": "no-store"})
    with pytest.raises(NotKept) as wrong:
        await made.make(CUT)
    assert "Cache-Control" in wrong.value.message
    assert made.providers[Task.BACKGROUND].calls == []


async def test_what_is_purged_meanwhile_is_not_kept(start: START) -> None:
    made = start()
    answer = made.providers[Task.BACKGROUND].answer

    def purged(picture: Picture, argument: str) -> Answer:
        # In a thread of its own, as another process would tell of it.
        made.purges._forget(Selector("source:" + SOURCE), heard_at=made.clock())
        return answer(picture, argument)

    made.providers[Task.BACKGROUND].answer = purged
    with pytest.raises(NotKept):
        await made.make(CUT)
    assert await made.found(CUT) is None
    made.providers[Task.BACKGROUND].answer = answer
    await made.make(CUT)
    assert await made.found(CUT) is not None


async def test_a_worker_that_is_set_up_otherwise_says_so(start: START) -> None:
    made = start()
    wrong_id = JobOrder(id="0" * 64, source=SOURCE, asks=(CUT,))
    with pytest.raises(ProviderUnavailable) as wrong:
        await made.maker.make(wrong_id, lambda _task, _share: None)
    assert "same settings" in wrong.value.message
    with pytest.raises(ProviderUnavailable) as wrong:
        await made.make(Ask(Task.OBJECTS))
    assert "objects" in wrong.value.message
    made.providers[Task.BACKGROUND].broken = "The model file is gone."
    with pytest.raises(ProviderUnavailable) as wrong:
        await made.make(CUT)
    assert wrong.value.message == "The model file is gone."
    assert made.source.asked == []


async def test_sources_are_judged_as_for_requests(start: START) -> None:
    made = start()
    with pytest.raises(BadRequest):
        await made.make(CUT, source="ftp://a.test/a.jpg")
    made.maker = dataclasses.replace(made.maker, allowed=compile_patterns(["mem://yes/"]))
    with pytest.raises(SourceForbidden):
        await made.make(CUT)
    made.source.error = SourceNotFound("gone")
    with pytest.raises(SourceNotFound):
        await made.make(CUT, source="mem://yes/a.jpg")


async def test_making_it_again_takes_the_new_version(start: START) -> None:
    made = start()
    await made.make(CUT)
    made.source.blob = blob(png(plain(10, 10, [1, 2, 3])), etag='"2"')
    await made.make(CUT)
    artefact = await made.found(CUT)
    assert artefact is not None
    assert artefact.validator == 'e"2"'
    assert (await image_of(made, CUT)).width == 10
