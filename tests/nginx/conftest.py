from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.nginx.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """nginx in front of a server; every test asks for pictures of its own."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running
