"""What a client already has: asked before anything is made for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from imgserve.ports import Origin
from imgserve.service.entry import Made


class Condition(Protocol):
    """What the client already has."""

    @property
    def given(self) -> bool:
        """Whether the client has anything at all."""
        ...

    def origin_headers(self) -> Mapping[str, str]:
        """Give the condition in terms of the source, for its origin; empty when there is none."""
        ...

    def holds(self, validator: str, origin: Origin, *, draft: bool = False) -> bool:
        """Tell whether the client has the result, or its draft, made of this source."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """The client has the result; `validator` is None when the origin said so without sending the source."""

    origin: Origin
    validator: str | None
    draft: bool = False
    #: Why it is served beyond its time, as in `Made`.
    stale: str = ""

    @property
    def passing(self) -> bool:
        """See `Made.passing`."""
        return self.draft or bool(self.stale)


def unless_known(made: Made, condition: Condition) -> Made | Unchanged:
    """Give the picture, or that the client has it."""
    if condition.holds(made.validator, made.origin, draft=made.draft):
        return Unchanged(origin=made.origin, validator=made.validator, draft=made.draft, stale=made.stale)
    return made
