"""AI jobs: how long it takes to order one while workers are busy, and what a worker holds over a thousand of them."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pyvips

from bench.checks import WrongAnswer
from bench.contenders import Contender, imgserve
from bench.cores import choose_cores, process_tree
from bench.findings import Bar, Findings, Table, findings
from bench.load import HOST
from bench.memory import resident
from bench.workshop import WORKSHOP, caches, running
from imgserve.cli.samples.pictures import draw_product
from imgserve.service.api_keys import digest_of, new_key

ENQUEUE_BAR_MS: Final = 10.0
GROWTH_BAR: Final = 0.10
#: Growth counts from here on.
WARM_JOBS: Final = 100
#: Orders a second: more than two workers do, so that they are always busy.
_EVERY_S: Final = 0.05
#: A job that takes longer than that has hung.
_JOB_S: Final = 30.0
#: Figures are medians of this many samples.
_SAMPLES: Final = 9
_WIDTH: Final = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A server without workers of its own, and what it takes to talk to it."""

    ours: Contender
    key: str

    def ask(self, line: http.client.HTTPConnection, method: str, path: str, value: object = None) -> Any:
        body = json.dumps(value) if value is not None else None
        line.request(method, path, body=body, headers={"Authorization": f"Bearer {self.key}"})
        answer = line.getresponse()
        told = answer.read()
        if answer.status not in (200, 202):
            raise WrongAnswer(f"{method} {path}: {answer.status} {told[:300]!r}")
        return json.loads(told)

    def order(self, line: http.client.HTTPConnection, number: int) -> None:
        source = f"local:///job.jpg?{number}"
        self.ask(line, "POST", "/v1/jobs", {"source": source, "presets": ["bg-removed"]})


@contextmanager
def site(workers: int) -> Iterator[tuple[Site, int]]:
    """Run a server and `imgserve worker` on all cores; gives the site and the worker's process id."""
    folder = WORKSHOP / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    draw_product(folder / "whole.jpg")
    whole = pyvips.Image.thumbnail(str(folder / "whole.jpg"), _WIDTH)
    whole.jpegsave(str(folder / "job.jpg"), Q=85)
    ours, key = imgserve(folder, name="jobs"), new_key()
    env = {
        **ours.env,
        "IMGSERVE_CACHE": "memory,disk",
        "IMGSERVE_CACHE_PATH": str(caches("jobs")),
        "IMGSERVE_API_KEYS": f"bench:{digest_of(key)}",
        "IMGSERVE_API_RATE": "0",
        "IMGSERVE_QUEUE_WORKERS": "0",
        "IMGSERVE_MAX_JOBS": "100000",
    }
    cores = choose_cores()
    with (
        running("jobs", ours.command, core=cores.server, port=ours.port, folder=ours.folder, env=env),
        _worker(env, workers) as worker,
    ):
        yield Site(ours=ours, key=key), worker


@contextmanager
def _worker(env: dict[str, str], workers: int) -> Iterator[int]:
    log = WORKSHOP / "jobs-worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            (sys.executable, "-m", "imgserve", "worker", "--workers", str(workers)),
            cwd=WORKSHOP,
            env={**os.environ, **env},
            stdout=output,
            stderr=output,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def measure_enqueue(*, count: int, workers: int) -> Findings:
    """Order jobs one by one while workers are busy, each for a source of its own."""
    taken: list[float] = []
    with site(workers) as (here, _):
        line = http.client.HTTPConnection(HOST, here.ours.port, timeout=_JOB_S)
        for number in range(3 * workers):  # the queue opens with the first order, the workers' processes with theirs
            here.order(line, -1 - number)
        _wait_busy(here, line)
        for number in range(count):
            began = time.perf_counter()
            here.order(line, number)
            taken.append(1000 * (time.perf_counter() - began))
            time.sleep(max(0.0, _EVERY_S - (time.perf_counter() - began)))
        counts = here.ask(line, "GET", "/v1/jobs?limit=1")["counts"]
    if counts["failed"] or not counts["queued"]:
        raise WrongAnswer(f"the workers were not busy, or failed: {counts}")
    shares = {"median": 0.5, "p90": 0.9, "p99": 0.99, "most": 1.0}
    by_share = {name: sorted(taken)[min(len(taken) - 1, int(share * len(taken)))] for name, share in shares.items()}
    return findings(
        "Ordering a job while workers are busy",
        choose_cores(),
        bars=[
            Bar(name="POST /v1/jobs, p99", measured=by_share["p99"], wanted=ENQUEUE_BAR_MS, at_least=False, unit=" ms")
        ],
        tables=[Table("Milliseconds", [*by_share], [[f"{value:.1f}" for value in by_share.values()]])],
        notes=[f"{count} orders, one every {1000 * _EVERY_S:.0f} ms; {workers} workers; at the end: {counts}"],
        data=taken,
    )


def _wait_busy(here: Site, line: http.client.HTTPConnection) -> None:
    until = time.monotonic() + _JOB_S
    while not here.ask(line, "GET", "/v1/jobs?state=done&limit=1")["jobs"]:
        if time.monotonic() > until:
            raise WrongAnswer("no job was done")
        time.sleep(0.2)


def measure_worker(*, count: int) -> Findings:
    """Have one worker make `count` cut-outs, and look at its processes after each few."""
    samples: list[tuple[int, int]] = []
    with site(1) as (here, worker):
        line = http.client.HTTPConnection(HOST, here.ours.port, timeout=_JOB_S)
        for number in range(count):
            here.order(line, number)
        done, progressed = 0, time.monotonic()
        while done < count:
            time.sleep(0.2)
            counts = here.ask(line, "GET", "/v1/jobs?limit=1")["counts"]
            if counts["failed"]:
                raise WrongAnswer(f"jobs failed: {counts}")
            if counts["done"] > done:
                done, progressed = counts["done"], time.monotonic()
                samples.append((done, sum(_resident(pid) for pid in process_tree(worker))))
            elif time.monotonic() > progressed + _JOB_S:
                raise WrongAnswer(f"nothing is done any more: {counts}")
    marks = sorted({WARM_JOBS, *(count * share // 4 for share in (1, 2, 3)), count - _SAMPLES})
    held = {mark: _median_after(samples, mark) for mark in marks}
    growth = held[marks[-1]] / held[WARM_JOBS] - 1
    return findings(
        "What a worker holds",
        choose_cores(),
        bars=[Bar(name=f"growth after job {WARM_JOBS}", measured=growth, wanted=GROWTH_BAR, at_least=False)],
        tables=[Table("MB after so many jobs", [*map(str, held)], [[f"{size / 1e6:.0f}" for size in held.values()]])],
        notes=[f"{count} cut-outs by GrabCut of {_WIDTH} px pictures; the worker and its child process together"],
        data=samples,
    )


def _median_after(samples: list[tuple[int, int]], mark: int) -> int:
    later = [size for done, size in samples if done >= mark][:_SAMPLES] or [samples[-1][1]]
    return sorted(later)[len(later) // 2]


def _resident(pid: int) -> int:
    try:
        return resident(pid)
    except (LookupError, OSError):  # it ended just now
        return 0
