"""Looking up names: one thread for each name, no queue behind those that hang, answers kept for seconds."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from imgserve.adapters.sources.dial import PinnedBackend
from imgserve.adapters.sources.guard import AddressRules
from imgserve.adapters.sources.names import MAX_KNOWN, NEGATIVE_S, POSITIVE_S, STALE_S, SystemNames, system_look_up
from imgserve.errors import SourceForbidden, SourceUnreachable


class Service:
    """A blocking name service: `hanging` names are answered after `wake`, `unknown` ones never exist."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.threads: list[threading.Thread] = []
        self.hanging: set[str] = set()
        self.unknown: set[str] = set()
        self.wake = threading.Event()
        self.now_s = 1000.0
        self.addresses = ["192.0.2.1"]

    def __call__(self, host: str) -> list[str]:
        self.asked[host] += 1
        self.threads.append(threading.current_thread())
        if host in self.hanging:
            self.wake.wait(30)
        if host in self.unknown:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.addresses

    def names(self, *, max_lookups: int = 4) -> SystemNames:
        return SystemNames(self, max_lookups=max_lookups, clock=lambda: self.now_s)


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.wake.set()


async def give_up(names: SystemNames, host: str) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(names(host, 80), 0.05)


async def test_callers_of_one_name_share_one_look_up(service: Service) -> None:
    service.hanging = {"slow.test"}
    names = service.names()
    callers = [asyncio.create_task(names("slow.test", port)) for port in (80, 443, 8080)]
    await asyncio.sleep(0)
    service.wake.set()
    assert await asyncio.gather(*callers) == [("192.0.2.1",)] * 3
    assert service.asked == {"slow.test": 1}


async def test_a_name_that_hangs_holds_one_thread_however_many_ask_and_leave(service: Service) -> None:
    service.hanging = {"slow.test"}
    names = service.names(max_lookups=2)
    for _ in range(5):
        await give_up(names, "slow.test")
    assert service.asked == {"slow.test": 1}
    assert await names("other.test", 80) == ("192.0.2.1",)


async def test_a_caller_that_leaves_takes_nothing_from_the_others(service: Service) -> None:
    service.hanging = {"slow.test"}
    names = service.names()
    patient = asyncio.create_task(names("slow.test", 80))
    await give_up(names, "slow.test")
    service.wake.set()
    assert await patient == ("192.0.2.1",)


async def test_a_name_that_finds_all_threads_hanging_is_given_up_soon_and_never_looked_up(service: Service) -> None:
    service.hanging = {"slow0.test", "slow1.test"}
    names = service.names(max_lookups=2)
    for host in sorted(service.hanging):
        await give_up(names, host)
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError, match="all look-ups hang"):
            await names("other.test", 80)
    assert service.asked["other.test"] == 0
    service.wake.set()
    assert await names("other.test", 80) == ("192.0.2.1",)


async def test_hosts_known_before_go_on_while_all_threads_hang(service: Service) -> None:
    names = service.names(max_lookups=1)
    await names("known.test", 80)
    service.hanging = {"slow.test"}
    await give_up(names, "slow.test")
    service.now_s += STALE_S - 1
    assert await names("known.test", 80) == ("192.0.2.1",)
    service.now_s += 2
    with pytest.raises(TimeoutError):
        await names("known.test", 80)
    assert service.asked["known.test"] == 1


async def test_a_burst_of_names_that_resolve_is_answered_in_full(service: Service) -> None:
    names = service.names(max_lookups=2)
    found = await asyncio.gather(*(names(f"host{number}.test", 80) for number in range(50)))
    assert found == [("192.0.2.1",)] * 50


async def test_an_answer_serves_for_seconds(service: Service) -> None:
    names = service.names()
    for later_s, asked in ((0.0, 1), (POSITIVE_S - 0.1, 1), (0.2, 2)):
        service.now_s += later_s
        await names("images.test", 80)
        assert service.asked["images.test"] == asked


async def test_a_failure_serves_for_a_shorter_time_and_is_a_new_error_each_time(service: Service) -> None:
    service.unknown = {"images.test"}
    names = service.names()
    errors = []
    for later_s, asked in ((0.0, 1), (NEGATIVE_S - 0.1, 1), (0.2, 2)):
        service.now_s += later_s
        with pytest.raises(socket.gaierror) as caught:
            await names("images.test", 80)
        errors.append(caught.value)
        assert service.asked["images.test"] == asked
    assert len({id(error) for error in errors}) == 3


async def test_a_kept_answer_is_judged_again(service: Service) -> None:
    service.addresses = ["10.0.0.1"]
    names = service.names()
    for _ in range(2):
        with pytest.raises(SourceForbidden, match="private"):
            await PinnedBackend(AddressRules(), resolve=names).connect_tcp("images.test", 80, timeout=5)
    assert service.asked == {"images.test": 1}


async def test_an_unknown_name_keeps_its_sentence(service: Service) -> None:
    service.unknown = {"images.test"}
    backend = PinnedBackend(AddressRules(), resolve=service.names())
    for _ in range(2):
        with pytest.raises(SourceUnreachable, match=r"'images\.test' cannot be resolved"):
            await backend.connect_tcp("images.test", 80, timeout=5)


async def test_answers_are_forgotten_when_there_are_too_many(service: Service) -> None:
    names = service.names()
    for number in range(MAX_KNOWN + 1):
        await names(f"host{number}.test", 80)
    await names(f"host{MAX_KNOWN}.test", 80)
    await names("host0.test", 80)
    assert service.asked[f"host{MAX_KNOWN}.test"] == 1
    assert service.asked["host0.test"] == 2


def test_a_look_up_that_hangs_keeps_neither_loop_nor_process_from_ending(service: Service) -> None:
    service.hanging = {"slow.test"}

    async def scenario() -> None:
        await give_up(service.names(), "slow.test")

    asyncio.run(scenario())
    (thread,) = service.threads
    assert thread.is_alive()
    assert thread.daemon
    service.wake.set()
    thread.join(10)  # an error in it is a warning, and so one of this test


def test_the_system_knows_this_machine_and_no_nonsense() -> None:
    assert set(system_look_up("localhost")) <= {"127.0.0.1", "::1"}
    with pytest.raises(socket.gaierror):
        system_look_up("a" * 64 + ".test")
