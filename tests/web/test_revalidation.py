"""Conditional requests end to end: what a 304 spares, and when there is none."""

from __future__ import annotations

from tests.web.blocking import block
from tests.web.conftest import Start
from tests.web.origin import Answer, Origin, picture
from tests.web.pictures import png

LOCAL = "/rs:fit:30:30/f:png/plain/local:///a.jpg"
DATE = "Sat, 21 Nov 2026 08:33:13 GMT"


async def test_a_conditional_request_costs_neither_download_nor_pixels(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"v1"')
    server = await start()
    path = f"/w:20/plain/{origin.base}/a.jpg"
    first = await server.get(path)
    release = await block(server.services.renderer.pool)
    again = await server.get(path, {"if-none-match": first.headers["etag"]})
    release()
    # The render threads were taken all the while, and the origin sent no body.
    assert (again.status_code, again.content) == (304, b"")
    assert [asked.headers.get("if-none-match") for asked in origin.asked] == [None, '"v1"']
    for name in ("etag", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert "content-length" not in again.headers


async def test_a_changed_source_is_rendered_again(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"v1"')
    server = await start()
    path = f"/w:20/plain/{origin.base}/a.jpg"
    first = await server.get(path)
    origin.at["/a.jpg"] = Answer(headers={"etag": '"v2"'}, body=png())
    again = await server.get(path, {"if-none-match": first.headers["etag"]})
    assert again.status_code == 200
    assert again.headers["etag"] != first.headers["etag"]


async def test_another_plan_does_not_match_the_tag(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(etag='"v1"')
    server = await start()
    first = await server.get(f"/w:20/plain/{origin.base}/a.jpg")
    other = await server.get(f"/w:21/plain/{origin.base}/a.jpg", {"if-none-match": first.headers["etag"]})
    assert other.status_code == 200
    assert "if-none-match" not in origin.asked[-1].headers


async def test_changed_settings_break_old_tags(start: Start) -> None:
    before, after = await start(QUALITY="80"), await start(QUALITY="81")
    tag = (await before.get(LOCAL)).headers["etag"]
    assert (await before.get(LOCAL, {"if-none-match": tag})).status_code == 304
    assert (await after.get(LOCAL, {"if-none-match": tag})).status_code == 200


async def test_an_origin_with_dates_only_is_asked_by_date(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(last_modified=DATE)
    server = await start()
    path = f"/w:20/plain/{origin.base}/a.jpg"
    first = await server.get(path)
    assert first.headers["last-modified"] == DATE
    assert (await server.get(path, {"if-none-match": first.headers["etag"]})).status_code == 304
    assert (await server.get(path, {"if-modified-since": DATE})).status_code == 304
    assert [asked.headers.get("if-modified-since") for asked in origin.asked] == [None, DATE, DATE]


async def test_an_origin_without_validators_still_spares_the_pixels(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture()
    server = await start()
    path = f"/w:20/plain/{origin.base}/a.jpg"
    first = await server.get(path)
    release = await block(server.services.renderer.pool)
    again = await server.get(path, {"if-none-match": first.headers["etag"]})
    release()
    assert (again.status_code, len(origin.asked)) == (304, 2)


async def test_a_stale_date_or_a_star_is_judged_after_the_download(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(last_modified=DATE)
    server = await start()
    path = f"/w:20/plain/{origin.base}/a.jpg"
    assert (await server.get(path, {"if-modified-since": "Sat, 21 Nov 2026 08:33:12 GMT"})).status_code == 200
    assert (await server.get(path, {"if-modified-since": "Sat, 21 Nov 2026 09:00:00 GMT"})).status_code == 304
    assert (await server.get(path, {"if-none-match": "*"})).status_code == 304


async def test_validators_can_be_switched_off(start: Start) -> None:
    answer = await (await start(USE_ETAG="0", USE_LAST_MODIFIED="0")).get(LOCAL)
    assert "etag" not in answer.headers
    assert "last-modified" not in answer.headers
