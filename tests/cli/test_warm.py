"""`imgserve warm` in processes of its own, beside servers that answer from what it made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from imgserve.plan.signing import Signer, key_pairs
from tests.cli.conftest import Invoke
from tests.engine.pictures import photo
from tests.engine.pictures import png as encoded
from tests.running import KEY, SALT, Running, clean_environment, command, running_server
from tests.web.pictures import jpeg

ROOT = str(Path(__file__).parent.parent.parent)


class Origin(ThreadingHTTPServer):
    """Gives a large picture for every path, but for /missing; counts, and holds /held until `gate` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.holds = threading.Event()
        self.body = encoded(photo(800, 600))

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        origin = self.server
        assert isinstance(origin, Origin)
        origin.asked.append(self.path)
        if self.path.startswith("/held"):
            origin.holds.set()
            origin.gate.wait(30)
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("content-length", str(len(origin.body)))
        self.send_header("cache-control", "max-age=3600")
        self.end_headers()
        self.wfile.write(origin.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.gate.set()
        made.shutdown()
        thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {
        "IMGSERVE_KEY": KEY,
        "IMGSERVE_SALT": SALT,
        "IMGSERVE_CACHE": "memory,disk",
        "IMGSERVE_CACHE_PATH": str(tmp_path / "cache"),
        "IMGSERVE_ALLOW_LOOPBACK_SOURCE_ADDRESSES": "1",
        "IMGSERVE_AUTO_WEBP": "1",
        "IMGSERVE_WORKERS": "1",
        "IMGSERVE_DOWNLOAD_TIMEOUT": "30",
    }


def started(settings: dict[str, str], folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("warm", *arguments),
        cwd=folder,
        env={**clean_environment(**settings), "PYTHONPATH": ROOT, "COLUMNS": "200"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(settings: dict[str, str], folder: Path, *arguments: str, given: str = "") -> tuple[int, list[int], str]:
    """Warm to the end: exit code, counts of made, kept and failed, and what it says on stderr."""
    with started(settings, folder, *arguments) as process:
        out, err = process.communicate(given, timeout=60)
    return process.returncode, counts(out), err


def counts(out: str) -> list[int]:
    assert out.split()[:4] == ["made", "kept", "failed", "bytes"], out
    return [int(text) for text in out.splitlines()[1].split()[:3]]


def tier(server: Running, path: str, accept: str = "") -> tuple[str | None, bytes]:
    signature = Signer(pairs=key_pairs([KEY], [SALT])).sign(path)
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        connection.request("GET", f"/{signature}{path}", headers={"accept": accept} if accept else {})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    assert answer.status == 200, body
    return answer.getheader("x-imgserve-cache"), body


def test_a_server_of_the_same_settings_answers_from_what_it_made_before_and_while_it_runs(
    settings: dict[str, str], tmp_path: Path, origin: Origin
) -> None:
    source = f"{origin.base}/a.png"
    arguments = ("-w", "100,200", "-f", "jpeg", "--accept", "webp,none")
    assert run(settings, tmp_path, source, *arguments)[:2] == (0, [6, 0, 0])
    assert len(origin.asked) == 1
    elsewhere = {**settings, "IMGSERVE_CACHE_PATH": str(tmp_path / "other")}
    with running_server(tmp_path, settings) as warm, running_server(tmp_path, elsewhere) as cold:
        for path, accept in ((f"/w:100/f:jpeg/plain/{source}", ""), (f"/w:200/plain/{source}", "image/webp,*/*")):
            (found, body), (missed, fresh) = (tier(server, path, accept) for server in (warm, cold))
            assert (found, missed) == ("disk", "miss")
            assert body == fresh
        assert run(settings, tmp_path, source, "-w", "300", "-f", "jpeg")[:2] == (0, [1, 0, 0])
        assert tier(warm, f"/w:300/f:jpeg/plain/{source}")[0] == "disk"


def test_a_warm_that_was_killed_goes_on(settings: dict[str, str], tmp_path: Path, origin: Origin) -> None:
    sources = [f"{origin.base}/{name}.png" for name in ("a", "held", "b")]
    arguments = (*sources, "-w", "100,200", "-f", "webp")
    with started(settings, tmp_path, *arguments) as process:
        assert origin.holds.wait(30)
        children = descendants(process.pid)
        assert children
        process.kill()
        process.communicate(timeout=20)
    wait_until_gone(children)
    origin.gate.set()
    assert run(settings, tmp_path, *arguments)[:2] == (0, [4, 2, 0])
    assert origin.asked.count("/a.png") == 1


def test_ctrl_c_ends_it_with_what_it_did(settings: dict[str, str], tmp_path: Path, origin: Origin) -> None:
    arguments = (f"{origin.base}/a.png", f"{origin.base}/held.png", "-w", "100")
    with started(settings, tmp_path, *arguments) as process:
        assert origin.holds.wait(30)
        children = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, counts(out)) == (130, [1, 0, 0])
    assert err.strip().splitlines()[-1] == "stopped; the same command goes on from here"
    assert "Traceback" not in err
    wait_until_gone(children)


def test_a_broken_source_is_told_and_the_others_are_made(
    settings: dict[str, str], tmp_path: Path, origin: Origin
) -> None:
    settings["IMGSERVE_ALLOWED_SOURCES"] = f"{origin.base}/,local:///"
    given = f"{origin.base}/missing.png\n\n  {origin.base}/a.png\nhttp://example.com/a.png\n"
    (tmp_path / "more").write_text(f"{origin.base}/b.png\n{origin.base}/a.png\n")
    code, done, err = run(settings, tmp_path, "-", "--file", "more", "-w", "100,200", "--jobs", "2", given=given)
    assert (code, done) == (1, [4, 0, 3])
    failed = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert sum("missing.png: " in line for line in failed) == 1
    assert sum(line.startswith("failed: http://example.com/a.png: ") for line in failed) == 1


def descendants(pid: int) -> list[int]:
    """Give the processes that a process started."""
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def wait_until_gone(pids: list[int]) -> None:
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        program = "import select, sys; p = select.poll(); p.register(int(sys.argv[1]), 1); sys.exit(not p.poll(20000))"
        try:
            subprocess.run([sys.executable, "-c", program, str(handle)], pass_fds=[handle], check=True)
        finally:
            os.close(handle)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Give at least one source"),
        (("local:///a.jpg", "-w", "wide"), "--width: expected numbers, got 'wide'"),
        (("local:///a.jpg", "-w", "10,0"), "widths[1]: expected a whole number"),
        (("local:///a.jpg", "-f", "svg"), "formats[0]: expected one of"),
        (("local:///a.jpg", "--accept", "webp,chrome"), "accept[1]: expected one of avif, webp, none"),
        (("local:///a.jpg", "-p", "nowhere"), "There is no preset called 'nowhere'"),
        (("local:///a.jpg", "--option", "widht:1"), "Did you mean 'width'?"),
        (("local:///a.jpg", "--file", "nowhere"), "No such file"),
    ],
)
def test_what_is_wrong_with_the_order_is_told_before_any_source(
    invoke: Invoke, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = invoke("warm", *arguments, IMGSERVE_CACHE_PATH=str(tmp_path / "cache"))
    assert result.exit_code in (1, 2)
    assert sentence in result.stderr


@pytest.mark.parametrize("cache", ["off", "memory"])
def test_without_a_tier_that_servers_share_there_is_nothing_to_warm(invoke: Invoke, cache: str) -> None:
    result = invoke("warm", "local:///a.jpg", IMGSERVE_CACHE=cache)
    assert result.exit_code == 1
    assert f"IMGSERVE_CACHE is {cache}: expected disk, redis or s3" in result.stderr


def test_wrong_settings_are_told_as_by_every_command(invoke: Invoke) -> None:
    assert invoke("warm", "local:///a.jpg", IMGSERVE_LOCAL_FILESYSTEM_ROOT="/nowhere").exit_code == 2


def test_settings_are_read_from_the_file_too(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(jpeg())
    (tmp_path / ".env").write_text("IMGSERVE_LOCAL_FILESYSTEM_ROOT=pictures\n")
    assert run(settings, tmp_path, "local:///a.jpg", "-p", "thumbnail")[:2] == (0, [1, 0, 0])
