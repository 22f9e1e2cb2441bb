"""huey's consumer for our lines: threads that outlive every trouble of the storage, and no signal handlers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from huey.consumer import Consumer, Scheduler, Worker  # type: ignore[import-untyped]

from imgserve.adapters.queue.complaints import Complaints
from imgserve.adapters.queue.shelves import Line
from imgserve.ports.jobs import QueueError

#: SQLite is asked so often whether there is work: soon after there was some, then at a cost of 20 us each.
FIRST_POLL_S: Final = 0.05
LONGEST_POLL_S: Final = 0.25
POLL_GROWTH: Final = 1.5
#: While the storage is down, it is asked so often.
TROUBLE_S: Final = 1.0
#: How often the schedule is looked at; huey's own shortest.
SCHEDULE_S: Final = 1.0


class Hands(Protocol):
    """What one worker thread works with."""

    def work(self, *args: Any) -> None: ...

    def rest(self) -> None: ...

    def close(self) -> None: ...


class _LineWorker(Worker):  # type: ignore[misc]
    """Takes messages without huey's revocations, retries and results: the ledger has them."""

    def __init__(self, line: Line, stop_flag: threading.Event, *, hands: Hands, complaints: Complaints) -> None:
        super().__init__(line.huey, stop_flag, FIRST_POLL_S, LONGEST_POLL_S, POLL_GROWTH)
        self._line = line
        self._hands = hands
        self._complaints = complaints

    def loop(self, now: object = None) -> None:
        try:
            message = self._received()
            if message is not None:
                self.delay = self.default_delay
                self._hands.work(*message)
                return
            self._hands.rest()
        except QueueError as exc:
            self._complaints.say(exc)
            self.stop_flag.wait(TROUBLE_S)
            return
        if not self.huey.storage.blocking:
            self.sleep()

    def shutdown(self) -> None:
        self._hands.close()

    def _received(self) -> tuple[Any, ...] | None:
        try:
            return self._line.receive()
        except (ValueError, TypeError) as exc:
            raise QueueError(f"A message in the queue cannot be read ({exc}); it is dropped.") from exc


class _LineScheduler(Scheduler):  # type: ignore[misc]
    """Moves messages whose time has come to those that wait."""

    def __init__(self, line: Line, stop_flag: threading.Event, *, every_s: float, complaints: Complaints) -> None:
        super().__init__(line.huey, stop_flag, interval=1, periodic=False)
        self._every_s = every_s
        self._line = line
        self._complaints = complaints

    def loop(self, now: object = None) -> None:
        try:
            self._line.move_due()
        except QueueError as exc:
            self._complaints.say(exc)
        self.stop_flag.wait(self._every_s)


class LineConsumer(Consumer):  # type: ignore[misc]
    """Threads for one line: `workers` that work, each with hands of its own, and one for the schedule."""

    def __init__(
        self, line: Line, *, workers: int, hands: Callable[[], Hands], schedule_s: float, complaints: Complaints
    ) -> None:
        self._line = line
        self._hands = hands
        self._schedule_s = schedule_s
        self._complaints = complaints
        super().__init__(line.huey, workers=workers, periodic=False)

    def _create_worker(self) -> _LineWorker:
        return _LineWorker(self._line, self.stop_flag, hands=self._hands(), complaints=self._complaints)

    def _create_scheduler(self) -> _LineScheduler:
        return _LineScheduler(self._line, self.stop_flag, every_s=self._schedule_s, complaints=self._complaints)

    def _set_signal_handlers(self) -> None:
        """Leave signals to whoever runs the runner: this may be a server's process, or not its main thread."""

    def threads(self) -> list[threading.Thread]:
        return [self.scheduler, *(thread for _, thread in self.worker_threads)]
