from __future__ import annotations

import socket

import pytest

from imgserve.cli.address import Address, address_of, listen
from imgserve.errors import ConfigError


@pytest.mark.parametrize(
    ("bind", "environ", "expected"),
    [
        ("127.0.0.1:8080", {}, Address("127.0.0.1", 8080)),
        (":8080", {"IMGSERVE_BIND": ":8080"}, Address("", 8080)),
        ("[::1]:80", {}, Address("::1", 80)),
        ("img.local:80", {}, Address("img.local", 80)),
        ("127.0.0.1:8080", {"PORT": "9000"}, Address("", 9000)),
        ("127.0.0.1:1", {"PORT": "9000", "IMGSERVE_BIND": "127.0.0.1:1"}, Address("127.0.0.1", 1)),
        ("127.0.0.1:1", {"PORT": "9000", "IMGPROXY_BIND": "127.0.0.1:1"}, Address("127.0.0.1", 1)),
    ],
)
def test_the_address_is_read(bind: str, environ: dict[str, str], expected: Address) -> None:
    assert address_of(bind, environ) == expected


@pytest.mark.parametrize("bind", ["8080", "localhost", "127.0.0.1:", "127.0.0.1:65536", "a b:80", "::1:80"])
def test_a_wrong_address_is_refused_by_name(bind: str) -> None:
    with pytest.raises(ConfigError, match="IMGSERVE_BIND"):
        address_of(bind, {})


def test_a_wrong_port_variable_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="PORT: expected"):
        address_of("127.0.0.1:8080", {"PORT": "http"})


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address("", 80), "http://127.0.0.1:80"),
        (Address("0.0.0.0", 80), "http://127.0.0.1:80"),
        (Address("::", 80), "http://[::1]:80"),
        (Address("img.local", 80), "http://img.local:80"),
    ],
)
def test_clients_of_this_machine_know_where_to_go(address: Address, url: str) -> None:
    assert address.url == url


def test_all_addresses_are_listened_on() -> None:
    with listen(Address("", 0)) as port, socket.create_connection(("127.0.0.1", port.getsockname()[1]), timeout=5):
        pass


def test_a_port_that_is_taken_is_a_mistake_of_the_configuration() -> None:
    with listen(Address("127.0.0.1", 0)) as port, pytest.raises(ConfigError, match="IMGSERVE_BIND"):
        listen(Address("127.0.0.1", port.getsockname()[1]))
