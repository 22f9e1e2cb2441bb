"""Image URLs end to end in one process: real sources, real rendering, no socket on our side."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.web.blocking import block
from tests.web.conftest import Start
from tests.web.origin import Answer, Origin, picture
from tests.web.pictures import jpeg, png, size_of

LOCAL = "/rs:fit:30:30/f:png/plain/local:///a.jpg"
DATE = "Sat, 21 Nov 2026 08:33:13 GMT"


async def test_a_signed_url_becomes_a_picture(start: Start) -> None:
    server = await start()
    answer = await server.get("/rs:fill:20:20/plain/local:///a.jpg@webp")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["content-disposition"] == 'inline; filename="a.webp"'
    assert answer.headers["cache-control"] == "max-age=31536000, public"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert size_of(answer.content) == (20, 20)


async def test_every_answer_has_the_headers_of_the_house(start: Start) -> None:
    server = await start(ALLOW_ORIGIN="https://shop.test")
    for answer in (await server.get(LOCAL), await server.client.get("/x/y"), await server.client.get("/health")):
        assert answer.headers["server"] == "imgserve"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["access-control-allow-origin"] == "https://shop.test"
        assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
        assert answer.headers["x-request-id"]


async def test_without_the_setting_there_is_no_cors(start: Start) -> None:
    answer = await (await start()).get(LOCAL)
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_preflight_is_answered_without_signature_or_secret(start: Start) -> None:
    server = await start(SECRET="s", ALLOW_ORIGIN="*")
    answer = await server.client.options("/any/thing")
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "content-length" not in answer.headers


async def test_other_methods_are_refused_with_those_that_are_not(start: Start) -> None:
    server = await start()
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"):
        answer = await server.get(LOCAL, method=method)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_head_has_the_headers_of_get(start: Start) -> None:
    server = await start()
    given = {"x-request-id": "same"}
    get, head = await server.get(LOCAL, given), await server.get(LOCAL, given, method="HEAD")
    assert head.headers == get.headers
    assert head.status_code == 200
    assert head.content == b""
    refused = await server.client.head("/bad/w:10/plain/local:///a.jpg")
    assert (refused.status_code, refused.content) == (403, b"")
    assert int(refused.headers["content-length"]) > 0


async def test_the_order_of_checks(start: Start) -> None:
    server = await start(ALLOWED_SOURCES="local:///", ALLOW_SECURITY_OPTIONS="0")
    # A bad signature is told before a bad option, a bad option before expiry, expiry before the source.
    assert (await server.client.get("/bad/w:x/exp:1/plain/https://a.test/")).status_code == 403
    cases = {
        "/w:x/exp:1/plain/https://a.test/": (400, "bad_option"),
        "/exp:1/plain/https://a.test/": (410, "expired"),
        "/w:1/plain/https://a.test/": (403, "source_forbidden"),
        "/msr:1/plain/local:///a.jpg": (403, "option_forbidden"),
        "/w:1/plain/gopher://a.test/": (400, "bad_request"),
        "/w:1/plain/nothing": (400, "bad_request"),
        "/w:1/plain/local:///missing.jpg": (404, "source_not_found"),
    }
    for path, (status, code) in cases.items():
        answer = await server.get(path, {"accept": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), path


async def test_an_unknown_scheme_is_answered_with_the_enabled_ones(start: Start) -> None:
    answer = await (await start()).get("/w:1/plain/s3://bucket/key")
    assert answer.status_code == 400
    assert "http://, https://, local://" in answer.text


async def test_an_expired_url_is_gone_and_a_fresh_one_caps_the_freshness(start: Start) -> None:
    server = await start()
    assert (await server.get(f"/exp:{int(time.time()) - 2}{LOCAL}")).status_code == 410
    soon = await server.get(f"/exp:{int(time.time()) + 100}{LOCAL}")
    seconds = int(soon.headers["cache-control"].removeprefix("max-age=").removesuffix(", public"))
    assert 95 <= seconds <= 100
    # `expires` is not about the pixels: the tag is the one of the URL without it.
    assert soon.headers["etag"] == (await server.get(LOCAL)).headers["etag"]


async def test_negotiation_decides_format_vary_and_tag(start: Start) -> None:
    server = await start(AUTO_WEBP="1")
    path = "/w:20/plain/local:///a.jpg"
    webp = await server.get(path, {"accept": "image/avif,image/webp,*/*"})
    jpg = await server.get(path, {"accept": "image/webp;q=0,image/*"})
    assert (webp.headers["content-type"], webp.headers["vary"]) == ("image/webp", "Accept")
    assert (jpg.headers["content-type"], jpg.headers["vary"]) == ("image/jpeg", "Accept")
    assert webp.headers["etag"] != jpg.headers["etag"]
    assert 'filename="a.webp"' in webp.headers["content-disposition"]
    explicit = await server.get(LOCAL, {"accept": "image/webp"})
    assert explicit.headers["content-type"] == "image/png"
    assert "vary" not in explicit.headers


async def test_an_enforced_format_wins_over_the_url(start: Start) -> None:
    server = await start(ENFORCE_WEBP="1")
    answer = await server.get(LOCAL, {"accept": "image/webp"})
    assert (answer.headers["content-type"], answer.headers["vary"]) == ("image/webp", "Accept")
    assert (await server.get(LOCAL)).headers["content-type"] == "image/png"


async def test_client_hints_set_the_size_where_the_url_does_not(start: Start) -> None:
    server = await start(ENABLE_CLIENT_HINTS="1")
    hints = {"width": "40", "dpr": "2"}
    hinted = await server.get("/f:png/plain/local:///a.jpg", hints)
    assert size_of(hinted.content)[0] == 40
    assert "Sec-CH-Width" in hinted.headers["vary"]
    assert hinted.headers["accept-ch"] == "Sec-CH-DPR, Sec-CH-Width"
    assert size_of((await server.get("/f:png/w:15/dpr:1/plain/local:///a.jpg", hints)).content)[0] == 15


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


async def test_the_origins_cache_control_is_passed_on_when_wanted(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture(cache_control="max-age=77", set_cookie="a=b")
    server = await start(CACHE_CONTROL_PASSTHROUGH="1")
    answer = await server.get(f"/w:20/plain/{origin.base}/a.jpg")
    assert answer.headers["cache-control"] == "max-age=77"
    assert "set-cookie" not in answer.headers


async def test_debug_and_canonical_headers(start: Start, origin: Origin) -> None:
    origin.at["/a.jpg"] = picture()
    server = await start(ENABLE_DEBUG_HEADERS="1", SET_CANONICAL_HEADER="1")
    answer = await server.get(f"/rs:fill:20:10/plain/{origin.base}/a.jpg")
    assert answer.headers["link"] == f'<{origin.base}/a.jpg>; rel="canonical"'
    assert answer.headers["x-origin-content-length"] == str(len(jpeg()))
    for which, size in (("origin-width", 60), ("origin-height", 40), ("result-width", 20), ("result-height", 10)):
        assert answer.headers[f"x-{which}"] == str(size)


async def test_file_name_and_attachment(start: Start) -> None:
    server = await start(RETURN_ATTACHMENT="1")
    named = await server.get(f"/fn:mug{LOCAL}")
    assert named.headers["content-disposition"] == 'attachment; filename="mug.png"'
    inline = await server.get(f"/att:0{LOCAL}")
    assert inline.headers["content-disposition"] == 'inline; filename="a.png"'


async def test_the_secret_is_wanted_of_pictures_only(start: Start) -> None:
    server = await start(SECRET="open sesame")
    for token in (None, "Bearer wrong", "Basic open sesame", "open sesame", "Bearer"):
        answer = await server.get(LOCAL, {} if token is None else {"authorization": token})
        assert answer.status_code == 403
    assert (await server.get(LOCAL, {"authorization": "Bearer open sesame"})).status_code == 200
    assert (await server.client.get("/health")).status_code == 200


async def test_a_path_prefix_stands_before_all_routes(start: Start) -> None:
    server = await start(PATH_PREFIX="/img")
    assert (await server.client.get("/img" + server.signed(LOCAL))).status_code == 200
    assert (await server.get(LOCAL)).status_code == 404
    for path in ("/img/health", "/health", "/img/"):
        assert (await server.client.get(path)).status_code == 200


async def test_the_query_is_not_part_of_the_url(start: Start) -> None:
    server = await start()
    plain = await server.get(LOCAL)
    assert (await server.client.get(server.signed(LOCAL) + "?utm=1")).headers["etag"] == plain.headers["etag"]


async def test_a_repaired_path_is_what_was_signed(start: Start) -> None:
    server = await start()
    signature = server.services.signer.sign(LOCAL)
    sent = f"/{signature}/rs%3Afit%3A30%3A30/f%3Apng/plain/local:/a.jpg"
    assert (await server.client.get(sent)).status_code == 200


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
