"""Fast now, small later: the first answer is a draft, and a smaller picture takes its place when nobody is served."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.engine.pictures import photo
from tests.engine.pictures import png as encoded
from tests.web.blocking import block, until
from tests.web.conftest import Server, Start
from tests.web.test_caching import CACHED, ask, purge
from tests.web.worker import Worker

PATH = "/w:200/f:webp/plain/local:///photo.png"


@pytest.fixture
async def server(start: Start, tmp_path: Path, root: Path) -> Server:
    (root / "photo.png").write_bytes(encoded(photo(400, 300)))
    return await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), REFINE="1")


async def refined(server: Server, path: str = PATH) -> httpx.Response:
    """Wait until the draft has been replaced."""
    assert server.services.refining is not None
    refiner = server.services.refining.refiner
    await until(lambda: refiner.waiting == 0)
    return await ask(server, path)


async def test_a_draft_is_short_lived_and_a_smaller_picture_takes_its_place(server: Server) -> None:
    draft = await ask(server, PATH)
    final = await refined(server)
    assert draft.headers["cache-control"] == "max-age=10, public"
    assert final.headers["cache-control"] == "max-age=31536000, public"
    assert final.headers["x-imgserve-cache"] == "memory"
    assert len(final.content) < len(draft.content)
    assert final.headers["etag"] != draft.headers["etag"]
    again = await ask(server, PATH, {"if-none-match": final.headers["etag"]})
    assert again.status_code == 304


async def test_a_client_with_the_draft_gets_the_smaller_one(server: Server) -> None:
    draft = await ask(server, PATH)
    tag = {"if-none-match": draft.headers["etag"]}
    final = await refined(server)
    assert (await ask(server, PATH, tag)).content == final.content


async def test_a_draft_answers_conditions_as_long_as_it_is_there(server: Server) -> None:
    draft = await ask(server, PATH)
    release = await block(server.services.renderer.pool)  # a server that renders does not refine
    again = await ask(server, PATH, {"if-none-match": draft.headers["etag"]})
    release()
    if again.status_code == 200:  # it was quicker than this test
        assert again.headers["etag"] != draft.headers["etag"]
    else:
        assert (again.status_code, again.headers["etag"]) == (304, draft.headers["etag"])


async def test_a_purge_is_not_undone(server: Server) -> None:
    await ask(server, PATH)
    await purge(server, {"source": "local:///photo.png"})
    assert (await refined(server)).headers["x-imgserve-cache"] == "miss"


async def test_a_draft_of_an_earlier_process_is_refined_too(server: Server, start: Start, tmp_path: Path) -> None:
    release = await block(server.services.renderer.pool)  # never idle, so that the draft stays one
    waiting = asyncio.create_task(ask(server, PATH))
    release()
    draft = await waiting
    release = await block(server.services.renderer.pool)
    assert server.services.refining is not None
    await server.services.refining.close()
    release()
    other = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), REFINE="1")
    assert (await ask(other, PATH)).headers["x-imgserve-cache"] == "disk"
    assert len((await refined(other)).content) < len(draft.content)


async def test_a_final_result_survives_a_restart(server: Server, start: Start, tmp_path: Path) -> None:
    await ask(server, PATH)
    final = await refined(server)
    other = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), REFINE="1")
    again = await ask(other, PATH)
    assert (again.headers["x-imgserve-cache"], again.content) == ("disk", final.content)


async def test_without_the_setting_first_answers_are_final(start: Start, root: Path, tmp_path: Path) -> None:
    (root / "photo.png").write_bytes(encoded(photo(400, 300)))
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"))
    assert (await ask(server, PATH)).headers["cache-control"] == "max-age=31536000, public"
    assert server.services.refining is None


async def with_ai_step(server: Server) -> tuple[httpx.Response, httpx.Response]:
    """Give the answers before and after a worker has done its part."""
    path = PATH.replace("/w:200", "/up:2/w:200")
    meanwhile = await ask(server, path)
    worker = Worker(server)
    assert await worker.work() == 1
    await worker.close()
    return meanwhile, await ask(server, path)


async def test_pictures_with_ai_steps_are_encoded_as_the_operator_wants_as_nothing_makes_them_smaller(
    server: Server, start: Start, tmp_path: Path
) -> None:
    meanwhile, ordinary = await with_ai_step(server)
    careful = await start(**CACHED, REFINE="1", WEBP_EFFORT="6", CACHE_PATH=str(tmp_path / "other"))
    _, small = await with_ai_step(careful)
    assert [answer.status_code for answer in (meanwhile, small, ordinary)] == [202, 200, 200]
    assert len(small.content) < len(ordinary.content)
    assert small.headers["cache-control"] == "max-age=31536000, public"


async def test_what_stands_in_for_an_ai_step_is_no_draft(server: Server) -> None:
    await ask(server, PATH.replace("/w:200", "/up:2/w:200"))
    assert server.services.refining is not None
    assert server.services.refining.refiner._task is None
