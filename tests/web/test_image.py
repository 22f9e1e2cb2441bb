"""Image URLs end to end in one process: real sources, real rendering, no socket on our side."""

from __future__ import annotations

import time

from tests.web.conftest import Start
from tests.web.origin import Origin, picture
from tests.web.pictures import jpeg, size_of

LOCAL = "/rs:fit:30:30/f:png/plain/local:///a.jpg"


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
