"""URLs whose AI steps are not ready, as a client sees them: what comes meanwhile, and what comes then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import pyvips

from imgserve.errors import ConfigError
from imgserve.ports.jobs import JobState
from imgserve.ports.models import Task
from tests.engine.pictures import plain
from tests.service.modelling import scripted
from tests.web.conftest import Server, Start
from tests.web.origin import Answer, Origin, picture
from tests.web.pictures import jpeg, png, size_of
from tests.web.test_caching import CACHED, ask, purge
from tests.web.worker import Worker

LARGE = "/up:2/plain/local:///a.jpg"
CUT = "/rmbg:1/w:100/plain/local:///thing.png"

Setup = Callable[..., Awaitable[tuple[Server, Worker]]]


@pytest.fixture
async def setup(start: Start, tmp_path: Path) -> AsyncIterator[Setup]:
    workers: list[Worker] = []

    async def run(**settings: str) -> tuple[Server, Worker]:
        server = await start(**{**CACHED, "CACHE_PATH": str(tmp_path / "cache"), **settings})
        workers.append(Worker(server))
        return server, workers[-1]

    yield run
    for one in workers:
        await one.close()


def thing(root: Path) -> None:
    """Write a red disc before a plain background."""
    disc = plain(240, 200, [235, 235, 230]).draw_circle([200, 20, 30], 120, 100, 60, fill=True)
    (root / "thing.png").write_bytes(disc.pngsave_buffer())


def is_passing(answer: httpx.Response) -> bool:
    return answer.headers["cache-control"] == "max-age=10, public"


async def test_meanwhile_the_picture_comes_without_its_ai_step_and_nobody_keeps_it(setup: Setup) -> None:
    server, worker = await setup()
    answer = await ask(server, LARGE)
    [job] = await worker.jobs()
    assert (answer.status_code, size_of(answer.content)) == (202, (60, 40))
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["location"] == f"/v1/jobs/{job.order.id}"
    assert answer.headers["x-imgserve-pending"] == job.order.id
    assert answer.headers["content-length"] == str(len(answer.content))
    for name in ("etag", "x-imgserve-provider", "x-imgserve-degraded", "x-accel-expires"):
        assert name not in answer.headers, name
    assert job.state is JobState.QUEUED


async def test_then_the_picture_comes_and_is_one_like_any_other(setup: Setup) -> None:
    server, worker = await setup(CACHE="disk")
    await ask(server, LARGE)
    assert await worker.work() == 1
    answer = await ask(server, LARGE)
    assert (answer.status_code, size_of(answer.content)) == (200, (120, 80))
    assert answer.headers["cache-control"] == "max-age=31536000, public"
    assert answer.headers["x-imgserve-provider"] == "libvips; basic"
    assert answer.headers["x-imgserve-cache"] == "miss"
    for name in ("x-imgserve-pending", "x-imgserve-degraded", "retry-after", "location", "x-imgserve-stale"):
        assert name not in answer.headers, name
    again = await ask(server, LARGE)
    assert (again.headers["x-imgserve-cache"], again.content) == ("disk", answer.content)
    assert (again.headers["etag"], again.headers["x-imgserve-provider"]) == (answer.headers["etag"], "libvips; basic")
    known = await ask(server, LARGE, {"if-none-match": answer.headers["etag"]})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", answer.headers["etag"])


async def test_a_background_is_removed(setup: Setup, root: Path) -> None:
    thing(root)
    server, worker = await setup()
    first = await ask(server, CUT)
    assert (first.status_code, first.headers["content-type"]) == (202, "image/png")
    await worker.work()
    answer = await ask(server, CUT)
    image = pyvips.Image.pngload_buffer(answer.content)
    assert (answer.status_code, image.width, image.bands) == (200, 100, 4)
    corner, middle = image(2, 2), image(50, 41)
    assert corner[3] == 0
    assert (middle[3], middle[0] > 150, middle[1] < 60) == (255, True, True)


async def test_other_sizes_and_formats_reuse_what_was_made(setup: Setup) -> None:
    server, worker = await setup()
    await ask(server, LARGE)
    await worker.work()
    for options, width in (("w:30", 30), ("w:100/f:webp", 100), ("rs:fill:50:50/f:png", 50), ("up:2.0/q:70", 120)):
        answer = await ask(server, LARGE.replace("/up:2/", f"/up:2/{options}/"))
        assert (answer.status_code, size_of(answer.content)[0]) == (200, width)
    assert worker.counted[Task.UPSCALE].calls == 1
    assert len(await worker.jobs()) == 1
    # Another factor is another artefact.
    assert (await ask(server, LARGE.replace("up:2", "up:3"))).status_code == 202


async def test_a_hundred_clients_at_once_are_one_job(setup: Setup) -> None:
    server, worker = await setup()
    answers = await asyncio.gather(*(server.get(LARGE) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len(await worker.jobs()) == 1


async def test_what_is_pending_never_gets_into_the_way_of_the_real_picture(setup: Setup) -> None:
    server, worker = await setup()
    answers = [await ask(server, LARGE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    # The picture itself is an ordinary result, and is made once.
    assert [answer.headers["x-imgserve-cache"] for answer in answers] == ["miss", "memory", "memory"]
    await worker.work()
    real = await ask(server, LARGE)
    assert (real.status_code, size_of(real.content)) == (200, (120, 80))
    for _ in range(2):
        assert (await ask(server, LARGE)).content == real.content


async def test_a_client_cannot_validate_what_is_pending(setup: Setup) -> None:
    server, worker = await setup()
    for headers in ({"if-none-match": "*"}, {"if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"}):
        answer = await ask(server, LARGE, headers)
        assert (answer.status_code, answer.content != b"") == (202, True)
    await worker.work()
    tag = (await ask(server, LARGE)).headers["etag"]
    (await purge(server, {"source": "local:///a.jpg"})).raise_for_status()
    assert (await ask(server, LARGE, {"if-none-match": tag})).status_code == 202


async def test_head_is_get_without_the_picture(setup: Setup) -> None:
    server, worker = await setup()
    given = {"x-request-id": "same"}
    await ask(server, LARGE)
    get, head = await ask(server, LARGE, given), await server.get(LARGE, given, method="HEAD")
    assert (head.status_code, head.content, head.headers) == (202, b"", get.headers)
    await worker.work()
    assert (await server.get(LARGE, method="HEAD")).status_code == 200


async def test_head_begins_the_job_too(setup: Setup) -> None:
    server, worker = await setup()
    assert (await server.get(LARGE, method="HEAD")).status_code == 202
    assert len(await worker.jobs()) == 1


async def test_an_operator_may_want_errors(setup: Setup) -> None:
    server, worker = await setup(PENDING="error")
    answer = await ask(server, LARGE, {"accept": "application/json"})
    [job] = await worker.jobs()
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "pending")
    assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("2", "no-store")
    assert answer.headers["x-imgserve-pending"] == job.order.id
    await worker.work()
    assert (await ask(server, LARGE)).status_code == 200


async def test_an_operator_may_want_to_wait(setup: Setup) -> None:
    server, worker = await setup(PENDING="wait:6000")
    request = asyncio.create_task(ask(server, LARGE))
    await _until(worker.jobs)
    assert not request.done()
    await worker.work()
    answer = await asyncio.wait_for(request, 6)
    assert (answer.status_code, size_of(answer.content)) == (200, (120, 80))
    assert answer.headers["etag"]


async def _until(look: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(5):
        while not await look():  # noqa: ASYNC110 - the queue is a file, which tells nobody
            await asyncio.sleep(0.01)


async def test_who_has_waited_long_enough_gets_the_picture_without_the_step(setup: Setup) -> None:
    server, _ = await setup(PENDING="wait:300")
    began = time.monotonic()
    assert (await ask(server, LARGE)).status_code == 202
    assert 0.3 <= time.monotonic() - began < 3


async def test_waiting_leaves_time_for_the_answer(setup: Setup) -> None:
    server, _ = await setup(PENDING="wait:60000", TIMEOUT="3")
    assert (await ask(server, LARGE)).status_code == 202


async def test_a_job_that_fails_while_somebody_waits_is_told_at_once(setup: Setup, root: Path) -> None:
    (root / "a.jpg").write_bytes(jpeg()[:20])
    server, worker = await setup(PENDING="wait:6000")
    request = asyncio.create_task(ask(server, LARGE))
    await _until(worker.jobs)
    (root / "a.jpg").write_bytes(jpeg())
    [job] = await worker.jobs()
    await server.services.jobs.cancel(job.order.id)
    answer = await asyncio.wait_for(request, 5)
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "cancelled")


async def refused(server: Server, worker: Worker, path: str = LARGE) -> None:
    """Have the job of a path fail, as it wants a larger picture than is made here."""
    assert (await ask(server, path)).status_code == 202
    await worker.work()
    assert {job.state for job in await worker.jobs()} == {JobState.FAILED}


async def test_a_job_that_failed_gives_the_picture_without_the_step_for_a_moment(setup: Setup, root: Path) -> None:
    _white(root / "a.jpg", 400, 400)
    server, worker = await setup(MAX_UPSCALE_RESOLUTION="1", PROXY_TTL="100")
    path = LARGE.replace("up:2", "up:8")
    await refused(server, worker, path)
    for _ in range(3):
        answer = await ask(server, path)
        assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "provider_refused")
        assert is_passing(answer)
        assert answer.headers["x-accel-expires"] == "1"
        assert answer.headers["location"].startswith("/v1/jobs/")
        for name in ("etag", "x-imgserve-pending", "retry-after", "x-imgserve-provider"):
            assert name not in answer.headers, name
    assert len(await worker.jobs()) == 1
    # Whoever mends it is served at once: nothing of it was kept for this URL.
    await server.services.jobs.retry((await worker.jobs())[0].order.id)
    assert (await ask(server, path)).status_code == 202


def _white(path: Path, width: int, height: int) -> None:
    path.write_bytes((pyvips.Image.black(width, height, bands=3) + 255).cast("uchar").jpegsave_buffer())


async def test_a_failed_job_is_an_error_where_errors_are_wanted(setup: Setup, root: Path) -> None:
    _white(root / "a.jpg", 400, 400)
    server, worker = await setup(MAX_UPSCALE_RESOLUTION="1", PENDING="error")
    path = LARGE.replace("up:2", "up:8")
    await ask(server, path)
    await worker.work()
    answer = await ask(server, path, {"accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "model_failed")
    assert "IMGSERVE_MAX_UPSCALE_RESOLUTION" in answer.json()["error"]["message"]


async def test_a_server_that_cannot_do_it_says_so_and_shows_the_picture(setup: Setup) -> None:
    for settings, code in (({"UPSCALE": "off"}, "no_provider"), ({"CACHE": "memory"}, "no_provider")):
        server, worker = await setup(**settings)
        answer = await ask(server, LARGE)
        assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, code)
        assert is_passing(answer)
        assert "location" not in answer.headers
        assert await worker.jobs() == []


async def test_without_any_cache_it_is_the_same(start: Start) -> None:
    answer = await (await start()).get(LARGE)
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "no_provider")


async def test_a_model_file_that_is_missing_is_no_reason_to_show_nothing(setup: Setup, tmp_path: Path) -> None:
    server, worker = await setup(UPSCALE="onnx", UPSCALE_MODEL=str(tmp_path / "none.onnx"))
    answer = await ask(server, LARGE)
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "provider_unavailable")
    assert await worker.jobs() == []


async def test_a_broken_queue_is_no_reason_to_show_nothing(setup: Setup, tmp_path: Path) -> None:
    (tmp_path / "cache" / "jobs.sqlite3").mkdir(parents=True)
    server, _ = await setup()
    answer = await ask(server, LARGE)
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "queue_unavailable")
    assert is_passing(answer)


async def test_a_broken_queue_says_when_to_ask_again_and_not_where_it_is(setup: Setup, tmp_path: Path) -> None:
    (tmp_path / "cache" / "jobs.sqlite3").mkdir(parents=True)
    server, _ = await setup(PENDING="error")
    answer = await ask(server, LARGE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert str(tmp_path) not in answer.text


async def test_a_queue_that_cannot_be_named_is_told_at_the_start(setup: Setup) -> None:
    with pytest.raises(ConfigError) as wrong:
        await setup(QUEUE_REDIS_URL="redis://queue.test:port")
    assert "IMGSERVE_QUEUE_REDIS_URL" in str(wrong.value)


@pytest.mark.parametrize("pending", ["fallback", "wait:200"])
async def test_what_is_to_be_hidden_is_not_shown_meanwhile(setup: Setup, pending: str) -> None:
    server, worker = await setup(PENDING=pending)
    path = "/bd:10:face/plain/local:///a.jpg"
    answer = await ask(server, path, {"accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "pending")
    assert answer.headers["retry-after"]
    assert answer.headers["cache-control"] == "no-store"
    await worker.work()
    assert (await ask(server, path)).status_code == 200


async def test_what_is_to_be_hidden_is_not_shown_where_nobody_can_hide_it(setup: Setup) -> None:
    server, _ = await setup(FACES="off")
    for options in ("bd:10:face", "bd:10", "bd:10:cat", "bd:10:face/rmbg:1"):
        answer = await ask(server, f"/{options}/plain/local:///a.jpg")
        assert answer.status_code in (409, 422), options
        assert not answer.headers["content-type"].startswith("image/"), options


async def test_a_purge_of_the_source_begins_everything_anew(setup: Setup) -> None:
    server, worker = await setup()
    await ask(server, LARGE)
    await worker.work()
    await ask(server, LARGE)
    (await purge(server, {"source": "local:///a.jpg"})).raise_for_status()
    answer = await ask(server, LARGE)
    assert (answer.status_code, answer.headers["x-imgserve-cache"]) == (202, "miss")
    assert [job.state for job in await worker.jobs()] == [JobState.QUEUED]
    assert await worker.work() == 1
    assert worker.counted[Task.UPSCALE].calls == 2
    assert (await ask(server, LARGE)).status_code == 200


async def test_a_changed_source_is_served_again_when_it_is_made(setup: Setup, root: Path) -> None:
    server, worker = await setup(CACHE_TTL="0")
    await ask(server, LARGE)
    await worker.work()
    first = await ask(server, LARGE)
    (root / "a.jpg").write_bytes(png())
    older = await ask(server, LARGE)
    # The older picture is better than none, for a moment.
    assert (older.status_code, older.content, older.headers["x-imgserve-stale"]) == (200, first.content, "error")
    assert is_passing(older)
    fresh = await ask(server, LARGE.replace("/up:2/", "/up:2/w:30/"))
    assert fresh.status_code == 202
    assert await worker.work() == 1
    newer = await ask(server, LARGE)
    assert (newer.status_code, size_of(newer.content)) == (200, (60, 60))


async def test_an_origin_that_forbids_to_keep_its_picture_says_why_there_is_no_ai(setup: Setup, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(cache_control="no-store")
    server, worker = await setup()
    path = LARGE.replace("local:///a.jpg", f"{origin.base}/a.jpg")
    assert (await ask(server, path)).status_code == 202
    await worker.work()
    answer = await ask(server, path)
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "not_kept")


async def test_what_is_private_stays_so_without_its_step(setup: Setup, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(cache_control="private, max-age=60")
    server, worker = await setup(CACHE_CONTROL_PASSTHROUGH="true", PROXY_TTL="10")
    path = LARGE.replace("local:///a.jpg", f"{origin.base}/a.jpg")
    await ask(server, path)
    await worker.work()
    answer = await ask(server, path)
    assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "not_kept")
    assert answer.headers["cache-control"] == "private, max-age=60"
    assert "x-accel-expires" not in answer.headers


async def test_a_source_that_is_missing_is_an_error_like_any_other(setup: Setup, origin: Origin) -> None:
    origin.at["/a.jpg"] = Answer(status=404)
    server, _ = await setup()
    assert (await ask(server, LARGE.replace("a.jpg", "none.jpg"))).status_code == 404
    assert (await ask(server, LARGE.replace("local:///a.jpg", f"{origin.base}/a.jpg"))).status_code == 404


async def test_the_prefix_of_the_server_stands_before_the_job(setup: Setup) -> None:
    server, _ = await setup(PATH_PREFIX="/img")
    answer = await server.client.get("/img" + server.signed(LARGE))
    assert (answer.status_code, answer.headers["location"].startswith("/img/v1/jobs/")) == (202, True)


async def test_a_url_that_expires_is_pending_like_any_other(setup: Setup) -> None:
    server, worker = await setup()
    path = f"/exp:{int(time.time()) + 100}{LARGE}"
    assert (await ask(server, path)).headers["cache-control"] == "no-store"
    await worker.work()
    assert (await ask(server, path)).status_code == 200


async def test_what_varies_varies_while_it_is_pending(setup: Setup) -> None:
    server, _ = await setup(AUTO_WEBP="1")
    answer = await ask(server, LARGE, {"accept": "image/webp"})
    assert (answer.status_code, answer.headers["content-type"]) == (202, "image/webp")
    assert answer.headers["vary"] == "Accept"


async def test_the_name_of_the_file_is_the_same_meanwhile(setup: Setup) -> None:
    server, _ = await setup()
    answer = await ask(server, f"/fn:shoe/att:1{LARGE}")
    assert answer.headers["content-disposition"] == 'attachment; filename="shoe.jpg"'


async def test_what_a_worker_keeps_elsewhere_is_told_and_not_made_at_every_request(setup: Setup) -> None:
    server, worker = await setup(CACHE="disk")
    await ask(server, LARGE)
    assert await worker.work() == 1
    [job] = await worker.jobs()
    await server.services.caches.results.tiers.delete(job.order.id)
    for _ in range(2):
        answer = await ask(server, LARGE)
        assert (answer.status_code, answer.headers["x-imgserve-degraded"]) == (200, "not_kept")
        assert is_passing(answer)
    assert await worker.jobs(JobState.QUEUED) == []
    await purge(server, {"source": "local:///a.jpg"})
    assert (await ask(server, LARGE)).status_code == 202
    assert len(await worker.jobs(JobState.QUEUED)) == 1


async def test_a_job_that_failed_is_begun_anew_after_a_purge(setup: Setup) -> None:
    server, worker = await setup(CACHE="disk")
    await ask(server, LARGE)
    provider = worker.counted[Task.UPSCALE].provider
    worker.counted[Task.UPSCALE].provider = scripted(Task.FACES)  # answers another question
    await worker.work()
    worker.counted[Task.UPSCALE].provider = provider
    assert (await ask(server, LARGE)).headers["x-imgserve-degraded"] == "provider_refused"
    await purge(server, {"source": "local:///a.jpg"})
    assert (await ask(server, LARGE)).status_code == 202
    assert await worker.work() == 1
    assert (await ask(server, LARGE)).status_code == 200
