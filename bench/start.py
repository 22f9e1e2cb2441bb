"""Start: from the exec of `imgserve serve` to the first picture, and what of it is spent on imports."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.checks import WrongAnswer
from bench.contenders import Contender, imgserve
from bench.cores import choose_cores, cpu_seconds, on_core, process_tree
from bench.figures import spread
from bench.findings import Bar, Findings, Table, findings
from bench.hot import target
from bench.load import HOST
from bench.measure import prepare_photo
from bench.workshop import PHOTO_NAME, WORKSHOP, caches

BAR_S: Final = 1.0
TIMEOUT_S: Final = 60.0
STOP_S: Final = 30.0
#: A start is looked at so often.
_LOOK_S: Final = 0.002
#: What the first process imports, and what each worker does.
IMPORTS: Final = {
    "supervisor": "import imgserve.cli.main; import imgserve.cli.serve",
    "worker": "import imgserve.app.main",
}
_TIMED: Final = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Seconds from exec: until the port listens, and until a whole picture came."""

    workers: int
    one_core: bool
    round: int
    listens_s: float
    answers_s: float
    cpu_s: float

    @property
    def name(self) -> str:
        return f"{self.workers} worker{'s'[: self.workers - 1]}, {'one core' if self.one_core else 'all cores'}"


def start_once(ours: Contender, path: str, *, workers: int, cores: set[int], number: int, one_core: bool) -> Start:
    """Start, ask once, stop."""
    env = {**os.environ, **ours.env, "IMGSERVE_WORKERS": str(workers)}
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    log = WORKSHOP / "start.log"
    try:
        with log.open("wb") as output:
            began = time.perf_counter()
            process = subprocess.Popen(
                ours.command, cwd=ours.folder, env=env, stdout=output, stderr=output, start_new_session=True
            )
    finally:
        os.sched_setaffinity(0, before)
    try:
        line = _connected(ours.port, process, began)
        listens = time.perf_counter() - began
        _first_picture(line, path)
        answers = time.perf_counter() - began
        cpu = cpu_seconds(process_tree(process.pid))
    except OSError as error:
        raise RuntimeError(f"no answer: {error}\n{log.read_text()[-2000:]}") from error
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Start(workers=workers, one_core=one_core, round=number, listens_s=listens, answers_s=answers, cpu_s=cpu)


def _connected(port: int, process: subprocess.Popen[bytes], began: float) -> socket.socket:
    while True:
        try:
            return socket.create_connection((HOST, port), timeout=TIMEOUT_S)
        except ConnectionRefusedError:
            if process.poll() is not None or time.perf_counter() - began > TIMEOUT_S:
                raise
            time.sleep(_LOOK_S)


def _first_picture(line: socket.socket, path: str) -> None:
    """Ask and read to the end; the kernel holds the request until a worker takes it."""
    with line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: line.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or not body.startswith(b"\xff\xd8"):
        raise WrongAnswer(f"expected a JPEG, got {answer[:300]!r}")


def read_imports(output: str) -> list[tuple[str, int, int]]:
    """Read -X importtime: names with their own microseconds and those of all that they imported first."""
    found = [match for line in output.splitlines() if (match := _TIMED.match(line))]
    return [(match[4], int(match[1]), int(match[2])) for match in found]


def families(imports: Sequence[tuple[str, int, int]]) -> list[tuple[str, int]]:
    """Add up own times by distribution (the first part of a name), largest first."""
    sums: dict[str, int] = {}
    for name, own, _ in imports:
        family = name.partition(".")[0]
        sums[family] = sums.get(family, 0) + own
    return sorted(sums.items(), key=lambda item: -item[1])


def imports_of(code: str, core: int) -> list[tuple[str, int, int]]:
    with on_core(core):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True, cwd=WORKSHOP
        )
    return read_imports(done.stderr)


def measure_start(*, times: int, workers: Sequence[int]) -> Findings:
    cores, shuffle = choose_cores(), random.Random(1)
    photos = prepare_photo(None).parent
    ours = imgserve(photos, extra={"IMGSERVE_CACHE": "memory,disk", "IMGSERVE_CACHE_PATH": str(caches("start"))})
    path = target("40KB", PHOTO_NAME)
    everywhere = os.sched_getaffinity(0)
    plans = [(count, one_core) for count in workers for one_core in (False, True)]
    starts = []
    for number in range(times + 1):  # the first fills the caches of files, and does not count
        for count, one_core in shuffle.sample(plans, len(plans)):
            chosen = {cores.server} if one_core else everywhere
            once = start_once(ours, path, workers=count, cores=chosen, number=number, one_core=one_core)
            starts += [once] if number else []
        print(f"start {number} of {times}", file=sys.stderr, flush=True)
    imports = {name: imports_of(code, cores.server) for name, code in IMPORTS.items()}
    return findings(
        "Start",
        cores,
        bars=[
            Bar(
                name=f"first picture, {name}", wanted=BAR_S, at_least=False, unit="s",
                measured=spread([one.answers_s for one in starts if one.name == name]).median,
            )
            for name in sorted({one.name for one in starts})
        ],
        tables=[_table(starts), *(_imports_table(name, found) for name, found in imports.items())],
        notes=(
            (f"{times} starts of each, in shuffled rounds, after one that does not count; exec of `imgserve serve` to "
            "the last byte of a 600x400 JPEG of the photo, cached by the start before"),
            "times of imports are those under -X importtime, which makes them longer",
        ),
        data=starts,
    )  # fmt: skip


def _table(starts: Sequence[Start]) -> Table:
    rows = []
    for name in sorted({one.name for one in starts}):
        own = [one for one in starts if one.name == name]
        answers = spread([one.answers_s for one in own])
        rows.append(
            [
                name,
                f"{spread([one.listens_s for one in own]).median:.2f}",
                f"{answers.median:.2f} ({answers.low:.2f}-{answers.high:.2f})",
                f"{spread([one.cpu_s for one in own]).median:.2f}",
            ]
        )
    return Table("Starts", ["server", "port open s", "first picture s", "CPU s"], rows)


def _imports_table(name: str, imports: Sequence[tuple[str, int, int]]) -> Table:
    whole = sum(own for _, own, _ in imports)
    rows = [[family, f"{own / 1000:.1f}", f"{own / whole:.0%}"] for family, own in families(imports)[:15]]
    return Table(f"Imports of the {name}: {whole / 1000:.0f} ms", ["package", "ms", "share"], rows)
