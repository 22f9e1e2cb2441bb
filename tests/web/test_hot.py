"""The table of known answers: what it gives, and what makes it read a request in full."""

from __future__ import annotations

import dataclasses
import time
import tracemalloc
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

from imgserve.ports import FastStore, Stored
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

    @property
    def memory(self) -> FastStore:
        memory = self.server.services.caches.results.tiers.memory
        assert memory is not None
        return memory

    @property
    def key(self) -> str:
        (key,) = self.memory._entries  # type: ignore[attr-defined]
        return str(key)

    def stored(self) -> Stored:
        stored = self.memory.peek(self.key)
        assert stored is not None
        return stored

    async def warm(self, headers: dict[str, str] | None = None) -> None:
        for _ in range(2):
            await ask(self.server, self.path, headers)

    async def long(self, headers: Headers | None = None) -> httpx.Response:
        """Ask as a client does whose request is read in full; httpx adds an Accept of its own, so one is given."""
        given = headers or []
        if not any(name == b"accept" for name, _ in given):
            given = [*given, (b"accept", b"")]
        return await self.server.client.request("GET", self.server.signed(self.path), headers=given)

    async def answered_alike(self, headers: Headers) -> int:
        """Ask both ways, and give the status; 0 = the short way leaves it to the long one."""
        long = await self.long(headers)
        found = self.answer(headers)
        if found is None:
            return 0
        status, fields = parts(found[0])
        expected = dict(long.headers)
        if (b"x-request-id", expected["x-request-id"].encode()) not in headers:
            assert fields.pop("x-request-id") != expected.pop("x-request-id")
        assert (status, fields, found[1]) == (long.status_code, expected, long.content)
        return status

    def answer(self, headers: Headers | None = None, *, path: str | None = None) -> tuple[bytes, bytes] | None:
        raw = self.server.signed(path or self.path).encode()
        found = self.table.answer(raw, headers or [], PEER)
        return None if found is None else (b"".join(found[0]), found[1])


def parts(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode().splitlines()
    return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in lines)


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
    assert await hot.answered_alike([]) == 200
    tag = (await hot.long()).headers["etag"].encode()
    assert await hot.answered_alike([(b"if-none-match", tag)]) == 304


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


async def test_headers_of_the_picture_are_not_in_its_304(start: Start, tmp_path: Path, origin: Origin) -> None:
    given = {"SET_CANONICAL_HEADER": "1", "ENABLE_DEBUG_HEADERS": "1", "PROXY_TTL": "10"}
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), **given)
    origin.at["/a.jpg"] = picture(etag='"1"', last_modified="Sat, 21 Nov 2026 08:33:13 GMT")
    hot = Hot(server, server.app.state.hot, f"/w:20/ct:sale/plain/{origin.base}/a.jpg", Log())
    await hot.warm()
    whole = await hot.long()
    assert {"link", "cache-tag", "x-result-width", "x-accel-expires"} <= set(whole.headers)
    assert await hot.answered_alike([]) == 200
    assert await hot.answered_alike([(b"if-none-match", whole.headers["etag"].encode())]) == 304


async def test_a_time_beside_a_tag_is_not_looked_at(hot: Hot) -> None:
    await hot.warm()
    tag = (await hot.long()).headers["etag"].encode()
    for at in (b"Sat, 21 Nov 1998 08:33:13 GMT", b"Sat, 21 Nov 2095 08:33:13 GMT", b"yesterday"):
        assert await hot.answered_alike([(b"if-none-match", tag), (b"if-modified-since", at)]) == 304


@pytest.mark.parametrize("match", [b"", b'""', b"*", b'"other"'])
async def test_without_etags_no_tag_fits(start: Start, tmp_path: Path, match: bytes) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), USE_ETAG="0")
    hot = Hot(server, server.app.state.hot, "/w:20/plain/local:///a.jpg", Log())
    await hot.warm()
    assert await hot.answered_alike([]) == 200
    assert await hot.answered_alike([(b"if-none-match", match)]) == 0
    assert await hot.answered_alike([(b"if-none-match", match), (b"if-modified-since", b"x")]) == 0


@pytest.mark.parametrize("given", [b"mine", b"a" * 128, b"a" * 129, b"", b"a b", b"a\r\nb", b"\xff", b"{}"])
async def test_a_request_keeps_its_number_where_the_long_way_keeps_it(hot: Hot, given: bytes) -> None:
    await hot.warm()
    assert await hot.answered_alike([(b"x-request-id", given)]) == 200
    found = hot.answer([(b"x-request-id", given)])
    assert found is not None
    number = parts(found[0])[1]["x-request-id"]
    assert (number.encode() == given) is (given in (b"mine", b"a" * 128))
    assert hot.log.hits[-1].request_id == number


@pytest.mark.parametrize(
    "headers",
    [
        [(b"if-none-match", b'"other"')],
        [(b"if-none-match", b"*")],
        [(b"if-modified-since", b"Sat, 21 Nov 2026 08:33:13 GMT")],
        [(b"if-none-match", b'"other"'), (b"if-modified-since", b"Sat, 21 Nov 2026 08:33:13 GMT")],
        [(b"if-none-match", b"")],
        [(b"x-request-id", b"mine"), (b"x-request-id", b"mine")],
        [(b"x-forwarded-for", b"198.51.100.7"), (b"x-forwarded-for", b"198.51.100.8")],
        [(b"if-none-match", b'"other"'), (b"if-none-match", b'"another"')],
        [(b"accept", b"image/webp"), (b"accept", b"image/avif")],
        [(b"content-length", b"5")],
        [(b"transfer-encoding", b"chunked")],
        [(b"expect", b"100-continue")],
        [(b"upgrade", b"h2c")],
    ],
)
async def test_what_may_need_another_answer_is_read_in_full(hot: Hot, headers: Headers) -> None:
    await hot.warm()
    assert hot.answer(headers) is None


async def test_what_decides_nothing_may_come_twice(hot: Hot) -> None:
    await hot.warm()
    assert await hot.answered_alike([(b"cookie", b"a=1"), (b"cookie", b"b=2")]) == 200


async def test_accepts_that_name_the_same_formats_share_an_answer(hot: Hot, origin: Origin) -> None:
    hot.path = f"/w:20/plain/{origin.base}/a.jpg"
    await hot.warm({"accept": "image/webp"})
    for accept in (b"image/webp", b"image/webp,*/*", b"text/html, IMAGE/WEBP;q=0.3"):
        known = hot.answer([(b"accept", accept)])
        assert known is not None
        assert b"content-type: image/webp" in known[0]
        assert await hot.answered_alike([(b"accept", accept)]) == 200
    assert hot.answer([(b"accept", b"image/webp;q=0")]) is None
    assert hot.answer() is None
    await hot.warm({"accept": "image/png"})
    for accept in (b"", b"*/*", b"image/*", b"image/webp;q=0", b"image/webp;q=high", b"\xff", b"image/png"):
        known = hot.answer([(b"accept", accept)])
        assert known is not None
        assert b"content-type: image/jpeg" in known[0]
        assert await hot.answered_alike([(b"accept", accept)]) == 200


async def test_an_accept_that_comes_twice_is_one_list(hot: Hot, origin: Origin) -> None:
    hot.path = f"/w:20/plain/{origin.base}/a.jpg"
    await hot.warm({"accept": "image/webp"})
    await hot.warm({"accept": "image/png"})
    both = [(b"accept", b"image/webp"), (b"accept", b"image/png")]
    assert await hot.answered_alike(both) == 0
    assert (await hot.long(both)).headers["content-type"] == "image/webp"


async def test_an_endless_accept_is_read_in_full(hot: Hot, origin: Origin) -> None:
    hot.path = f"/w:20/plain/{origin.base}/a.jpg"
    endless = b"image/webp," + b"x" * 600
    await hot.warm({"accept": endless.decode()})
    assert hot.answer([(b"accept", endless)]) is None
    assert hot.answer([(b"accept", b"image/webp")]) is not None


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


@pytest.mark.parametrize(("back_s", "is_known"), [(50, True), (70, False), (3000, False)])
async def test_a_clock_that_was_set_back_is_seen_as_on_the_long_way(
    hot: Hot, monkeypatch: pytest.MonkeyPatch, back_s: int, *, is_known: bool
) -> None:
    await hot.warm()
    before, then = hot.stored(), time.time() - back_s
    monkeypatch.setattr("imgserve.web.hot.time.time", lambda: then)
    assert (hot.answer() is not None) is is_known
    monkeypatch.setattr(hot.server.services.caches.results, "_clock", lambda: then)
    await ask(hot.server, hot.path)
    # The long way asks about a result from the future, and writes down that it is good.
    assert (hot.stored().meta == before.meta) is is_known


async def test_a_result_that_is_replaced_or_evicted_has_no_answer(hot: Hot) -> None:
    await hot.warm()
    stored = hot.stored()
    hot.memory.put_now(hot.key, dataclasses.replace(stored, meta=stored.meta + b" "))
    assert hot.answer() is None
    await hot.memory.delete(hot.key)
    assert hot.answer() is None


async def test_urls_that_expire_are_not_remembered(hot: Hot, origin: Origin) -> None:
    hot.path = f"/w:20/exp:32503669200/plain/{origin.base}/a.jpg"
    await hot.warm()
    assert hot.answer() is None


@pytest.mark.parametrize(("passthrough", "status"), [("0", 200), ("1", 0)])
async def test_a_time_to_live_that_counts_down_is_not_remembered(
    start: Start, tmp_path: Path, origin: Origin, passthrough: str, status: int
) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), CACHE_CONTROL_PASSTHROUGH=passthrough)
    soon = formatdate(time.time() + 600, usegmt=True)
    origin.at["/expires.jpg"] = picture(expires=soon)
    origin.at["/both.jpg"] = picture(expires=soon, cache_control="max-age=600")
    hot = Hot(server, server.app.state.hot, f"/w:20/plain/{origin.base}/expires.jpg", Log())
    await hot.warm()
    assert await hot.answered_alike([]) == status
    hot.path = f"/w:20/plain/{origin.base}/both.jpg"
    await hot.warm()
    assert await hot.answered_alike([]) == 200


@pytest.mark.parametrize("settings", [{"SECRET": "s"}, {"ENABLE_CLIENT_HINTS": "1"}, {"CACHE": "off"}])
async def test_there_is_no_table_where_more_than_path_and_accept_decide(start: Start, settings: dict[str, str]) -> None:
    server = await start(**settings)
    assert server.app.state.hot is None


async def test_the_table_is_bounded_by_bytes_and_what_is_asked_for_stays(
    hot: Hot, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = hot.path
    await hot.warm()
    one = hot.table._bytes
    monkeypatch.setattr("imgserve.web.hot.MAX_BYTES", 4 * one)
    for number in range(3):
        hot.path = f"/cb:{number}{plain}"
        await hot.warm()
        assert hot.answer(path=plain) is not None
    assert [hot.answer(path=f"/cb:{number}{plain}") is not None for number in range(3)] == [False, True, True]
    assert hot.table._bytes <= 4 * one


async def test_what_is_remembered_again_counts_once(hot: Hot, origin: Origin) -> None:
    hot.path = f"/w:20/plain/{origin.base}/a.jpg"
    await hot.warm()
    one = hot.table._bytes
    await hot.warm({"accept": "image/png"})
    assert hot.table._bytes == one
    await hot.warm({"accept": "image/webp"})
    two = hot.table._bytes
    assert two > 1.5 * one
    for number in range(50):
        await hot.warm({"accept": f"image/webp, x/{number}"})
    assert hot.table._bytes == two


async def test_no_answer_takes_more_than_is_counted(hot: Hot, origin: Origin) -> None:
    hot.path = f"/w:20/plain/{origin.base}/a.jpg"
    await hot.warm()
    (answers,) = hot.table._paths.values()
    (answer,) = answers.values()
    before, count = hot.table._bytes, 200
    tracemalloc.start()
    for number in range(count):
        # All that an answer has of its own; ids and the like are shared by none.
        own = dataclasses.replace(
            answer, head=_copy(answer.head), unchanged_head=_copy(answer.unchanged_head), etag=_copy(answer.etag),
            key=f"{answer.key[:-4]}{number:04d}", meta=_copy(answer.meta), shown=f"{answer.shown}{number}",
            stored_at=answer.stored_at + number, fresh_until=answer.fresh_until + number,
        )  # fmt: skip
        hot.table._put(b"/path/%d" % number, ("avif", "webp"), own)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    counted = hot.table._bytes - before
    assert 0.6 * counted < taken <= counted


def _copy(raw: bytes) -> bytes:
    return bytes(bytearray(raw))
