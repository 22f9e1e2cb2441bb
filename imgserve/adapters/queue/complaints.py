"""One log line in half a minute for a trouble that lasts, however many threads meet it."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

PAUSE_S: Final = 30.0

_log = logging.getLogger(__name__)


class Complaints:
    """What a runner has to say of its queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._quiet_until = 0.0

    def say(self, trouble: Exception) -> None:
        now = time.monotonic()
        with self._lock:
            if now < self._quiet_until:
                return
            self._quiet_until = now + PAUSE_S
        _log.error("%s Workers try on.", trouble)
