from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Invoke


def test_pages_are_written_and_then_current(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("docs").exit_code == 0
    written = sorted(path.name for path in (tmp_path / "docs").iterdir())
    assert written == [
        "info-options.md",
        "info.schema.json",
        "metrics.md",
        "options.md",
        "options.schema.json",
        "presets.md",
        "presets.schema.json",
        "settings.md",
    ]
    assert invoke("docs", "--check").exit_code == 0


def test_a_stale_page_is_told_and_left_alone(invoke: Invoke, tmp_path: Path) -> None:
    invoke("docs")
    page = tmp_path / "docs" / "options.md"
    page.write_text("old")
    result = invoke("docs", "--check")
    assert result.exit_code == 1
    assert "docs/options.md is not current" in result.stderr
    assert page.read_text() == "old"
