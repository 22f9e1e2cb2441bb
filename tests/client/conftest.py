"""Each client in turn, and a whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from imgserve.client import AsyncClient, Client
from tests.client.both import Asker
from tests.engine.pictures import plain, png
from tests.running import Running, running_for_clients

API_KEY = "a-key-of-the-client-tests"
WEBHOOK_SECRET = "whsec_c2VjcmV0IG9mIHRoZSBjbGllbnQgdGVzdHM="
#: Of those that have a disc to cut out: what one test does must not be seen by another.
DISCS = ("disc", "catalogue", "shop", "warm")
SIZE = (480, 240)
#: Of wide.png.
WIDE = (960, 480)

Connect = Callable[..., Asker]


@pytest.fixture(params=[Client, AsyncClient])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Make clients of one kind; all are closed in the end."""
    async with AsyncExitStack() as stack:

        def made(base_url: str, **named: Any) -> Asker:
            asker = Asker(request.param(base_url, **named))
            stack.push_async_callback(asker.close)
            return asker

        yield made


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve pictures of discs, wide.png and mug.jpg, with a worker, and webhooks to this machine."""
    folder = tmp_path_factory.mktemp("served")
    disc = plain(*SIZE, [235, 235, 230]).draw_circle([200, 20, 30], 240, 120, 80, fill=True)
    wide = plain(*WIDE, [20, 120, 200])
    for name in DISCS:
        # Results are kept by source, artefacts too; the bytes may be the same.
        (folder / f"{name}.png").write_bytes(png(disc))
    (folder / "wide.png").write_bytes(png(wide))
    wide.resize(2).jpegsave(str(folder / "mug.jpg"))
    with running_for_clients(folder, api_key=API_KEY, webhook_secret=WEBHOOK_SECRET) as running:
        yield running
