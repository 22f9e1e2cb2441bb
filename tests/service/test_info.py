"""The service behind /info: what it reads, what it spares, and what it says of models that have not looked yet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from imgserve.errors import (
    ImageRefused,
    Pending,
    ProviderUnavailable,
    QueueFull,
    SourceTimeout,
    SourceTooLarge,
    UnsupportedImage,
)
from imgserve.ops.catalog import CATALOG
from imgserve.ops.info import info_grammar
from imgserve.plan.model import Plan
from imgserve.plan.needs import Need
from imgserve.plan.url import Grammar, parse
from imgserve.ports import Blob, Origin, Selector, Stored
from imgserve.ports.jobs import JobError, JobState
from imgserve.ports.models import Ask, Detection, Provider, Reading, Task
from imgserve.service.artefacts import Artefact, Artefacts
from imgserve.service.conditions import Unchanged
from imgserve.service.freshness import KeepingRules
from imgserve.service.heads import HeadBytes
from imgserve.service.info import Info, Inspector
from imgserve.service.jobs import Jobs
from imgserve.service.modelled import Modelled
from imgserve.service.render import Renderer
from imgserve.service.tiers import Tiers
from tests.service.making import NOTHING, Has, Made, MemorySource, SlowStore, make, soon
from tests.web.blocking import block, until
from tests.web.jobs_server import provider
from tests.web.memory_queue import MemoryQueue
from tests.web.pictures import jpeg, png

FACE = Reading(detections=(Detection(label="face", confidence=0.9, left=0.1, top=0.2, width=0.3, height=0.4),))


@dataclass
class Around:
    """An inspector and what is around it."""

    made: Made
    inspector: Inspector
    artefacts: Artefacts
    queue: MemoryQueue

    @property
    def renderer(self) -> Renderer:
        return self.made.renderer

    async def keep(self, task: Task, reading: Reading = FACE, *, validator: str = 'e"v1"') -> None:
        """Keep a reading, as a worker would."""
        need = Need("mem://a.jpg", (Ask(task),))
        artefact = Artefact(
            reading=reading,
            origin=Origin(),
            validator=validator,
            source_bytes=1,
            source_format="jpeg",
            providers=("cascade",),
        )
        await self.artefacts.keep(need, artefact, since=await self.artefacts.mark())
        if (key := self.artefacts.key(need)) in self.queue.jobs:
            self.queue.end(key, JobState.DONE)

    async def info(self, options: str = "") -> Info:
        found = await self.inspector.answer(plan(options), NOTHING, ends_at=soon())
        assert isinstance(found, Info)
        return found


def plan(options: str = "") -> Plan:
    grammar = info_grammar(Grammar(catalog=CATALOG, allow_security_options=True))
    return parse(f"{options}/plain/mem://a.jpg".removeprefix("/"), grammar)


def around(
    source: MemorySource,
    *,
    near: tuple[str, ...] = (),
    queue_size: int = 8,
    memory: bool = False,
    below: Sequence[SlowStore] = (),
) -> Around:
    made = make(source, memory=memory, near=near, queue_size=queue_size, below=below)
    providers: dict[Task, Provider] = {task: provider(task) for task in (Task.FACES, Task.OBJECTS)}
    artefacts = Artefacts(
        tiers=Tiers([SlowStore()]), purges=made.purges, rules=KeepingRules(), providers=providers, near=near
    )
    queue = MemoryQueue()
    modelled = Modelled(artefacts=artefacts, jobs=Jobs(queue=queue, artefacts=artefacts))
    return Around(made, Inspector(renderer=made.renderer, modelled=modelled, clock=made.clock), artefacts, queue)


@pytest.fixture
def source() -> MemorySource:
    return MemorySource(Blob(data=jpeg(), origin=Origin(etag='"v1"')))


@pytest.fixture
async def parts(source: MemorySource) -> AsyncIterator[Around]:
    made = around(source)
    yield made
    await made.renderer.pool.close(timeout_s=5)


HEAD = {
    "size": len(jpeg()), "format": "jpeg", "mime_type": "image/jpeg", "width": 60, "height": 40, "orientation": 1,
}  # fmt: skip


async def test_the_head_is_told(parts: Around) -> None:
    info = await parts.info("exif:0/iptc:0/xmp:0")
    assert (info.facts, info.lacking, info.validator, info.provider) == (HEAD, {}, 'e"v1"', "")
    assert list(info.facts) == list(HEAD)
    assert (await parts.info("d:0/f:0/exif:0/iptc:0/xmp:0")).facts == {"size": len(jpeg())}


async def test_what_models_have_read_is_told_and_the_rest_is_ordered(parts: Around) -> None:
    await parts.keep(Task.FACES)
    info = await parts.info("faces:1/do:1/exif:0/iptc:0/xmp:0")
    assert info.facts == {**HEAD, "faces": [{"confidence": 0.9, "left": 0.1, "top": 0.2, "width": 0.3, "height": 0.4}]}
    assert list(info.lacking) == ["detect_objects"]
    assert info.provider == "cascade"
    [job] = parts.queue.jobs.values()
    pending = info.lacking["detect_objects"]
    assert isinstance(pending, Pending)
    assert (pending.job, job.order.asks, job.order.source) == (job.order.id, (Ask(Task.OBJECTS),), "mem://a.jpg")
    await parts.info("do:1")
    assert len(parts.queue.jobs) == 1
    await parts.keep(Task.OBJECTS)
    assert (await parts.info("faces:1/do:1")).lacking == {}


async def test_what_was_read_in_another_version_is_read_again(parts: Around) -> None:
    await parts.info("faces:1")
    await parts.keep(Task.FACES, validator='e"v0"')
    info = await parts.info("faces:1")
    assert ("faces" in info.facts, list(info.lacking)) == (False, ["faces"])
    [job] = parts.queue.jobs.values()
    assert job.state is JobState.QUEUED


async def test_a_field_that_nobody_can_fill_keeps_none_from_the_others(parts: Around) -> None:
    await parts.keep(Task.FACES)
    info = await parts.info("faces:1/text:1")
    assert "faces" in info.facts
    assert isinstance(info.lacking["text"], ProviderUnavailable)


async def test_a_job_that_failed_says_why(parts: Around) -> None:
    await parts.info("faces:1")
    [id] = parts.queue.jobs
    parts.queue.end(id, JobState.FAILED, error=JobError(code="provider_refused", message="Too dark."))
    pending = (await parts.info("faces:1")).lacking["faces"]
    assert isinstance(pending, Pending)
    assert (pending.failed, pending.message, pending.job) == ("provider_refused", "Too dark.", id)


async def test_no_job_is_begun_for_what_is_no_picture_or_another_file(parts: Around, source: MemorySource) -> None:
    with pytest.raises(ImageRefused, match="hash sum"):
        await parts.info(f"faces:1/hs:md5:{'0' * 32}")
    with pytest.raises(ImageRefused, match="pixels"):
        await parts.info("faces:1/msr:0.001")
    source.error = SourceTooLarge.beyond(10)
    with pytest.raises(SourceTooLarge):
        await parts.info("faces:1/msfs:10")
    assert source.asked[-1][1] == 10
    source.error, source.blob = None, Blob(data=b"<html>", origin=Origin())
    with pytest.raises(UnsupportedImage):
        await parts.info("faces:1")
    assert parts.queue.jobs == {}


async def test_a_client_that_has_it_costs_neither_a_download_nor_a_thread(source: MemorySource) -> None:
    parts = around(source, near=("mem",))  # sources are not kept, so that the condition is the origin's to judge
    release = await block(parts.renderer.pool)
    found = await parts.inspector.answer(plan(), Has('e"v1"'), ends_at=soon())
    assert isinstance(found, Unchanged)
    assert source.asked[-1][2] == {"If-None-Match": '"v1"'}
    # Where the origin sends it all the same, its version is compared before a thread looks at it.
    source.blob = Blob(data=jpeg(), origin=Origin())
    same = HeadBytes.of(source.blob).validator
    assert isinstance(await parts.inspector.answer(plan(), Has(same), ends_at=soon()), Unchanged)
    release()
    await parts.renderer.pool.close(timeout_s=5)


async def test_a_client_has_it_only_when_nothing_was_lacking(parts: Around, source: MemorySource) -> None:
    assert isinstance(await parts.inspector.answer(plan("faces:1"), Has('e"v1"'), ends_at=soon()), Info)
    await parts.keep(Task.FACES)
    assert isinstance(await parts.inspector.answer(plan("faces:1"), Has('e"v1"'), ends_at=soon()), Unchanged)
    assert all(not headers for _, _, headers in source.asked)


async def test_a_full_server_refuses_before_the_download(source: MemorySource) -> None:
    parts = around(source, queue_size=-1)  # not even room for what a thread would take at once
    with pytest.raises(QueueFull):
        await parts.info()
    assert source.asked == []
    await parts.renderer.pool.close(timeout_s=5)


async def test_keys_name_what_answers_are_made_of(parts: Around) -> None:
    key = parts.inspector.key
    assert key(plan("faces:1")) == key(plan("cb:2/faces:t/exp:32503669200"))
    keys = {key(plan(text)) for text in ("", "faces:1", "do:1", "text:1", "s:0", "exif:1:1", "ct:a")}
    assert len(keys) == 7
    assert key(plan("faces:1")) != parts.renderer.key(plan("faces:1"))


async def test_no_time_left_is_told_as_such(parts: Around) -> None:
    with pytest.raises(SourceTimeout):
        await parts.inspector.answer(plan(), NOTHING, ends_at=time.monotonic() - 1)


MEASURED = "avg:1/lqip:16/exif:0/iptc:0/xmp:0"


async def test_pixels_are_measured_once_for_each_version(source: MemorySource) -> None:
    store = SlowStore()
    parts = around(source, memory=True, below=[store])
    first = await parts.info(MEASURED)
    assert list(first.facts) == [*HEAD, "average", "lqip"]
    # Other bytes under the same version would be seen, if anybody looked at their pixels.
    source.blob = Blob(data=png(), origin=Origin(etag='"v1"'))
    kept = (await parts.info(MEASURED)).facts
    assert (kept["average"], kept["lqip"]) == (first.facts["average"], first.facts["lqip"])
    assert kept["size"] == len(png())
    assert (await parts.info("avg:1")).facts["average"] != first.facts["average"]
    source.blob = Blob(data=png(), origin=Origin(etag='"v2"'))
    assert (await parts.info(MEASURED)).facts["average"] != first.facts["average"]
    await parts.made.settle()
    assert len(store.entries) == 3
    await parts.renderer.pool.close(timeout_s=5)


async def test_requests_for_the_same_facts_have_them_measured_once(source: MemorySource) -> None:
    parts = around(source, queue_size=1)
    pool, source.gate = parts.renderer.pool, asyncio.Event()
    release = await block(pool)
    asked = [asyncio.create_task(parts.info(MEASURED)) for _ in range(5)]
    await until(lambda: len(source.asked) == 5)
    source.gate.set()
    await until(lambda: pool.pending == 2)
    for _ in range(20):  # a second one would find the queue full
        await asyncio.sleep(0)
    release()
    told = [one.facts for one in await asyncio.gather(*asked)]
    assert told == [told[0]] * 5
    await parts.renderer.pool.close(timeout_s=5)


async def test_another_process_finds_what_was_measured(source: MemorySource) -> None:
    store = SlowStore()
    one, other = around(source, memory=True, below=[store]), around(source, memory=True, below=[store])
    first = await one.info(MEASURED)
    await one.made.settle()
    source.blob = Blob(data=png(), origin=Origin(etag='"v1"'))
    assert (await other.info(MEASURED)).facts["average"] == first.facts["average"]
    for parts in (one, other):
        await parts.renderer.pool.close(timeout_s=5)


async def test_a_purge_of_the_source_forgets_what_was_measured(source: MemorySource) -> None:
    store = SlowStore()
    parts = around(source, memory=True, below=[store])
    first = await parts.info(MEASURED)
    await parts.made.settle()
    source.blob = Blob(data=png(), origin=Origin(etag='"v1"'))
    await parts.made.purges.purge(Selector("source:mem://a.jpg"))
    assert (await parts.info(MEASURED)).facts["average"] != first.facts["average"]
    await parts.renderer.pool.close(timeout_s=5)


async def test_what_may_not_be_kept_is_measured_each_time(source: MemorySource) -> None:
    store = SlowStore()
    parts = around(source, memory=True, below=[store])
    source.blob = Blob(data=jpeg(), origin=Origin(etag='"v1"', cache_control="private"))
    first = await parts.info(MEASURED)
    source.blob = Blob(data=png(), origin=Origin(etag='"v1"', cache_control="private"))
    assert (await parts.info(MEASURED)).facts["average"] != first.facts["average"]
    await parts.made.settle()
    assert store.entries == {}
    await parts.renderer.pool.close(timeout_s=5)


async def test_what_others_have_kept_under_the_key_is_measured_anew(source: MemorySource) -> None:
    store = SlowStore()
    parts = around(source, below=[store])
    first = await parts.info(MEASURED)
    await parts.made.settle()
    [key] = store.entries
    for stored in (
        Stored(meta=b"{}", body=b"{}", labels=(), expires_at=2e9),
        Stored(meta=store.entries[key].meta, body=b"no JSON", labels=(), expires_at=2e9),
        Stored(meta=store.entries[key].meta, body=b"[]", labels=(), expires_at=2e9),
    ):
        store.entries[key] = stored
        assert (await parts.info(MEASURED)).facts == first.facts
    await parts.renderer.pool.close(timeout_s=5)


async def test_a_source_that_is_refused_is_refused_where_pixels_are_kept_too(source: MemorySource) -> None:
    parts = around(source, memory=True)
    await parts.info("avg:1")
    with pytest.raises(ImageRefused, match="pixels"):
        await parts.info("avg:1/msr:0.001")
    with pytest.raises(ImageRefused, match="hash sum"):
        await parts.info(f"avg:1/hs:md5:{'0' * 32}")
    await parts.renderer.pool.close(timeout_s=5)


def large(size: int = 300_000) -> Blob:
    """A JPEG that is much longer than its head, of an origin that says nothing of its version."""
    return Blob(data=jpeg() + bytes(size - len(jpeg())), origin=Origin(content_length=size))


async def test_the_head_is_told_of_the_first_bytes_and_by_the_size_of_all(parts: Around, source: MemorySource) -> None:
    source.blob = large()
    first = await parts.info()
    assert (first.facts["size"], first.facts["width"]) == (300_000, 60)
    assert (await parts.info("pn:1")).facts == {**first.facts, "pages_number": 1}
    source.blob = large(300_001)
    assert (await parts.info()).validator != first.validator


async def test_what_the_first_bytes_say_is_broken_is_broken_only_if_all_say_so(
    parts: Around, source: MemorySource
) -> None:
    broken = jpeg().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x09", 1) + bytes(300_000)
    source.blob = Blob(data=broken, origin=Origin(content_length=len(broken)))
    with pytest.raises(ImageRefused, match="broken"):
        await parts.info()
    assert len(source.asked) == 2


async def test_a_page_in_place_of_a_picture_is_not_read_to_its_end(parts: Around, source: MemorySource) -> None:
    page = b"<html>" + b" " * 300_000
    source.blob = Blob(data=page, origin=Origin(content_length=len(page)))
    with pytest.raises(UnsupportedImage):
        await parts.info()
    assert len(source.asked) == 1
