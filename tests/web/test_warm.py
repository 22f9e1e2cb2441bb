"""POST /v1/warm as a client sees it: what it makes is what requests find, and what it refuses they would not get."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from imgserve.errors import QueueFull
from imgserve.service.warm import MAX_ORDERS
from imgserve.web.orders import MAX_SOURCES, MAX_VARIANTS
from tests.app.served import served
from tests.engine.pictures import photo
from tests.engine.pictures import png as encoded
from tests.web.conftest import Server, Start
from tests.web.origin import Answer, Origin, picture
from tests.web.test_caching import API_KEY, CACHED, ask, purge

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
#: A browser of some years ago.
OLDER = "image/webp,*/*"
AUTO = {**CACHED, "AUTO_WEBP": "1", "AUTO_AVIF": "1"}


async def warm(server: Server, body: object, *, key: str = API_KEY) -> httpx.Response:
    return await server.client.post("/v1/warm", json=body, headers={"authorization": f"Bearer {key}"}, timeout=60)


async def warmed(server: Server, **order: Any) -> list[dict[str, Any]]:
    """Warm, and give the lines."""
    answer = await warm(server, order)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return [line for line in lines if line["state"] != "working"]


def counts(lines: list[dict[str, Any]]) -> tuple[int, int, int]:
    assert lines[-1]["state"] == "done"
    return lines[-1]["made"], lines[-1]["kept"], lines[-1]["failed"]


@pytest.fixture
async def server(start: Start, tmp_path: Path) -> Server:
    return await start(**AUTO, CACHE_PATH=str(tmp_path / "cache"))


async def test_after_a_warm_explicit_and_negotiated_urls_answer_from_disk_as_if_made_for_them(
    server: Server, start: Start, tmp_path: Path, origin: Origin
) -> None:
    origin.at["/a.jpg"] = picture(etag='"1"')
    source = f"{origin.base}/a.jpg"
    formats, accepts = ["jpeg", "webp"], ["avif", "webp", "none"]
    lines = await warmed(server, sources=source, widths=[30, 40], formats=formats, accept=accepts)
    assert counts(lines) == (10, 0, 0)
    assert len(origin.asked) == 1
    cold = await start(**AUTO, CACHE_PATH=str(tmp_path / "other"))
    restarted = await start(**AUTO, CACHE_PATH=str(tmp_path / "cache"))
    urls: list[tuple[str, str | None]] = [
        (f"/w:{width}/f:{name}/plain/{source}", None) for width in (30, 40) for name in formats
    ]
    urls += [(f"/width:{width}/plain/{source}", accept) for width in (30, 40) for accept in (CHROME, OLDER, "*/*")]
    contents = set()
    for path, accept in urls:
        headers = {"accept": accept} if accept else None
        found = [await ask(one, path, headers) for one in (server, restarted, cold)]
        assert [answer.headers["x-imgserve-cache"] for answer in found] == ["disk", "disk", "miss"], path
        assert len({(answer.content, answer.headers["etag"]) for answer in found}) == 1
        contents.add(found[0].content)
    assert len(contents) == 2 * len(("jpeg", "webp", "avif"))


async def test_a_line_has_the_url_to_ask_for(server: Server) -> None:
    line, _ = await warmed(server, sources=["local:///a.jpg"], options="w:20/q:70", formats=["png"])
    assert line["path"] == "/w:20/q:70/f:png/plain/local:///a.jpg"
    assert (line["source"], line["state"]) == ("local:///a.jpg", "made")
    answer = await server.client.get(line["url"])
    assert answer.headers["x-imgserve-cache"] == "disk"
    assert line["bytes"] == len(answer.content)


async def test_a_negotiated_line_says_for_which_accept(server: Server) -> None:
    lines = await warmed(server, sources=["local:///a.jpg"], accept=["avif", "none", OLDER])
    assert [line.get("accept") for line in lines[:-1]] == ["image/avif,image/webp", None, OLDER]
    assert {line["path"] for line in lines[:-1]} == {"/plain/local:///a.jpg"}


async def test_formats_that_the_operator_enforces_are_covered(start: Start, tmp_path: Path) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path), ENFORCE_WEBP="1")
    await warmed(server, sources=["local:///a.jpg"], formats=["jpeg"], accept=["webp", "none"])
    for accept, kind in ((CHROME, "image/webp"), ("*/*", "image/jpeg")):
        answer = await ask(server, "/f:jpeg/plain/local:///a.jpg", {"accept": accept})
        assert (answer.headers["x-imgserve-cache"], answer.headers["content-type"]) == ("disk", kind)


async def test_presets_options_and_densities_multiply(server: Server) -> None:
    order = {"presets": ["thumbnail", "medium:compress"], "options": ["q:80", "q:60/bl:2"], "dpr": [1, 2]}
    lines = await warmed(server, sources="local:///a.jpg", **order)
    assert counts(lines) == (8, 0, 0)
    assert "/pr:medium:compress/q:60/bl:2/dpr:2/plain/local:///a.jpg" in {line.get("path") for line in lines}
    assert (await ask(server, "/pr:thumbnail/q:80/plain/local:///a.jpg")).headers["x-imgserve-cache"] == "disk"


async def test_a_purge_by_preset_finds_what_was_warmed(server: Server) -> None:
    await warmed(server, sources="local:///a.jpg", presets="thumbnail", options="ct:sale")
    for body in ({"preset": "thumbnail"}, {"tag": "sale"}, {"source": "local:///a.jpg"}):
        done = await purge(server, body)
        assert done.json()["purged"]["disk"] == 1
        assert counts(await warmed(server, sources="local:///a.jpg", presets="thumbnail", options="ct:sale"))[0] == 1


async def test_a_second_order_only_makes_what_is_missing(server: Server, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"1"')
    order = {"sources": f"{origin.base}/a.jpg", "formats": ["png"]}
    await warmed(server, widths=[10, 20], **order)
    assert counts(await warmed(server, widths=[10, 20, 30], **order)) == (1, 2, 0)
    assert len(origin.asked) == 1


async def test_a_stale_result_of_the_same_source_is_kept_and_of_another_is_made_anew(
    start: Start, tmp_path: Path, origin: Origin
) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path), CACHE_TTL="0")
    origin.at["/a.jpg"] = picture(etag='"1"')
    order = {"sources": f"{origin.base}/a.jpg", "widths": [10, 20], "formats": "png"}
    assert counts(await warmed(server, **order)) == (2, 0, 0)
    assert counts(await warmed(server, **order)) == (0, 2, 0)
    assert [asked.headers.get("if-none-match") for asked in origin.asked] == [None, '"1"']
    origin.at["/a.jpg"] = Answer(body=encoded(photo()), headers={"etag": '"2"'})
    assert counts(await warmed(server, **order)) == (2, 0, 0)


async def test_a_local_file_is_looked_at_and_not_rendered_again(start: Start, tmp_path: Path, root: Path) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), CACHE_TTL="0")
    order = {"sources": "local:///a.jpg", "widths": [10, 20]}
    assert counts(await warmed(server, **order)) == (2, 0, 0)
    assert counts(await warmed(server, **order)) == (0, 2, 0)
    (root / "a.jpg").write_bytes(encoded(photo()))
    assert counts(await warmed(server, **order)) == (2, 0, 0)


async def test_drafts_are_replaced_by_final_results(start: Start, tmp_path: Path, root: Path) -> None:
    (root / "a.jpg").write_bytes(encoded(photo(400, 300)))
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), REFINE="1")
    assert server.services.refining is not None
    await server.services.refining.refiner.close()
    server.services.refining.refiner._busy = lambda: True  # it is the warm that has to do it
    path = "/w:200/f:webp/plain/local:///a.jpg"
    draft = await ask(server, path)
    assert draft.headers["cache-control"] == "max-age=10, public"
    assert counts(await warmed(server, sources="local:///a.jpg", widths=200, formats="webp")) == (1, 0, 0)
    final = await ask(server, path)
    assert final.headers["cache-control"] == "max-age=31536000, public"
    assert len(final.content) < len(draft.content)


async def test_results_do_not_push_out_what_is_in_memory(server: Server) -> None:
    await warmed(server, sources="local:///a.jpg", widths=[10, 20])
    memory = server.services.caches.results.tiers.memory
    assert memory is not None
    path = "/w:10/plain/local:///a.jpg"
    assert [(await ask(server, path)).headers["x-imgserve-cache"] for _ in range(2)] == ["disk", "memory"]


async def test_a_broken_source_stands_in_its_lines_and_the_others_are_made(server: Server, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture()
    origin.at["/text.jpg"] = Answer(body=b"no picture")
    sources = [f"{origin.base}/{name}.jpg" for name in ("missing", "text", "a")]
    lines = await warmed(server, sources=sources, widths=[10, 20])
    assert counts(lines) == (2, 0, 4)
    codes = {(line["source"], line.get("error", {}).get("code")) for line in lines[:-1]}
    assert codes == set(zip(sources, ("source_not_found", "unsupported_image", None), strict=True))


async def test_what_the_origin_keeps_from_caches_is_not_made(server: Server, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(cache_control="no-store")
    lines = await warmed(server, sources=f"{origin.base}/a.jpg")
    assert lines[0]["error"]["code"] == "not_kept"
    assert (await ask(server, f"/plain/{origin.base}/a.jpg")).headers["x-imgserve-cache"] == "miss"


async def test_a_source_is_too_large_by_its_own_urls_limit_only(start: Start, tmp_path: Path) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), ALLOW_SECURITY_OPTIONS="1")
    lines = await warmed(server, sources="local:///a.jpg", options=["msfs:10", "msfs:100000"])
    assert [line["state"] for line in lines[:-1]] == ["failed", "made"]


async def test_a_purge_while_it_is_made_is_not_undone(server: Server, origin: Origin) -> None:
    gate = asyncio.Event()
    origin.at["/a.jpg"] = Answer(body=picture().body, gate=gate)
    source = f"{origin.base}/a.jpg"
    waiting = asyncio.create_task(warmed(server, sources=source, widths=[10, 20]))
    await origin.arrived.wait()
    await purge(server, {"source": source})
    gate.set()
    lines = await waiting
    assert [line["error"]["message"] for line in lines[:-1]] == [
        "The result is not kept: it was purged while it was made."
    ] * 2
    assert (await ask(server, f"/w:10/plain/{source}")).headers["x-imgserve-cache"] == "miss"


async def test_an_order_outlasts_the_time_of_a_request_with_signs_of_life(
    start: Start, tmp_path: Path, origin: Origin
) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path), TIMEOUT="0.4", DOWNLOAD_TIMEOUT="30")
    gate = asyncio.Event()
    origin.at["/a.jpg"] = Answer(body=picture().body, gate=gate)
    body = json.dumps({"sources": f"{origin.base}/a.jpg"}).encode()
    headers = [(b"authorization", b"Bearer " + API_KEY.encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/warm", "raw_path": b"/v1/warm", "headers": headers}
    given = iter([{"type": "http.request", "body": body, "more_body": False}])
    states: list[str] = []

    async def receive() -> MutableMapping[str, Any]:
        message = next(given, None)
        return message if message is not None else await asyncio.get_running_loop().create_future()

    async def send(message: MutableMapping[str, Any]) -> None:
        states.extend(json.loads(line)["state"] for line in message.get("body", b"").splitlines())
        if states.count("working") == 3:  # each comes after half the time
            gate.set()

    await server.app(scope, receive, send)
    assert states.count("working") >= 3
    assert states[-2:] == ["made", "done"]


async def test_requests_are_answered_while_a_large_picture_is_warmed(server: Server, root: Path) -> None:
    (root / "large.png").write_bytes(encoded(photo(3000, 2000)))
    order = {"sources": "local:///large.png", "widths": [2000, 1900], "formats": "avif", "options": "q:90"}
    working = asyncio.create_task(warmed(server, **order))
    answers = [await ask(server, f"/w:{width}/plain/local:///a.jpg") for width in range(10, 15)]
    assert not working.done()
    assert [answer.status_code for answer in answers] == [200] * 5
    assert counts(await working) == (2, 0, 0)


async def test_a_process_takes_so_many_orders_at_a_time(server: Server, origin: Origin) -> None:
    async with asyncio.TaskGroup() as group:
        gate, going = asyncio.Event(), asyncio.Semaphore(0)

        async def hold() -> None:
            async with server.services.warmer.order():
                going.release()
                await gate.wait()

        for _ in range(MAX_ORDERS):
            group.create_task(hold())
        for _ in range(MAX_ORDERS):
            await going.acquire()
        answer = await warm(server, {"sources": "local:///a.jpg"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, QueueFull.code)
        gate.set()
    assert counts(await warmed(server, sources="local:///a.jpg")) == (1, 0, 0)


async def test_a_server_that_drains_stops_after_the_variant_at_hand(server: Server) -> None:
    server.services.readiness.drain()
    answer = await warm(server, {"sources": "local:///a.jpg", "widths": [10, 20, 30]})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert (len(lines), lines[-1]["state"], lines[-1]["made"]) == (2, "stopped", 1)
    server.services.readiness.reason = ""
    assert counts(await warmed(server, sources="local:///a.jpg", widths=[10, 20, 30])) == (2, 1, 0)


A = "local:///a.jpg"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "sources"),
        ({"sources": []}, "sources"),
        ({"sources": [A] * (MAX_SOURCES + 1)}, "sources"),
        ({"sources": [A, ""]}, "sources[1]"),
        ({"sources": [A, 7]}, "sources[1]"),
        ({"sources": {"a": A}}, "sources"),
        ({"sources": "local:///\ud800.jpg"}, "sources[0]"),
        ({"sources": "local:///\n.jpg"}, "source"),
        ({"sources": [A, "ftp://example.com/a.jpg"]}, "source"),
        ({"sources": A, "source": A}, "source"),
        ({"sources": A, "presets": "nowhere"}, "preset"),
        ({"sources": A, "presets": "thumbnail/w:20"}, "presets[0]"),
        ({"sources": A, "presets": [None]}, "presets[0]"),
        ({"sources": A, "options": "w"}, "options[0]"),
        ({"sources": A, "options": ["w:10", "plain/http://example.com/w:20"]}, "options[1]"),
        ({"sources": A, "options": "w:10?h=10"}, "options[0]"),
        ({"sources": A, "options": "/w:10"}, "options[0]"),
        ({"sources": A, "options": "fn:ä"}, "options[0]"),
        ({"sources": A, "options": "widht:10"}, "widht"),
        ({"sources": A, "options": "q:101"}, "q"),
        ({"sources": A, "options": "raw:1"}, "raw"),
        ({"sources": A, "widths": "320"}, "widths[0]"),
        ({"sources": A, "widths": [0]}, "widths[0]"),
        ({"sources": A, "widths": [320, 1.5]}, "widths[1]"),
        ({"sources": A, "widths": [True]}, "widths[0]"),
        ({"sources": A, "widths": [1e9]}, "widths[0]"),
        ({"sources": A, "formats": ["webp", "svg"]}, "formats[1]"),
        ({"sources": A, "formats": "nothing"}, "formats[0]"),
        ({"sources": A, "accept": "chrome"}, "accept[0]"),
        ({"sources": A, "accept": ["image/webp\r\nx: y"]}, "accept[0]"),
        ({"sources": A, "dpr": [0]}, "dpr[0]"),
        ({"sources": A, "dpr": [9]}, "dpr[0]"),
        ({"sources": A, "widths": list(range(1, MAX_VARIANTS + 2))}, "body"),
        ({"sources": A, "widths": list(range(1, 100)), "formats": ["webp", "png"], "accept": "avif"}, "body"),
    ],
)
async def test_an_order_that_is_not_clear_is_refused_before_anything_is_done(
    server: Server, body: object, where: str
) -> None:
    answer = await server.client.post(
        "/v1/warm", content=json.dumps(body), headers={"authorization": f"Bearer {API_KEY}"}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["where"] == where, answer.text
    assert not [path for path in server.services.caches.results.tiers.stores if await path.get("0" * 64)]


async def test_a_number_in_quotes_is_told_apart(server: Server) -> None:
    answer = await warm(server, {"sources": A, "widths": "320"})
    assert answer.json()["error"]["message"] == "widths[0]: expected a number, without quotes, got '320'."


async def test_numbers_that_json_does_not_have_are_refused(server: Server) -> None:
    headers = {"authorization": f"Bearer {API_KEY}"}
    for number in ("NaN", "Infinity", "1e999", "1" + "0" * 400):
        body = f'{{"sources": "{A}", "dpr": [{number}]}}'
        assert (await server.client.post("/v1/warm", content=body, headers=headers)).status_code == 400


async def test_expired_urls_are_not_made(server: Server) -> None:
    assert (await warm(server, {"sources": A, "options": "exp:100"})).status_code == 410


async def test_only_holders_of_a_key_warm(server: Server) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}):
        answer = await server.client.post("/v1/warm", json={"sources": A}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert (await server.client.get("/v1/warm")).status_code == 405


@pytest.mark.parametrize(
    ("settings", "order", "code"),
    [
        ({"ALLOWED_SOURCES": "https://example.com/"}, {}, "source_forbidden"),
        ({"ALLOWED_PROCESSING_OPTIONS": "width"}, {"options": "blur:5"}, "option_forbidden"),
        ({"ALLOWED_PROCESSING_OPTIONS": "width"}, {"formats": "webp"}, "option_forbidden"),
        ({}, {"options": "msfs:100"}, "option_forbidden"),
        ({"ONLY_PRESETS": "1"}, {"presets": "thumbnail", "widths": [10]}, "bad_request"),
    ],
)
async def test_a_key_may_do_what_a_signed_url_may_do(
    start: Start, tmp_path: Path, settings: dict[str, str], order: dict[str, Any], code: str
) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), **settings)
    answer = await warm(server, {"sources": A, **order})
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    ("settings", "order", "path"),
    [
        ({"ALLOWED_PROCESSING_OPTIONS": "width,ext"}, {"widths": 20, "formats": "png"}, f"/width:20/ext:png/plain/{A}"),
        ({"ONLY_PRESETS": "1"}, {"presets": "thumbnail", "formats": "png"}, f"/thumbnail/plain/{A}@png"),
        ({"ARGUMENTS_SEPARATOR": ","}, {"presets": "thumbnail", "widths": 20}, f"/pr,thumbnail/w,20/plain/{A}"),
        ({"BASE_URL": "local:///"}, {"sources": "a.jpg"}, "/plain/a.jpg"),
        ({"PATH_PREFIX": "/img"}, {"widths": 20}, f"/w:20/plain/{A}"),
    ],
)
async def test_paths_are_written_as_this_server_reads_them(
    start: Start, tmp_path: Path, settings: dict[str, str], order: dict[str, Any], path: str
) -> None:
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), **settings)
    headers = {"authorization": f"Bearer {API_KEY}"}
    prefix = settings.get("PATH_PREFIX", "")
    answer = await server.client.post(f"{prefix}/v1/warm", json={"sources": A, **order}, headers=headers)
    line = json.loads(answer.text.splitlines()[0])
    assert line["path"] == path
    assert (await server.client.get(line["url"])).headers["x-imgserve-cache"] == "disk"


@pytest.mark.parametrize("source", ["local:///b%20c.jpg", "local:///b?c.jpg", "local:///b@c.jpg", "local:///ü.jpg"])
async def test_any_source_is_found_again(server: Server, root: Path, source: str) -> None:
    for name in ("b%20c.jpg", "b", "b@c.jpg", "ü.jpg"):
        (root / name).write_bytes((root / "a.jpg").read_bytes())
    line, _ = await warmed(server, sources=source, widths=20)
    assert line["state"] == "made"
    assert (await server.client.get(line["url"])).headers["x-imgserve-cache"] == "disk"


@pytest.mark.parametrize("cache", ["off", "memory"])
async def test_a_server_that_keeps_nothing_for_others_says_so(start: Start, tmp_path: Path, cache: str) -> None:
    server = await start(**{**CACHED, "CACHE": cache}, CACHE_PATH=str(tmp_path / "cache"))
    answer = await warm(server, {"sources": A})
    assert (answer.status_code, answer.json()["error"]["where"]) == (400, "IMGSERVE_CACHE")


async def test_without_a_key_of_the_server_lines_have_no_url(start: Start, tmp_path: Path) -> None:
    keyless = {"KEY": "", "SALT": "", "ALLOW_UNSIGNED": "1"}
    server = await start(**CACHED, CACHE_PATH=str(tmp_path / "cache"), **keyless)
    line, _ = await warmed(server, sources=A)
    assert "url" not in line


async def test_a_client_that_leaves_ends_the_work(tmp_path: Path, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture()
    origin.at["/held.jpg"] = Answer(body=picture().body, gate=asyncio.Event())
    body = json.dumps({"sources": [f"{origin.base}/a.jpg", f"{origin.base}/held.jpg"]}).encode()
    given = {**CACHED, "CACHE_PATH": str(tmp_path / "cache"), "TIMEOUT": "60", "DOWNLOAD_TIMEOUT": "60"}
    with served(tmp_path, **given) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /v1/warm HTTP/1.1\r\nhost: a\r\nauthorization: Bearer " + API_KEY.encode())
        writer.write(b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        async with asyncio.timeout(30):
            await reader.readuntil(b'"state": "made"')
            while len(origin.asked) < 2:  # noqa: ASYNC110 - the second request has no event of its own
                await asyncio.sleep(0.01)
            writer.close()
            await origin.left.wait()
        assert server.stop() == -signal.SIGTERM
    assert "Traceback" not in server.log.read_text()
