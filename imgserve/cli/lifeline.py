"""Processes that end with the one that started them, however that goes."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

#: prctl(2): the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG: Final = 1


def end_with(supervisor: int) -> None:
    """Drain and end when the supervisor is gone: else the port, or the work, stays with a process of nobody's."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:  # it went before prctl was called
        signal.raise_signal(signal.SIGTERM)
