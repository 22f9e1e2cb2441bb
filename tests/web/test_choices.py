"""Choices as clients meet them: one signature, and the query picks the picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgserve.web.hot import HotPaths
from tests.web.conftest import Server, Start
from tests.web.origin import Origin, picture
from tests.web.pictures import size_of
from tests.web.test_caching import CACHED
from tests.web.test_hot import PEER

PATH = "/choose:w:10:20:30/choose:q:75:50-90/plain/local:///a.jpg"


@pytest.mark.parametrize(
    ("query", "width"), [("", 10), ("?w=20", 20), ("?q=60&w=30", 30), ("?v=1", 10), ("?v=1&w=30&", 30)]
)
async def test_the_query_picks_the_picture(start: Start, query: str, width: int) -> None:
    server = await start()
    answer = await server.client.get(server.signed(PATH) + query)
    assert (answer.status_code, size_of(answer.content)[0]) == (200, width)


@pytest.mark.parametrize("query", ["?w=11", "?w=4096", "?w=20&q=91", "?w=", "?w", "?w=10&w=20", "?w=%31%30", "?w=010"])
async def test_what_is_not_granted_is_refused_with_what_is(start: Start, query: str) -> None:
    server = await start()
    answer = await server.client.get(server.signed(PATH) + query, headers={"accept": "application/json"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "bad_option")
    assert error["where"].startswith("query ")
    assert error["expected"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_choice_that_was_widened_has_no_signature(start: Start) -> None:
    server = await start()
    signature = server.signed(PATH).split("/")[1]
    answer = await server.client.get(f"/{signature}{PATH.replace('30', '300')}?w=300")
    assert answer.status_code == 403


async def test_the_result_is_that_of_the_plain_url_and_kept_once(start: Start, tmp_path: Path) -> None:
    server = await start(CACHE_PATH=str(tmp_path / "cache"), CACHE_STORES="memory")
    plain = await server.get("/w:20/q:75/plain/local:///a.jpg")
    picked = await server.client.get(server.signed(PATH) + "?w=20")
    assert picked.content == plain.content
    assert picked.headers["etag"] == plain.headers["etag"]


async def test_a_pick_of_a_signed_path_is_explained(start: Start) -> None:
    server = await start(DEVELOPMENT="1")
    answer = await server.client.get(f"/explain{server.signed(PATH)}?w=30")
    assert [one["text"] for one in answer.json()["options"]] == ["width:30", "quality:75"]


class TestKnownAnswers:
    """The short way must not take one pick for another."""

    @pytest.fixture
    async def server(self, start: Start, tmp_path: Path, origin: Origin) -> Server:
        origin.at["/a.jpg"] = picture(etag='"1"')
        self.source = f"{origin.base}/a.jpg"
        return await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"))

    def answer(self, server: Server, target: str) -> bytes | None:
        table: HotPaths = server.app.state.hot
        found = table.answer(target.encode(), [], PEER)
        return None if found is None else found[1]

    async def asked(self, server: Server, target: str) -> bytes:
        for _ in range(2):
            answer = await server.client.get(target, headers={"accept": ""})
        return answer.content

    async def test_each_pick_is_known_by_itself(self, server: Server) -> None:
        url = server.signed(f"/f:png/choose:w:10:20:30/plain/{self.source}")
        bodies = {tail: await self.asked(server, url + tail) for tail in ("", "?w=20", "?w=30")}
        assert len(set(bodies.values())) == 3
        assert {tail: self.answer(server, url + tail) for tail in bodies} == bodies

    async def test_what_is_no_pick_is_read_in_full_and_makes_no_entry(self, server: Server) -> None:
        url = server.signed(f"/f:png/choose:w:10:20/choose:h:10:20/plain/{self.source}")
        await self.asked(server, url + "?w=20&h=20")
        assert self.answer(server, url + "?w=20&h=20") is not None
        tails = ("?h=20&w=20", "?w=20&h=20&v=1", "?w=20&h=20&", "?v=1", "?w=99", "?W=20")
        for tail in tails:
            await self.asked(server, url + tail)
        assert [self.answer(server, url + tail) for tail in tails] == [None] * len(tails)

    async def test_escaped_colons_hide_no_choice(self, server: Server) -> None:
        url = server.signed(f"/f:png/choose:w:10:20/plain/{self.source}").replace(
            "choose:w:10:20", "choose%3Aw%3A10%3A20"
        )
        first = await self.asked(server, url)
        second = await self.asked(server, url + "?w=20")
        assert first != second
        assert (self.answer(server, url), self.answer(server, url + "?w=20")) == (first, second)

    async def test_a_query_behind_a_path_without_choices_still_changes_nothing(self, server: Server) -> None:
        url = server.signed(f"/f:png/w:10/plain/{self.source}")
        body = await self.asked(server, url)
        assert self.answer(server, url + "?w=20") == body
