"""Requests that this server's own pages alone may make: what a development switch opens is not for other sites.

In development the playground has URLs signed without a key. Any site may send requests to a visitor's own machine, so
each of these stands against one way in:

- a form, or fetch without leave: the body has to be JSON by its type, which needs a preflight, and none is answered;
- fetch from another site: browsers say who asks (Origin, Sec-Fetch-Site), whatever IMGSERVE_ALLOW_ORIGIN lets be read;
- a name of the attacker's that points to this machine (DNS rebinding): to a browser such a page is of our origin, so
  the name has to be one that nobody else can have: `localhost`, a loopback address, or where the server listens;
- a proxy in front, behind which everybody comes from this machine: most say so in a header, and those that do not, such
  as nginx by itself, speak HTTP/1.0, which no browser does.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from imgserve.errors import BodyTypeRefused, Forbidden, MethodNotAllowed
from imgserve.web.exchange import SCOPE_KEY, Exchange
from imgserve.web.responses import JSON

_PROXIES: Final = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cdn-loop",
    "via",
)
_ADDRESS: Final = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]+))(?::[0-9]{1,5})?")
_SWITCH: Final = "IMGSERVE_DEVELOPMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPages:
    """An ASGI app that lets requests of this server's own pages through to another."""

    app: ASGIApp
    #: Where the server listens, "" or an address of no host = everywhere.
    host: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.json = True
        if scope["http_version"] == "1.0":
            raise _proxied("http-version")
        self.check(exchange)
        await self.app(scope, receive, send)

    def check(self, exchange: Exchange) -> None:
        """Refuse all but a page's own POST of JSON; raises RequestError."""
        if exchange.method != "POST":
            raise MethodNotAllowed("Only POST is possible here.", where="method", expected="POST")
        for name in _PROXIES:
            if exchange.header(name) is not None:
                raise _proxied(name)
        address = exchange.header("host") or ""
        if not self._is_ours(address):
            raise Forbidden(
                f"{_SWITCH} answers at this machine's own addresses, such as http://127.0.0.1: use one, or an API key.",
                where="host",
                got=address[:80],
            )
        origin = exchange.header("origin") or ""
        site = exchange.header("sec-fetch-site") or "same-origin"
        if origin.lower() not in (f"http://{address}".lower(), f"https://{address}".lower()) or site != "same-origin":
            raise Forbidden("Only this server's own pages may ask for this.", where="origin", got=origin[:80])
        kind = (exchange.header("content-type") or "").partition(";")[0].strip().lower()
        if kind != JSON:
            raise BodyTypeRefused("The body has to be JSON.", where="content-type", got=kind[:80], expected=JSON)

    def _is_ours(self, address: str) -> bool:
        """Tell whether nobody else can have a page at this address (host and port, as a browser sends them)."""
        found = _ADDRESS.fullmatch(address.lower())
        host = (found["ipv6"] or found["host"]) if found else ""
        if host in ("localhost", self.host.lower()):
            return bool(host)
        number = _number(host)
        if number is None:
            return False
        listening = _number(self.host)
        # A page at an address without a name is of the machine that has this address.
        return number.is_loopback or not self.host or (listening is not None and listening.is_unspecified)


def _proxied(where: str) -> Forbidden:
    return Forbidden(f"{_SWITCH} is for this machine, not for what a proxy passes on: use an API key.", where=where)


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
