"""Jobs under fire: runners and their children are killed at random, Redis is restarted, and nothing may be lost.

`python -m tests.adapters.queue.chaos --jobs 1000 --kills 50 [--redis]` does it at length and prints the report.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imgserve.adapters.queue.client import open_ledger
from imgserve.adapters.queue.ledger import Ledger
from imgserve.ports.jobs import Job, JobState, QueueError
from tests.adapters.queue.makers import content, order
from tests.adapters.queue.programs import RunnerConfig, children, makes_jobs, started
from tests.adapters.redis_server import RedisServer

STOP_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Storm:
    """How much of what happens."""

    jobs: int = 40
    #: Of the jobs, those that kill their worker each time.
    poison: int = 3
    job_s: float = 0.1
    runners: int = 2
    workers: int = 2
    kills: int = 8
    #: Of the kills, the share that hits runners; the others hit children.
    of_runners: float = 0.4
    pause_s: float = 0.3
    redis_restarts: int = 0
    max_attempts: int = 4
    lease_s: float = 0.5
    backoff_s: float = 0.05
    sweep_s: float = 0.2
    patience_s: float = 60.0
    seed: int = 1


@dataclass(kw_only=True)
class Report:
    """What came of it; `wrong` has a sentence for each promise that was broken."""

    seconds: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    attempts: Counter[int] = field(default_factory=Counter)
    #: Good jobs that failed as their workers were killed too often: bad luck, not a fault.
    unlucky: int = 0
    told_twice: int = 0
    left_behind: int = 0
    wrong: list[str] = field(default_factory=list)


class Runners:
    """Runner processes that are replaced when they are killed."""

    def __init__(self, config: RunnerConfig, *, count: int) -> None:
        self._config = config
        self._all = [started(config) for _ in range(count)]
        self.children_seen: set[int] = set()

    def kill_one(self, dice: random.Random) -> None:
        place = dice.randrange(len(self._all))
        self.children_seen.update(children(self._all[place].pid))
        self._all[place].kill()
        self._all[place].wait()
        self._all[place] = started(self._config)

    def kill_child(self, dice: random.Random) -> bool:
        pids = [pid for runner in self._all for pid in children(runner.pid)]
        self.children_seen.update(pids)
        if not pids:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(pids), signal.SIGKILL)
        return True

    def stop(self) -> None:
        for runner in self._all:
            self.children_seen.update(children(runner.pid))
            runner.terminate()
        for runner in self._all:
            runner.wait(STOP_S)


def weather(storm: Storm, folder: Path, redis: RedisServer | None) -> Report:
    """Submit jobs, kill while they are made, wait for their ends, and compare with what was promised."""
    report, dice, began = Report(), random.Random(storm.seed), time.monotonic()
    config = RunnerConfig(
        redis_url=redis.url if redis else "",
        file=str(folder / "jobs.sqlite"),
        folder=str(folder),
        max_attempts=storm.max_attempts,
        lease_s=storm.lease_s,
        workers=storm.workers,
        backoff_s=storm.backoff_s,
        sweep_s=storm.sweep_s,
    )
    ledger = open_ledger(
        redis_url=config.redis_url,
        file=Path(config.file),
        max_attempts=storm.max_attempts,
        lease_s=storm.lease_s,
        ttl_s=3600,
        max_jobs=100_000,
    )
    orders = [
        order(f"{storm.seed} {n}", "die" if n < storm.poison else f"sleep:{dice.uniform(0.5, 1.5) * storm.job_s}")
        for n in range(storm.jobs)
    ]
    dice.shuffle(orders)
    for one in orders:
        ledger.submit([one])
    runners = Runners(config, count=storm.runners)
    try:
        _rage(storm, runners, dice, redis, report)
        jobs = _ended(ledger, [one.id for one in orders], storm.patience_s, report)
        _wait_for_told(folder, {job.order.id for job in jobs}, storm.patience_s)
    finally:
        runners.stop()
        ledger.storage.close()
    report.seconds = time.monotonic() - began
    report.left_behind = sum(makes_jobs(pid) for pid in runners.children_seen)
    _compare(jobs, folder, storm, report)
    return report


def _rage(storm: Storm, runners: Runners, dice: random.Random, redis: RedisServer | None, report: Report) -> None:
    restarts = set(dice.sample(range(1, storm.kills), storm.redis_restarts)) if redis else set()
    kills = 0
    while kills < storm.kills:
        time.sleep(dice.uniform(0.5, 1.5) * storm.pause_s)
        if dice.random() < storm.of_runners:
            runners.kill_one(dice)
            report.killed["runner"] += 1
        elif runners.kill_child(dice):
            report.killed["child"] += 1
        else:
            continue
        kills += 1
        if redis and kills in restarts:
            redis.stop()
            time.sleep(storm.pause_s)
            redis.start()
            report.killed["redis"] += 1


def _ended(ledger: Ledger, ids: list[str], patience_s: float, report: Report) -> list[Job]:
    late = time.monotonic() + patience_s
    while True:
        jobs: list[Job | None] = []
        with contextlib.suppress(QueueError):
            jobs = ledger.get(ids)
        known = [job for job in jobs if job is not None]
        if jobs and all(job.state.ended for job in known):
            break
        if time.monotonic() > late:
            report.wrong += [f"{job.order.id} has not ended: {job}" for job in known if not job.state.ended]
            break
        time.sleep(0.05)
    if len(known) < len(ids):
        report.wrong.append(f"{len(ids) - len(known)} jobs are lost.")
    return known


def _told(folder: Path) -> Counter[str]:
    file = folder / "told"
    return Counter(line.split()[0] for line in file.read_text().splitlines()) if file.exists() else Counter()


def _wait_for_told(folder: Path, ids: set[str], patience_s: float) -> None:
    late = time.monotonic() + patience_s
    while set(_told(folder)) < ids and time.monotonic() < late:
        time.sleep(0.05)


def _compare(jobs: list[Job], folder: Path, storm: Storm, report: Report) -> None:
    told = _told(folder)
    report.told_twice = sum(times - 1 for times in told.values())
    for job in jobs:
        report.states[job.state] += 1
        report.attempts[job.attempts] += 1
        id, poison = job.order.id, job.order.source == "die"
        code = job.error.code if job.error else ""
        if id not in told:
            report.wrong.append(f"Nobody was told of {id}.")
        if job.attempts > storm.max_attempts:
            report.wrong.append(f"{id} has {job.attempts} attempts.")
        if job.state is JobState.DONE and (poison or (folder / id).read_bytes() != content(id)):
            report.wrong.append(f"{id} is done, and is not.")
        if job.state is JobState.FAILED:
            report.unlucky += not poison
            if code != "worker_died" or job.attempts != storm.max_attempts:
                report.wrong.append(f"{id} failed with {code} after {job.attempts} attempts.")
    if report.left_behind:
        report.wrong.append(f"{report.left_behind} children outlived their runners.")


@contextlib.contextmanager
def lasting_redis(folder: Path) -> Iterator[RedisServer]:
    """Start a Redis that has its data after a restart."""
    server = RedisServer(folder, {"appendonly": "yes"})
    try:
        server.start()
        yield server
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("jobs", "poison", "runners", "workers", "kills", "redis-restarts", "max-attempts", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Storm, name.replace("-", "_")))
    for name in ("job-s", "pause-s", "lease-s", "patience-s"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Storm, name.replace("-", "_")))
    parser.add_argument("--redis", action="store_true")
    given = vars(parser.parse_args())
    on_redis = given.pop("redis")
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        redis = stack.enter_context(lasting_redis(Path(name))) if on_redis else None
        report = weather(Storm(**given), Path(name), redis)
    sys.stdout.write(f"{report}\n")
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
