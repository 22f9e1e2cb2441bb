"""Asking the system for the addresses of a name, so that names nobody answers for cannot stop the others.

Not loop.getaddrinfo: asyncio queues it behind whatever else runs in its default executor, uvloop has four threads for
it, and both leave a thread behind for every caller that gave up.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

#: Ask for the addresses of a host, blocking; raises OSError when it has none.
LookUp = Callable[[str], Sequence[str]]

#: Look-ups at once, a thread each. One that hangs holds its thread for as long as resolv.conf says: 10 s and more.
MAX_LOOKUPS = 32
#: A look-up that finds all threads taken waits this long, enough for a burst of names that do resolve.
SLOT_WAIT_S = 0.5
#: For how long an answer serves. Name services give no time to live here, so as briefly as helps a burst.
POSITIVE_S = 5.0
NEGATIVE_S = 1.0
#: An older answer is better than none while all threads are taken.
STALE_S = 300.0
MAX_KNOWN = 1024


def system_look_up(host: str) -> list[str]:
    """Resolve through the system (hosts file, DNS), in its order of preference."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as exc:  # not a name by the rules of IDNA
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from exc
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


@dataclass(frozen=True, slots=True)
class _Known:
    """What the system said about a name, and when."""

    asked_s: float
    addresses: tuple[str, ...] = ()
    failure: OSError | None = None

    def serves(self, now_s: float) -> bool:
        return now_s < self.asked_s + (POSITIVE_S if self.failure is None else NEGATIVE_S)

    def serves_in_need(self, now_s: float) -> bool:
        return self.failure is None and now_s < self.asked_s + STALE_S

    def answer(self) -> tuple[str, ...]:
        if self.failure is not None:
            # A new one each time: a raised exception collects the frames of everybody who raised it.
            raise type(self.failure)(*self.failure.args)
        return self.addresses


class SystemNames:
    """Resolve names: one look-up at a time for each, in a bounded number of threads, answers kept for seconds.

    Gives addresses as the system gave them; whoever connects judges them, those that were kept as well.
    """

    def __init__(
        self,
        look_up: LookUp = system_look_up,
        *,
        max_lookups: int = MAX_LOOKUPS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._slots = asyncio.Semaphore(max_lookups)
        self._known: dict[str, _Known] = {}
        self._flights: dict[str, asyncio.Task[_Known | None]] = {}

    async def __call__(self, host: str, port: int) -> tuple[str, ...]:
        """Give the addresses of `host`; raises OSError for none, TimeoutError when too many other look-ups hang."""
        known = self._known.get(host)
        if known is None or not known.serves(self._clock()):
            # Shielded: a caller that gives up leaves the look-up to the next one, which would start the same again.
            known = await asyncio.shield(self._flight(host))
        if known is None:
            raise TimeoutError("all look-ups hang")
        return known.answer()

    def _flight(self, host: str) -> asyncio.Task[_Known | None]:
        flight = self._flights.get(host)
        if flight is None:
            flight = self._flights[host] = asyncio.create_task(self._ask(host))
            flight.add_done_callback(lambda _: self._flights.pop(host, None))
        return flight

    async def _ask(self, host: str) -> _Known | None:
        """Look `host` up; None when no thread comes free. Errors are values, since nobody may be left to take them."""
        try:
            async with asyncio.timeout(SLOT_WAIT_S):
                await self._slots.acquire()
        except TimeoutError:
            known = self._known.get(host)
            return known if known is not None and known.serves_in_need(self._clock()) else None
        try:
            addresses = await asyncio.wrap_future(_in_thread(partial(self._look_up, host)))
            known = _Known(self._clock(), tuple(addresses))
        except OSError as exc:
            known = _Known(self._clock(), failure=exc)
        finally:
            self._slots.release()
        self._keep(host, known)
        return known

    def _keep(self, host: str, known: _Known) -> None:
        self._known.pop(host, None)  # so that it becomes the newest
        self._known[host] = known
        if len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]


def _in_thread(work: Callable[[], Sequence[str]]) -> concurrent.futures.Future[Sequence[str]]:
    """Run `work` in a thread that does not keep the process from ending, as those of an executor would."""
    outcome: concurrent.futures.Future[Sequence[str]] = concurrent.futures.Future()
    outcome.set_running_or_notify_cancel()  # a look-up cannot be called off

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again, where the outcome is awaited
            outcome.set_exception(error)

    threading.Thread(target=run, name="source-name", daemon=True).start()
    return outcome
