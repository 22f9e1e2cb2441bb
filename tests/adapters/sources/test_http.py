"""Fetching over HTTP from real servers: redirects, limits, timeouts, encodings, broken answers, strange URLs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from imgserve.adapters.sources.guard import AddressRules
from imgserve.adapters.sources.http import HttpLimits, HttpSource
from imgserve.adapters.sources.inflate import PIECE_BYTES
from imgserve.adapters.sources.web_answer import HttpStream, Patience
from imgserve.adapters.sources.web_url import MAX_URL_CHARS
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
from tests.adapters.sources.conftest import Asked, Trust, Web, chunked, free_port, read_all, reply
from tests.adapters.sources.test_guard import Names

LOOPBACK = AddressRules(allow_loopback=True)


@functools.cache
def system_trust() -> ssl.SSLContext:
    """The default, made once for all tests: it takes 20 ms."""
    return httpx.create_ssl_context()


@asynccontextmanager
async def http(limits: HttpLimits | None = None, **options: Any) -> AsyncIterator[HttpSource]:
    named: dict[str, Any] = {"allowed": lambda _: True, "user_agent": "imgserve/test", "tls": system_trust()}
    rules = options.pop("rules", LOOPBACK)
    source = HttpSource(limits or HttpLimits(), rules, **(named | options))
    try:
        yield source
    finally:
        await source.close()


async def fetch(url: str, *, max_bytes: int = 0, headers: dict[str, str] | None = None, **options: Any) -> Blob:
    async with http(**options) as source:
        return await source.fetch(url, max_bytes=max_bytes, headers=headers or {})


async def hang(_: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def then(*parts: bytes | None) -> Callable[[Asked, asyncio.StreamWriter], Any]:
    """Write the parts; None says nothing for ever, the end of the parts closes the connection."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            if part is None:
                await hang(asked, writer)
            else:
                writer.write(part)
                await writer.drain()
        writer.close()

    return handle


def moved(location: str, status: int = 302, **headers: str) -> bytes:
    return reply(status, b"moved", {"Location": location} | {k.replace("_", "-"): v for k, v in headers.items()})


# --- the request ------------------------------------------------------------------------------------------------------


async def test_the_request_says_who_asks_and_nothing_more(web: Web) -> None:
    web.routes["/a.jpg"] = reply(200, b"1")
    await fetch(
        web.url("/a.jpg?x=1&y=%20#part"), headers={"If-None-Match": '"t"', "Host": "evil", "Connection": "close"}
    )
    assert web.asked[0].target == "/a.jpg?x=1&y=%20"
    assert web.asked[0].headers == {
        "host": f"127.0.0.1:{web.port}",
        "user-agent": "imgserve/test",
        "if-none-match": '"t"',
    }


async def test_a_connection_serves_again_even_after_an_error(web: Web) -> None:
    web.routes |= {"/a.jpg": reply(200, b"1"), "/to": moved("/a.jpg")}
    async with http() as source:
        await source.fetch(web.url("/a.jpg"), max_bytes=0, headers={})
        with pytest.raises(SourceNotFound):
            await source.fetch(web.url("/missing.jpg"), max_bytes=0, headers={})
        await source.fetch(web.url("/to"), max_bytes=0, headers={})
    assert (len(web.asked), web.connections) == (4, 1)


async def test_user_information_becomes_basic_authorization(web: Web) -> None:
    web.routes["/a.jpg"] = reply(200, b"1")
    await fetch(f"http://user:p%40ss@127.0.0.1:{web.port}/a.jpg")
    assert web.asked[0].headers["authorization"] == "Basic dXNlcjpwQHNz"


async def test_names_keep_their_host_header_while_the_address_is_pinned(web: Web) -> None:
    web.routes["/a.jpg"] = reply(200, b"1")
    await fetch(web.url("/a.jpg", host="Images.TEST"), resolve=Names(["127.0.0.1"]))
    assert web.asked[0].headers["host"] == f"images.test:{web.port}"


async def test_an_international_name_is_asked_for_in_ascii(web: Web) -> None:
    web.routes["/%C3%BC.jpg"] = reply(200, b"1")
    names = Names(["127.0.0.1"])
    await fetch(web.url("/ü.jpg", host="bücher.test"), resolve=names)
    assert names.asked == ["xn--bcher-kva.test"]
    assert web.asked[0].headers["host"] == f"xn--bcher-kva.test:{web.port}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.jpg",
        "http:",
        "http:a.jpg",
        "http:///a.jpg",
        "http://",
        "http://:80/a.jpg",
        "http://h:abc/",
        "http://h:99999/",
        "http://h:0/",
        "http://h:-1/",
        "http://a b/",
        "http://a..b/",
        "http://a.com\\b/",
        "http://a%2eb/",
        f"http://{'a' * 64}.com/",
        f"http://{'a.' * 140}com/",
        "http://[::1/",
        "http://[::g]/",
        "http://[fe80::1%25eth0]/",
        "http://h/\r\nHost: evil",
        "http://h/\0",
        "http://h/\ud800",
        "http://\u2100.com/",
        "ftp://h/a.jpg",
        "file:///etc/passwd",
        "http://h/" + "a" * MAX_URL_CHARS,
    ],
)
async def test_strange_urls_are_bad_requests(url: str) -> None:
    with pytest.raises(BadRequest):
        await fetch(url)


@pytest.mark.parametrize("rest", ["h:99999/", "127.0.0.1:1/a.jpg", "[::1"])
async def test_no_error_repeats_user_information(rest: str) -> None:
    with pytest.raises(ImgserveError) as caught:
        await fetch(f"http://user:hunter2@{rest}")
    assert "hunter2" not in caught.value.message + str(caught.value.facts())


# --- what the operator allows -----------------------------------------------------------------------------------------


async def test_a_url_that_is_not_allowed_is_not_asked_for(web: Web) -> None:
    with pytest.raises(SourceForbidden, match="allowed sources"):
        await fetch(web.url("/a.jpg"), allowed=lambda _: False)
    assert web.asked == []


async def test_the_rule_sees_the_url_that_will_be_requested(web: Web) -> None:
    web.routes["/secret/a.jpg"] = reply(200, b"1")
    public = web.url("/public/")
    with pytest.raises(SourceForbidden):
        await fetch(web.url("/public/../secret/a.jpg"), allowed=lambda url: url.startswith(public))
    assert (
        await fetch(
            f"HTTP://u:p@127.0.0.1:{web.port}/x/../secret/a.jpg#x", allowed={web.url("/secret/a.jpg")}.__contains__
        )
    ).data == b"1"


async def test_a_redirect_out_of_the_allowed_sources_is_forbidden(web: Web, other_web: Web) -> None:
    web.routes["/a.jpg"] = moved(other_web.url("/b.jpg"))
    with pytest.raises(SourceForbidden, match="redirects"):
        await fetch(web.url("/a.jpg"), allowed=lambda url: url.startswith(web.url("/")))
    assert other_web.asked == []


async def test_private_addresses_are_refused_by_default(web: Web) -> None:
    with pytest.raises(SourceForbidden, match="IMGSERVE_ALLOW_LOOPBACK_SOURCE_ADDRESSES"):
        await fetch(web.url("/a.jpg"), rules=AddressRules())
    assert web.connections == 0


async def test_a_redirect_to_a_refused_address_is_forbidden_and_not_told(web: Web) -> None:
    web.routes["/a.jpg"] = moved("http://169.254.169.254/latest/meta-data/")
    with pytest.raises(SourceForbidden) as caught:
        await fetch(web.url("/a.jpg"))
    assert "169.254" not in caught.value.message
    assert "IMGSERVE_ALLOW_LINK_LOCAL_SOURCE_ADDRESSES" in caught.value.message


async def test_a_redirect_to_an_unknown_name_is_unreachable_and_not_told(web: Web) -> None:
    web.routes["/a.jpg"] = moved("http://inner.test/")
    with pytest.raises(SourceUnreachable) as caught:
        await fetch(web.url("/a.jpg", host="images.test"), resolve=Names(["127.0.0.1"], []))
    assert "inner" not in caught.value.message
    assert "images.test" in caught.value.message


async def test_a_header_that_cannot_be_sent_is_a_bad_request(web: Web) -> None:
    with pytest.raises(BadRequest, match="header"):
        await fetch(web.url("/a.jpg"), headers={"If-None-Match": "a\r\nHost: evil"})
    assert web.asked == []


async def test_a_name_that_turns_to_an_inner_address_is_refused_at_the_next_connection(web: Web) -> None:
    web.routes["/a.jpg"] = then(reply(200, b"1"))
    async with http(resolve=Names(["127.0.0.1"], ["10.0.0.1"])) as source:
        url = web.url("/a.jpg", host="images.test")
        assert (await source.fetch(url, max_bytes=0, headers={})).data == b"1"
        with pytest.raises(SourceForbidden, match="private"):
            await source.fetch(url, max_bytes=0, headers={})


# --- redirects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/dir/b.jpg", "b.jpg", "../dir/b.jpg", "//127.0.0.1:{port}/dir/b.jpg", "b.jpg#x"])
async def test_redirects_are_followed(web: Web, status: int, location: str) -> None:
    web.routes |= {"/dir/a.jpg": moved(location.format(port=web.port), status), "/dir/b.jpg": reply(200, b"there")}
    assert (await fetch(web.url("/dir/a.jpg"))).data == b"there"


async def test_a_redirect_may_name_its_place_in_utf_8(web: Web) -> None:
    web.routes |= {"/a": moved("/ü.jpg".encode().decode("latin-1")), "/%C3%BC.jpg": reply(200, b"there")}
    assert (await fetch(web.url("/a"))).data == b"there"


@pytest.mark.parametrize(("allowed_hops", "reached"), [(0, False), (2, False), (3, True)])
async def test_redirects_are_counted(web: Web, allowed_hops: int, reached: bool) -> None:
    web.routes |= {f"/{n}": moved(f"/{n + 1}") for n in range(3)} | {"/3": reply(200, b"end")}
    limits = HttpLimits(max_redirects=allowed_hops)
    if reached:
        assert (await fetch(web.url("/0"), limits=limits)).data == b"end"
    else:
        with pytest.raises(SourceUnreachable, match=f"more than {allowed_hops} times"):
            await fetch(web.url("/0"), limits=limits)
    assert len(web.asked) == allowed_hops + 1


@pytest.mark.parametrize("location", ["ftp://h/a.jpg", "local:///etc/passwd", "http://h:0/", "data:,x"])
async def test_a_redirect_to_what_is_no_web_url_is_unreachable(web: Web, location: str) -> None:
    web.routes["/a.jpg"] = moved(location)
    with pytest.raises(SourceUnreachable):
        await fetch(web.url("/a.jpg"))


async def test_a_redirect_out_of_tls_is_forbidden(web: Web, tls_web: Web, trust: Trust) -> None:
    tls_web.routes["/a.jpg"] = moved(web.url("/a.jpg"))
    with pytest.raises(SourceForbidden, match="https to http"):
        await fetch(tls_web.url("/a.jpg"), tls=trust.client())
    assert web.asked == []


SECRETS = {"Cookie": "c=1", "Authorization": "Bearer t", "X-Api-Key": "k"}


async def test_secrets_stay_with_their_host(web: Web, other_web: Web) -> None:
    web.routes |= {"/a": moved("/b"), "/b": moved(other_web.url("/c", host="other.test"), Set_Cookie="d=2")}
    other_web.routes |= {"/c": moved("/d"), "/d": reply(200, b"1")}
    names = Names(["127.0.0.1"])
    await fetch(web.url("/a", host="images.test"), headers=SECRETS | {"If-None-Match": '"t"'}, resolve=names)
    assert [asked.headers.get("x-api-key") for asked in web.asked] == ["k", "k"]
    assert len(other_web.asked) == 2
    for asked in other_web.asked:
        assert asked.headers.keys() == {"host", "user-agent", "if-none-match"}


@pytest.mark.parametrize("same_port", [True, False])
async def test_another_port_of_the_host_is_not_told_secrets(web: Web, other_web: Web, *, same_port: bool) -> None:
    target = web if same_port else other_web
    web.routes["/a"] = moved(target.url("/b"))
    target.routes["/b"] = reply(200, b"1")
    await fetch(web.url("/a"), headers=SECRETS)
    assert ("authorization" in target.asked[-1].headers) is same_port


async def test_user_information_stays_with_its_host(web: Web, other_web: Web) -> None:
    web.routes |= {"/a": moved("/b"), "/b": moved(other_web.url("/c"))}
    other_web.routes["/c"] = reply(200, b"1")
    await fetch(f"http://user:pass@127.0.0.1:{web.port}/a")
    assert all("authorization" in asked.headers for asked in web.asked)
    assert "authorization" not in other_web.asked[0].headers


async def test_cookies_live_for_one_fetch(web: Web) -> None:
    web.routes |= {"/a": moved("/b", Set_Cookie="seen=1; Path=/"), "/b": reply(200, b"1")}
    async with http() as source:
        for _ in range(2):
            await source.fetch(web.url("/a"), max_bytes=0, headers={})
    assert [asked.headers.get("cookie") for asked in web.asked] == [None, "seen=1", None, "seen=1"]


@pytest.mark.parametrize(
    "cookie", ["a=\xff", "\xe4=1", "a=\x80b; Path=/", "a=" + "x" * 5000, "a=1; expires=1 Jan " + "9" * 5000]
)
async def test_cookies_that_no_request_can_carry_are_dropped(web: Web, cookie: str) -> None:
    web.routes["/b"] = reply(200, b"1")
    head = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\nSet-Cookie: good=1\r\nSet-Cookie: "
    web.routes["/a"] = head + cookie.encode("latin-1") + b"\r\n\r\n"
    assert (await fetch(web.url("/a"))).data == b"1"
    assert web.asked[-1].headers["cookie"] == "good=1"


# --- status codes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, SourceNotFound), (410, SourceNotFound), (400, SourceNotFound), (401, SourceNotFound), (403, SourceNotFound)]
    + [(status, SourceUnreachable) for status in (204, 205, 300, 304, 305, 408, 425, 429, 500, 502, 503, 504, 599)],
)
async def test_a_status_has_its_error(web: Web, status: int, error: type[ImgserveError]) -> None:
    web.routes["/a.jpg"] = reply(status, b"", {"Content-Length": "" if status in (204, 304) else "0"})
    with pytest.raises(error, match=str(status)):
        await fetch(web.url("/a.jpg"))


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)])
async def test_the_origins_wait_is_passed_on(web: Web, text: str, seconds: int | None) -> None:
    web.routes["/a.jpg"] = reply(503, b"", {"Retry-After": text})
    with pytest.raises(SourceUnreachable) as caught:
        await fetch(web.url("/a.jpg"))
    assert caught.value.retry_after_s == seconds


async def test_a_part_that_nobody_asked_for_is_unreachable(web: Web) -> None:
    web.routes["/a.jpg"] = reply(206, b"part", {"Content-Range": "bytes 0-3/9"})
    with pytest.raises(SourceUnreachable, match="part"):
        await fetch(web.url("/a.jpg"))


async def test_a_part_that_is_the_whole_is_the_source(web: Web) -> None:
    web.routes["/a.jpg"] = reply(206, b"whole", {"Content-Range": "bytes 0-4/5"})
    blob = await fetch(web.url("/a.jpg"))
    assert (blob.origin.status, blob.data) == (200, b"whole")
    assert "content-range" not in blob.origin.headers


NINES = "9" * 5000  # more digits than int() reads


@pytest.mark.parametrize(
    "where", [f"bytes 0-{NINES}/{NINES}", f"bytes 0-3/{NINES}", "bytes 0-²/³", "bytes 0-٣/٤", NINES, ""]
)
async def test_a_part_of_strange_bounds_is_unreachable(web: Web, where: str) -> None:
    head = b"HTTP/1.1 206 Partial\r\nContent-Length: 4\r\nContent-Range: " + where.encode()
    web.routes["/a.jpg"] = head + b"\r\n\r\npart"
    with pytest.raises(SourceUnreachable, match="part"):
        await fetch(web.url("/a.jpg"))


HEADERS = ["Content-Range", "Content-Length", "Content-Encoding", "Set-Cookie", "Location", "Retry-After", "ETag"]
HEADERS += ["Last-Modified", "Content-Type", "Transfer-Encoding", "Expires", "Cache-Control"]


def test_no_answer_of_an_origin_is_a_bug_of_ours() -> None:
    values = (
        st.binary(max_size=30)
        | st.from_regex(rb"bytes [0-9]*-[0-9]*/[0-9*]*", fullmatch=True)
        | st.just(NINES.encode())
    )

    @settings(max_examples=200, deadline=None)
    @given(
        status=st.sampled_from([200, 204, 206, 301, 302, 304, 404, 416, 503]),
        named=st.lists(st.tuples(st.sampled_from(HEADERS), values), max_size=4),
    )
    def run(status: int, named: list[tuple[str, bytes]]) -> None:
        head = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in named)
        runner.run(ask(b"HTTP/1.1 %d Reason\r\n" % status + head + b"\r\nbody"))

    async def ask(answer: bytes) -> None:
        web = Web(routes={"/a.jpg": then(answer)})
        server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
        web.port = server.sockets[0].getsockname()[1]
        with contextlib.suppress(ImgserveError):  # anything else is what this test looks for
            await fetch(
                web.url("/a.jpg"), allowed=lambda url: url.startswith(web.url("/")), headers={"Range": "bytes=0-3"}
            )
        server.close()
        await server.wait_closed()

    with asyncio.Runner() as runner:
        run()


@pytest.mark.parametrize("text", ["ü", "漢字".encode().decode("latin-1")])
async def test_header_texts_come_as_they_were_sent(web: Web, text: str) -> None:
    web.routes["/a.jpg"] = reply(200, b"1", {"X-Name": text, "Cache-Control": "max-age=5", "Expires": "0"})
    origin = (await fetch(web.url("/a.jpg"))).origin
    assert (origin.headers["x-name"], origin.cache_control, origin.expires) == (text, "max-age=5", "0")


# --- size -------------------------------------------------------------------------------------------------------------


async def test_a_declared_size_above_the_limit_is_refused_before_the_body(web: Web) -> None:
    web.routes["/a.jpg"] = then(reply(200, b"", {"Content-Length": "1001"}), None)
    with pytest.raises(SourceTooLarge):
        await fetch(web.url("/a.jpg"), max_bytes=1000)


@pytest.mark.parametrize("answer", [chunked(b"x" * 600, b"x" * 401), b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1001])
async def test_an_undeclared_size_above_the_limit_is_refused(web: Web, answer: bytes) -> None:
    web.routes["/a.jpg"] = then(answer)
    with pytest.raises(SourceTooLarge):
        await fetch(web.url("/a.jpg"), max_bytes=1000)


async def test_a_compressed_bomb_meets_the_limit(web: Web) -> None:
    web.routes["/a.svg"] = reply(200, gzip.compress(bytes(200_000_000), 1), {"Content-Encoding": "gzip"})
    with pytest.raises(SourceTooLarge):
        await fetch(web.url("/a.svg"), max_bytes=1_000_000)


async def test_compressed_bytes_that_decode_to_nothing_meet_the_limit(web: Web) -> None:
    empty_block = b"\x00\x00\x00\xff\xff"
    web.routes["/a.svg"] = chunked(empty_block * 400, headers="Content-Encoding: deflate\r\n")
    with pytest.raises(SourceTooLarge):
        await fetch(web.url("/a.svg"), max_bytes=1000)


async def test_a_body_of_empty_gzip_members_is_given_up(web: Web) -> None:
    web.routes["/a.svg"] = reply(200, gzip.compress(b"") * 20_000, {"Content-Encoding": "gzip"})
    with pytest.raises(SourceUnreachable, match="more than 1000 members"):
        await fetch(web.url("/a.svg"), max_bytes=1_000_000)


@pytest.mark.parametrize("body", [bytes(100 * PIECE_BYTES), b""], ids=["bomb", "empty members"])
async def test_others_get_their_turn_while_a_body_is_decoded(body: bytes) -> None:
    members = 1 if body else 100
    response = httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(gzip.compress(body, 1) * members)
    )
    stream = HttpStream(response, Patience("images.test", 60), max_bytes=0, decode=True)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    assert await stream.read() == body
    assert turns >= 100  # the body arrives at once, so without a pause there would be none
    task.cancel()


# --- encodings --------------------------------------------------------------------------------------------------------


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


SVG = b"<svg>" + bytes(range(256)) * 2000 + b"</svg>"
ENCODED = {
    "gzip": ("gzip", gzip.compress(SVG)),
    "old name": ("x-gzip", gzip.compress(SVG)),
    "padded, in capitals": ("GZIP", gzip.compress(SVG) + b"\0\0\0"),
    "two members": ("gzip", gzip.compress(SVG[:1000]) + gzip.compress(SVG[1000:])),
    "deflate": ("deflate", zlib.compress(SVG)),
    "deflate without zlib": ("deflate", raw_deflate(SVG)),
    "identity": ("identity", SVG),
}


@pytest.mark.parametrize(("encoding", "sent"), ENCODED.values(), ids=ENCODED)
@pytest.mark.parametrize("piece", [1, 1000, 10**9])
async def test_encoded_answers_are_decoded(web: Web, encoding: str, sent: bytes, piece: int) -> None:
    parts = [sent[at : at + piece] for at in range(0, min(len(sent), 50 * piece), piece)]
    rest = sent[50 * piece :]
    web.routes["/a.svg"] = chunked(*parts, *([rest] if rest else []), headers=f"Content-Encoding: {encoding}\r\n")
    blob = await fetch(web.url("/a.svg"), max_bytes=len(SVG))
    assert blob.data == SVG
    if encoding != "identity":
        assert "content-encoding" not in blob.origin.headers


async def test_a_caller_that_accepts_encodings_gets_the_bytes_as_sent(web: Web) -> None:
    sent = gzip.compress(SVG)
    web.routes["/a.svg"] = reply(200, sent, {"Content-Encoding": "gzip"})
    blob = await fetch(web.url("/a.svg"), headers={"Accept-Encoding": "gzip"})
    assert (blob.data, blob.origin.headers["content-encoding"]) == (sent, "gzip")
    assert blob.origin.content_length == len(sent)
    assert web.asked[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
async def test_an_encoding_that_nobody_asked_for_is_unreachable(web: Web, encoding: str) -> None:
    web.routes["/a.svg"] = reply(200, b"?", {"Content-Encoding": encoding})
    with pytest.raises(SourceUnreachable):
        await fetch(web.url("/a.svg"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_broken_compression_is_unreachable(web: Web, encoding: str) -> None:
    web.routes["/a.svg"] = reply(200, b"this is not compressed", {"Content-Encoding": encoding})
    with pytest.raises(SourceUnreachable):
        await fetch(web.url("/a.svg"))


# --- answers that break off -------------------------------------------------------------------------------------------


BROKEN = {
    "fewer bytes than declared": reply(200, b"half", {"Content-Length": "8"}),
    "no last chunk": chunked(b"half", end=b""),
    "half a chunk": chunked(b"half", end=b"8\r\nhal"),
    "half a gzip": reply(200, gzip.compress(SVG)[:-9], {"Content-Encoding": "gzip"}),
    "no gzip": reply(200, b"", {"Content-Encoding": "gzip"}),
    "half a zlib": reply(200, zlib.compress(SVG)[:-1], {"Content-Encoding": "deflate"}),
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_an_answer_that_breaks_off_is_unreachable(web: Web, answer: bytes) -> None:
    web.routes["/a.jpg"] = then(answer)
    with pytest.raises(SourceUnreachable, match="broke off"):
        await fetch(web.url("/a.jpg"))


async def test_a_kept_connection_that_is_lost_is_replaced_once(web: Web) -> None:
    async def once_a_connection(asked: Asked, writer: asyncio.StreamWriter) -> None:
        first = sum(each.connection == asked.connection for each in web.asked) == 1
        if first:
            writer.write(reply(200, b"1"))
        else:
            writer.close()

    web.routes["/a.jpg"] = once_a_connection
    async with http() as source:
        for _ in range(3):
            assert (await source.fetch(web.url("/a.jpg"), max_bytes=0, headers={})).data == b"1"
    assert web.connections == 3


async def test_a_connection_lost_again_and_again_is_unreachable(web: Web) -> None:
    web.routes["/a.jpg"] = then()
    with pytest.raises(SourceUnreachable):
        await fetch(web.url("/a.jpg"))
    assert len(web.asked) == 2


async def test_a_closed_port_is_unreachable() -> None:
    with pytest.raises(SourceUnreachable, match="No connection"):
        await fetch(f"http://127.0.0.1:{free_port()}/a.jpg")


# --- time -------------------------------------------------------------------------------------------------------------

BRIEF = HttpLimits(connect_timeout_s=0.1, read_timeout_s=0.1, total_timeout_s=30)


async def stalls(url: str, limits: HttpLimits, **options: Any) -> None:
    async with http(limits, **options) as source:
        with pytest.raises(SourceTimeout):
            await source.fetch(url, max_bytes=0, headers={})
        with pytest.raises(SourceTimeout):
            await read_all(source, url)


@pytest.mark.parametrize("limits", [BRIEF, HttpLimits(read_timeout_s=30, total_timeout_s=0.1)])
@pytest.mark.parametrize("answer", [(), (b"HTTP/1.1 200 OK\r\n",), (reply(200, b"1", {"Content-Length": "2"}),)])
async def test_an_origin_that_stalls_is_a_timeout(web: Web, limits: HttpLimits, answer: tuple[bytes, ...]) -> None:
    web.routes["/a.jpg"] = then(*answer, None)
    await stalls(web.url("/a.jpg"), limits)


async def test_a_name_service_that_stalls_is_a_timeout() -> None:
    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    await stalls("http://images.test/a.jpg", BRIEF, resolve=silent)


async def test_an_origin_that_drips_is_a_timeout(web: Web) -> None:
    async def drip(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"", {"Content-Length": "1000000"}))
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    web.routes["/a.jpg"] = drip
    await stalls(web.url("/a.jpg"), HttpLimits(read_timeout_s=30, total_timeout_s=0.1))


async def test_a_slow_reader_is_not_held_against_the_origin(web: Web) -> None:
    body = bytes(2_000_000)
    web.routes["/a.jpg"] = reply(200, body)
    async with (
        http(HttpLimits(total_timeout_s=1)) as source,
        source.open(web.url("/a.jpg"), max_bytes=0, headers={}) as stream,
    ):
        chunks = stream.chunks()
        read = len(await anext(chunks))
        await asyncio.sleep(1.1)  # longer than the origin itself would be given
        async for chunk in chunks:
            read += len(chunk)
    assert read == len(body)


async def test_the_pool_is_free_again_after_timeouts(web: Web) -> None:
    web.routes |= {"/slow.jpg": hang, "/a.jpg": reply(200, b"1")}
    async with http(HttpLimits(total_timeout_s=2, max_connections=2)) as source:
        slow = [source.fetch(web.url("/slow.jpg"), max_bytes=0, headers={}) for _ in range(6)]
        ended = await asyncio.gather(*slow, return_exceptions=True)
        assert all(isinstance(error, SourceTimeout) for error in ended)
        assert (await source.fetch(web.url("/a.jpg"), max_bytes=0, headers={})).data == b"1"


# --- TLS --------------------------------------------------------------------------------------------------------------


async def test_tls_is_asked_for_by_name_and_verified(tls_web: Web, trust: Trust) -> None:
    tls_web.routes["/a.jpg"] = reply(200, bytes(500_000))
    url = tls_web.url("/a.jpg", host="images.test")
    blob = await fetch(url, tls=trust.client(), resolve=Names(["127.0.0.1"]))
    assert len(blob.data) == 500_000
    assert tls_web.server_names == ["images.test"]
    assert tls_web.asked[0].headers["host"] == f"images.test:{tls_web.port}"


async def test_a_certificate_that_is_not_trusted_is_unreachable(tls_web: Web) -> None:
    with pytest.raises(SourceUnreachable):
        await fetch(tls_web.url("/a.jpg"), tls=None)
    assert tls_web.asked == []


async def test_a_certificate_of_another_name_is_unreachable(tls_web: Web, trust: Trust) -> None:
    with pytest.raises(SourceUnreachable):
        await fetch(tls_web.url("/a.jpg", host="other.test"), tls=trust.client(), resolve=Names(["127.0.0.1"]))


async def test_verification_can_be_switched_off(tls_web: Web) -> None:
    tls_web.routes["/a.jpg"] = reply(200, b"1")
    assert (await fetch(tls_web.url("/a.jpg"), tls=None, ignore_ssl_verification=True)).data == b"1"


async def test_plain_text_on_a_tls_port_is_unreachable() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(400, b"speak up"))
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SourceUnreachable):
            await fetch(f"https://127.0.0.1:{port}/a.jpg")


# --- the event loop of production -------------------------------------------------------------------------------------


@pytest.fixture
def on_uvloop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


def test_everything_works_on_uvloop_too(on_uvloop: asyncio.Runner, trust: Trust) -> None:
    body = bytes(range(256)) * 8000

    async def scenario(tls: ssl.SSLContext | None) -> None:
        web = Web(routes={"/a.jpg": reply(200, body), "/to": moved("/a.jpg"), "/slow": hang, "/lost": then()})
        server = await asyncio.start_server(web.serve, "127.0.0.1", 0, ssl=tls)
        web.port = server.sockets[0].getsockname()[1]
        web.scheme = "https" if tls else "http"
        async with http(tls=trust.client()) as source:
            for path in ("/a.jpg", "/to", "/a.jpg"):
                assert (await source.fetch(web.url(path), max_bytes=0, headers={})).data == body
            assert web.connections == 1
            with pytest.raises(SourceUnreachable):
                await source.fetch(web.url("/lost"), max_bytes=0, headers={})
            async with source.open(web.url("/a.jpg"), max_bytes=0, headers={}) as stream:
                assert await anext(stream.chunks())
        with pytest.raises(SourceTimeout):
            await fetch(web.url("/slow"), limits=BRIEF, tls=trust.client())
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    on_uvloop.run(scenario(None))
    on_uvloop.run(scenario(trust.server([])))
