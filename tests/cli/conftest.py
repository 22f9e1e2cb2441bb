from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from imgserve.cli.main import main
from tests.running import KEY, SALT

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run a command in an empty folder, with no settings but a key and those that are given."""
    monkeypatch.chdir(tmp_path)
    for name in ("IMGSERVE_BIND", "IMGPROXY_BIND", "PORT"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, **settings: str) -> Result:
        environment: dict[str, str] = {"IMGSERVE_KEY": KEY, "IMGSERVE_SALT": SALT, **settings}
        return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)

    return run
