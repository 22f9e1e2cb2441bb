"""POST /v1/process as a client sees it: a picture in, all that is made of it out, with AI steps or without."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
import pyvips

from imgserve.errors import ProviderRefused, ProviderUnavailable
from imgserve.ports import Selector
from imgserve.ports.jobs import JobState
from imgserve.ports.models import Picture, Task
from tests.engine.pictures import photo, png
from tests.service.modelling import blob, scripted
from tests.web.pictures import size_of
from tests.web.process_server import API_KEY, PICTURE, SOURCE, ProcessServer, Setup

ENCODED = base64.b64encode(PICTURE).decode()
JSON = {"content-type": "application/json"}
CUT = {"cut": {"options": ["w:30"]}}


class Start(Protocol):
    async def __call__(self, **setup: Any) -> ProcessServer: ...


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start servers that a test wants otherwise, stopped at its end."""
    async with AsyncExitStack() as stack:

        async def run(**setup: Any) -> ProcessServer:
            return await stack.enter_async_context(ProcessServer(tmp_path, Setup(**setup)).running())

        yield run


def picture_of(entry: dict[str, Any]) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(base64.b64decode(entry["data"], validate=True), "")


def corners(image: pyvips.Image) -> list[float]:
    """Give the alpha of the corners."""
    return [image(x, y)[3] for x in (0, image.width - 1) for y in (0, image.height - 1)]


async def test_a_file_in_a_form_gives_the_pictures_of_a_shop_as_urls_that_work_later(start: Start) -> None:
    server = await start()
    answer = await server.upload()
    told = answer.json()
    assert answer.status_code == 200, told
    [job] = told["jobs"]
    assert (job["state"], job["status_url"]) == ("done", f"/v1/jobs/{job['id']}")
    assert told["ai"] == {"state": "done", "provider": "a-background"}
    assert {name: entry["ai"] for name, entry in told["outputs"].items()} == dict.fromkeys(
        ("processed", "grid", "detail"), "done"
    )
    assert (told["outputs"]["grid"]["width"], told["outputs"]["grid"]["height"]) == (600, 400)
    await server.world.settle()
    for entry in told["outputs"].values():
        assert "data" not in entry
        got = await server.get(entry["url"])
        assert (got.status_code, got.headers["content-type"], len(got.content)) == (200, entry["type"], entry["bytes"])
        assert got.headers["x-imgserve-cache"] == "disk"
        assert size_of(got.content) == (entry["width"], entry["height"])
    assert len(server.world.providers[Task.BACKGROUND].calls) == 1
    assert server.world.queue.jobs[job["id"]].order.owner == "shop"
    assert server.world.queue.jobs[job["id"]].order.path == told["outputs"]["processed"]["url"]


async def test_base64_in_and_out_gives_the_object_on_nothing(start: Start) -> None:
    server = await start()
    answer = await server.post({"image": ENCODED, "output": "base64"})
    outputs = answer.json()["outputs"]
    for entry in outputs.values():
        image = picture_of(entry)
        assert (image.width, image.height) == (entry["width"], entry["height"])
        assert entry["type"] == "image/png"
    # The provider of these tests keeps the left half of a picture of 120 x 80; its right edge is soft.
    assert outputs["processed"]["height"] == 80
    assert 60 <= outputs["processed"]["width"] <= 120
    assert corners(picture_of(outputs["grid"])) == [0, 0, 0, 0]


@pytest.mark.parametrize("head", ["", "data:image/png;base64,", "DATA:;name=mug.png;BASE64,"])
async def test_every_way_to_send_a_picture_is_the_same_upload(start: Start, head: str) -> None:
    server = await start()
    form = await server.upload(outputs="processed")
    answer = await server.post({"image": head + ENCODED, "outputs": ["processed"]})
    assert answer.json() == form.json()
    assert answer.json()["source"].startswith("upload:///")
    assert len(server.world.queue.jobs) == 1


async def test_a_source_url_is_fetched_and_its_artefact_is_that_of_its_urls(start: Start) -> None:
    server = await start()
    answer = await server.post({"source": SOURCE, "outputs": "grid"})
    told = answer.json()
    assert (told["source"], list(told["outputs"]), told["ai"]["state"]) == (SOURCE, ["grid"], "done")
    other = await server.get(server.signer_path(f"/pr:bg-removed/w:20/plain/{SOURCE}"))
    assert (other.status_code, len(server.world.queue.jobs)) == (200, 1)
    by_form = await server.send(files={"nothing": (None, "")}, data={})
    assert by_form.status_code == 400
    by_form = await server.send(files={"source": (None, SOURCE), "outputs": (None, '["grid"]')})
    assert by_form.json() == told


async def test_outputs_are_whatever_urls_can_say(start: Start) -> None:
    server = await start()
    outputs = {
        "own": {"presets": ["bg-removed", "thumbnail"], "options": ["f:webp"]},
        "options-alone": {"options": ["w:30", "h:30/bg:ffffff"]},
        "plain": {"presets": [], "options": "w:40"},
    }
    told = (await server.post({"image": ENCODED, "outputs": outputs})).json()["outputs"]
    assert list(told) == list(outputs)
    assert (told["own"]["type"], told["own"]["width"], told["own"]["height"]) == ("image/webp", 150, 150)
    assert (told["plain"]["width"], told["plain"]["ai"], told["options-alone"]["ai"]) == (40, "none", "done")
    assert told["options-alone"]["url"].split("/")[2:6] == ["pr:bg-removed", "w:30", "h:30", "bg:ffffff"]


async def test_presets_are_put_before_those_of_the_outputs_and_format_is_that_of_all(start: Start) -> None:
    server = await start(settings={"PRESETS": "wide=w:77"})
    answer = await server.upload(presets=["bg-removed", "wide"], outputs='["processed", "grid"]', format="webp")
    told = answer.json()["outputs"]
    assert [entry["type"] for entry in told.values()] == ["image/webp"] * 2
    assert told["processed"]["url"].split("/")[2:4] == ["pr:bg-removed:wide", "f:webp"]
    assert told["grid"]["url"].split("/")[2] == "pr:bg-removed:wide:shadow:grid"


async def test_an_order_without_models_takes_no_job(start: Start) -> None:
    server = await start(providers=[])
    told = (await server.upload(presets="grid", outputs="processed")).json()
    assert (told["jobs"], told["ai"]) == ([], {"state": "none", "provider": None})
    assert told["outputs"]["processed"]["width"] == 600
    assert server.world.queue.asked == 0


async def test_a_server_that_cannot_sign_gives_base64_and_refuses_urls(start: Start) -> None:
    server = await start(signed=False)
    [entry] = (await server.upload(outputs="grid")).json()["outputs"].values()
    assert size_of(base64.b64decode(entry["data"])) == (600, 400)
    assert "url" not in entry
    answer = await server.upload(output="urls")
    assert (answer.status_code, answer.json()["error"]["where"]) == (400, "output")


async def test_urls_have_the_prefix_of_the_server(start: Start) -> None:
    server = await start(prefix="/img")
    told = (await server.upload(outputs="grid")).json()
    assert told["outputs"]["grid"]["url"].startswith("/img/")
    assert told["jobs"][0]["status_url"].startswith("/img/v1/jobs/")
    assert (await server.get(told["outputs"]["grid"]["url"])).status_code == 200


async def test_uploads_need_no_place_among_the_allowed_sources(start: Start) -> None:
    server = await start(allowed=("https://shop.test/",))
    assert (await server.upload(outputs="grid")).status_code == 200
    answer = await server.post({"source": SOURCE})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "source_forbidden")


async def test_a_purge_and_time_end_the_urls_of_an_upload(start: Start) -> None:
    server = await start()
    told = (await server.upload(outputs="grid")).json()
    url = told["outputs"]["grid"]["url"]
    await server.world.settle()
    await server.world.purges.purge(Selector("source:" + told["source"]))
    for _ in range(100):  # the job is begun anew, and finds no upload
        gone = await server.get(url)
        if gone.status_code != 202:
            break
        await asyncio.sleep(0.01)
    assert (gone.status_code, "send it again" in gone.text) == (404, True)
    again = (await server.upload(outputs="grid")).json()
    assert (again["ai"]["state"], again["outputs"]["grid"]["url"]) == ("done", url)
    assert (await server.get(url)).status_code == 200


# What is not there


async def test_without_a_provider_that_works_the_pictures_come_without_its_step(start: Start) -> None:
    broken = scripted(Task.BACKGROUND)
    broken.broken = "The model file is missing."
    server = await start(providers=[broken])
    answer = await server.upload(output="base64")
    told = answer.json()
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "provider_unavailable")
    reason = {"code": "provider_unavailable", "message": "The model file is missing."}
    assert told["ai"] == {"state": "skipped", "provider": None, "reason": reason}
    assert told["jobs"] == []
    assert {entry["ai"] for entry in told["outputs"].values()} == {"skipped"}
    assert picture_of(told["outputs"]["processed"]).width == 120
    assert picture_of(told["outputs"]["grid"]).width == 600


async def test_a_server_without_any_provider_says_so(start: Start) -> None:
    server = await start(providers=[])
    answer = await server.upload(outputs="grid")
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "no_provider")
    assert "nothing that does background" in answer.json()["ai"]["reason"]["message"]


async def test_a_job_that_fails_is_told_and_the_pictures_come_without_it(start: Start) -> None:
    failing = scripted(Task.BACKGROUND)

    def refuse(_picture: Picture, _argument: str) -> Any:
        raise ProviderRefused("There is no object in it.")

    failing.answer = refuse
    server = await start(providers=[failing])
    answer = await server.upload(outputs=["processed", "grid"])
    told = answer.json()
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "provider_refused")
    assert (told["ai"]["reason"]["message"], told["jobs"][0]["state"]) == ("There is no object in it.", "failed")
    # Another call does not try again what is the picture's own fault.
    await server.upload()
    assert len(failing.calls) == 1


async def test_a_failure_that_may_pass_is_tried_again_after_a_rest(start: Start) -> None:
    down = scripted(Task.BACKGROUND)
    works = down.answer

    def refuse(_picture: Picture, _argument: str) -> Any:
        raise ProviderUnavailable("The service is down.")

    down.answer = refuse
    server = await start(providers=[down])
    assert (await server.upload(outputs="grid")).json()["ai"]["reason"]["code"] == "provider_unavailable"
    down.answer = works
    assert (await server.upload(outputs="grid")).json()["ai"]["state"] == "skipped"
    server.world.clock.now += 120
    assert (await server.upload(outputs="grid")).json()["ai"]["state"] == "done"
    assert len(down.calls) == 2


async def test_a_job_that_was_cancelled_is_begun_anew_by_the_next_call(start: Start) -> None:
    server = await start(works=False)
    [job] = (await server.upload(timeout="0")).json()["jobs"]
    await server.world.queue.cancel(job["id"])
    answer = await server.upload(timeout="0")
    assert (answer.json()["jobs"][0]["state"], answer.headers["x-imgserve-pending"]) == ("queued", job["id"])


async def test_cancelling_a_job_ends_the_wait_for_it(start: Start) -> None:
    server = await start(works=False)
    call = asyncio.create_task(server.upload(outputs="grid"))
    await server.ordered()
    [id] = server.world.queue.jobs
    await server.world.queue.cancel(id)
    answer = await call
    assert (answer.headers["x-imgserve-degraded"], answer.json()["ai"]["state"]) == ("cancelled", "skipped")
    assert answer.elapsed.total_seconds() < 5


async def test_models_that_take_too_long_are_left_out_and_their_job_goes_on(start: Start) -> None:
    server = await start(works=False)
    answer = await server.post({"image": ENCODED, "outputs": ["processed", "grid"], "timeout": 0.2})
    told = answer.json()
    [job] = told["jobs"]
    assert (answer.status_code, answer.headers["x-imgserve-pending"]) == (200, job["id"])
    assert (told["ai"]["state"], told["ai"]["reason"]["code"], job["state"]) == ("skipped", "pending", "queued")
    assert 0.2 <= answer.elapsed.total_seconds() < 3
    pending = await server.get(told["outputs"]["grid"]["url"])
    assert (pending.status_code, pending.headers["x-imgserve-pending"]) == (202, job["id"])
    await server.world.queue.cancel(job["id"])


async def test_time_begins_when_the_body_has_arrived(start: Start) -> None:
    server = await start(works=False, timeout_s=1)

    async def body() -> AsyncIterator[bytes]:
        order = json.dumps({"image": ENCODED, "outputs": ["grid"], "timeout": 0.5}).encode()
        yield order[:10]
        await asyncio.sleep(0.8)
        yield order[10:]

    answer = await server.send(content=body(), headers=JSON)
    assert (answer.status_code, answer.json()["ai"]["state"]) == (200, "skipped")
    # The body's time, and then that of the order.
    assert answer.elapsed.total_seconds() >= 0.8 + 0.5


async def test_the_servers_own_time_bounds_the_wait(start: Start) -> None:
    server = await start(works=False, timeout_s=1)
    answer = await server.upload(outputs="grid", timeout="60")
    assert (answer.status_code, answer.json()["ai"]["state"]) == (200, "skipped")


async def test_nobody_waits_for_a_job_that_is_put_off(start: Start) -> None:
    server = await start(works=False)
    call = asyncio.create_task(server.upload(outputs="grid"))
    await server.ordered()
    [id] = server.world.queue.jobs
    server.world.queue.set(id, due_at=server.world.clock.now + 60)
    answer = await call
    assert (answer.headers["x-imgserve-pending"], answer.elapsed.total_seconds() < 5) == (id, True)


async def test_pictures_of_one_call_all_have_the_step_or_none(start: Start) -> None:
    server = await start(works=False)
    answer = await server.upload(timeout="0")
    assert {entry["ai"] for entry in answer.json()["outputs"].values()} == {"skipped"}


@pytest.mark.parametrize("wait_s", ["0", "5"])
async def test_a_broken_queue_is_no_reason_to_have_no_pictures(start: Start, wait_s: str) -> None:
    server = await start()
    server.world.queue.broken = True
    answer = await server.upload(outputs="grid", timeout=wait_s)
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "queue_unavailable")


async def test_what_is_made_already_needs_neither_queue_nor_provider(start: Start) -> None:
    server = await start()
    first = await server.upload()
    server.world.queue.broken = True
    server.world.providers[Task.BACKGROUND].broken = "down"
    again = await server.upload()
    assert again.json()["outputs"] == first.json()["outputs"]


async def test_a_source_that_has_changed_has_its_step_done_again_within_the_call(start: Start) -> None:
    server = await start()
    await server.post({"source": SOURCE, "outputs": CUT})
    server.source.blob = blob(png(photo(240, 80)), etag='"2"')
    server.world.clock.now += 150
    told = (await server.post({"source": SOURCE, "outputs": {"cut": {"options": "w:31"}}})).json()
    assert (told["ai"]["state"], told["jobs"][0]["state"]) == ("done", "done")
    assert [size[:2] for size in server.world.providers[Task.BACKGROUND].calls] == [(120, 80), (240, 80)]


async def test_a_picture_that_must_not_be_shown_without_its_step_is_refused(start: Start) -> None:
    server = await start(providers=[])
    answer = await server.upload(outputs='{"safe": {"presets": [], "options": "bd:5:face"}}')
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "model_failed")
    server = await start(works=False)
    answer = await server.upload(outputs='{"safe": {"presets": [], "options": "bd:5:face"}}', timeout="0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "pending")


# What is refused


def part(name: str, content: str, *, file: str = "") -> str:
    disposition = f'form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
    return f"--limit\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n"


MULTIPART = {"content-type": "multipart/form-data; boundary=limit"}
END = "--limit--\r\n"

BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "not JSON": ({"content": "{", "headers": JSON}, 400, "not JSON"),
    "no object": ({"content": "[]", "headers": JSON}, 400, "not an object"),
    "nothing": ({"json": {}}, 400, "no image and no source"),
    "both": ({"json": {"image": ENCODED, "source": SOURCE}}, 400, "an image and a source"),
    "an unknown field": ({"json": {"image": ENCODED, "preset": "a"}}, 400, "no field called 'preset'"),
    "no base64": ({"json": {"image": "mug.png"}}, 400, "not base64"),
    "base64 in lines": ({"json": {"image": ENCODED[:76] + "\n" + ENCODED[76:]}}, 400, "line breaks"),
    "base64 cut short": ({"json": {"image": ENCODED[:-3]}}, 400, "not base64"),
    "base64 that goes on": ({"json": {"image": "aGk=aGk="}}, 400, "not base64"),
    "base64 beyond ASCII": ({"json": {"image": "é" * 8}}, 400, "not base64"),
    "an image that is no text": ({"json": {"image": [1]}}, 400, "a picture as base64"),
    "an empty image": ({"json": {"image": ""}}, 400, "a picture as base64"),
    "data without base64": ({"json": {"image": "data:image/svg+xml,%3Csvg/%3E"}}, 400, "data: URL in base64"),
    "not a picture": ({"json": {"image": "aGVsbG8gd29ybGQ="}}, 415, "not an image"),
    "not a picture in a form": ({"files": {"image": ("a.jpg", b"hello world")}}, 415, "not an image"),
    "an empty file": ({"files": {"image": ("a.jpg", b"")}}, 415, "not an image"),
    "unknown preset": ({"json": {"image": ENCODED, "presets": ["cut"]}}, 400, "no preset called 'cut'"),
    "unknown option": ({"json": {"image": ENCODED, "outputs": {"a": {"options": "wid:3"}}}}, 400, "no option called"),
    "a bad argument": ({"json": {"image": ENCODED, "outputs": {"a": {"options": "w:x"}}}}, 400, "integer of 0 or more"),
    "an option without argument": ({"json": {"image": ENCODED, "outputs": {"a": {"options": "w"}}}}, 400, "options[0]"),
    "a preset that is no text": ({"json": {"image": ENCODED, "presets": [1]}}, 400, "presets[0]"),
    "a preset with a slash": ({"json": {"image": ENCODED, "presets": "a/b"}}, 400, "presets[0]"),
    "an unknown output": ({"json": {"image": ENCODED, "outputs": ["tile"]}}, 400, "processed, grid, detail"),
    "no outputs": ({"json": {"image": ENCODED, "outputs": []}}, 400, "outputs"),
    "an empty object": ({"json": {"image": ENCODED, "outputs": {}}}, 400, "1 to 10"),
    "too many outputs": ({"json": {"image": ENCODED, "outputs": {str(n): {} for n in range(11)}}}, 400, "1 to 10"),
    "a bad name": ({"json": {"image": ENCODED, "outputs": {"a b": {}}}}, 400, "letters, digits"),
    "no shape": ({"json": {"image": ENCODED, "outputs": {"a": "w:3"}}}, 400, "outputs.a"),
    "a shape with more": ({"json": {"image": ENCODED, "outputs": {"a": {"width": 3}}}}, 400, "no field called 'width'"),
    "raw": ({"json": {"image": ENCODED, "outputs": {"a": {"options": "raw:1"}}}}, 400, "raw"),
    "an unknown way out": ({"json": {"image": ENCODED, "output": "zip"}}, 400, "base64 or urls"),
    "an unknown format": ({"json": {"image": ENCODED, "format": "psd"}}, 400, "formats[0]"),
    "a timeout that is none": ({"json": {"image": ENCODED, "timeout": "5"}}, 400, "timeout"),
    "a timeout below 0": ({"json": {"image": ENCODED, "timeout": -1}}, 400, "timeout"),
    "a timeout without end": ({"content": '{"source": "a", "timeout": Infinity}', "headers": JSON}, 400, "timeout"),
    "a timeout beyond floats": ({"json": {"image": ENCODED, "timeout": 10**400}}, 400, "timeout"),
    "a timeout in words": ({"files": {"image": ("a", PICTURE)}, "data": {"timeout": "soon"}}, 400, "timeout"),
    "a query": ({"json": {"image": ENCODED}, "params": {"output": "urls"}}, 400, "query"),
    "no type": ({"content": PICTURE}, 415, "multipart/form-data"),
    "a bare picture": ({"content": PICTURE, "headers": {"content-type": "image/png"}}, 415, "multipart/form-data"),
    "a form of another kind": ({"data": {"image": ENCODED}}, 415, "multipart/form-data"),
    "a text for the file": ({"files": {"image": (None, ENCODED)}}, 400, "with a file name"),
    "a file of another name": ({"files": {"photo": ("a.png", PICTURE)}}, 400, "field image"),
    "two files": ({"files": [("image", ("a", PICTURE)), ("image", ("b", PICTURE))]}, 400, "Too many files"),
    "too many fields": ({"files": {f"f{n}": (None, "1") for n in range(99)}}, 400, "Too many fields"),
    "a field too long": ({"files": {"presets": (None, "a" * 70_000)}}, 400, "maximum size"),
    "an output that is no JSON": ({"files": {"image": ("a", PICTURE)}, "data": {"outputs": "{"}}, 400, "JSON"),
    "two ways out": ({"files": {"image": ("a", PICTURE)}, "data": {"output": ["urls", "urls"]}}, 400, "output"),
    "a form without boundary": (
        {"content": part("image", "x", file="a") + END, "headers": {"content-type": "multipart/form-data"}},
        400,
        "boundary",
    ),
    "a form that is none": ({"content": "hello", "headers": MULTIPART}, 400, "The form"),
    "a form cut short in its file": ({"content": part("image", "x", file="a")[:-4], "headers": MULTIPART}, 400, "ends"),
    "a form without its end": ({"content": part("image", "x", file="a"), "headers": MULTIPART}, 400, "ends before"),
    "a part without name": (
        {"content": "--limit\r\nContent-Type: image/png\r\n\r\nx\r\n" + END, "headers": MULTIPART},
        400,
        "name",
    ),
    "a scheme without source": ({"json": {"source": "ftp://a.test/a.jpg"}}, 400, "not enabled"),
    "a source that is none": ({"json": {"source": "mug.jpg"}}, 400, "not a URL"),
    "an upload that is none": ({"json": {"source": "upload:///mug"}}, 400, "POST /v1/process"),
    "an upload that is not there": ({"json": {"source": "upload:///" + "0" * 64}}, 404, "send it again"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
async def test_bad_orders_are_refused_with_a_sentence_before_anything_is_kept(start: Start, case: str) -> None:
    server = await start()
    given, status, words = BAD[case]
    answer = await server.send(**given)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]["message"]
    if "source" not in json.dumps(given.get("json", "")):
        assert (await server.world.tiers.purge(Selector("", prefix=True)), server.world.queue.asked) == (
            ({"disk": 0}, []),
            0,
        )


@pytest.mark.parametrize("length", ["told", "not told"])
async def test_a_picture_that_is_too_large_is_413_however_it_comes(start: Start, length: str) -> None:
    server = await start(max_image_bytes=len(PICTURE) - 1)
    answers = [await server.upload(), await server.post({"image": ENCODED})]
    large = b"x" * (3 << 20)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(large), 1 << 16):
            yield large[at : at + (1 << 16)]

    answers += [
        await server.send(content=large if length == "told" else pieces(), headers=headers)
        for headers in (JSON, MULTIPART)
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "source_too_large")
        assert f"larger than {len(PICTURE) - 1} bytes" in answer.json()["error"]["message"]


async def test_a_picture_of_just_the_bound_is_taken(start: Start) -> None:
    server = await start(max_image_bytes=len(PICTURE))
    for answer in (await server.upload(outputs="grid"), await server.post({"image": ENCODED, "outputs": "grid"})):
        assert answer.status_code == 200


async def test_a_broken_picture_is_told_as_by_a_url(start: Start) -> None:
    server = await start()
    answer = await server.upload(PICTURE[:40] + b"x" * 100)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "image_refused")


@pytest.mark.parametrize("key", ["", "Bearer wrong", f"Basic {API_KEY}"])
async def test_without_a_key_nothing_is_read(start: Start, key: str) -> None:
    server = await start()
    answer = await server.send(content=b"x" * 100, headers={"authorization": key, **JSON})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


async def test_other_methods_are_refused(start: Start) -> None:
    server = await start()
    assert (await server.client.get("/v1/process")).status_code == 405


async def test_a_server_that_keeps_nothing_takes_no_uploads(start: Start) -> None:
    server = await start(disk_bytes=0)
    answer = await server.upload()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_kept")
    told = (await server.post({"source": SOURCE, "outputs": "grid"})).json()
    assert (told["ai"]["state"], told["ai"]["reason"]["code"]) == ("skipped", "no_provider")


async def test_calls_at_a_time_are_bounded(start: Start) -> None:
    server = await start(works=False, max_calls=1)
    call = asyncio.create_task(server.upload(timeout="0.5", outputs="grid"))
    await server.ordered()
    answer = await server.upload(timeout="0")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert (await call).status_code == 200
    assert (await server.upload(timeout="0")).status_code == 200


async def test_bodies_count_as_bytes_in_flight_until_they_are_kept(start: Start) -> None:
    server = await start(max_bytes_in_flight=len(PICTURE) + 4096)
    with server.renderer.bytes_in_flight.share() as share:
        share.expect(8192)
        answer = await server.upload()
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "queue_full")
    assert (await server.upload()).status_code == 200
    assert server.renderer.bytes_in_flight.inside == 0


async def test_the_log_names_the_source(start: Start) -> None:
    server = await start()
    told = (await server.upload(outputs="grid")).json()
    assert [one.source for one in server.exchanges] == [told["source"]]


async def test_a_job_that_is_done_stays_done(start: Start) -> None:
    server = await start()
    [first] = (await server.upload(outputs="grid")).json()["jobs"]
    [again] = (await server.upload(outputs="detail")).json()["jobs"]
    assert (again["id"], again["state"]) == (first["id"], JobState.DONE.value)
    assert server.world.queue.begun == [first["id"]]


async def test_nobody_waits_for_what_is_there_whatever_its_record_says(start: Start) -> None:
    server = await start()
    [job] = (await server.upload(outputs="grid")).json()["jobs"]
    server.world.queue.set(job["id"], state=JobState.CANCELLED)
    told = (await server.upload(outputs="detail")).json()
    assert (told["ai"]["state"], told["jobs"], server.world.queue.begun) == ("done", [], [job["id"]])


async def test_a_client_that_leaves_ends_its_call_and_not_the_job(start: Start) -> None:
    server = await start(works=False)
    call = asyncio.create_task(server.upload(outputs="grid"))
    await server.ordered()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    [job] = server.world.queue.jobs.values()
    assert (job.state, server.renderer.bytes_in_flight.inside) == (JobState.QUEUED, 0)
    assert (await server.upload(timeout="0")).status_code == 200
