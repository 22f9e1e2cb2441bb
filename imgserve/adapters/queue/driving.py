"""One worker: claims a job, has its child process make it, shows signs of life for it, and writes how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from imgserve.adapters.queue.children import Child, ChildDiedError
from imgserve.adapters.queue.claims import Claim, Held, UsedUp, beat, claim, fail, finish, give_back
from imgserve.adapters.queue.complaints import Complaints
from imgserve.adapters.queue.ledger import Ledger
from imgserve.adapters.queue.making import Broke, Made, Maker, Progress, Refused
from imgserve.adapters.queue.outcomes import Died, Dropped, Failed, Outcome, Stopped, TooLarge, TooLong, judge
from imgserve.adapters.queue.stopping import Stopping
from imgserve.adapters.queue.sweep import Sweeper
from imgserve.adapters.queue.watching import Watch
from imgserve.ports.jobs import QueueError

#: Heartbeats per lease: two may fail.
BEATS: Final = 3
#: How often limits of time and memory are looked at, in seconds. A model takes a GB in about so long.
LOOK_S: Final = 0.25
#: Between two tries to write how a job ended, while the storage is down.
TRY_S: Final = 0.5
#: Where no process can be started (too many, no memory), the job waits so long.
NO_PROCESS_S: Final = 5.0
#: A service's stop reaches all its processes at once: so long after its child, this one has heard of it too.
STOP_HEARD_S: Final = 0.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How jobs are run."""

    job_timeout_s: float
    #: Memory of the child.
    max_bytes: int
    #: A child without work is ended after so long.
    idle_s: float
    #: A fresh child after so many jobs: what leaks, leaks no further.
    jobs_per_child: int
    #: After a first attempt that failed; twice as long after each further one.
    backoff_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What the workers of a runner share."""

    ledger: Ledger
    #: Called in the child; a function of a module.
    build: Callable[[], Maker]
    manner: Manner
    sweeper: Sweeper
    stopping: Stopping
    complaints: Complaints
    watch: Watch
    #: Who works here, such as host:pid.
    name: str


class Driver:
    """A worker and its child; used by one thread."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._child: Child | None = None
        self._idle_since = 0.0

    def work(self, id: str, generation: int) -> None:
        """Do what a message asks for. Raises QueueError where the job could not be claimed; a sweep sees to it."""
        shop = self._shop
        mine = claim(shop.ledger, id=id, generation=generation, worker=shop.name)
        if mine is None:
            return
        if isinstance(mine, UsedUp):
            shop.sweeper.fail(mine.known)
            return
        shop.watch.claimed(waited_s=max(0.0, mine.lease.started_at - mine.record.created_at))
        outcome = self._attempt(mine)
        self._idle_since = time.monotonic()
        if self._child is not None and self._child.jobs >= shop.manner.jobs_per_child:
            self._end_child("old")
        self._write(mine, outcome)

    def rest(self) -> None:
        """End a child that has had no work for a while."""
        if self._child is not None and time.monotonic() > self._idle_since + self._shop.manner.idle_s:
            self._end_child("idle")

    def close(self) -> None:
        if self._child is not None:
            self._end_child("stopped")

    def _attempt(self, mine: Claim) -> Outcome:
        try:
            child = self._living()
        except ChildDiedError as exc:
            _log.error("%s", exc)
            return Stopped(delay_s=NO_PROCESS_S)
        try:
            child.ask(mine.record.order)
            return self._follow(mine, child)
        except ChildDiedError:
            stopped = child.terminated and self._shop.stopping.event.wait(STOP_HEARD_S)
            self._end_child("stopped" if stopped else "died")
            return Stopped() if stopped else Died()

    def _living(self) -> Child:
        """Give the child; one that died since its last job is replaced."""
        if self._child is not None and not self._child.alive:
            self._end_child("died")
        if self._child is None:
            self._child = Child(self._shop.build)
            self._shop.watch.child_started()
        return self._child

    def _follow(self, mine: Claim, child: Child) -> Outcome:
        """Look after a job until it has ended, or has to."""
        beat_s = self._shop.ledger.limits.lease_s / BEATS
        started = time.monotonic()
        next_beat = started + beat_s
        last = Progress(task="", share=0.0)
        while True:
            word = child.hear(min(LOOK_S, max(0.0, next_beat - time.monotonic())))
            if isinstance(word, Made | Refused | Broke):
                return word
            last = word or last
            if (end := self._overdue(child, started)) is not None:
                return end
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + beat_s
                held = self._beat(mine, last)
                if held is not Held.OURS:
                    self._end_child("cancelled" if held is Held.ENDED else "lost")
                    return Dropped()

    def _overdue(self, child: Child, started: float) -> Outcome | None:
        """End a child that may not go on, and say why."""
        manner = self._shop.manner
        if self._shop.stopping.late:
            self._end_child("stopped")
            return Stopped()
        if time.monotonic() > started + manner.job_timeout_s:
            self._end_child("timeout")
            return TooLong(timeout_s=manner.job_timeout_s)
        if child.resident_bytes() > manner.max_bytes:
            self._end_child("memory")
            return TooLarge(max_bytes=manner.max_bytes)
        return None

    def _beat(self, mine: Claim, last: Progress) -> Held:
        try:
            return beat(self._shop.ledger, mine, progress=last.share, task=last.task)
        except QueueError as exc:  # whether it is still ours will be seen when the storage is back
            self._shop.complaints.say(exc)
            return Held.OURS

    def _write(self, mine: Claim, outcome: Outcome) -> None:
        """Write how it ended, for as long as it takes: a result that nobody hears of would be made again."""
        while True:
            try:
                return self._settle(mine, outcome)
            except QueueError as exc:
                self._shop.complaints.say(exc)
                if self._shop.stopping.late:
                    return None
                time.sleep(TRY_S)

    def _settle(self, mine: Claim, outcome: Outcome) -> None:
        shop, id = self._shop, mine.record.order.id
        match outcome:
            case Dropped():
                shop.sweeper.tell_other(id)
            case Stopped(delay_s=delay_s):
                if give_back(shop.ledger, mine, delay_s=delay_s, counted=False) is Held.OURS:
                    shop.watch.requeued(code="stopped")
                else:
                    shop.sweeper.tell_other(id)
            case Made(facts=facts):
                self._tell(id, finish(shop.ledger, mine, facts))
            case _:
                self._settle_badly(mine, outcome)

    def _settle_badly(self, mine: Claim, outcome: Refused | Broke | Died | TooLong | TooLarge) -> None:
        shop, id = self._shop, mine.record.order.id
        if isinstance(outcome, Broke):
            _log.error("A bug was met in job %s:\n%s", id, outcome.traceback)
        verdict = judge(
            outcome,
            attempts=mine.lease.attempts,
            max_attempts=shop.ledger.limits.max_attempts,
            backoff_s=shop.manner.backoff_s,
        )
        if isinstance(verdict, Failed):
            self._tell(id, fail(shop.ledger, mine, verdict.error))
        elif give_back(shop.ledger, mine, delay_s=verdict.delay_s, error=verdict.error) is Held.OURS:
            shop.watch.requeued(code=verdict.error.code)
        else:
            shop.sweeper.tell_other(id)

    def _tell(self, id: str, held: Held) -> None:
        if held is Held.OURS:
            self._shop.sweeper.tell_own(id)
        else:
            self._shop.sweeper.tell_other(id)

    def _end_child(self, reason: str) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()
            self._shop.watch.child_ended(reason=reason)
