"""libvips as the server sets it up."""

from __future__ import annotations

import pytest

from imgserve.engine.libvips import configure_libvips


@pytest.fixture(autouse=True, scope="session")
def _libvips() -> None:
    configure_libvips()
