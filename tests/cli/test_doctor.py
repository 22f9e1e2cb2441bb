from __future__ import annotations

import pyvips

from imgserve.cli.formats import library_versions
from tests.cli.conftest import Invoke


def test_a_good_installation_is_told_with_versions_and_formats(invoke: Invoke) -> None:
    result = invoke("doctor")
    assert result.exit_code == 0, result.stdout
    assert library_versions()["libvips"].startswith(f"{pyvips.version(0)}.{pyvips.version(1)}.")
    assert library_versions()["libvips"] in result.stdout
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    assert rows["webp"] == ["yes", "yes", "yes", "yes"]
    assert rows["svg"] == ["yes", "–", "–", "–"]
    assert "csvload" in result.stdout


def test_every_mistake_in_settings_is_told(invoke: Invoke) -> None:
    result = invoke("doctor", IMGSERVE_WORKERS="many", IMGSERVE_QUALITY="101", IMGSERVE_KEY="xyz")
    assert result.exit_code == 1
    for name in ("IMGSERVE_WORKERS", "IMGSERVE_QUALITY", "IMGSERVE_KEY"):
        assert name in result.stdout
    assert "xyz" not in result.stdout


def test_what_a_start_would_find_is_found(invoke: Invoke) -> None:
    result = invoke("doctor", IMGSERVE_LOCAL_FILESYSTEM_ROOT="/nowhere", IMGSERVE_WATERMARK_PATH="/nowhere.png")
    assert result.exit_code == 1
    assert "IMGSERVE_LOCAL_FILESYSTEM_ROOT" in result.stdout
    assert "IMGSERVE_WATERMARK_PATH" in result.stdout


def test_a_variable_that_is_not_known_is_advice_only(invoke: Invoke) -> None:
    result = invoke("doctor", IMGSERVE_QUALTIY="70")
    assert result.exit_code == 0
    assert "did you mean IMGSERVE_QUALITY?" in result.stdout
