"""A process that runs jobs, as `imgserve worker` does, and its children as the system sees them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from imgserve.adapters.queue.client import open_ledger
from imgserve.adapters.queue.runner import Runner
from imgserve.ports.jobs import Job
from tests.adapters.queue.makers import scripted

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class RunnerConfig:
    """What the process is told."""

    redis_url: str
    file: str
    #: Takes results, tries, what is told, and the log.
    folder: str
    max_attempts: int = 3
    lease_s: float = 0.5
    workers: int = 1
    backoff_s: float = 0.05
    sweep_s: float = 0.2
    grace_s: float = 5.0


def started(config: RunnerConfig) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.adapters.queue.programs", json.dumps(asdict(config))]
    with (Path(config.folder) / "log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


def children(pid: int) -> list[int]:
    """Give the processes in which a runner makes jobs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return [child for child in found if makes_jobs(child)]


def makes_jobs(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def main() -> None:
    config = RunnerConfig(**json.loads(sys.argv[1]))
    folder = Path(config.folder)

    def ended(job: Job) -> None:
        with (folder / "told").open("a") as told:
            told.write(f"{job.order.id} {job.state}\n")

    ledger = open_ledger(
        redis_url=config.redis_url,
        file=Path(config.file),
        max_attempts=config.max_attempts,
        lease_s=config.lease_s,
        ttl_s=3600,
        max_jobs=100_000,
    )
    Runner(
        ledger,
        scripted(folder),
        workers=config.workers,
        job_timeout_s=3600,
        max_bytes=1 << 30,
        ended=ended,
        backoff_s=config.backoff_s,
        sweep_s=config.sweep_s,
        schedule_s=0.1,
    ).run(grace_s=config.grace_s)


if __name__ == "__main__":
    main()
