"""One log line in half a minute for a trouble that lasts, however many threads meet it."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

PAUSE_S: Final = 30.0

_log = logging.getLogger(__name__)


class Complaints:
    """What one who uses the queue has to say of it; each line ends with what is done about it."""

    def __init__(self, ending: str = "Workers try on.") -> None:
        self._ending = ending
        self._lock = threading.Lock()
        self._quiet_until = 0.0

    def say(self, trouble: Exception) -> None:
        now = time.monotonic()
        with self._lock:
            if now < self._quiet_until:
                return
            self._quiet_until = now + PAUSE_S
        _log.error("%s %s", trouble, self._ending)
