"""Which addresses a source may live at."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from imgserve.errors import SourceForbidden


class Kind(enum.Enum):
    """What an address is for; all but PUBLIC are refused unless a rule allows them, RESERVED always."""

    PUBLIC = "a public address"
    LOOPBACK = "a loopback address"
    LINK_LOCAL = "a link-local address"
    PRIVATE = "a private address"
    RESERVED = "a reserved or multicast address"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRules:
    """Kinds of address that are open although they are not public."""

    allow_loopback: bool = False
    allow_link_local: bool = False
    allow_private: bool = False

    def refused(self, kinds: Iterable[Kind]) -> Kind | None:
        """Give the first kind that is not open, None when all are."""
        is_open = {
            Kind.PUBLIC: True,
            Kind.LOOPBACK: self.allow_loopback,
            Kind.LINK_LOCAL: self.allow_link_local,
            Kind.PRIVATE: self.allow_private,
            Kind.RESERVED: False,
        }
        return next((kind for kind in Kind if kind in kinds and not is_open[kind]), None)


SETTINGS = {
    Kind.LOOPBACK: "IMGSERVE_ALLOW_LOOPBACK_SOURCE_ADDRESSES",
    Kind.LINK_LOCAL: "IMGSERVE_ALLOW_LINK_LOCAL_SOURCE_ADDRESSES",
    Kind.PRIVATE: "IMGSERVE_ALLOW_PRIVATE_SOURCE_ADDRESSES",
}

# IANA special-purpose registries (IPv4 and IPv6), first match wins. Written out instead of `ipaddress.is_private`: that
# answer has changed between Python patch releases, and it does not tell loopback from private.
IPV4_KINDS: tuple[tuple[IPv4Network, Kind], ...] = tuple(
    (IPv4Network(net), kind)
    for net, kind in (
        ("0.0.0.0/8", Kind.LOOPBACK),  # connecting to 0.0.0.0 reaches this machine: CVE-2025-24354
        ("127.0.0.0/8", Kind.LOOPBACK),
        ("169.254.0.0/16", Kind.LINK_LOCAL),
        # Cloud metadata services outside 169.254/16 do the same job: Azure's is a public address, Alibaba's is CGNAT.
        ("168.63.129.16/32", Kind.LINK_LOCAL),
        ("100.100.100.200/32", Kind.LINK_LOCAL),
        ("10.0.0.0/8", Kind.PRIVATE),
        ("172.16.0.0/12", Kind.PRIVATE),
        ("192.168.0.0/16", Kind.PRIVATE),
        ("100.64.0.0/10", Kind.PRIVATE),  # carrier-grade NAT, also the inner network of several clouds
        ("192.0.0.0/24", Kind.RESERVED),
        ("192.0.2.0/24", Kind.RESERVED),
        ("192.88.99.0/24", Kind.RESERVED),
        ("198.18.0.0/15", Kind.RESERVED),
        ("198.51.100.0/24", Kind.RESERVED),
        ("203.0.113.0/24", Kind.RESERVED),
        ("224.0.0.0/4", Kind.RESERVED),
        ("240.0.0.0/4", Kind.RESERVED),  # with 255.255.255.255
    )
)
IPV6_KINDS: tuple[tuple[IPv6Network, Kind], ...] = tuple(
    (IPv6Network(net), kind)
    for net, kind in (
        ("::/127", Kind.LOOPBACK),  # :: and ::1
        ("fe80::/10", Kind.LINK_LOCAL),
        ("fd00:ec2::/32", Kind.LINK_LOCAL),  # AWS metadata over IPv6
        ("fc00::/7", Kind.PRIVATE),
        ("fec0::/10", Kind.PRIVATE),  # site-local, withdrawn but still routed by some
        ("64:ff9b:1::/48", Kind.PRIVATE),  # NAT64 with a prefix of the operator's own, RFC 8215
        ("2001:db8::/32", Kind.RESERVED),
        ("3fff::/20", Kind.RESERVED),
        ("2000::/3", Kind.PUBLIC),  # the only global unicast space handed out; anything else is refused unseen
        ("::/0", Kind.RESERVED),
    )
)


def _v4_at(*positions: int) -> Callable[[bytes], list[bytes]]:
    return lambda raw: [raw[at : at + 4] for at in positions]


def _teredo(raw: bytes) -> list[bytes]:
    """Server as it stands, client with every bit inverted (RFC 4380)."""
    return [raw[4:8], bytes(byte ^ 0xFF for byte in raw[12:16])]


def _nat64_local(raw: bytes) -> list[bytes]:
    """Read at every prefix length from /48 on (RFC 6052; byte 8 is skipped); the padding of the others reads as 0.x."""
    packed = raw[:8] + raw[9:]
    readings = [packed[at : at + 4] for at in (6, 7, 8)] + [raw[12:16]]
    return [reading for reading in readings if reading[0]] or [b"\0\0\0\0"]


# Networks whose addresses carry an IPv4 address that a gateway or the kernel may really connect to.
EMBEDDED: tuple[tuple[IPv6Network, Callable[[bytes], list[bytes]]], ...] = (
    (IPv6Network("::ffff:0:0/96"), _v4_at(12)),  # mapped
    (IPv6Network("::ffff:0:0:0/96"), _v4_at(12)),  # translated, RFC 2765
    (IPv6Network("64:ff9b::/96"), _v4_at(12)),  # NAT64
    (IPv6Network("2002::/16"), _v4_at(2)),  # 6to4
    (IPv6Network("2001::/32"), _teredo),
    (IPv6Network("64:ff9b:1::/48"), _nat64_local),
    (IPv6Network("::/96"), _v4_at(12)),  # compatible, withdrawn
)
#: Networks that say nothing themselves: only the embedded address is judged.
TRANSPARENT = frozenset(net for net, _ in EMBEDDED) - {IPv6Network("64:ff9b:1::/48")}
ISATAP_MARKS = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")  # RFC 5214, in front of the last four bytes


def kinds_of(address: IPv4Address | IPv6Address) -> frozenset[Kind]:
    """Judge an address: its own kind and that of every IPv4 address it embeds."""
    if isinstance(address, IPv4Address):
        return frozenset({next((kind for net, kind in IPV4_KINDS if address in net), Kind.PUBLIC)})
    own = next(kind for net, kind in IPV6_KINDS if address in net)
    if own is Kind.LOOPBACK:  # :: and ::1 lie in ::/96, but embed nothing
        return frozenset({own})
    raw = address.packed
    home, extract = next(((net, extract) for net, extract in EMBEDDED if address in net), (None, None))
    inner = extract(raw) if extract else []
    if raw[8:12] in ISATAP_MARKS:
        inner.append(raw[12:16])
    kinds = {kind for packed in inner for kind in kinds_of(IPv4Address(packed))}
    return frozenset(kinds if home in TRANSPARENT else kinds | {own})


def is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def refusal(host: str, kind: Kind) -> SourceForbidden:
    """Name the host as the URL spells it, never the address it resolved to."""
    setting = SETTINGS.get(kind)
    hint = f"; {setting}=true would allow it" if setting else ""
    return SourceForbidden(f"The source host '{host}' is {kind.value}{hint}.", where=host, expected=setting)
