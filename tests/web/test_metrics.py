from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from imgserve.errors import ConfigError
from tests.scraping import Sums, sums
from tests.web.conftest import Server, Start

A = "/plain/local:///a.jpg"


def moving_gif(frames: int) -> bytes:
    pictures = [Image.new("RGB", (32, 32), (40 * number, 0, 0)) for number in range(frames)]
    out = io.BytesIO()
    pictures[0].save(out, "gif", save_all=True, append_images=pictures[1:], duration=50, loop=0)
    return out.getvalue()


async def scrape(server: Server, path: str = "/metrics") -> Sums:
    answer = await server.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return sums(answer.content)


async def test_a_picture_is_counted_with_its_parts(start: Start) -> None:
    server = await start()
    before = await scrape(server)
    assert (await server.get("/rs:fill:20:20/blur:2/f:webp" + A)).status_code == 200
    grown = await scrape(server) - before
    assert grown.one("requests_total") == grown.one("status_codes_total", status="200") == 1
    assert grown.one("request_duration_seconds_count") == grown.one("queue_wait_seconds_count") == 1
    assert grown.one("request_span_duration_seconds_count", span="queue") == 1
    assert grown.one("request_span_duration_seconds_count", span="processing") == 1
    assert grown.one("encode_duration_seconds_count", format="webp") == 1
    stages = grown.labels("stage_duration_seconds_count", "stage")
    assert {"load", "shrink", "filter", "encode"} <= stages
    assert "pad" not in stages, "a stage that had nothing to do says nothing"
    assert grown.of("errors_total") == {}
    assert grown.of("in_progress") == {}


async def test_every_frame_of_an_animation_belongs_to_one_observation(start: Start, root: Path) -> None:
    (root / "moving.gif").write_bytes(moving_gif(3))
    server = await start(MAX_ANIMATION_FRAMES="10")
    before = await scrape(server)
    assert (await server.get("/rs:fit:8:8/plain/local:///moving.gif")).status_code == 200
    assert (await scrape(server) - before).one("stage_duration_seconds_count", stage="scale") == 1


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/plain/local:///none.jpg", 404, "source_not_found"),
        ("/widht:3/plain/local:///a.jpg", 400, "bad_option"),
    ],
)
async def test_an_error_is_counted_by_its_code(start: Start, path: str, status: int, error: str) -> None:
    server = await start()
    before = await scrape(server)
    assert (await server.get(path)).status_code == status
    grown = await scrape(server) - before
    assert grown.one("errors_total", type=error) == grown.one("status_codes_total", status=str(status)) == 1
    assert grown.one("requests_in_progress") == 0


async def test_a_signature_that_is_wrong_is_counted(start: Start) -> None:
    server = await start()
    before = await scrape(server)
    assert (await server.client.get("/x" + A)).status_code == 403
    assert (await scrape(server) - before).one("errors_total", type="bad_signature") == 1


async def test_what_is_no_image_request_is_not_counted(start: Start) -> None:
    server = await start()
    before = await scrape(server)
    for path in ("/health", "/", "/favicon.ico", "/metrics", "/.well-known/x"):
        await server.client.get(path)
    await server.client.options("/x" + A)
    assert (await scrape(server) - before).of("request") == {}


async def test_memory_and_threads_of_the_process_are_known_from_the_start(start: Start) -> None:
    seen = await scrape(await start(RENDER_THREADS="3"))
    assert seen.one("workers") == 3
    assert seen.one("process_resident_memory_bytes") > 1_000_000
    assert "imgserve_vips_memory_bytes" in seen.names


async def test_they_can_be_turned_off(start: Start) -> None:
    server = await start(METRICS="false")
    assert (await server.client.get("/metrics")).status_code == 404


async def test_they_answer_below_the_prefix_too(start: Start) -> None:
    server = await start(PATH_PREFIX="/img")
    assert (await scrape(server, "/img/metrics")).names == (await scrape(server)).names


async def test_they_want_the_secret_that_all_answers_want(start: Start) -> None:
    server = await start(SECRET="s3cret")
    assert (await server.client.get("/metrics")).status_code == 403
    assert (await server.client.get("/metrics", headers={"authorization": "Bearer s3cret"})).status_code == 200


async def test_head_has_no_body_and_post_is_refused(start: Start) -> None:
    server = await start()
    answer = await server.client.head("/metrics")
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await server.client.post("/metrics")).status_code == 405


async def test_names_begin_as_the_operator_wants(start: Start) -> None:
    server = await start(PROMETHEUS_NAMESPACE="shop")
    page = (await server.client.get("/metrics")).content
    assert sums(page, "shop").one("workers") == 1
    assert b"imgserve" not in page


async def test_a_namespace_that_cannot_be_one_is_told_at_the_start(start: Start) -> None:
    with pytest.raises(ConfigError, match="IMGSERVE_PROMETHEUS_NAMESPACE: expected letters"):
        await start(PROMETHEUS_NAMESPACE="my-shop")


async def test_tiers_tell_what_they_hold_and_what_had_to_go(start: Start, tmp_path: Path) -> None:
    server = await start(CACHE="memory,disk", CACHE_PATH=str(tmp_path / "cache"), MEMORY_CACHE_SIZE="20000")
    before = await scrape(server)
    for width in range(10, 40):
        assert (await server.get(f"/w:{width}/f:png" + A)).status_code == 200
        await server.services.caches.results.tiers.background.close(timeout_s=5)
    memory = server.services.caches.results.tiers.memory
    assert memory is not None
    grown = await scrape(server) - before
    assert grown.one("cache_evictions_total", tier="memory") > 0
    assert 0 < memory.bytes <= 20000
    assert grown.one("cache_requests_total", tier="memory", result="miss") >= 30
    assert grown.one("cache_bytes_total", tier="disk", direction="written") > 0
