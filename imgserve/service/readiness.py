"""Whether this process takes work: it serves, it drains, or its render threads are lost."""

from __future__ import annotations


class Readiness:
    """One per process; the first reason against stays."""

    def __init__(self) -> None:
        #: Why no new work should come here, "" while it may.
        self.reason = ""

    @property
    def ready(self) -> bool:
        return not self.reason

    def drain(self) -> None:
        """Say that the process is about to stop and finishes what it has."""
        self.reason = self.reason or "draining"

    def fail(self) -> None:
        """Say that the process cannot render any more."""
        self.reason = self.reason or "render threads are stuck"
