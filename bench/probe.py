"""A client of its own process that asks one path at a fixed rate: what a load balancer sees of a busy server.

Run as `python -m bench.probe PORT PATH HERTZ SECONDS`; prints its latencies in milliseconds as JSON. They count from
when a request was due, so one that is answered late makes those behind it late as well, as it does for everybody.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable

from bench.load import ANSWER_TIMEOUT_S, HOST
from bench.workshop import REPOSITORY

#: Says when the probe has ended; gives its latencies.
Collect = Callable[[], list[float]]


def probe(port: int, path: str, *, hertz: float, seconds: float) -> list[float]:
    """Ask over one kept connection; raises RuntimeError for an answer that is not 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_TIMEOUT_S)
    latencies = []
    start = time.perf_counter()
    for number in range(int(hertz * seconds)):
        due = start + number / hertz
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: got status {answer.status}, expected 200")
        latencies.append((time.perf_counter() - due) * 1000)
    connection.close()
    return latencies


def begin(port: int, path: str, *, hertz: float, seconds: float) -> Collect:
    """Start the process; it inherits the core of the caller."""
    command = [sys.executable, "-m", "bench.probe", str(port), path, str(hertz), str(seconds)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)

    def collect() -> list[float]:
        output, _ = process.communicate(timeout=seconds + 2 * ANSWER_TIMEOUT_S)
        if process.returncode:
            raise RuntimeError(f"the probe of {path} failed")
        latencies: list[float] = json.loads(output)
        return latencies

    return collect


if __name__ == "__main__":
    print(json.dumps(probe(int(sys.argv[1]), sys.argv[2], hertz=float(sys.argv[3]), seconds=float(sys.argv[4]))))
