"""The render service alone: intent, validators, keys, and the order of its steps; sources are fakes in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NoReturn

import pytest

from imgserve.engine.intent import EngineConfig, Intent
from imgserve.errors import BadRequest, RenderTimeout, SourceForbidden, SourceUnreachable, UnsupportedImage
from imgserve.plan.sources import compile_patterns
from imgserve.ports import Blob, Origin
from imgserve.service.conditions import Unchanged
from imgserve.service.entry import Made
from imgserve.service.intents import fingerprint, intent_of
from imgserve.service.render import Renderer
from imgserve.service.validators import is_validator, source_validator
from imgserve.spec.values import ResizingType
from tests.service.making import NOTHING, Has, MemorySource, make, plan, soon
from tests.web.pictures import jpeg


@pytest.fixture
def source() -> MemorySource:
    return MemorySource(Blob(data=jpeg(), origin=Origin(etag='"v1"')))


@pytest.fixture
async def renderer(source: MemorySource) -> AsyncIterator[Renderer]:
    made = make(source, memory=False, queue_size=1)
    yield made.renderer
    await made.renderer.pool.close(timeout_s=5)


def test_options_go_over_the_defaults_and_negotiation_over_both() -> None:
    negotiated = replace(plan("rs:fill:10:20/q:50/maf:3"), preferred=("webp",), enforced=("avif",))
    intent = intent_of(negotiated, Intent(quality=80, strip_metadata=False))
    assert (intent.resizing_type, intent.width, intent.height) == (ResizingType.FILL, 10, 20)
    assert (intent.quality, intent.strip_metadata, intent.limits.max_animation_frames) == (50, False, 3)
    assert (intent.preferred, intent.enforced) == (("webp",), ("avif",))


@pytest.mark.parametrize(
    ("origin", "validator"),
    [
        (Origin(etag='"a"', last_modified="Sat, 21 Nov 2026 08:33:13 GMT"), 'e"a"'),
        (Origin(etag='W/"a"'), 'eW/"a"'),
        (Origin(etag="unquoted", last_modified="Sat, 21 Nov 2026 08:33:13 GMT"), "mSat, 21 Nov 2026 08:33:13 GMT"),
        (Origin(etag='"' + "a" * 300 + '"', last_modified="x\r\ny"), None),
        (Origin(), None),
    ],
)
def test_a_source_is_identified_by_tag_then_date_then_bytes(origin: Origin, validator: str | None) -> None:
    found = source_validator(Blob(data=b"abc", origin=origin))
    assert is_validator(found)
    if validator is None:
        assert found == "hba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    else:
        assert found == validator


def test_the_fingerprint_follows_meaning_not_spelling() -> None:
    one = fingerprint("v", EngineConfig(format_quality={"webp": 1, "avif": 2}, watermark=b"x"))
    assert one == fingerprint("v", EngineConfig(format_quality={"avif": 2, "webp": 1}, watermark=b"x"))
    for other in (EngineConfig(format_quality={"webp": 1}), EngineConfig(watermark=b"y"), EngineConfig(quality=1)):
        assert fingerprint("v", other) != one


async def test_a_plan_becomes_a_picture(renderer: Renderer, source: MemorySource) -> None:
    made = await renderer.answer(plan("w:30/f:png/msfs:5000000"), NOTHING, ends_at=soon())
    assert isinstance(made, Made)
    assert (made.picture.format, made.picture.width, made.picture.source_width) == ("png", 30, 60)
    assert (made.validator, made.source_bytes) == ('e"v1"', len(jpeg()))
    assert source.asked == [("mem://a.jpg", 5_000_000, {})]


async def test_a_client_that_has_the_result_costs_no_render(renderer: Renderer, source: MemorySource) -> None:
    broken = replace(renderer, pool=NoPool())  # type: ignore[arg-type]
    source.blob = Blob(data=jpeg(), origin=Origin(last_modified="Sat, 21 Nov 2026 08:33:13 GMT"))
    known = "mSat, 21 Nov 2026 08:33:13 GMT"
    found = await broken.answer(plan("w:30"), Has(known), ends_at=soon())
    assert found == Unchanged(origin=source.blob.origin, validator=known)


class NoPool:
    threads, stuck, pending, queue_size = 1, 0, 0, 0

    async def run(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError("a render was asked for")


async def test_a_304_of_the_origin_is_the_answer(renderer: Renderer, source: MemorySource) -> None:
    found = await renderer.answer(plan("w:30"), Has('e"v1"'), ends_at=soon())
    assert found == Unchanged(origin=Origin(status=304, etag='"v1"'), validator=None)
    assert source.asked[0][2] == {"If-None-Match": '"v1"'}


async def test_a_304_that_nobody_asked_for_is_the_origins_mistake(renderer: Renderer, source: MemorySource) -> None:
    source.blob = Blob(data=b"", origin=Origin(status=304))
    with pytest.raises(SourceUnreachable):
        await renderer.answer(plan("w:30"), NOTHING, ends_at=soon())


async def test_bytes_that_are_no_picture_are_told(renderer: Renderer, source: MemorySource) -> None:
    source.blob = Blob(data=b"hello", origin=Origin())
    with pytest.raises(UnsupportedImage):
        await renderer.answer(plan("w:30"), NOTHING, ends_at=soon())


async def test_no_render_starts_after_the_end(renderer: Renderer) -> None:
    with pytest.raises(RenderTimeout):
        await renderer.answer(plan("w:30"), NOTHING, ends_at=time.monotonic() - 1)


def test_only_permitted_sources_of_known_schemes_are_admitted(renderer: Renderer) -> None:
    renderer.admit(plan("w:1"))
    with pytest.raises(BadRequest) as unknown:
        renderer.admit(replace(plan("w:1"), source="ftp://a/b"))
    assert unknown.value.expected == "mem://"
    narrow = replace(renderer, allowed=compile_patterns(["mem://b"]))
    with pytest.raises(SourceForbidden):
        narrow.admit(plan("w:1"))


def test_the_key_changes_with_the_epoch_and_the_pixels_only(renderer: Renderer) -> None:
    key = renderer.key(plan("w:30"))
    assert renderer.key(plan("width:30/exp:32503669200/fn:x/cb:1")) == key
    assert renderer.key(plan("w:31")) != key
    assert replace(renderer, epoch="2").key(plan("w:30")) != key
