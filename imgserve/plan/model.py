"""The Plan: one request as frozen data, canonical and ordered, and the key of its result."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from imgserve.spec.op import Catalog, Op, Stage

O = TypeVar("O", bound=Op)  # noqa: E741 - the customary letter for "op"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do with which source.

    `ops` change the answer's bytes and stand in catalog order, each option at most once; `delivery` (file name, expiry,
    cache buster …) does not and stays out of the key. `preferred` and `enforced` are the formats that negotiation
    chose, best first.
    """

    source: str
    ops: tuple[Op, ...] = ()
    delivery: tuple[Op, ...] = ()
    preferred: tuple[str, ...] = ()
    enforced: tuple[str, ...] = ()
    #: Names of the presets that it was made with, those inside of presets too; they decide nothing any more, and are
    #: what a purge finds results by.
    presets: tuple[str, ...] = field(default=(), compare=False)
    #: What of the query picked among the URL's choices (`w=750&q=75`, in the order of the URL), None = it has none.
    picked: str | None = field(default=None, compare=False)
    #: These very options and their text: printed once for all plans that share them.
    printed: tuple[tuple[Op, ...], str] | None = field(default=None, compare=False, repr=False)

    def get(self, kind: type[O]) -> O | None:
        """Find the option of a class, None when the request does not have it."""
        for op in self.ops:
            if isinstance(op, kind):
                return op
        for op in self.delivery:
            if isinstance(op, kind):
                return op
        return None

    def canonical(self) -> str:
        """Print what decides the result's bytes: one text for all spellings of one request."""
        known = self.printed
        options = known[1] if known is not None and known[0] is self.ops else _print(self.ops)
        return f"{options}|{','.join(self.preferred)}|{','.join(self.enforced)}|{self.source}"

    def key(self, *, epoch: str) -> str:
        """Hash the canonical text together with `epoch` (engine version and defaults) as 64 hex digits."""
        return hashlib.sha256(f"{epoch}|{self.canonical()}".encode("utf-8", "surrogateescape")).hexdigest()


def arrange(source: str, ops: Iterable[Op], catalog: Catalog, *, presets: Iterable[str] = ()) -> Plan:
    """Make a Plan of options in URL order: meta options expanded, later ones merged over earlier, catalog order."""
    latest: dict[type[Op], Op] = {}
    for given in ops:
        for one in given.expand():
            earlier = latest.get(type(one))
            latest[type(one)] = one if earlier is None else one.merge(earlier)
    ordered = sorted(latest.values(), key=lambda one: catalog.index[type(one)])
    effective = tuple(one for one in ordered if one.spec.stage is not Stage.DELIVERY)
    return Plan(
        source=source,
        ops=effective,
        delivery=tuple(one for one in ordered if one.spec.stage is Stage.DELIVERY),
        presets=tuple(presets),
        printed=(effective, _print(effective)),
    )


def _print(ops: Iterable[Op]) -> str:
    return "/".join(op.text() for op in ops)
