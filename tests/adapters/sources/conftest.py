"""Real origins on loopback: a scripted web server, the same behind TLS, and moto's S3."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from imgserve.adapters.s3_client import S3Account
from imgserve.adapters.sources.s3 import S3Source
from imgserve.ports import Source
from tests.adapters.s3_server import made_bucket


@dataclass(frozen=True)
class Asked:
    """One request as the origin saw it."""

    method: str
    target: str
    headers: dict[str, str]
    connection: int


#: Writes an answer; closing the writer ends the connection.
Handler = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def reply(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """Make an answer with its Content-Length, unless `headers` say something else about it."""
    named = {"Content-Length": str(len(body))} | (headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return f"HTTP/1.1 {status} Some Reason\r\n{head}\r\n".encode("latin-1") + body


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n", headers: str = "") -> bytes:
    """Make an answer in chunked transfer coding."""
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{headers}\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end


@dataclass
class Web:
    """A web server whose answers are what a test puts into `routes`; `asked` keeps the requests."""

    port: int = 0
    scheme: str = "http"
    routes: dict[str, bytes | Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    server_names: list[str | None] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while not writer.is_closing():
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ")
                headers = dict(line.split(": ", 1) for line in lines[1:] if line)
                asked = Asked(method, target, {name.lower(): value for name, value in headers.items()}, connection)
                self.asked.append(asked)
                await self._answer(asked, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        finally:
            writer.close()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        answer = self.routes.get(asked.target.partition("?")[0], reply(404, b"no such page"))
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
        else:
            await answer(asked, writer)


def kept_file(data: bytes, content_type: str, etag: str, modified: str) -> Handler:
    """Serve bytes the way a static file server does, conditions and ranges included."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        facts = {"ETag": etag, "Last-Modified": modified, "Content-Type": content_type}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if asked.headers.get("if-none-match") == etag or asked.headers.get("if-modified-since") == modified:
            writer.write(reply(304, headers=facts | {"Content-Length": ""}))
        elif wanted and int(wanted[1]) >= len(data):
            writer.write(reply(416, headers={"Content-Range": f"bytes */{len(data)}"}))
        elif wanted:
            part = data[int(wanted[1]) : int(wanted[2]) + 1]
            where = f"bytes {wanted[1]}-{int(wanted[1]) + len(part) - 1}/{len(data)}"
            writer.write(reply(206, part, facts | {"Content-Range": where}))
        else:
            writer.write(reply(200, data, facts))
        await writer.drain()

    return handle


async def listening(web: Web, tls: ssl.SSLContext | None) -> AsyncIterator[Web]:
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with contextlib.suppress(asyncio.CancelledError):  # asyncio logs a cancelled connection as an error
            await web.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    web.port = server.sockets[0].getsockname()[1]
    yield web
    server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # one turn for the transports to close their sockets
    await server.wait_closed()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async for server in listening(Web(), None):
        yield server


@pytest.fixture
async def other_web() -> AsyncIterator[Web]:
    async for server in listening(Web(), None):
        yield server


@dataclass(frozen=True)
class Trust:
    """A self-signed certificate of images.test, bücher.test and 127.0.0.1, for both sides."""

    path: Path

    def server(self, names: list[str | None]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.path))


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "images.test")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("images.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(pem))
    return Trust(path)


@pytest.fixture
async def tls_web(trust: Trust) -> AsyncIterator[Web]:
    web = Web(scheme="https")
    async for server in listening(web, trust.server(web.server_names)):
        yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def stored(s3_endpoint: str) -> Iterator[Any]:
    """A versioned bucket of boto3's resource interface, one for all tests since clients of boto3 take long to make."""
    with made_bucket(s3_endpoint, "pictures") as bucket:
        bucket.Versioning().enable()
        yield bucket


@pytest.fixture
def bucket(stored: Any, aws: None) -> Any:
    return stored


@pytest.fixture(scope="session")
def s3_source(s3_account: S3Account) -> Iterator[S3Source]:
    """One for all tests of moto, since a client and its first request take 0.2 s. Needs `bucket` beside it."""
    source = S3Source(s3_account)
    yield source
    asyncio.run(source.close())


async def read_all(source: Source, url: str, *, max_bytes: int = 0, headers: dict[str, str] | None = None) -> bytes:
    """Read a source through `open`, chunk by chunk."""
    async with source.open(url, max_bytes=max_bytes, headers=headers or {}) as stream:
        return b"".join([chunk async for chunk in stream.chunks()])
