"""The table of known answers: what it gives, and what makes it read a request in full."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from imgserve.web.hot import Hit, HotPaths
from tests.web.conftest import Server, Start
from tests.web.origin import Origin, picture
from tests.web.test_caching import CACHED, ask, purge

PEER = "192.0.2.1"
Headers = list[tuple[bytes, bytes]]


class Log:
    def __init__(self) -> None:
        self.hits: list[Hit] = []

    def __call__(self, hit: Hit) -> None:
        self.hits.append(hit)

    def flush(self) -> None:
        pass


@dataclasses.dataclass
class Hot:
    """A server with one picture in memory, and its table."""

    server: Server
    table: HotPaths
    path: str
    log: Log

    async def warm(self, headers: dict[str, str] | None = None) -> None:
        for _ in range(2):
            await ask(self.server, self.path, headers)

    def answer(self, headers: Headers | None = None, *, path: str | None = None) -> tuple[bytes, bytes] | None:
        raw = self.server.signed(path or self.path).encode()
        found = self.table.answer(raw, headers or [], PEER)
        return None if found is None else (b"".join(found[0]), found[1])


@pytest.fixture
async def hot(start: Start, tmp_path: Path, origin: Origin) -> Hot:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), AUTO_WEBP="1")
    origin.at["/a.jpg"] = picture(etag='"1"')
    table: HotPaths = server.app.state.hot
    log = Log()
    table._log = log
    return Hot(server, table, f"/w:20/f:png/plain/{origin.base}/a.jpg", log)


async def test_a_known_path_has_the_same_answer_as_the_long_way(hot: Hot) -> None:
    assert hot.answer() is None
    await hot.warm()
    long = await hot.server.get(hot.path)
    found = hot.answer()
    assert found is not None
    head, body = found
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    fields = dict(line.split(": ", 1) for line in lines[1:] if line)
    assert fields.pop("x-request-id") != long.headers["x-request-id"]
    assert fields == {name: value for name, value in long.headers.items() if name != "x-request-id"}
    assert body == long.content


async def test_a_hit_is_logged_and_counted(hot: Hot) -> None:
    await hot.warm()
    hot.answer([(b"x-forwarded-for", b"198.51.100.7, 10.0.0.1")])
    hot.answer()
    assert [(hit.status, hit.client) for hit in hot.log.hits] == [(200, "198.51.100.7"), (200, PEER)]
    assert hot.log.hits[0].shown.startswith("/***/w:20/f:png/plain/http://127.0.0.1")
    assert hot.log.hits[0].request_id != hot.log.hits[1].request_id


async def test_a_client_that_has_it_gets_a_304(hot: Hot) -> None:
    await hot.warm()
    tag = (await hot.server.get(hot.path)).headers["etag"].encode()
    found = hot.answer([(b"if-none-match", tag)])
    assert found is not None
    assert found[0].startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert b"etag: " + tag in found[0]
    assert b"content-length" not in found[0]
    assert found[1] == b""


@pytest.mark.parametrize(
    "headers",
    [
        [(b"if-none-match", b'"other"')],
        [(b"if-none-match", b"*")],
        [(b"if-modified-since", b"Sat, 21 Nov 2026 08:33:13 GMT")],
        [(b"x-request-id", b"mine")],
        [(b"content-length", b"5")],
        [(b"transfer-encoding", b"chunked")],
        [(b"expect", b"100-continue")],
        [(b"upgrade", b"h2c")],
    ],
)
async def test_what_may_need_another_answer_is_read_in_full(hot: Hot, headers: Headers) -> None:
    await hot.warm()
    assert hot.answer(headers) is None


async def test_each_accept_has_an_answer_of_its_own_where_the_format_is_negotiated(hot: Hot, origin: Origin) -> None:
    hot.path = f"/w:20/plain/{origin.base}/a.jpg"
    await hot.warm({"accept": "image/webp"})
    await hot.warm({"accept": "image/png"})
    webp, png = hot.answer([(b"accept", b"image/webp")]), hot.answer([(b"accept", b"image/png")])
    assert webp is not None
    assert png is not None
    assert b"content-type: image/webp" in webp[0]
    assert b"content-type: image/jpeg" in png[0]
    assert hot.answer([(b"accept", b"image/webp,*/*")]) is None
    assert hot.answer() is None


async def test_an_accept_that_decides_nothing_is_not_looked_at(hot: Hot) -> None:
    await hot.warm({"accept": "image/webp"})
    assert hot.answer([(b"accept", b"anything")]) is not None


async def test_a_purge_ends_it_here_and_in_other_processes(hot: Hot, start: Start, tmp_path: Path) -> None:
    await hot.warm()
    other = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"))
    assert hot.answer() is not None
    await purge(other, {"prefix": "http://127.0.0.1"})
    assert hot.answer() is None
    await hot.warm()
    assert hot.answer() is not None
    await purge(hot.server, {"prefix": "http://127.0.0.1"})
    assert hot.answer() is None


async def test_a_result_that_is_no_longer_fresh_is_looked_at(hot: Hot, monkeypatch: pytest.MonkeyPatch) -> None:
    await hot.warm()
    later = time.time() + 4000
    monkeypatch.setattr("imgserve.web.hot.time.time", lambda: later)
    assert hot.answer() is None


async def test_a_result_that_is_replaced_or_evicted_has_no_answer(hot: Hot) -> None:
    await hot.warm()
    memory = hot.server.services.caches.results.tiers.memory
    assert memory is not None
    (key,) = memory._entries  # type: ignore[attr-defined]
    stored = memory.peek(key)
    assert stored is not None
    memory.put_now(key, dataclasses.replace(stored, meta=stored.meta + b" "))
    assert hot.answer() is None
    await memory.delete(key)
    assert hot.answer() is None


async def test_urls_that_expire_are_not_remembered(hot: Hot, origin: Origin) -> None:
    hot.path = f"/w:20/exp:32503669200/plain/{origin.base}/a.jpg"
    await hot.warm()
    assert hot.answer() is None


@pytest.mark.parametrize("settings", [{"SECRET": "s"}, {"ENABLE_CLIENT_HINTS": "1"}, {"CACHE": "off"}])
async def test_there_is_no_table_where_more_than_path_and_accept_decide(start: Start, settings: dict[str, str]) -> None:
    server = await start(**settings)
    assert server.app.state.hot is None


async def test_the_table_is_bounded(hot: Hot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgserve.web.hot.MAX_PATHS", 2)
    first = hot.path
    for number in range(3):
        hot.path = f"/cb:{number}" + first
        await hot.warm()
    assert [hot.answer(path=f"/cb:{number}{first}") is not None for number in range(3)] == [False, True, True]
