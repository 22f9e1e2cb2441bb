"""`raw`: bytes as they are, with ranges and the origin's own validators, and nothing dangerous."""

from __future__ import annotations

import pytest

from tests.web.blocking import block
from tests.web.conftest import Start
from tests.web.origin import Answer, Origin, picture
from tests.web.pictures import jpeg


async def test_raw_streams_the_source_without_a_render_thread(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(
        etag='"v1"', last_modified="Sat, 21 Nov 2026 08:33:13 GMT", set_cookie="a=b", x_powered_by="php"
    )
    server = await start(REQUESTS_QUEUE_SIZE="0")
    release = await block(server.services.renderer.pool)
    answer = await server.get(f"/raw:1/plain/{origin.base}/a.jpg")
    release()
    assert (answer.status_code, answer.content) == (200, jpeg())
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-length"] == str(len(jpeg()))
    assert answer.headers["etag"] == '"v1"'
    assert answer.headers["last-modified"] == "Sat, 21 Nov 2026 08:33:13 GMT"
    assert answer.headers["cache-control"] == "max-age=31536000, public"
    assert answer.headers["content-disposition"] == 'inline; filename="a.jpg"'
    assert not {"set-cookie", "x-powered-by"} & set(answer.headers)


async def test_ranges_and_conditions_go_to_the_origin_and_nothing_else(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = Answer(
        status=206, headers={"content-range": "bytes 0-3/100", "content-type": "image/jpeg"}, body=b"\xff\xd8\xff\xe0"
    )
    server = await start()
    answer = await server.get(
        f"/raw:1/plain/{origin.base}/a.jpg",
        {"range": "bytes=0-3", "cookie": "session=1", "authorization": "Bearer x", "accept-encoding": "gzip"},
    )
    assert (answer.status_code, answer.headers["content-range"]) == (206, "bytes 0-3/100")
    asked = origin.asked[0].headers
    assert (asked["range"], asked["accept-encoding"]) == ("bytes=0-3", "gzip")
    assert not {"cookie", "authorization"} & set(asked)


async def test_if_range_makes_it_the_whole_source(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture()
    server = await start()
    await server.get(f"/raw:1/plain/{origin.base}/a.jpg", {"range": "bytes=0-3", "if-range": '"old"'})
    assert "range" not in origin.asked[0].headers


async def test_a_local_range_and_one_outside_the_file(start: Start) -> None:
    server = await start()
    part = await server.get("/raw:1/plain/local:///a.jpg", {"range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, b"\xff\xd8")
    outside = await server.get("/raw:1/plain/local:///a.jpg", {"range": "bytes=999999-"})
    assert (outside.status_code, outside.headers["cache-control"]) == (416, "no-store")


async def test_an_unchanged_raw_source_is_a_304(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"v1"')
    server = await start()
    answer = await server.get(f"/raw:1/plain/{origin.base}/a.jpg", {"if-none-match": '"v1"'})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_head_of_raw(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture()
    server = await start()
    answer = await server.get(f"/raw:1/plain/{origin.base}/a.jpg", method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(jpeg()))


@pytest.mark.parametrize("kind", ["text/html", "TEXT/HTML; charset=utf-8", "application/javascript", "text/css", ""])
async def test_what_could_act_as_a_page_is_a_download(start: Start, origin: Origin, kind: str) -> None:
    origin.at["/a"] = Answer(headers={"content-type": kind}, body=b"<script>alert(1)</script>")
    server = await start()
    answer = await server.get(f"/raw:1/plain/{origin.base}/a")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    if kind:
        assert answer.headers["content-disposition"].startswith("attachment;")


async def test_svg_is_passed_on_inside_the_sandbox(start: Start, origin: Origin) -> None:
    origin.at["/a.svg"] = Answer(headers={"content-type": "image/svg+xml"}, body=b"<svg/>")
    server = await start()
    answer = await server.get(f"/raw:1/plain/{origin.base}/a.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_an_error_of_the_origin_is_ours_to_tell(start: Start, origin: Origin) -> None:
    origin.at["/"] = Answer(status=500, body=b"<b>stack trace</b>")
    server = await start()
    answer = await server.get(f"/raw:1/plain/{origin.base}/")
    assert answer.status_code == 502
    assert "stack" not in answer.text


async def test_raw_off_is_rendered(start: Start) -> None:
    server = await start()
    assert (await server.get("/raw:0/f:png/plain/local:///a.jpg")).headers["content-type"] == "image/png"


async def test_a_type_with_line_breaks_stays_one_header(start: Start, origin: Origin) -> None:
    origin.at["/a"] = Answer(headers={"content-type": "image/x\ty", "content-encoding": "br\x01"}, body=b"x")
    server = await start()
    answer = await server.get(f"/raw:1/plain/{origin.base}/a", {"accept-encoding": "br"})
    assert answer.status_code in (200, 502)
    assert all(value.isprintable() for value in answer.headers.values())
