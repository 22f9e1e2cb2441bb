"""/metrics of a real server with two processes."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from imgserve.cli.samples.pictures import copy_logo_svg
from imgserve.sign import UrlSigner
from tests.cli.conftest import Invoke
from tests.running import KEY, SALT, Running, free_port, running_server
from tests.scraping import Sums, sums

PICTURES = 24
SCRAPES = 10
#: Two processes start one after the other, on a machine that may have other things to do.
WAIT_S = 60


def settings(root: Path, **more: str) -> dict[str, str]:
    copy_logo_svg(root / "logo.svg")
    return {
        "IMGSERVE_KEY": KEY,
        "IMGSERVE_SALT": SALT,
        "IMGSERVE_LOCAL_FILESYSTEM_ROOT": str(root),
        "IMGSERVE_WORKERS": "2",
        "IMGSERVE_RENDER_THREADS": "1",
        **more,
    }


def scrape(server: Running) -> Sums:
    answer, page = server.get("/metrics")
    assert answer.status == 200
    return sums(page)


def eventually(server: Running, seen: Callable[[Sums], bool]) -> Sums:
    """Scrape until it is so: a client has its answer a moment before it is counted."""
    until = time.monotonic() + WAIT_S
    while True:
        with contextlib.suppress(ConnectionError):  # it may have been with a process that was killed
            if seen(found := scrape(server)):
                return found
        assert time.monotonic() < until


def processes(found: Sums) -> set[int]:
    """Give those that serve; one that starts has its gauges already, and nothing in them."""
    return {int(dict(labels)["pid"]) for (_, labels), value in found.of("process_resident_memory").items() if value}


def make_pictures(server: Running) -> None:
    """Ask for pictures, each on a connection of its own."""
    signer = UrlSigner(KEY, SALT, base_url=server.url)
    for width in range(1, PICTURES + 1):
        answer, _ = server.get(signer.url("local:///logo.svg", width=width, format="png"))
        assert answer.status == 200


def all_counted(found: Sums) -> bool:
    return found.one("requests_total") == PICTURES


def replaced(found: Sums, *, lost: int) -> bool:
    return lost not in processes(found) and len(processes(found)) == 2


def test_every_scrape_has_the_sums_of_all_processes(tmp_path: Path) -> None:
    with running_server(tmp_path, settings(tmp_path)) as server:
        eventually(server, lambda found: len(processes(found)) == 2)
        make_pictures(server)
        eventually(server, all_counted)
        for _ in range(SCRAPES):
            found = scrape(server)
            assert found.one("requests_total") == PICTURES
            assert found.one("status_codes_total", status="200") == PICTURES
            assert found.one("request_duration_seconds_count") == PICTURES
            assert found.one("encode_duration_seconds_count", format="png") == PICTURES
            assert found.one("workers") == 2
            assert found.one("requests_in_progress") == found.one("images_in_progress") == 0


def test_the_counts_of_killed_processes_stay_and_their_gauges_go(tmp_path: Path) -> None:
    with running_server(tmp_path, settings(tmp_path)) as server:
        first = processes(eventually(server, lambda found: len(processes(found)) == 2))
        make_pictures(server)
        eventually(server, all_counted)
        for victim in first:  # one after the other, so that none of those who counted is left
            os.kill(victim, signal.SIGKILL)
            eventually(server, functools.partial(replaced, lost=victim))
        found = eventually(server, lambda found: found.one("workers") == 2)
        assert not processes(found) & first
        assert found.one("requests_total") == PICTURES
        assert found.one("request_duration_seconds_count") == PICTURES


def test_processes_replaced_on_sighup_leave_no_gauges(tmp_path: Path) -> None:
    with running_server(tmp_path, settings(tmp_path)) as server:
        first = processes(eventually(server, lambda found: len(processes(found)) == 2))
        make_pictures(server)
        server.process.send_signal(signal.SIGHUP)
        found = eventually(server, lambda found: len(processes(found)) == 2 and not processes(found) & first)
        assert found.one("workers") == 2
        assert found.one("requests_total") == PICTURES


def test_the_folder_of_counts_is_private_and_goes_with_the_server(tmp_path: Path) -> None:
    with running_server(tmp_path, settings(tmp_path)) as server:
        pid = min(processes(eventually(server, lambda found: bool(processes(found)))))
        pairs = (line.partition(b"=") for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
        folder = next(Path(os.fsdecode(value)) for name, _, value in pairs if name == b"PROMETHEUS_MULTIPROC_DIR")
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_an_address_of_their_own_takes_them_off_the_servers_port(tmp_path: Path) -> None:
    own = free_port()
    with running_server(tmp_path, settings(tmp_path, IMGSERVE_PROMETHEUS_BIND=f"127.0.0.1:{own}")) as server:
        assert server.get("/metrics")[0].status == 404
        apart = Running(server.process, f"http://127.0.0.1:{own}")
        make_pictures(server)
        found = eventually(apart, all_counted)
        assert found.one("encode_duration_seconds_count", format="png") == PICTURES


def test_a_wrong_address_is_told_with_the_other_mistakes(invoke: Invoke) -> None:
    result = invoke("serve", IMGSERVE_PROMETHEUS_BIND="nowhere", IMGSERVE_BIND="there")
    assert result.exit_code == 2
    assert "IMGSERVE_PROMETHEUS_BIND: expected host:port" in result.stderr
    assert "IMGSERVE_BIND: expected host:port" in result.stderr


def test_a_port_that_is_taken_is_told(invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = invoke("serve", IMGSERVE_BIND=f"127.0.0.1:{free_port()}", IMGSERVE_PROMETHEUS_BIND=address)
    assert result.exit_code == 2
    assert "IMGSERVE_PROMETHEUS_BIND: cannot listen" in result.stderr
    assert "set IMGSERVE_PROMETHEUS_BIND to another port" in result.stderr
