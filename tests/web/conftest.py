"""A whole server in this process, over real sources, driven without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from starlette.applications import Starlette

from imgserve.app.main import app_of
from imgserve.app.services import Services, build_services
from imgserve.settings import load
from tests.web.origin import Origin, running_origin
from tests.web.pictures import jpeg

KEY, SALT = "736563726574", "68656C6C6F"


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and a client for it."""

    app: Starlette
    services: Services
    client: httpx.AsyncClient

    def signed(self, path: str) -> str:
        return f"/{self.services.signer.sign(path)}{path}"

    async def get(self, path: str, headers: dict[str, str] | None = None, *, method: str = "GET") -> httpx.Response:
        """Ask for a path, signed here."""
        return await self.client.request(method, self.signed(path), headers=headers)


class Start(Protocol):
    async def __call__(self, **settings: str) -> Server: ...


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with running_origin() as made:
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder for local:/// with a.jpg in it."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg())
    return folder


@pytest.fixture
async def start(root: Path) -> AsyncIterator[Start]:
    """Start servers with settings of the test's own (names without prefix), stopped at its end."""
    async with AsyncExitStack() as stack:

        async def run(**settings: str) -> Server:
            given = {
                "KEY": KEY,
                "SALT": SALT,
                "LOCAL_FILESYSTEM_ROOT": str(root),
                "ALLOW_LOOPBACK_SOURCE_ADDRESSES": "1",
                "RENDER_THREADS": "1",
                "CACHE": "off",
                **settings,
            }
            services = build_services(load({f"IMGSERVE_{name}": value for name, value in given.items()}))
            app = app_of(services, end=lambda: None)
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://images.test")
            return Server(app, services, await stack.enter_async_context(client))

        yield run
