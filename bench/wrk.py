"""The load for answers that cost next to nothing: wrk, which asks ten times as fast as a client in Python."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.checks import WrongAnswer
from bench.load import HOST
from bench.workshop import WORKSHOP

MISSING: Final = "wrk is not installed, and this measurement needs it (the load in Python is too slow): apt install wrk"

#: wrk's own report is for people; `done` is called once, after the load, so it costs no request anything.
_SCRIPT: Final = """\
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'FIGURES {"seconds": %.6f, "requests": %d, "bytes": %d, "refused": %d, "broken": %d, "p50_ms": %.4f, ' ..
    '"p99_ms": %.4f, "max_ms": %.4f}\\n',
    summary.duration / 1e6, summary.requests, summary.bytes, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What one run of wrk saw."""

    seconds: float
    requests: int
    #: Heads included.
    bytes: int
    #: Answers above 399.
    refused: int
    #: Connections that could not be made or broke, and answers that did not come.
    broken: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    #: Share of its core that wrk itself needed; near 1 the figures are wrk's, not the server's.
    load_share: float

    @property
    def rps(self) -> float:
        return self.requests / self.seconds


def installed() -> bool:
    return shutil.which("wrk") is not None


def read_figures(output: str, *, load_cpu_s: float) -> Loaded:
    """Read what the script printed; raises WrongAnswer where there is nothing of it."""
    for line in output.splitlines():
        if line.startswith("FIGURES "):
            figures = json.loads(line.removeprefix("FIGURES "))
            return Loaded(**figures, load_share=load_cpu_s / figures["seconds"])
    raise WrongAnswer(f"wrk gave no figures: {output[-500:]}")


def drive(
    port: int, target: str, *, connections: int, seconds: int, body_bytes: int, headers: Mapping[str, str] | None = None
) -> Loaded:
    """Ask one target over `connections` for whole seconds; raises WrongAnswer unless all answers are whole and good."""
    script = WORKSHOP / "figures.lua"
    script.write_text(_SCRIPT)
    fields = [word for name, value in (headers or {}).items() for word in ("-H", f"{name}: {value}")]
    url = f"http://{HOST}:{port}{target}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), *fields, url]
    before = _children_s()
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    loaded = read_figures(done.stdout + done.stderr, load_cpu_s=_children_s() - before)
    if loaded.refused or loaded.broken:
        raise WrongAnswer(f"{url}: {loaded.refused} answers above 399, {loaded.broken} broken connections")
    if loaded.bytes < loaded.requests * body_bytes or not loaded.requests:
        raise WrongAnswer(f"{url}: got {loaded.bytes} bytes in {loaded.requests} answers of {body_bytes} and more")
    return loaded


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
