"""Where the server listens: IMGSERVE_BIND, or PORT as hosting platforms set it, and IMGSERVE_PROMETHEUS_BIND."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from imgserve.errors import ConfigError
from imgserve.settings import Settings

#: Connections that wait to be accepted; the kernel caps it at net.core.somaxconn.
BACKLOG = 2048

BIND = "IMGSERVE_BIND"
METRICS_BIND = "IMGSERVE_PROMETHEUS_BIND"

_BIND = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<host>[^:\s]*)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """A host ("" = all of them) and a TCP port (0 = any free one)."""

    host: str
    port: int

    @property
    def reachable_host(self) -> str:
        """The host by which a client on this machine gets there."""
        return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def url(self) -> str:
        host = self.reachable_host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def address_of(bind: str, environ: Mapping[str, str] = os.environ) -> Address:
    """Read `bind`; where the environment does not set it but PORT, that is the port, on all hosts.

    Raises ConfigError.
    """
    given = environ.get(BIND) or environ.get("IMGPROXY_BIND")
    variable, text = (BIND, bind)
    if not given and environ.get("PORT"):
        variable, text = "PORT", f":{environ['PORT']}"
    return _parsed(text, variable)


def metrics_address(settings: Settings) -> Address | None:
    """Read where /metrics has a port of its own, None when it has none; raises ConfigError."""
    bind = settings.monitoring.prometheus_bind
    return _parsed(bind, METRICS_BIND) if bind and settings.monitoring.metrics else None


def _parsed(text: str, variable: str) -> Address:
    found = _BIND.fullmatch(text)
    if not found or int(found["port"]) > 65_535:
        raise ConfigError([f"{variable}: expected host:port with a port from 0 to 65535, got {text.lstrip(':')!r}"])
    return Address(found["ipv6"] or found["host"], int(found["port"]))


def address_problems(settings: Settings) -> list[str]:
    """Say what is wrong with the address of these settings."""
    problems: list[str] = []
    try:
        address_of(settings.server.bind)
    except ConfigError as wrong:
        problems += wrong.problems
    try:
        metrics_address(settings)
    except ConfigError as wrong:
        problems += wrong.problems
    return problems


def reserve(address: Address, *, variable: str = BIND) -> socket.socket:
    """Take the address, so that nobody else can; it opens when a process listens there.

    Raises ConfigError with the reason when that is not possible.
    """
    every = not address.host
    dual = every and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual or ":" in address.host else socket.AF_INET
    try:
        return _bound(address, family, dual=dual)
    except OSError as error:
        where = f"{address.host or 'all addresses'}, port {address.port}"
        raise ConfigError([f"{variable}: cannot listen on {where}: {_reason(error, variable)}"]) from error


def listen(address: Address, *, variable: str = BIND) -> socket.socket:
    """Take the address and open it; raises ConfigError."""
    made = reserve(address, variable=variable)
    made.listen(BACKLOG)
    return made


def _bound(address: Address, family: socket.AddressFamily, *, dual: bool) -> socket.socket:
    """Do what socket.create_server does, but for listening."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        made.bind((address.host, address.port))
    except OSError:
        made.close()
        raise
    return made


def _reason(error: OSError, variable: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"another program listens there; stop it, or set {variable} to another port"
    return os.strerror(error.errno) if error.errno else str(error)
