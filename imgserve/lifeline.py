"""Processes that end with the one that started them, however that goes; else a port, or work, stays with nobody."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Final

#: prctl(2): the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG: Final = 1


def end_with(supervisor: int) -> None:
    """Drain and end when the supervisor is gone; for a process that its parent's main thread started."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:  # it went before prctl was called
        signal.raise_signal(signal.SIGTERM)


def watch_parent(end: Callable[[], None]) -> None:
    """Call `end` when the parent is gone, in the middle of work too: a line that is closed is seen between tasks only.

    Not with PR_SET_PDEATHSIG, which is sent when the thread ends that started this process.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        end()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
