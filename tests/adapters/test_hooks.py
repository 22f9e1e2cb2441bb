"""Sending webhooks over real sockets: what arrives, what is believed, and which addresses are never dialled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from imgserve.adapters.hooks import MAX_ANSWER_BYTES, HookSender
from imgserve.adapters.sources.guard import AddressRules
from tests.adapters.hook_receiver import receiving
from tests.adapters.sources.conftest import Trust, trust

__all__ = ["trust"]

LOOPBACK = AddressRules(allow_loopback=True)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def sender(rules: AddressRules = LOOPBACK, *, timeout_s: float = 5.0, **given: Any) -> HookSender:
    return HookSender(rules, timeout_s=timeout_s, user_agent="imgserve/test", **given)


async def post(hooks: HookSender, url: str, body: bytes = b"{}") -> tuple[int, str]:
    """Send as a worker does, from a thread."""
    return await asyncio.to_thread(hooks.post, url, headers={"content-type": "application/json", "a": "b"}, body=body)


def names(*addresses: str) -> Any:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


async def test_a_message_arrives_as_it_was_given() -> None:
    async with receiving(OK) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/a%20b?c=d"
        assert await post(sender(), url, b'{"a": 1}') == (200, "")
    [message] = receiver.received
    assert (message.target, message.body) == ("POST /a%20b?c=d HTTP/1.1", b'{"a": 1}')
    assert message.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "user-agent": "imgserve/test",
        "content-type": "application/json",
        "a": "b",
        "content-length": "8",
    }


@pytest.mark.parametrize("status", [204, 302, 307, 404, 410, 500])
async def test_the_status_is_all_that_counts_and_redirects_are_not_followed(status: int) -> None:
    answer = f"HTTP/1.1 {status} X\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".encode()
    async with receiving(answer) as receiver:
        assert await post(sender(), f"http://127.0.0.1:{receiver.port}/") == (status, "")
    assert len(receiver.received) == 1


async def test_no_more_is_read_of_an_answer_than_it_may_have() -> None:
    async with receiving(b"HTTP/1.1 200 OK\r\n\r\n...") as receiver:
        began = time.monotonic()
        assert await post(sender(), f"http://127.0.0.1:{receiver.port}/") == (200, "")
        assert time.monotonic() - began < 1
    # Kernels on both sides hold some megabytes more.
    assert MAX_ANSWER_BYTES < receiver.sent_bytes < 16 << 20


async def test_a_body_that_does_not_come_changes_nothing() -> None:
    async with receiving(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") as receiver:
        assert await post(sender(), f"http://127.0.0.1:{receiver.port}/") == (200, "")


async def test_a_receiver_that_says_nothing_has_so_long() -> None:
    async with receiving(b"") as receiver:
        began = time.monotonic()
        found = await post(sender(timeout_s=0.2), f"http://127.0.0.1:{receiver.port}/")
    assert found == (0, "it did not answer within 0.2 seconds")
    assert time.monotonic() - began < 2


async def test_a_receiver_that_is_not_there_is_told() -> None:
    async with receiving() as receiver:
        port = receiver.port
    assert await post(sender(), f"http://127.0.0.1:{port}/") == (0, "it could not be reached (ConnectError)")
    async with receiving(b"nonsense\r\n\r\n") as receiver:
        found = await post(sender(), f"http://127.0.0.1:{receiver.port}/")
        assert found == (0, "it could not be reached (RemoteProtocolError)")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "localhost", "169.254.169.254", "10.0.0.7", "192.168.1.1", "172.16.0.1", "100.64.0.1",
        "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]", "224.0.0.1",
    ],
)  # fmt: skip
async def test_addresses_that_are_not_public_are_refused_without_a_connection(host: str) -> None:
    async with receiving() as receiver:
        status, trouble = await post(sender(AddressRules()), f"http://{host}:{receiver.port}/")
    assert (status, receiver.connections) == (0, 0)
    # Names that the resolver does not take for an address in disguise have none, and some cannot be in a URL.
    assert trouble.startswith(("its host is at a refused address", "its host has no address", "its URL cannot")), (
        trouble
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost"])
async def test_spellings_of_an_address_are_judged_as_what_they_lead_to(host: str) -> None:
    async with receiving(OK) as receiver:
        url = f"http://{host}:{receiver.port}/"
        assert "refused address" in (await post(sender(AddressRules()), url))[1]
        assert receiver.connections == 0
        assert (await post(sender(), url))[0] == 200


async def test_a_refusal_names_the_setting_that_would_allow_it() -> None:
    _, trouble = await post(sender(AddressRules()), "https://127.0.0.1/")
    assert trouble == ("its host is at a refused address; IMGSERVE_ALLOW_LOOPBACK_SOURCE_ADDRESSES=true would allow it")


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("169.254.169.254",), ("::1",)])
async def test_names_are_judged_by_all_their_addresses(addresses: tuple[str, ...]) -> None:
    async with receiving() as receiver:
        hooks = sender(AddressRules(), resolve=names(*addresses))
        status, trouble = await post(hooks, f"http://hooks.test:{receiver.port}/")
    assert (status, receiver.connections) == (0, 0)
    assert "refused address" in trouble


async def test_a_name_is_resolved_once_and_its_address_is_the_one_that_is_dialled() -> None:
    asked = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with receiving(OK) as receiver:
        assert await post(sender(resolve=resolve), f"http://hooks.test:{receiver.port}/") == (200, "")
    assert asked == ["hooks.test"]
    assert receiver.received[0].headers["host"] == f"hooks.test:{receiver.port}"


async def test_a_name_that_has_no_address_is_told() -> None:
    assert await post(sender(resolve=names()), "http://hooks.test/") == (0, "its host has no address")


@pytest.mark.parametrize("url", ["ftp://hooks.test/", "http://", "http://a b/", "hooks.test", "http://hooks.test:0/"])
async def test_what_cannot_be_requested_is_told(url: str) -> None:
    assert await post(sender(), url) == (0, "its URL cannot be requested")


async def test_certificates_are_checked(trust: Trust) -> None:
    served: list[str | None] = []
    async with receiving(OK, tls=trust.server(served)) as receiver:
        url = f"https://images.test:{receiver.port}/"
        trusting = sender(tls=trust.client(), resolve=names("127.0.0.1"))
        assert await post(trusting, url) == (200, "")
        assert await post(sender(resolve=names("127.0.0.1")), url) == (0, "it could not be reached (ConnectError)")
        other = f"https://other.test:{receiver.port}/"
        assert (await post(trusting, other))[0] == 0
    assert len(receiver.received) == 1
    assert served[0] == "images.test"
