from __future__ import annotations

from pathlib import Path

import pyvips

from imgserve.cli.doctor import Finding, Weight, verdict
from imgserve.cli.formats import library_versions
from tests.cli.conftest import Invoke
from tests.running import free_port


def test_a_good_installation_is_told_with_versions_and_formats(invoke: Invoke) -> None:
    result = invoke("doctor")
    assert result.exit_code == 0, result.stdout
    assert library_versions()["libvips"].startswith(f"{pyvips.version(0)}.{pyvips.version(1)}.")
    assert library_versions()["libvips"] in result.stdout
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    assert rows["webp"] == ["yes", "yes", "yes", "yes"]
    assert rows["svg"] == ["yes", "–", "–", "–"]
    assert "csvload" in result.stdout
    assert result.stdout.splitlines()[-1] == "This installation can serve."


def test_every_mistake_in_settings_is_told(invoke: Invoke) -> None:
    result = invoke("doctor", IMGSERVE_WORKERS="many", IMGSERVE_QUALITY="101", IMGSERVE_KEY="xyz")
    assert result.exit_code == 1
    for name in ("IMGSERVE_WORKERS", "IMGSERVE_QUALITY", "IMGSERVE_KEY"):
        assert name in result.stdout
    assert "xyz" not in result.stdout
    assert result.stdout.splitlines()[-1] == "This installation cannot serve: 3 things above must be mended first."


def test_what_a_start_would_find_is_found(invoke: Invoke) -> None:
    result = invoke("doctor", IMGSERVE_LOCAL_FILESYSTEM_ROOT="/nowhere", IMGSERVE_WATERMARK_PATH="/nowhere.png")
    assert result.exit_code == 1
    assert "IMGSERVE_LOCAL_FILESYSTEM_ROOT" in result.stdout
    assert "IMGSERVE_WATERMARK_PATH" in result.stdout


def test_every_tier_is_tried_and_one_that_fails_does_not_keep_it_from_serving(invoke: Invoke, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    result = invoke(
        "doctor",
        IMGSERVE_CACHE="memory,disk,redis",
        IMGSERVE_CACHE_PATH=str(folder),
        IMGSERVE_REDIS_URL=f"redis://user:hunter2@127.0.0.1:{free_port()}/0",
    )
    assert result.exit_code == 0
    assert "cache memory  64 MiB in each process: works" in result.stdout
    assert f"cache disk    {folder}, 2048 MiB: works" in result.stdout
    assert "This installation can serve, but the redis tier does not work: " in result.stdout.splitlines()[-1]
    assert "hunter2" not in result.stdout
    assert list(folder.iterdir()) == [], "nothing is left that might be closed to the server's own user"


def test_a_cache_that_is_off_is_told(invoke: Invoke) -> None:
    assert "cache  off" in invoke("doctor", IMGSERVE_CACHE="off").stdout


def test_a_format_that_is_lacking_is_said_in_the_end_and_by_the_exit_code() -> None:
    lacking = Finding("webp: it cannot be written.", weight=Weight.LACKING)
    assert verdict([lacking], ()) == ("This installation cannot serve all formats: webp: it cannot be written.", False)


def test_a_variable_that_is_not_known_is_advice_only(invoke: Invoke) -> None:
    result = invoke("doctor", IMGSERVE_QUALTIY="70")
    assert result.exit_code == 0
    assert "did you mean IMGSERVE_QUALITY?" in result.stdout


def test_a_model_that_is_missing_is_advice_that_names_its_file(invoke: Invoke) -> None:
    result = invoke("doctor", IMGSERVE_UPSCALE="onnx", IMGSERVE_UPSCALE_MODEL="/nowhere/net.onnx")
    assert result.exit_code == 0
    assert "AI steps, upscale: The model file net.onnx cannot be read" in result.stdout


def test_who_does_ai_steps_and_who_works_on_jobs_is_told(invoke: Invoke, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    told = invoke("doctor", IMGSERVE_CACHE_PATH=str(folder), IMGSERVE_FACES="off").stdout
    assert "AI background  grabcut (basic): works" in told
    assert "AI faces       nobody (it is off)" in told
    assert "AI objects     nobody (set IMGSERVE_OBJECT_DETECTION_NET)" in told
    assert f"AI jobs        {folder / 'jobs.sqlite3'}; serve works on 1 at a time" in told
    assert "imgserve worker alone" in invoke("doctor", IMGSERVE_QUEUE_WORKERS="0").stdout
    assert "AI steps  off" in invoke("doctor", IMGSERVE_CACHE="memory").stdout


def test_a_queue_that_cannot_be_reached_is_told(invoke: Invoke) -> None:
    url = f"redis://user:hunter2@127.0.0.1:{free_port()}/0"
    result = invoke("doctor", IMGSERVE_QUEUE_REDIS_URL=url)
    assert result.exit_code == 0
    assert "AI jobs: The queue of jobs: Redis at 127.0.0.1:" in result.stdout
    assert "cannot be reached" in result.stdout
    assert "hunter2" not in result.stdout
