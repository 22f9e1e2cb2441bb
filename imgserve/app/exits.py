"""Exit codes by which a serving process tells its supervisor why it ended."""

from __future__ import annotations

from typing import Final

#: The settings are wrong, and it has said how: EX_CONFIG of sysexits.h.
EXIT_CONFIG: Final = 78
#: Its render threads are stuck: EX_SOFTWARE, not a clean end, so every supervisor starts another.
EXIT_STUCK: Final = 70
