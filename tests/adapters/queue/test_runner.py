"""Jobs worked on by real processes: how each ends, whatever happens to its worker."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from imgserve.adapters.queue import storage
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.runner import Runner
from imgserve.adapters.queue.watching import Watch
from imgserve.ports.jobs import Job, JobState, QueueError
from tests.adapters.queue.conftest import LEASE_S, Place, ended, soon, state
from tests.adapters.queue.makers import broken, content, order, tries
from tests.adapters.queue.programs import RunnerConfig, children, started
from tests.adapters.redis_server import RedisServer


class Notes(Watch):
    """What a runner has told."""

    def __init__(self) -> None:
        self.children: list[str] = []
        self.requeues: list[str] = []
        self.ends: list[Job] = []

    def child_started(self) -> None:
        self.children.append("started")

    def child_ended(self, *, reason: str) -> None:
        self.children.append(reason)

    def requeued(self, *, code: str) -> None:
        self.requeues.append(code)

    def ended(self, job: Job, *, seconds: float) -> None:
        self.ends.append(job)


def submit(ledger: Ledger, name: str, source: str = "write", *, priority: int = 0) -> str:
    (job,) = ledger.submit([order(name, source, priority=priority)])
    return job.order.id


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_job_is_made_by_a_nice_child_and_told_of_once(place: Place) -> None:
    told: list[Job] = []
    with place.ledger() as ledger, place.running(ledger, ended=told.append):
        id = submit(ledger, "a")
        job = ended(ledger, id)
        soon(lambda: told)
        assert job.state is JobState.DONE
        assert job.facts["provider"] == "scripted"
        assert job.facts["nice"] == min(19, os.nice(0) + 10)
        assert job.facts["pid"] != os.getpid()
        assert (place.folder / id).read_bytes() == content(id)
        soon(lambda: not ledger.storage.open.items())
        assert [(each.order.id, each.state) for each in told] == [(id, JobState.DONE)]


def test_higher_priorities_come_first_and_equal_ones_in_order(place: Place) -> None:
    with place.ledger() as ledger:
        names = {"low": -1, "first": 0, "second": 0, "high": 9}
        ids = {name: submit(ledger, name, priority=priority) for name, priority in names.items()}
        with place.running(ledger):
            for id in ids.values():
                ended(ledger, id)
        lines = (place.folder / "tries").read_text().splitlines()
        assert [line.split()[0] for line in lines] == [ids[name] for name in ("high", "first", "second", "low")]


def test_progress_is_seen_and_the_lease_renewed_while_a_job_runs(on_file: Place) -> None:
    with on_file.ledger(lease_s=0.3) as ledger, on_file.running(ledger):
        id = submit(ledger, "a", "sleep:0.9")

        def seen() -> bool:
            (job,) = ledger.get([id])
            return job is not None and job.state is JobState.RUNNING and 0 < job.progress < 1 and job.task == "upscale"

        soon(seen)
        job = ended(ledger, id)
        assert (job.state, job.attempts) == (JobState.DONE, 1)


def test_a_job_that_runs_is_cancelled_and_its_child_killed(place: Place) -> None:
    notes, told = Notes(), list[Job]()
    with place.ledger() as ledger, place.running(ledger, watch=notes, ended=told.append):
        id = submit(ledger, "a", "spin")
        soon(lambda: tries(place.folder, id))
        (pid,) = tries(place.folder, id)
        ledger.cancel(id)
        soon(lambda: not alive(pid))
        soon(lambda: told)
        other = submit(ledger, "b")
        assert ended(ledger, other).state is JobState.DONE
        assert state(ledger, id) is JobState.CANCELLED
        soon(lambda: len(told) == 2)
        assert [job.state for job in told] == [JobState.CANCELLED, JobState.DONE]
        assert notes.children[:3] == ["started", "cancelled", "started"]


def test_programs_that_a_child_has_started_end_with_it_and_with_its_runner(on_file: Place) -> None:
    pid = on_file.folder / "program"
    with on_file.ledger() as ledger:
        with on_file.running(ledger):
            id = submit(ledger, "a", "program")
            soon(lambda: pid.exists() and pid.read_text())
            first = int(pid.read_text())
            ledger.cancel(id)
            soon(lambda: not alive(first))
        pid.unlink()
        submit(ledger, "b", "program")
        runner = started(config(on_file))
        soon(lambda: pid.exists() and pid.read_text())
        second = int(pid.read_text())
        runner.kill()
        runner.wait()
        soon(lambda: not alive(second))


def test_a_job_that_is_cancelled_before_it_runs_is_told_of_and_never_made(on_file: Place) -> None:
    told: list[Job] = []
    with on_file.ledger() as ledger:
        id = submit(ledger, "a")
        ledger.cancel(id)
        with on_file.running(ledger, ended=told.append):
            soon(lambda: told)
            soon(lambda: not ledger.storage.job_line.waiting())
        assert [job.state for job in told] == [JobState.CANCELLED]
        assert tries(on_file.folder, id) == []


@pytest.mark.parametrize(
    ("source", "limits", "code", "reason"),
    [
        ("die", {}, "worker_died", "died"),
        ("terminate", {}, "worker_died", "died"),
        ("spin", {"job_timeout_s": 0.4}, "job_timeout", "timeout"),
        ("eat:400", {"max_bytes": 200 << 20}, "job_memory", "memory"),
    ],
)
def test_a_job_that_always_ends_its_worker_fails(
    on_file: Place, source: str, limits: dict[str, float], code: str, reason: str
) -> None:
    notes = Notes()
    with on_file.ledger(max_attempts=2) as ledger, on_file.running(ledger, watch=notes, **limits):
        id = submit(ledger, "poison", source)
        job = ended(ledger, id)
        assert (job.state, job.attempts) == (JobState.FAILED, 2)
        assert job.error is not None
        assert job.error.code == code
        pids = tries(on_file.folder, id)
        assert len(set(pids)) == 2
        soon(lambda: not any(map(alive, pids)))
        assert ended(ledger, submit(ledger, "well")).state is JobState.DONE
        assert notes.children.count(reason) == 2
        assert notes.requeues == [code]


def test_what_time_may_mend_is_tried_again_until_attempts_are_used_up(on_file: Place) -> None:
    names = ["SourceTimeout", "SourceUnreachable", "ProviderUnavailable", "Unavailable"]
    with on_file.ledger(max_attempts=2) as ledger, on_file.running(ledger):
        for name, id in [(name, submit(ledger, name, f"raise:{name}")) for name in names]:
            job = ended(ledger, id)
            assert (job.state, job.attempts) == (JobState.FAILED, 2)
            assert job.error is not None
            assert job.error.message == f"It is {name}."
            assert len(set(tries(on_file.folder, id))) == 1


def test_what_no_time_mends_fails_at_once(on_file: Place) -> None:
    names = ["SourceNotFound", "ImageRefused", "ProviderRefused", "SourceForbidden"]
    with on_file.ledger() as ledger, on_file.running(ledger):
        for id in [submit(ledger, name, f"raise:{name}") for name in names]:
            job = ended(ledger, id)
            assert (job.state, job.attempts) == (JobState.FAILED, 1)
            assert job.error is not None
            assert job.error.code != "internal_error"


def test_what_fails_once_is_done_at_the_second_attempt(on_file: Place) -> None:
    with on_file.ledger() as ledger, on_file.running(ledger):
        job = ended(ledger, submit(ledger, "a", "once"))
        assert (job.state, job.attempts, job.error) == (JobState.DONE, 2, None)


def test_a_job_that_was_put_back_says_why_and_when_it_is_due(on_file: Place) -> None:
    with on_file.ledger() as ledger, on_file.running(ledger, backoff_s=60):
        id = submit(ledger, "a", "once")
        soon(lambda: tries(on_file.folder, id) and state(ledger, id) is JobState.QUEUED)
        (job,) = ledger.get([id])
        assert job is not None
        assert job.error is not None
        assert (job.attempts, job.error.code) == (1, "source_timeout")
        assert 40 < job.due_at - time.time() < 80


def test_a_bug_is_logged_and_not_told(on_file: Place, caplog: pytest.LogCaptureFixture) -> None:
    with on_file.ledger(max_attempts=1) as ledger, on_file.running(ledger):
        job = ended(ledger, submit(ledger, "a", "bug"))
        assert job.error is not None
        assert job.error.code == "internal_error"
        assert "secret" not in job.error.message
    assert "ZeroDivisionError: secret" in caplog.text


def test_a_maker_that_cannot_be_built_fails_its_jobs_with_a_traceback(
    on_file: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with on_file.ledger(max_attempts=1) as ledger, on_file.running(ledger, build=broken):
        assert ended(ledger, submit(ledger, "a")).state is JobState.FAILED
    assert "RuntimeError: no model" in caplog.text


def test_a_child_is_started_with_the_first_job_and_ended_when_idle(on_file: Place) -> None:
    notes = Notes()
    with on_file.ledger() as ledger, on_file.running(ledger, watch=notes, idle_s=0.3):
        assert notes.children == []
        ended(ledger, submit(ledger, "a"))
        soon(lambda: notes.children == ["started", "idle"])


def test_a_child_is_replaced_after_so_many_jobs(on_file: Place) -> None:
    with on_file.ledger() as ledger, on_file.running(ledger, jobs_per_child=2):
        pids = [ended(ledger, submit(ledger, name)).facts["pid"] for name in "abcd"]
        assert pids[0] == pids[1] != pids[2] == pids[3]


def test_workers_work_side_by_side(on_file: Place) -> None:
    with on_file.ledger() as ledger, on_file.running(ledger, workers=2):
        ids = [submit(ledger, name, "sleep:30") for name in "ab"]
        soon(lambda: [state(ledger, id) for id in ids] == [JobState.RUNNING] * 2)


def test_a_runner_that_stops_lets_jobs_end(on_file: Place) -> None:
    with on_file.ledger() as ledger:
        with on_file.running(ledger) as runner:
            id = submit(ledger, "a", "sleep:0.5")
            soon(lambda: state(ledger, id) is JobState.RUNNING)
            runner.stop(grace_s=10)
        assert state(ledger, id) is JobState.DONE


def test_a_runner_that_stops_puts_back_what_does_not_end_and_counts_no_attempt(place: Place) -> None:
    with place.ledger() as ledger:
        with place.running(ledger) as runner:
            id = submit(ledger, "a", "sleep:30")
            soon(lambda: tries(place.folder, id))
            (pid,) = tries(place.folder, id)
            runner.stop(grace_s=0.1)
        assert not alive(pid)
        (job,) = ledger.get([id])
        assert job is not None
        assert (job.state, job.attempts, job.error) == (JobState.QUEUED, 0, None)
        with place.running(ledger):
            soon(lambda: len(tries(place.folder, id)) == 2)
            (job,) = ledger.get([id])
            assert job is not None
            assert job.attempts == 1


def test_a_scheduled_call_comes_when_it_is_due_and_outlives_its_runner(place: Place) -> None:
    heard: list[tuple[bytes, float]] = []
    with place.ledger() as ledger:
        with place.running(ledger) as runner:
            runner.schedule("hook", b"\x00later", delay_s=0.5)
            runner.schedule("hook", b"now")
        began = time.time()
        with place.running(ledger, handlers={"hook": lambda payload: heard.append((payload, time.time() - began))}):
            soon(lambda: len(heard) == 2)
        assert sorted(payload for payload, _ in heard) == [b"\x00later", b"now"]
        assert ledger.storage.calls.items() == {}


def test_an_end_that_could_not_be_told_of_is_told_by_a_sweep(place: Place) -> None:
    told: list[Job] = []
    fails = [QueueError("down")]

    def hook(job: Job) -> None:
        if fails:
            raise fails.pop()
        told.append(job)

    with place.ledger() as ledger, place.running(ledger, ended=hook):
        id = submit(ledger, "a")
        soon(lambda: told)
        assert [(job.order.id, job.state) for job in told] == [(id, JobState.DONE)]


def test_a_call_that_hangs_does_not_keep_the_next_waiting(on_file: Place) -> None:
    heard, free = threading.Event(), threading.Event()
    with (
        on_file.ledger() as ledger,
        on_file.running(ledger, handlers={"slow": lambda _: free.wait(), "good": lambda _: heard.set()}) as runner,
    ):
        runner.schedule("slow", b"")
        runner.schedule("good", b"")
        soon(heard.is_set)
        free.set()


def test_a_handler_that_breaks_does_not_stop_the_next(on_file: Place, caplog: pytest.LogCaptureFixture) -> None:
    heard = threading.Event()

    def breaks(_payload: bytes) -> None:
        raise ZeroDivisionError

    with (
        on_file.ledger() as ledger,
        on_file.running(ledger, handlers={"bad": breaks, "good": lambda _: heard.set()}) as runner,
    ):
        runner.schedule("bad", b"")
        runner.schedule("good", b"")
        assert heard.wait(10)
    assert "ZeroDivisionError" in caplog.text


def test_a_runner_outlives_a_restart_of_redis(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path_factory.mktemp("aof"), {"appendonly": "yes"})
    server.start()
    place = Place(redis_url=server.url, file=tmp_path / "unused", folder=tmp_path)
    try:
        with place.ledger() as ledger, place.running(ledger):
            running, waiting = submit(ledger, "a", "sleep:1"), submit(ledger, "b")
            soon(lambda: state(ledger, running) is JobState.RUNNING)
            server.stop(signal.SIGTERM)
            soon(lambda: "cannot be reached" in caplog.text)
            soon((place.folder / running).exists)
            server.start()
            jobs = [ended(ledger, id) for id in (running, waiting)]
            assert [job.state for job in jobs] == [JobState.DONE] * 2
        complaints = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert len(complaints) == 1
    finally:
        server.stop()


def test_a_message_that_is_none_of_ours_is_dropped(on_file: Place) -> None:
    with on_file.ledger() as ledger:
        for rubbish in (b"\x80", b"{}", b'["unheard.Of"]'):
            ledger.storage.job_line.huey.storage.enqueue(rubbish, 10)
        id = submit(ledger, "a")
        assert ledger.storage.job_line.present() == {f"{id}.1"}
        with on_file.running(ledger):
            assert ended(ledger, id).state is JobState.DONE


def test_runners_in_threads_leave_signals_alone(on_file: Place) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with on_file.ledger() as ledger, on_file.running(ledger) as runner:
        assert isinstance(runner, Runner)
        assert signal.getsignal(signal.SIGTERM) is before


def config(place: Place) -> RunnerConfig:
    return RunnerConfig(redis_url=place.redis_url, file=str(place.file), folder=str(place.folder), lease_s=LEASE_S)


def test_a_runner_that_is_killed_leaves_no_child_and_its_job_to_another(place: Place) -> None:
    with place.ledger() as ledger:
        id = submit(ledger, "a", "sleep:1.5")
        killed = started(config(place))
        soon(lambda: tries(place.folder, id))
        pids = children(killed.pid)
        assert pids == tries(place.folder, id)
        killed.kill()
        killed.wait()
        soon(lambda: not any(map(alive, pids)))
        with place.running(ledger):
            job = ended(ledger, id)
        assert (job.state, job.attempts) == (JobState.DONE, 2)
        assert (place.folder / id).read_bytes() == content(id)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_runner_after_its_job(on_file: Place, number: signal.Signals) -> None:
    with on_file.ledger() as ledger:
        id = submit(ledger, "a", "sleep:0.7")
        runner = started(config(on_file))
        soon(lambda: tries(on_file.folder, id))
        runner.send_signal(number)
        assert runner.wait(10) == 0
        assert state(ledger, id) is JobState.DONE


def test_a_second_signal_ends_a_runner_at_once_and_the_job_is_put_back(on_file: Place) -> None:
    with on_file.ledger() as ledger:
        id = submit(ledger, "a", "sleep:60")
        runner = started(replace(config(on_file), grace_s=60))
        soon(lambda: tries(on_file.folder, id))
        runner.terminate()
        time.sleep(0.3)  # two signals at once are one
        runner.terminate()
        assert runner.wait(10) == 0
        (job,) = ledger.get([id])
        assert job is not None
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)


def test_a_stop_that_reaches_the_child_first_costs_no_attempt(on_file: Place) -> None:
    with on_file.ledger() as ledger:
        id = submit(ledger, "a", "sleep:60")
        runner = started(config(on_file))
        soon(lambda: tries(on_file.folder, id))
        for pid in (*children(runner.pid), runner.pid):
            os.kill(pid, signal.SIGTERM)
        assert runner.wait(10) == 0
        (job,) = ledger.get([id])
        assert job is not None
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)


def test_a_runner_outlives_a_file_that_is_locked(
    on_file: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(storage, "LOCKED_S", 0.1)
    with on_file.ledger() as ledger, on_file.running(ledger):
        id = submit(ledger, "a", "sleep:0.3")
        soon(lambda: tries(on_file.folder, id))
        with contextlib.closing(sqlite3.connect(on_file.file, isolation_level=None)) as other:
            other.execute("begin exclusive")
            soon((on_file.folder / id).exists)
            soon(lambda: "is locked" in caplog.text)
            other.execute("rollback")
        assert ended(ledger, id).state is JobState.DONE
        assert ended(ledger, submit(ledger, "b")).state is JobState.DONE
    assert sum(record.levelno >= logging.ERROR for record in caplog.records) == 1
