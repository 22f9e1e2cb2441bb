"""Which addresses are refused, in every spelling, and that dialling goes to the address that was judged."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.adapters.sources.dial import PAUSE_AT_BYTES, PinnedBackend, _Inbox
from imgserve.adapters.sources.guard import AddressRules, Kind, kinds_of
from imgserve.errors import SourceForbidden, SourceUnreachable
from tests.adapters.sources.conftest import Web, free_port, reply

OPEN = AddressRules(allow_loopback=True, allow_link_local=True, allow_private=True)

KNOWN = {
    Kind.PUBLIC: "8.8.8.8 172.15.255.255 172.32.0.0 100.63.255.255 100.128.0.0 192.167.1.1 2606:4700::1111 "
    "2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 2001:0:808:808::f7f7:f7f7",
    Kind.LOOPBACK: "127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 ::1 :: ::ffff:127.0.0.1 ::127.0.0.1 ::ffff:0:127.0.0.1 "
    "64:ff9b::7f00:1 2002:7f00:1::1 2001:0:808:808::80ff:fffe 2001:0:7f00:1::f7f7:f7f7 ::ffff:0.0.0.0 "
    "2606:4700::5efe:7f00:1 2606:4700::200:5efe:7f00:1",
    Kind.LINK_LOCAL: "169.254.169.254 169.254.0.1 fe80::1 febf::1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe "
    "168.63.129.16 100.100.100.200 fd00:ec2::254",
    Kind.PRIVATE: "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 fc00::1 fd12::1 fec0::1 "
    "::ffff:10.0.0.1 2002:a00:1::1 64:ff9b:1::808:808",
    Kind.RESERVED: "224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 "
    "192.0.0.170 ff02::1 2001:db8::1 4000::1 100::1 ::ffff:224.0.0.1",
}
ADDRESSES = [(text, kind) for kind, texts in KNOWN.items() for text in texts.split()]


@pytest.mark.parametrize(("text", "kind"), ADDRESSES)
def test_an_address_is_of_its_kind(text: str, kind: Kind) -> None:
    assert kind in kinds_of(ipaddress.ip_address(text))


@pytest.mark.parametrize(("text", "kind"), ADDRESSES)
def test_only_public_addresses_are_open_by_default(text: str, kind: Kind) -> None:
    refused = AddressRules().refused(kinds_of(ipaddress.ip_address(text)))
    assert (refused is None) == (kind is Kind.PUBLIC)


@pytest.mark.parametrize(("text", "kind"), ADDRESSES)
def test_reserved_addresses_stay_refused_whatever_is_allowed(text: str, kind: Kind) -> None:
    refused = OPEN.refused(kinds_of(ipaddress.ip_address(text)))
    assert refused is (Kind.RESERVED if kind is Kind.RESERVED else None)


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (AddressRules(allow_loopback=True), "127.0.0.1"),
        (AddressRules(allow_link_local=True), "169.254.1.1"),
        (AddressRules(allow_private=True), "10.1.2.3"),
    ],
)
def test_each_rule_opens_its_own_kind_only(rules: AddressRules, text: str) -> None:
    texts = ("127.0.0.1", "169.254.1.1", "10.1.2.3")
    assert [each for each in texts if rules.refused(kinds_of(ipaddress.ip_address(each))) is None] == [text]


def joined(prefix: str, packed: bytes, at: int) -> IPv6Address:
    raw = bytearray(IPv6Address(prefix).packed)
    raw[at : at + 4] = packed
    return IPv6Address(bytes(raw))


FORMS = {
    "mapped": lambda v4: joined("::ffff:0:0", v4, 12),
    "compatible": lambda v4: joined("::", v4, 12),
    "translated": lambda v4: joined("::ffff:0:0:0", v4, 12),
    "nat64": lambda v4: joined("64:ff9b::", v4, 12),
    "6to4": lambda v4: joined("2002::1", v4, 2),
    "teredo client": lambda v4: joined("2001:0:808:808::", bytes(byte ^ 255 for byte in v4), 12),
    "teredo server": lambda v4: joined("2001::f7f7:f7f7", v4, 4),
    "isatap": lambda v4: joined("2606:4700::5efe:0:0", v4, 12),
    "isatap, global bit": lambda v4: joined("2606:4700::200:5efe:0:0", v4, 12),
}


@given(st.sampled_from(sorted(FORMS)), st.ip_addresses(v=4))
def test_an_embedded_address_counts_like_itself(form: str, address: IPv4Address) -> None:
    assert kinds_of(address) <= kinds_of(FORMS[form](address.packed)) | {Kind.PUBLIC}


@given(st.sampled_from([(6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15)]), st.ip_addresses(v=4))
def test_a_local_nat64_prefix_hides_no_address_at_any_length(places: Sequence[int], address: IPv4Address) -> None:
    if address.packed[0] == 0:
        return  # 0.x is what the unused places of the other lengths read as; the prefix is refused by default anyway
    raw = bytearray(IPv6Address("64:ff9b:1::").packed)
    for place, byte in zip(places, address.packed, strict=True):
        raw[place] = byte
    kinds = kinds_of(IPv6Address(bytes(raw)))
    assert Kind.PRIVATE in kinds
    assert kinds_of(address) <= kinds | {Kind.PUBLIC}


@given(st.ip_addresses())
def test_every_address_is_of_some_kind(address: IPv4Address | IPv6Address) -> None:
    assert kinds_of(address)


class Names:
    """A name service of known answers that counts its questions; the last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def connect(host: str, port: int, rules: AddressRules, names: Names | None = None) -> None:
    backend = PinnedBackend(rules, resolve=names)
    stream = await backend.connect_tcp(host, port, timeout=5)
    await stream.aclose()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1", "localhost", "2130706433", "0x7f.1"]
)
async def test_loopback_is_refused_in_any_spelling(host: str) -> None:
    with pytest.raises(SourceForbidden, match="IMGSERVE_ALLOW_LOOPBACK_SOURCE_ADDRESSES"):
        await connect(host, free_port(), AddressRules())


@pytest.mark.parametrize(
    ("address", "setting"),
    [
        ("127.0.0.1", "IMGSERVE_ALLOW_LOOPBACK_SOURCE_ADDRESSES"),
        ("169.254.169.254", "IMGSERVE_ALLOW_LINK_LOCAL_SOURCE_ADDRESSES"),
        ("192.168.7.7", "IMGSERVE_ALLOW_PRIVATE_SOURCE_ADDRESSES"),
    ],
)
async def test_a_refusal_names_host_and_setting_but_no_address(address: str, setting: str) -> None:
    with pytest.raises(SourceForbidden) as caught:
        await connect("images.test", 80, AddressRules(), Names([address]))
    assert "images.test" in caught.value.message
    assert setting in caught.value.message
    assert address not in caught.value.message


async def test_a_reserved_address_names_no_setting() -> None:
    with pytest.raises(SourceForbidden) as caught:
        await connect("images.test", 80, OPEN, Names(["224.0.0.1"]))
    assert "IMGSERVE" not in caught.value.message


@pytest.mark.parametrize("addresses", [["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"]])
async def test_one_refused_address_refuses_the_name(addresses: list[str]) -> None:
    with pytest.raises(SourceForbidden, match="private"):
        await connect("images.test", 80, AddressRules(), Names(addresses))


async def test_the_name_is_resolved_once_so_that_a_second_answer_changes_nothing(web: Web) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    await connect("images.test", web.port, AddressRules(allow_loopback=True), names)
    assert names.asked == ["images.test"]


async def test_an_ip_address_is_not_asked_of_the_name_service(web: Web) -> None:
    names = Names(["10.0.0.1"])
    await connect("127.0.0.1", web.port, AddressRules(allow_loopback=True), names)
    assert names.asked == []


async def test_the_next_address_is_tried_when_one_does_not_answer(web: Web) -> None:
    await connect("images.test", web.port, OPEN, Names(["127.0.0.2", "127.0.0.1"]))


async def test_a_name_without_addresses_is_unreachable() -> None:
    with pytest.raises(SourceUnreachable, match=r"images\.test"):
        await connect("images.test", 80, OPEN, Names([]))


async def test_an_unknown_name_is_unreachable() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(SourceUnreachable, match="cannot be resolved"):
        await PinnedBackend(OPEN, resolve=unknown).connect_tcp("images.test", 80)


async def test_a_closed_port_is_a_connect_error() -> None:
    with pytest.raises(httpcore.ConnectError):
        await connect("127.0.0.1", free_port(), OPEN)


async def test_a_silent_name_service_is_a_connect_timeout() -> None:
    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(httpcore.ConnectTimeout):
        await PinnedBackend(OPEN, resolve=silent).connect_tcp("images.test", 80, timeout=0.05)


async def test_a_stream_reads_what_arrives_and_then_the_end(web: Web) -> None:
    async def answer(_: object, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"body"))
        writer.close()

    web.routes["/"] = answer
    stream = await PinnedBackend(OPEN).connect_tcp("127.0.0.1", web.port)
    await stream.write(b"GET / HTTP/1.1\r\n\r\n")
    received = b""
    while data := await stream.read(10, timeout=5):
        received += data
    assert received == reply(200, b"body")
    assert stream.get_extra_info("is_readable")
    await stream.aclose()


class Recorder(asyncio.Transport):
    """A transport that notes when reading is stopped and started."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def test_unread_bytes_stop_the_socket_until_they_are_taken() -> None:
    inbox, transport = _Inbox(), Recorder()
    inbox.connection_made(transport)
    reading = []
    for step in (lambda: inbox.data_received(bytes(PAUSE_AT_BYTES - 1)), lambda: inbox.data_received(b"x"), inbox.take):
        step()
        reading.append(transport.reading)
    assert reading == [True, False, True]
