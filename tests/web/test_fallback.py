"""The fallback picture: it answers download and processing errors, and says so."""

from __future__ import annotations

import base64

from tests.web.conftest import Start
from tests.web.origin import Answer, Origin
from tests.web.pictures import png, size_of

DATA = base64.b64encode(png()).decode()


async def test_download_and_processing_errors_are_answered_by_it(start: Start, origin: Origin) -> None:
    origin.at["/text"] = Answer(body=b"not a picture at all")
    server = await start(FALLBACK_IMAGE_DATA=DATA)
    for path, code in (("gone.jpg", "source_not_found"), ("text", "unsupported_image")):
        answer = await server.get(f"/rs:fill:10:20:1/f:webp/plain/{origin.base}/{path}")
        assert (answer.status_code, answer.headers["x-imgserve-fallback"]) == (200, code)
        assert answer.headers["content-type"] == "image/webp"
        assert size_of(answer.content) == (10, 20)
        assert "etag" not in answer.headers


async def test_mistakes_of_the_request_are_not(start: Start) -> None:
    server = await start(FALLBACK_IMAGE_DATA=DATA)
    assert (await server.get("/w:x/plain/local:///a.jpg")).status_code == 400
    assert (await server.client.get("/bad/plain/local:///a.jpg")).status_code == 403
    assert (await server.get("/w:1/plain/s3://a/b")).status_code == 400


async def test_its_status_and_freshness_are_the_operators(start: Start) -> None:
    missing = "/w:10/plain/local:///missing.jpg"
    cases = {
        ("200", "0"): (200, "max-age=10, public"),
        ("200", "60"): (200, "max-age=60, public"),
        ("503", "60"): (503, "max-age=60, public"),
        ("0", "0"): (404, "max-age=10, public"),
    }
    for (code, ttl), (status, freshness) in cases.items():
        server = await start(FALLBACK_IMAGE_DATA=DATA, FALLBACK_IMAGE_HTTP_CODE=code, FALLBACK_IMAGE_TTL=ttl)
        answer = await server.get(missing)
        assert (answer.status_code, answer.headers["cache-control"]) == (status, freshness)


async def test_an_error_status_without_freshness_is_not_stored(start: Start, origin: Origin) -> None:
    origin.at["/"] = Answer(status=500)
    server = await start(FALLBACK_IMAGE_DATA=DATA, FALLBACK_IMAGE_HTTP_CODE="0")
    answer = await server.get(f"/w:10/plain/{origin.base}/")
    assert (answer.status_code, answer.headers["cache-control"]) == (502, "no-store")


async def test_where_it_cannot_be_made_either_the_first_error_stands(start: Start) -> None:
    server = await start(FALLBACK_IMAGE_DATA=DATA)
    answer = await server.get("/f:svg/plain/local:///missing.jpg")
    assert answer.status_code == 404
    assert "x-imgserve-fallback" not in answer.headers
