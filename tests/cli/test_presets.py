from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Invoke


def test_shipped_and_own_presets_are_listed_with_their_options(invoke: Invoke) -> None:
    result = invoke("presets", IMGSERVE_PRESETS="banner=width:1600", COLUMNS="200")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert {"grid", "banner"} <= set(lines)
    assert "width:1600" in lines["banner"]
    assert "A tile of a product grid" in lines["grid"]


def test_all_mistakes_in_presets_are_told(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.toml").write_text('doc = "a"\nwidht = 3\n')
    (tmp_path / "own" / "b.toml").write_text("width = 3\n")
    result = invoke("presets", IMGSERVE_PRESETS_PATH=str(tmp_path / "own"))
    assert result.exit_code == 2
    assert "a.toml" in result.stderr
    assert "b.toml" in result.stderr
