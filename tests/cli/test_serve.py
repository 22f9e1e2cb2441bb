from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from imgserve.cli.samples.pictures import copy_logo_svg
from imgserve.sign import UrlSigner
from tests.cli.conftest import Invoke
from tests.running import KEY, SALT, clean_environment, command, free_port, running_server


def test_all_mistakes_are_told_together_before_the_port_opens(invoke: Invoke) -> None:
    result = invoke(
        "serve", IMGSERVE_WORKERS="-1", IMGSERVE_TIMEOUT="soon", IMGSERVE_QUALITY="0", IMGSERVE_BIND="127.0.0.1:1"
    )
    assert result.exit_code == 2
    assert "3 mistakes" in result.stderr
    for name in ("IMGSERVE_WORKERS", "IMGSERVE_TIMEOUT", "IMGSERVE_QUALITY"):
        assert name in result.stderr


def test_presets_pictures_and_caches_are_checked_before_the_port_opens(tmp_path: Path) -> None:
    port = free_port()
    environment = clean_environment(
        IMGSERVE_KEY=KEY,
        IMGSERVE_SALT=SALT,
        IMGSERVE_BIND=f"127.0.0.1:{port}",
        IMGSERVE_PRESETS="a=widht:3",
        IMGSERVE_WATERMARK_PATH="/nowhere.png",
        IMGSERVE_CACHE_PATH="/proc/nowhere",
        IMGSERVE_WORKERS="2",
    )
    done = subprocess.run(
        command("serve"), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "ended before it served" not in done.stderr
    for what in ("widht", "IMGSERVE_WATERMARK_PATH", "IMGSERVE_CACHE_PATH"):
        assert done.stderr.count(what) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("log_format", ["pretty", "json"])
def test_one_line_says_what_serves_and_where(tmp_path: Path, log_format: str) -> None:
    port = free_port()
    settings = {
        "IMGSERVE_KEY": KEY,
        "IMGSERVE_SALT": SALT,
        "IMGSERVE_BIND": f"127.0.0.1:{port}",
        "IMGSERVE_WORKERS": "2",
        "IMGSERVE_CACHE": "memory,disk",
        "IMGSERVE_CACHE_PATH": str(tmp_path / "cache"),
        "IMGSERVE_LOG_FORMAT": log_format,
    }
    with running_server(tmp_path, settings) as server:
        server.process.send_signal(signal.SIGTERM)
        output, _ = server.process.communicate(timeout=20)
    told = [line for line in output.splitlines() if "imgserve 0" in line]
    said = f"on http://127.0.0.1:{port}, 2 processes, cache memory,disk ({tmp_path / 'cache'})"
    assert [said in line for line in told] == [True]
    if log_format == "json":
        assert json.loads(told[0])["message"].endswith(said)


def test_the_address_is_checked_first(invoke: Invoke) -> None:
    result = invoke("serve", IMGSERVE_BIND="nowhere")
    assert result.exit_code == 2
    assert "IMGSERVE_BIND" in result.stderr


def test_a_port_that_is_taken_is_told(invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = invoke("serve", IMGSERVE_BIND=f"127.0.0.1:{taken.getsockname()[1]}")
    assert result.exit_code == 2
    assert "cannot listen" in result.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_a_signed_url_and_stops_on_sigterm(tmp_path: Path, workers: str) -> None:
    copy_logo_svg(tmp_path / "logo.svg")
    settings = {
        "IMGSERVE_KEY": KEY,
        "IMGSERVE_SALT": SALT,
        "IMGSERVE_LOCAL_FILESYSTEM_ROOT": str(tmp_path),
        "IMGSERVE_WORKERS": workers,
    }
    with running_server(tmp_path, settings) as server:
        url = UrlSigner(KEY, SALT, base_url=server.url).url("local:///logo.svg", width=64, format="png")
        answer, body = server.get(url)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
        assert body.startswith(b"\x89PNG")
        assert answer.headers.get_all("Server") == ["imgserve"]
        server.process.send_signal(signal.SIGTERM)
        output, _ = server.process.communicate(timeout=20)
        assert server.process.returncode in (0, -signal.SIGTERM)
        assert "Traceback" not in output


def test_settings_come_from_the_env_file_where_the_environment_has_none(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / ".env").write_text(
        f"IMGSERVE_KEY={KEY}\nIMGSERVE_SALT={SALT}\nIMGSERVE_WORKERS=1\nIMGSERVE_HEALTH_CHECK_PATH=/a\nPORT=1\n"
    )
    settings = {"PORT": str(port), "IMGSERVE_HEALTH_CHECK_PATH": "/b"}
    with running_server(tmp_path, settings) as server:
        assert server.get("/b")[0].status == 200
        assert server.get("/a")[0].status != 200


def test_health_tells_when_nobody_answers(tmp_path: Path) -> None:
    environment = clean_environment(IMGSERVE_BIND=f"127.0.0.1:{free_port()}")
    root = str(Path(__file__).parent.parent.parent)
    result = subprocess.run(
        command("health"),
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "not healthy" in result.stderr
