"""A whole server process over real sockets: raw paths, HEAD, keep-alive, leaving clients, SIGTERM, bad requests."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.served import Served, served
from tests.web.origin import Answer, running_origin
from tests.web.pictures import jpeg, size_of

PATH = "/rs:fill:20:10/f:webp/plain/local:///a.jpg"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    (folder / "a.jpg").write_bytes(jpeg())
    (folder / "ä b%.jpg").write_bytes(jpeg())
    return folder


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("log"), LOCAL_FILESYSTEM_ROOT=str(root), LOG_FORMAT="json") as made:
        yield made


def request(path: str, *, method: str = "GET", headers: str = "Connection: close\r\n") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode("latin-1")


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split(" ")[1]), headers, body


def test_the_main_job(server: Served) -> None:
    status, headers, body = parts(server.ask(request(server.signed(PATH))))
    assert (status, headers["content-type"], headers["server"]) == (200, "image/webp", "imgserve")
    assert int(headers["content-length"]) == len(body)
    assert size_of(body) == (20, 10)


def test_the_path_is_verified_and_parsed_as_it_was_sent(server: Served) -> None:
    for source in ("local:///%C3%A4%20b%25.jpg", "local:%2F%2F%2Fa.jpg", "local:///a%2Ejpg"):
        path = f"/f:png/plain/{source}"
        assert parts(server.ask(request(server.signed(path))))[0] == 200, source
    # The same path spelled otherwise is another path: the signature is over what is sent.
    assert parts(server.ask(request(server.signed(PATH).replace("a.jpg", "%61.jpg"))))[0] == 403


def test_head_sends_no_body(server: Served) -> None:
    _, get, _ = parts(server.ask(request(server.signed(PATH))))
    status, head, body = parts(server.ask(request(server.signed(PATH), method="HEAD")))
    assert (status, body) == (200, b"")
    for name in ("content-length", "etag", "content-type", "cache-control", "last-modified"):
        assert head[name] == get[name]


def test_a_connection_serves_many_requests_even_after_errors(server: Served) -> None:
    with server.connect() as line:
        file = line.makefile("rb")
        for path, expected in ((server.signed(PATH), 200), ("/bad/x", 403), ("/nope", 404), (server.signed(PATH), 200)):
            line.sendall(request(path, headers=""))
            assert int(file.readline().split(b" ")[1]) == expected
            length = 0
            while (field := file.readline()) != b"\r\n":
                if field.lower().startswith(b"content-length:"):
                    length = int(field.split(b":")[1])
            assert len(file.read(length)) == length
        file.close()


def test_a_304_keeps_the_connection_in_step(server: Served) -> None:
    _, headers, _ = parts(server.ask(request(server.signed(PATH))))
    condition = f"If-None-Match: {headers['etag']}\r\n"
    twice = request(server.signed(PATH), headers=condition) + request("/health")
    answers = server.ask(twice)
    assert answers.startswith(b"HTTP/1.1 304")
    assert answers.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "malformed",
    [
        b"\r\n\r\n\r\n\r\nGARBAGE\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_a_malformed_request_is_a_400_and_hurts_nobody(server: Served, malformed: bytes) -> None:
    with server.connect() as line:
        line.sendall(malformed)
        line.shutdown(socket.SHUT_WR)
        answer = line.recv(65536)
    assert not answer or answer.split(b" ")[1] == b"400"
    assert parts(server.ask(request("/health")))[0] == 200


@pytest.mark.parametrize(
    "target", ["/\xff\xfe/x", "//", "/./..//x", "/" + "a" * 20000, "/a/%zz/plain/%", "/?", "/a?/b"]
)
def test_odd_targets_are_client_errors(server: Served, target: str) -> None:
    assert parts(server.ask(request(target)))[0] in (200, 400, 403, 404)


def test_a_request_smuggled_into_a_file_name_stays_inside(server: Served) -> None:
    path = "/fn:a%0D%0ASet-Cookie%3A%20x/f:png/plain/local:///a.jpg"
    _, headers, _ = parts(server.ask(request(server.signed(path))))
    assert "set-cookie" not in headers


async def ask_async(server: Served, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request(server.signed(path)))
    return reader, writer


async def test_a_client_that_leaves_ends_the_download_and_is_logged_as_499(server: Served) -> None:
    async with running_origin() as origin:
        origin.at["/slow.jpg"] = Answer(gate=asyncio.Event())
        _, writer = await ask_async(server, f"/w:5/plain/{origin.base}/slow.jpg")
        await origin.arrived.wait()
        writer.close()
        await asyncio.wait_for(origin.left.wait(), 10)
    # The next answer comes after the line of the cancelled request.
    assert parts(await asyncio.to_thread(server.ask, request("/nothing")))[0] == 404
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert [line["error"] for line in lines if line.get("status") == 499] == ["client_gone"]


async def test_a_raw_answer_that_breaks_off_is_not_a_whole_one(server: Served) -> None:
    async with running_origin() as origin:
        origin.at["/cut"] = Answer(headers={"content-length": "1000"}, body=b"x" * 1000, cut_at=10)
        reader, writer = await ask_async(server, f"/raw:1/plain/{origin.base}/cut")
        status, headers, body = parts(await asyncio.wait_for(reader.read(), 10))
        writer.close()
    assert status == 200
    assert len(body) < int(headers["content-length"])


async def test_sigterm_lets_running_requests_finish(root: Path, tmp_path: Path) -> None:
    gate = asyncio.Event()
    with served(tmp_path, LOCAL_FILESYSTEM_ROOT=str(root)) as own:
        async with running_origin() as origin:
            origin.at["/slow.jpg"] = Answer(body=jpeg(), gate=gate)
            reader, writer = await ask_async(own, f"/w:5/f:webp/plain/{origin.base}/slow.jpg")
            await asyncio.wait_for(origin.arrived.wait(), 20)
            own.process.terminate()
            # The port closes first: that no one is let in any more is the sign that draining has begun.
            while await can_connect(own.port):
                pass
            gate.set()
            status, _, body = parts(await asyncio.wait_for(reader.read(), 10))
            writer.close()
        assert (status, body[8:12]) == (200, b"WEBP")
        assert await asyncio.to_thread(own.process.wait, 10) in (0, -15)
        assert "Traceback" not in own.log.read_text()


async def can_connect(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def test_a_server_with_wrong_settings_does_not_start(tmp_path: Path) -> None:
    with served(tmp_path, PRESETS="nonsense", WATERMARK_PATH="/nonexistent.png") as own:
        assert own.process.wait(20) == 78
        log = own.log.read_text()
    assert "nonsense" in log
    assert "IMGSERVE_WATERMARK_PATH" in log
