"""Origins that fail, limits that are reached, queues that are full: each has its own status."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.blocking import block
from tests.web.conftest import Start
from tests.web.origin import Answer, Origin, picture
from tests.web.pictures import jpeg

LOCAL = "/rs:fit:30:30/f:png/plain/local:///a.jpg"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(status=404), 404),
        (Answer(status=410), 404),
        (Answer(status=403), 404),
        (Answer(status=500), 502),
        (Answer(status=204), 502),
        (Answer(headers={"content-length": "99999"}, body=b"x", cut_at=1), 502),
        (Answer(body=b"<html>not a picture</html>", headers={"content-type": "image/jpeg"}), 415),
        (Answer(body=jpeg()[:300]), 422),
        (Answer(status=302, headers={"location": "/elsewhere"}), 404),
        (Answer(status=302, headers={"location": "ftp://a.test/"}), 502),
        (Answer(status=302, headers={"location": "/"}), 502),
        (Answer(body=b""), 415),
    ],
)
async def test_what_the_origin_does_wrong(start: Start, origin: Origin, answer: Answer, status: int) -> None:
    origin.at["/"] = answer
    server = await start()
    got = await server.get(f"/w:20/plain/{origin.base}/")
    assert got.status_code == status
    cached = status in (404, 415, 422)
    assert got.headers["cache-control"] == ("max-age=10, public" if cached else "no-store")


async def test_a_redirect_is_followed(start: Start, origin: Origin) -> None:
    origin.at["/old.jpg"] = Answer(status=301, headers={"location": "/new.jpg"})
    origin.at["/new.jpg"] = picture()
    server = await start()
    assert (await server.get(f"/w:20/plain/{origin.base}/old.jpg")).status_code == 200


async def test_a_redirect_out_of_the_allowed_sources_is_refused(start: Start, origin: Origin) -> None:
    origin.at["/in/a.jpg"] = Answer(status=302, headers={"location": "/out/a.jpg"})
    origin.at["/out/a.jpg"] = picture()
    server = await start(ALLOWED_SOURCES=f"{origin.base}/in/")
    assert (await server.get(f"/w:20/plain/{origin.base}/in/a.jpg")).status_code == 403
    assert len(origin.asked) == 1


async def test_too_many_bytes_or_pixels_are_refused(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture()
    path = f"/w:20/plain/{origin.base}/a.jpg"
    assert (await (await start(MAX_SRC_FILE_SIZE="100")).get(path)).status_code == 413
    assert (await (await start(MAX_SRC_RESOLUTION="0.001")).get(path)).status_code == 422


async def test_loopback_is_closed_by_default(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture()
    server = await start(ALLOW_LOOPBACK_SOURCE_ADDRESSES="0")
    assert (await server.get(f"/w:20/plain/{origin.base}/a.jpg")).status_code == 403
    assert origin.asked == []


async def test_a_slow_origin_is_a_504_of_the_source(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = Answer(gate=asyncio.Event())
    server = await start(DOWNLOAD_TIMEOUT="0.1")
    answer = await server.get(f"/w:20/plain/{origin.base}/a.jpg", {"accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "source_timeout")


async def test_the_whole_request_has_a_deadline(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = Answer(gate=asyncio.Event())
    server = await start(TIMEOUT="0.1")
    answer = await server.get(f"/w:20/plain/{origin.base}/a.jpg", {"accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "render_timeout")
    await asyncio.wait_for(origin.left.wait(), 5)


async def test_a_render_that_cannot_start_in_time_is_a_504(start: Start) -> None:
    server = await start(TIMEOUT="0.2")
    release = await block(server.services.renderer.pool)
    answer = await server.get(LOCAL)
    release()
    assert answer.status_code == 504


async def test_a_full_queue_is_429_at_once_and_health_does_not_wait(start: Start) -> None:
    server = await start(REQUESTS_QUEUE_SIZE="0")
    release = await block(server.services.renderer.pool)
    full = await server.get(LOCAL)
    health = await server.client.get("/health")
    release()
    assert (full.status_code, full.headers["cache-control"]) == (429, "no-store")
    assert int(full.headers["retry-after"]) >= 1
    assert health.status_code == 200


async def test_a_full_queue_spares_the_download_but_not_the_304(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"v1"')
    server = await start(REQUESTS_QUEUE_SIZE="0")
    path = f"/w:20/plain/{origin.base}/a.jpg"
    tag = (await server.get(path)).headers["etag"]
    release = await block(server.services.renderer.pool)
    full, unchanged = await server.get(path), await server.get(path, {"if-none-match": tag})
    release()
    assert (full.status_code, unchanged.status_code) == (429, 304)
    assert len(origin.asked) == 2


async def test_a_download_holds_no_render_slot(start: Start, origin: Origin) -> None:
    gate = asyncio.Event()
    origin.at["/slow.jpg"] = Answer(body=jpeg(), gate=gate)
    server = await start(REQUESTS_QUEUE_SIZE="0")
    slow = asyncio.create_task(server.get(f"/w:20/plain/{origin.base}/slow.jpg"))
    await origin.arrived.wait()
    assert (await server.get(LOCAL)).status_code == 200
    gate.set()
    assert (await slow).status_code == 200


async def test_lost_render_threads_are_a_503(start: Start) -> None:
    server = await start()
    server.services.renderer.pool.stuck = 1
    answer = await server.get(LOCAL)
    server.services.renderer.pool.stuck = 0
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


async def test_more_images_at_a_time_than_permitted_are_429_and_health_is_not(start: Start, origin: Origin) -> None:
    gate = asyncio.Event()
    origin.at["/slow.jpg"] = Answer(body=jpeg(), gate=gate)
    server = await start(MAX_CLIENTS="1")
    slow = asyncio.create_task(server.get(f"/w:20/plain/{origin.base}/slow.jpg"))
    await origin.arrived.wait()
    refused, health = await server.get(LOCAL), await server.client.get("/health")
    gate.set()
    assert (await slow).status_code == 200
    assert (refused.status_code, health.status_code) == (429, 200)
    assert (await server.get(LOCAL)).status_code == 200
