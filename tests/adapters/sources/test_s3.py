"""s3:// against moto's server, and against a scripted web server for what a healthy storage never says."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from imgserve.adapters.s3_client import S3Account, S3Limits
from imgserve.adapters.sources.s3 import BucketRules, S3Source
from imgserve.errors import (
    BadRequest,
    ImgserveError,
    SourceForbidden,
    SourceNotFound,
    SourceTimeout,
    SourceTooLarge,
    SourceUnreachable,
)
from imgserve.ports import Blob
from tests.adapters.sources.conftest import Asked, Web, free_port, read_all, reply

LIMITS = S3Limits(connect_timeout_s=1, read_timeout_s=1, total_timeout_s=5, max_connections=4)


async def fetch(account: S3Account, url: str) -> Blob:
    source = S3Source(account, limits=LIMITS)
    try:
        return await source.fetch(url, max_bytes=0, headers={})
    finally:
        await source.close()


async def fetch_from(web: Web, url: str = "s3://bucket/a.jpg") -> Blob:
    return await fetch(S3Account(region="us-east-1", endpoint=web.url("")), url)


async def kept(source: S3Source, url: str, *, max_bytes: int = 0, **headers: str) -> Blob:
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    return await source.fetch(url, max_bytes=max_bytes, headers=asked)


async def test_the_query_names_a_version(bucket: Any, s3_source: S3Source) -> None:
    first = bucket.put_object(Key="v.jpg", Body=b"first").version_id
    bucket.put_object(Key="v.jpg", Body=b"second")
    url = f"s3://{bucket.name}/v.jpg"
    assert (await kept(s3_source, url)).data == b"second"
    assert (await kept(s3_source, f"{url}?{first}")).data == b"first"


async def test_another_query_separator_lets_keys_have_question_marks(bucket: Any, s3_account: S3Account) -> None:
    bucket.put_object(Key="what?.jpg", Body=b"asked")
    source = S3Source(s3_account, query_separator="")
    assert (await source.fetch(f"s3://{bucket.name}/what?.jpg", max_bytes=0, headers={})).data == b"asked"
    await source.close()


async def test_a_percent_sign_is_part_of_the_key(bucket: Any, s3_source: S3Source) -> None:
    bucket.put_object(Key="100%41.jpg", Body=b"literal")
    assert (await kept(s3_source, f"s3://{bucket.name}/100%41.jpg")).data == b"literal"


async def test_a_missing_bucket_is_not_found(bucket: Any, s3_source: S3Source) -> None:
    with pytest.raises(SourceNotFound):
        await kept(s3_source, "s3://no-such-bucket/a.jpg")


async def test_caching_headers_of_the_object_are_passed_on(bucket: Any, s3_source: S3Source) -> None:
    bucket.put_object(Key="c.jpg", Body=b"1", CacheControl="max-age=77")
    assert (await kept(s3_source, f"s3://{bucket.name}/c.jpg")).origin.cache_control == "max-age=77"


@pytest.mark.parametrize(
    "url", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key", "http://bucket/key", "s3:bucket/key", "s3://b@d!/key"]
)
async def test_a_url_without_bucket_and_key_is_a_bad_request(url: str, aws: None) -> None:
    with pytest.raises(BadRequest):
        await fetch(S3Account(endpoint="http://127.0.0.1:1"), url)


@pytest.mark.parametrize(
    "url",
    ["s3://good/../evil/k", "s3://good/a/./k", "s3://good/..", "s3://../evil/k", "s3://./evil/k", "s3://good//../k"],
)
async def test_dot_segments_are_refused_and_not_asked_for(web: Web, aws: None, url: str) -> None:
    with pytest.raises(BadRequest, match="between slashes"):
        await fetch_from(web, url)
    assert web.asked == []


@pytest.mark.parametrize("key", ["/x", "//x", "a//x", "...", "a..b/.x", "x/"])
async def test_a_key_is_asked_for_as_it_is_written(web: Web, aws: None, key: str) -> None:
    web.routes[f"/bucket/{key}"] = reply(200, b"literal")
    assert (await fetch_from(web, f"s3://bucket/{key}")).data == b"literal"


async def test_a_key_with_a_slash_in_front_is_another_key_for_virtual_hosts_too(
    web: Web, aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", web.url(""))
    web.routes["http://bucket.storage.test//x"] = reply(200, b"virtual")
    account = S3Account(region="us-east-1", endpoint="http://storage.test", path_style=False)
    assert (await fetch(account, "s3://bucket//x")).data == b"virtual"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("If-Modified-Since", "1 Jan 1 1:1:1 +999999999999999"),
        ("If-Modified-Since", "1 Jan 1 1:1:1 GMT"),
        ("If-Modified-Since", "31 Dec 9999 23:59:59 GMT"),
        ("Range", "bytes=0-" + "9" * 5000),
        ("Range", "\xff"),
        ("Range", "\x01"),
        ("If-None-Match", "\xff"),
        ("If-None-Match", ""),
    ],
)
async def test_strange_conditions_and_ranges_give_an_answer(web: Web, aws: None, name: str, value: str) -> None:
    web.routes["/bucket/a.jpg"] = reply(200, b"1")
    source = S3Source(S3Account(region="us-east-1", endpoint=web.url("")), limits=LIMITS)
    assert (await source.fetch("s3://bucket/a.jpg", max_bytes=0, headers={name: value})).data == b"1"
    await source.close()


async def test_empty_gzip_members_have_an_end(bucket: Any, s3_source: S3Source) -> None:
    bucket.put_object(Key="empty.svg", Body=gzip.compress(b"") * 2000, ContentEncoding="gzip")
    with pytest.raises(SourceUnreachable, match="more than 1000 members"):
        await kept(s3_source, f"s3://{bucket.name}/empty.svg")


@pytest.mark.parametrize(
    ("rules", "permitted"),
    [
        (BucketRules(), "abc"),
        (BucketRules(allowed=("a*",)), "a"),
        (BucketRules(allowed=("a", "b?")), "a"),
        (BucketRules(denied=("b",)), "ac"),
        (BucketRules(allowed=("*",), denied=("[ab]",)), "c"),
    ],
)
def test_denied_buckets_win_over_allowed_ones(rules: BucketRules, permitted: str) -> None:
    assert "".join(bucket for bucket in "abc" if rules.permits(bucket)) == permitted


async def test_a_closed_bucket_is_forbidden_and_not_asked_for(web: Web, aws: None) -> None:
    source = S3Source(S3Account(endpoint=web.url("")), buckets=BucketRules(allowed=("open",)))
    with pytest.raises(SourceForbidden):
        await source.fetch("s3://shut/a.jpg", max_bytes=0, headers={})
    await source.close()
    assert web.asked == []


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", "ftp://storage"])
def test_an_endpoint_without_http_is_refused_at_once(endpoint: str) -> None:
    with pytest.raises(ValueError, match="http"):
        S3Source(S3Account(endpoint=endpoint))


async def test_an_endpoint_may_have_a_path(web: Web, aws: None) -> None:
    web.routes["/storage/v1/s3/bucket/dir/a.jpg"] = reply(200, b"behind a prefix")
    assert (
        await fetch(S3Account(endpoint=web.url("/storage/v1/s3")), "s3://bucket/dir/a.jpg")
    ).data == b"behind a prefix"


async def test_virtual_hosts_name_the_bucket_in_the_host(web: Web, aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # Through a proxy, since no name service here knows the bucket's host.
    monkeypatch.setenv("HTTP_PROXY", web.url(""))
    web.routes["http://bucket.storage.test/a.jpg"] = reply(200, b"virtual")
    account = S3Account(region="us-east-1", endpoint="http://storage.test", path_style=False)
    assert (await fetch(account, "s3://bucket/a.jpg")).data == b"virtual"


async def test_requests_are_signed_for_the_region(web: Web, aws: None) -> None:
    web.routes["/bucket/a.jpg"] = reply(200, b"1")
    await fetch(S3Account(region="auto", endpoint=web.url("")), "s3://bucket/a.jpg")
    assert "/auto/s3/aws4_request" in web.asked[0].headers["authorization"]


async def test_a_role_is_assumed_with_its_external_id(
    web: Web, s3_endpoint: str, aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3_endpoint)
    web.routes["/bucket/a.jpg"] = reply(200, b"as the role")
    account = S3Account(
        region="us-east-1",
        endpoint=web.url(""),
        assume_role_arn="arn:aws:iam::123456789012:role/pictures",
        assume_role_external_id="external",
    )
    assert (await fetch(account, "s3://bucket/a.jpg")).data == b"as the role"
    assert "test-key" not in web.asked[0].headers["authorization"]
    assert web.asked[0].headers["x-amz-security-token"]


ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>the storage says why</Message></Error>"


REFUSALS: tuple[tuple[int, str, type[ImgserveError]], ...] = (
    (403, "AccessDenied", SourceForbidden),
    (403, "SignatureDoesNotMatch", SourceForbidden),
    (401, "Unauthorized", SourceForbidden),
    (404, "NoSuchKey", SourceNotFound),
    (404, "", SourceNotFound),
    (405, "MethodNotAllowed", SourceNotFound),
    (400, "InvalidArgument", SourceNotFound),
    (429, "TooManyRequests", SourceUnreachable),
    (500, "InternalError", SourceUnreachable),
    (503, "SlowDown", SourceUnreachable),
)


async def test_refusals_of_the_storage_have_their_errors_and_keep_its_words_private(web: Web, aws: None) -> None:
    source = S3Source(S3Account(endpoint=web.url("")), limits=LIMITS)
    for status, code, error in REFUSALS:
        web.routes["/bucket/a.jpg"] = reply(status, ERROR.format(code).encode() if code else b"")
        with pytest.raises(error) as caught:
            await source.fetch("s3://bucket/a.jpg", max_bytes=0, headers={})
        assert "why" not in caught.value.message, status
    await source.close()


async def test_a_passing_failure_is_tried_again_once(web: Web, aws: None) -> None:
    async def second_time(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(500) if len(web.asked) == 1 else reply(200, b"then"))

    web.routes["/bucket/a.jpg"] = second_time
    assert (await fetch_from(web)).data == b"then"
    assert len(web.asked) == 2


async def test_a_closed_port_is_unreachable(aws: None) -> None:
    with pytest.raises(SourceUnreachable):
        await fetch(S3Account(endpoint=f"http://127.0.0.1:{free_port()}"), "s3://bucket/a.jpg")


async def test_no_credentials_are_unreachable_and_said(web: Web, aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceUnreachable, match="credentials"):
        await fetch_from(web)


async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def half(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(reply(200, b"half", {"Content-Length": "8"}))
    await writer.drain()
    await asyncio.Event().wait()


@pytest.mark.parametrize("handler", [silent, half])
@pytest.mark.parametrize(
    "limits",
    [
        S3Limits(read_timeout_s=0.1, total_timeout_s=10),
        S3Limits(read_timeout_s=0.3, total_timeout_s=0.1),
    ],
)
async def test_a_storage_that_stalls_is_a_timeout(web: Web, aws: None, handler: Any, limits: S3Limits) -> None:
    web.routes["/bucket/a.jpg"] = handler
    source = S3Source(S3Account(endpoint=web.url("")), limits=limits)
    with pytest.raises(SourceTimeout):
        await source.fetch("s3://bucket/a.jpg", max_bytes=0, headers={})
    with pytest.raises(SourceTimeout):
        await read_all(source, "s3://bucket/a.jpg")
    await source.close()


async def test_a_body_that_breaks_off_is_unreachable(web: Web, aws: None) -> None:
    async def broken(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"half", {"Content-Length": "8"}))
        writer.close()

    web.routes["/bucket/a.jpg"] = broken
    with pytest.raises(SourceUnreachable):
        await fetch_from(web)


@pytest.mark.parametrize(("encoding", "squeeze"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_an_object_stored_compressed_is_decoded(
    bucket: Any, s3_source: S3Source, encoding: str, squeeze: Any
) -> None:
    bucket.put_object(Key="a.svg", Body=squeeze(b"<svg/>" * 500), ContentEncoding=encoding)
    blob = await kept(s3_source, f"s3://{bucket.name}/a.svg", max_bytes=3000)
    assert blob.data == b"<svg/>" * 500
    assert blob.origin.content_length is None
    assert "content-encoding" not in blob.origin.headers


async def test_a_caller_that_accepts_encodings_gets_the_stored_bytes(bucket: Any, s3_source: S3Source) -> None:
    squeezed = gzip.compress(b"<svg/>" * 500)
    bucket.put_object(Key="raw.svg", Body=squeezed, ContentEncoding="gzip")
    blob = await kept(s3_source, f"s3://{bucket.name}/raw.svg", Accept_Encoding="gzip")
    assert blob.data == squeezed
    assert blob.origin.headers["content-encoding"] == "gzip"


async def test_a_compressed_bomb_meets_the_limit(bucket: Any, s3_source: S3Source) -> None:
    bucket.put_object(Key="bomb.svg", Body=gzip.compress(bytes(50_000_000)), ContentEncoding="gzip")
    with pytest.raises(SourceTooLarge):
        await kept(s3_source, f"s3://{bucket.name}/bomb.svg", max_bytes=1_000_000)


DAMAGED = {"cut": gzip.compress(b"<svg/>" * 500)[:-10], "never compressed": b"not compressed at all"}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
async def test_damaged_compression_is_unreachable(bucket: Any, s3_source: S3Source, damaged: bytes) -> None:
    bucket.put_object(Key="damaged.svg", Body=damaged, ContentEncoding="gzip")
    with pytest.raises(SourceUnreachable):
        await kept(s3_source, f"s3://{bucket.name}/damaged.svg")


async def test_a_date_that_cannot_be_read_is_no_condition(bucket: Any, s3_source: S3Source) -> None:
    bucket.put_object(Key="d.jpg", Body=b"1")
    assert (await kept(s3_source, f"s3://{bucket.name}/d.jpg", If_Modified_Since="yesterday")).data == b"1"
